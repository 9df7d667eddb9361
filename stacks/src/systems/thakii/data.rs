//! Stack `data`: six tables, so that a function has access only to the data that it needs.

use model::{
    parts::table::{Table, TableHandle},
    stage::Stage,
    template::{Stack, json::camel},
};
use thakii_contract::{SYSTEM as NAME, tables};

use super::Settings;

/// The tables.
pub(super) struct Tables {
    pub(super) video_tasks: TableHandle,
    pub(super) admin_users: TableHandle,
    pub(super) processing_servers: TableHandle,
    pub(super) notifications: TableHandle,
    pub(super) uploads: TableHandle,
    pub(super) system: TableHandle,
}

impl Tables {
    /// Returns all tables, each with its name in the system.
    pub(super) fn all(&self) -> [(&'static str, &TableHandle); 6] {
        [
            (tables::VIDEO_TASKS.name, &self.video_tasks),
            (tables::ADMIN_USERS.name, &self.admin_users),
            (tables::PROCESSING_SERVERS.name, &self.processing_servers),
            (tables::NOTIFICATIONS.name, &self.notifications),
            (tables::UPLOADS.name, &self.uploads),
            (tables::SYSTEM.name, &self.system),
        ]
    }
}

/// Builds the stack; also returns its tables.
pub(super) fn stack(stage: &Stage, settings: &Settings) -> (Stack, Tables) {
    let mut stack = Stack::new("data", "Thakii: six tables.");
    let mut add = |shape: tables::Table| stack.add(table(stage, settings, shape));
    let tables = Tables {
        video_tasks: add(tables::VIDEO_TASKS),
        admin_users: add(tables::ADMIN_USERS),
        processing_servers: add(tables::PROCESSING_SERVERS),
        notifications: add(tables::NOTIFICATIONS),
        uploads: add(tables::UPLOADS),
        system: add(tables::SYSTEM),
    };
    (stack, tables)
}

fn table(stage: &Stage, settings: &Settings, shape: tables::Table) -> Table {
    let logical_id = format!("{}Table", camel(shape.name));
    let name = format!("{NAME}-{}-{}", shape.name, stage.name);
    let mut table = Table::new(&logical_id, &name, (shape.partition, shape.sort), stage);
    for index in shape.indexes {
        table = table.index(index.name, (index.partition, Some(index.sort)));
    }
    if let Some(attribute) = shape.expires {
        table = table.expires(attribute);
    }
    if settings.protect_data { table.recoverable().protected() } else { table }
}
