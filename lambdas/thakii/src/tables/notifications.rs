//! Table `notifications`: each user's, by time.

use std::collections::BTreeMap;

use contract::thakii::tables::NOTIFICATIONS;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    attributes::{Item, from_item, from_items, strings, to_item},
    change::Change,
    database::Database,
    query::Query,
    transaction::Part,
};
use crate::{aws::AwsError, ids, time};

/// How long a notification is kept, in seconds.
const KEPT: i64 = 90 * 24 * 3600;

/// A notification as users see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// A ULID.
    pub notification_id: String,
    /// The headline.
    pub title: String,
    /// What happened.
    pub body: String,
    /// The same, for programs.
    pub data: BTreeMap<String, Value>,
    /// Always `push_notification`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened.
    pub timestamp: String,
    /// Has the user seen it?
    pub read: bool,
}

/// A notification as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// Whose it is.
    pub user_id: String,
    /// When it goes by itself, in seconds since 1970.
    pub expires_at: i64,
    /// What it says.
    #[serde(flatten)]
    pub notification: Notification,
}

impl Stored {
    /// A new one.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn new(
        user_id: &str,
        title: &str,
        body: &str,
        data: BTreeMap<String, Value>,
        now: Timestamp,
    ) -> Result<Self, AwsError> {
        let id = ids::ulid(now).map_err(|error| AwsError::new("name a notification", &error))?;
        Ok(Self {
            user_id: user_id.to_owned(),
            expires_at: now.as_second() + KEPT,
            notification: Notification {
                notification_id: id,
                title: title.to_owned(),
                body: body.to_owned(),
                data,
                kind: "push_notification".to_owned(),
                timestamp: time::text(now),
                read: false,
            },
        })
    }
}

/// The repository.
#[derive(Debug, Clone)]
pub struct Notifications {
    database: Database,
    table: String,
}

impl Notifications {
    /// In this table.
    #[must_use]
    pub fn new(database: Database, table: String) -> Self {
        Self { database, table }
    }

    /// The part of a transaction that stores one.
    pub(super) fn stored(&self, notification: &Stored) -> Result<Part, AwsError> {
        Ok(Part::Put(self.table.clone(), to_item(notification)?, Change::new()))
    }

    /// Stores one.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn put(&self, notification: &Stored) -> Result<(), AwsError> {
        self.database.put(&self.table, to_item(notification)?, Change::new()).await.map(|_| ())
    }

    /// Stores many, and returns how many could not be.
    ///
    /// # Errors
    /// When the table fails altogether.
    pub async fn put_all(&self, notifications: &[Stored]) -> Result<usize, AwsError> {
        let items = notifications.iter().map(to_item).collect::<Result<_, _>>()?;
        self.database.put_all(&self.table, items).await
    }

    /// A user's newest, older than `before`.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn of_user(
        &self,
        user_id: &str,
        only_unread: bool,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Notification>, AwsError> {
        let mut query = Query::new(&self.table, NOTIFICATIONS.partition, user_id)
            .sorted("notification_id", "<", before)
            .descending()
            .consistent();
        if only_unread {
            query = query.filter(|at| at.compare("read", "=", false));
        }
        from_items(self.database.query(&query, limit).await?)
    }

    /// Marks one of a user's; nothing when it is not theirs.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn mark(&self, user_id: &str, id: &str, read: bool) -> Result<Option<Notification>, AwsError> {
        let change = Change::new().set("read", read).when(|at| at.exists("notification_id"));
        self.database.change(&self.table, key(user_id, id), change).await?.map(from_item).transpose()
    }
}

fn key(user_id: &str, id: &str) -> Item {
    strings([("user_id", user_id), ("notification_id", id)])
}
