//! Table `notifications`: each user's, by time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tables::{Change, Database, Item, Query, Write, from_item, from_items, strings, to_item};
use thakii_contract::tables::NOTIFICATIONS;

use crate::{aws::AwsError, ids, time};

/// The lifetime of a notification, in seconds.
const LIFETIME: i64 = 90 * 24 * 3600;

/// A notification as users see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Notification {
    /// A ULID.
    pub(crate) notification_id: String,
    pub(crate) title: String,
    pub(crate) body: String,
    /// The same content for programs.
    pub(crate) data: BTreeMap<String, Value>,
    /// Always `push_notification`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) timestamp: String,
    pub(crate) read: bool,
}

/// A notification as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) user_id: String,
    /// The expiry time of the item, in seconds since 1970.
    pub(crate) expires_at: i64,
    #[serde(flatten)]
    pub(crate) notification: Notification,
}

impl Stored {
    pub(crate) fn new(
        user_id: &str,
        title: &str,
        body: &str,
        data: BTreeMap<String, Value>,
        now: Timestamp,
    ) -> Result<Self, AwsError> {
        let id = ids::ulid(now).map_err(|error| AwsError::new("generate a notification's ID", &error))?;
        Ok(Self {
            user_id: user_id.to_owned(),
            expires_at: now.as_second() + LIFETIME,
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

#[derive(Debug, Clone)]
pub(crate) struct Notifications {
    database: Database,
    table: String,
}

impl Notifications {
    pub(crate) fn new(database: Database, table: String) -> Self {
        Self { database, table }
    }

    /// Returns the write that stores a notification.
    pub(super) fn store_write(&self, notification: &Stored) -> Result<Write, AwsError> {
        Ok(Write::Put(self.table.clone(), to_item(notification)?, Change::new()))
    }

    /// Stores many notifications. Returns the number of those that could not be stored.
    pub(crate) async fn put_all(&self, notifications: &[Stored]) -> Result<usize, AwsError> {
        let items = notifications.iter().map(to_item).collect::<Result<_, _>>()?;
        self.database.put_all(&self.table, items).await
    }

    /// Lists a user's notifications older than `before`, newest first.
    pub(crate) async fn list_for_user(
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

    /// Sets the `read` mark of a user's notification. Returns `None` if the user has no such notification.
    pub(crate) async fn set_read(&self, user_id: &str, id: &str, read: bool) -> Result<Option<Notification>, AwsError> {
        let change = Change::new().set("read", read).when(|at| at.exists("notification_id"));
        self.database.update(&self.table, key(user_id, id), change).await?.map(from_item).transpose()
    }
}

fn key(user_id: &str, id: &str) -> Item {
    strings([("user_id", user_id), ("notification_id", id)])
}
