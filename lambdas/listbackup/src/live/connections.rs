//! The table of connections.

use aws_config::SdkConfig;
use jiff::Timestamp;
use listbackup_contract::{
    limits::ACCESS_SECONDS,
    live::CONNECTIONS_OF_ACCOUNT,
    tables::{CONNECTIONS, CONNECTIONS_BY_ACCOUNT, TTL},
};
use serde::{Deserialize, Serialize};
use tables::{AwsError, Change, Database, Index, Item, Query, from_items, strings, to_item};

use crate::shared::time;

/// A connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Connection {
    /// The gateway's ID.
    pub(super) connection_id: String,
    /// The account whose progress it receives.
    pub(super) account_id: String,
    /// The user that connected.
    pub(super) user_id: String,
    /// When it was accepted.
    pub(super) connected_at: String,
    /// When it ends: no access token is valid for longer.
    pub(super) ttl: i64,
}

impl Connection {
    pub(super) fn new(connection_id: &str, account_id: &str, user_id: &str, now: Timestamp) -> Self {
        Self {
            connection_id: connection_id.to_owned(),
            account_id: account_id.to_owned(),
            user_id: user_id.to_owned(),
            connected_at: time::text(now),
            ttl: now.as_second().saturating_add(ACCESS_SECONDS),
        }
    }

    /// Whether it has ended, although the row still exists: DynamoDB deletes late.
    pub(super) const fn is_over(&self, now: i64) -> bool {
        self.ttl <= now
    }
}

/// The table.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    database: Database,
    table: String,
}

impl Connections {
    pub(super) fn new(aws: &SdkConfig, table: String) -> Self {
        Self { database: Database::new(aws_sdk_dynamodb::Client::new(aws)), table }
    }

    /// Adds a connection. Returns false if its account has too many: the connection is not added then.
    ///
    /// The row is written first, so connections that arrive at the same time count each other.
    pub(super) async fn add(&self, connection: &Connection, now: i64) -> Result<bool, AwsError> {
        self.database.put(&self.table, to_item(connection)?, Change::new()).await?;
        let others = self.of_account(&connection.account_id).filter(|at| at.compare(TTL, ">", now));
        let fits = self.database.count(&others).await? <= CONNECTIONS_OF_ACCOUNT;
        if !fits {
            self.remove(&connection.connection_id).await?;
        }
        Ok(fits)
    }

    /// Removes a connection. An absent one is success.
    pub(super) async fn remove(&self, connection_id: &str) -> Result<(), AwsError> {
        self.database.delete(&self.table, key(connection_id), Change::new()).await.map(|_| ())
    }

    /// Returns the connections of an account, also those that are over.
    pub(super) async fn list(&self, account_id: &str) -> Result<Vec<Connection>, AwsError> {
        let found: Vec<Connection> = from_items(self.database.query_all(&self.of_account(account_id)).await?)?;
        // The index selects by the account; nothing may reach another one.
        Ok(found.into_iter().filter(|connection| connection.account_id == account_id).collect())
    }

    fn of_account(&self, account_id: &str) -> Query {
        let index = CONNECTIONS_BY_ACCOUNT;
        let index = Index { name: index.name, partition: index.partition, sort: index.sort };
        Query::index(&self.table, index, account_id)
    }
}

fn key(connection_id: &str) -> Item {
    strings([(CONNECTIONS.partition, connection_id)])
}
