//! Table `system`: known users, and the counter of notifications.

use serde::Deserialize;
use tables::{Change, Database, Item, Query, Write, from_items, strings};
use thakii_contract::tables::SYSTEM;

use crate::aws::AwsError;

const USERS: &str = "user";

/// A user who has signed in or uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct KnownUser {
    #[serde(rename = "sk")]
    pub(crate) uid: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Users {
    database: Database,
    table: String,
}

impl Users {
    pub(crate) fn new(database: Database, table: String) -> Self {
        Self { database, table }
    }

    /// Records a visit.
    pub(crate) async fn record_visit(&self, uid: &str, email: &str, now: &str) -> Result<(), AwsError> {
        self.database.update(&self.table, key(USERS, uid), visited(email, now).add("videos", 0)).await.map(|_| ())
    }

    /// Returns the write that counts a video more.
    pub(super) fn add_video_write(&self, uid: &str, email: &str, now: &str) -> Write {
        Write::Change(self.table.clone(), key(USERS, uid), visited(email, now).add("videos", 1))
    }

    /// Returns the write that counts a video less.
    pub(super) fn remove_video_write(&self, uid: &str) -> Write {
        Write::Change(self.table.clone(), key(USERS, uid), Change::new().add("videos", -1))
    }

    /// Lists all known users.
    pub(crate) async fn list(&self) -> Result<Vec<KnownUser>, AwsError> {
        from_items(self.database.query_all(&Query::new(&self.table, SYSTEM.partition, USERS)).await?)
    }

    pub(crate) async fn count_with_videos(&self) -> Result<u64, AwsError> {
        let query = Query::new(&self.table, SYSTEM.partition, USERS).filter(|at| at.compare("videos", ">", 0));
        self.database.count(&query).await
    }

    pub(crate) async fn count_notifications(&self, count: usize, now: &str) -> Result<(), AwsError> {
        let change = Change::new()
            .set("last_notification", now)
            .set("updated_at", now)
            .add("count", i64::try_from(count).unwrap_or(i64::MAX));
        self.database.update(&self.table, key("system", "notifications"), change).await.map(|_| ())
    }
}

fn visited(email: &str, now: &str) -> Change {
    Change::new().set("email", email).set_once("first_seen", now).set("last_seen", now)
}

fn key(partition: &str, sort: &str) -> Item {
    strings([("pk", partition), ("sk", sort)])
}
