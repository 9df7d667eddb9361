//! Table `admin-users`: current and removed admins.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};
use tables::{Change, Database, Item, Query, from_item, from_items, strings, to_item};
use thakii_contract::tables::ADMIN_USERS;

use crate::{aws::AwsError, ids};

const ADMIN: &str = "admin";
/// The role of super admins.
pub(crate) const SUPER_ADMIN: &str = "super_admin";

/// The status of an admin row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AdminStatus {
    Active,
    /// The row is kept, but grants nothing.
    Removed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Admin {
    /// Derived from the e-mail address.
    pub(crate) id: String,
    /// In lower case.
    pub(crate) email: String,
    /// A label; only [`SUPER_ADMIN`] has a meaning.
    pub(crate) role: String,
    pub(crate) status: AdminStatus,
    pub(crate) is_super_admin: bool,
    pub(crate) description: String,
    pub(crate) added_by: String,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) updated_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) removed_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) removed_at: Option<String>,
    pub(crate) last_login: Option<String>,
    pub(crate) login_count: u64,
}

impl Admin {
    pub(crate) fn new(email: &str, role: &str, description: &str, added_by: &str, now: &str) -> Self {
        Self {
            id: ids::admin_id(email),
            email: email.to_owned(),
            role: role.to_owned(),
            status: AdminStatus::Active,
            is_super_admin: role == SUPER_ADMIN,
            description: description.to_owned(),
            added_by: added_by.to_owned(),
            created_at: now.to_owned(),
            updated_at: now.to_owned(),
            updated_by: None,
            removed_by: None,
            removed_at: None,
            last_login: None,
            login_count: 0,
        }
    }
}

/// The changed fields of an admin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) role: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) status: Option<AdminStatus>,
}

#[derive(Debug, Clone)]
pub(crate) struct Admins {
    database: Database,
    table: String,
}

impl Admins {
    pub(crate) fn new(database: Database, table: String) -> Self {
        Self { database, table }
    }

    pub(crate) async fn get(&self, id: &str) -> Result<Option<Admin>, AwsError> {
        self.database.get(&self.table, key(id)).await?.map(from_item).transpose()
    }

    /// Lists all admins, including removed ones, newest first.
    pub(crate) async fn list(&self) -> Result<Vec<Admin>, AwsError> {
        let query = Query::new(&self.table, ADMIN_USERS.partition, ADMIN).consistent();
        let mut admins: Vec<Admin> = from_items(self.database.query_all(&query).await?)?;
        admins.sort_by_key(|admin| Reverse((admin.created_at.clone(), admin.id.clone())));
        Ok(admins)
    }

    /// Adds an admin. Returns false if the e-mail address already has a row, even a removed one.
    pub(crate) async fn add(&self, admin: &Admin) -> Result<bool, AwsError> {
        let mut item = to_item(admin)?;
        item.extend(key(&admin.id));
        self.database.put(&self.table, item, Change::new().when(|at| at.absent("id"))).await
    }

    /// Changes an admin. Returns `None` if it does not exist.
    pub(crate) async fn edit(&self, id: &str, edit: &Edit, by: &str, now: &str) -> Result<Option<Admin>, AwsError> {
        let mut change = Change::new()
            .set("updated_at", now)
            .set("updated_by", by)
            .set_some("role", edit.role.as_deref())
            .set_some("description", edit.description.as_deref())
            .set_some("status", edit.status)
            .when(|at| at.exists("id"));
        change = match edit.status {
            Some(AdminStatus::Active) => change.remove("removed_by").remove("removed_at"),
            Some(AdminStatus::Removed) => change.set("removed_by", by).set("removed_at", now),
            None => change,
        };
        self.database.update(&self.table, key(id), change).await?.map(from_item).transpose()
    }

    pub(crate) async fn record_login(&self, id: &str, now: &str) -> Result<(), AwsError> {
        let change = Change::new().set("last_login", now).add("login_count", 1).when(|at| at.exists("id"));
        self.database.update(&self.table, key(id), change).await.map(|_| ())
    }
}

fn key(id: &str) -> Item {
    strings([("kind", ADMIN), ("id", id)])
}
