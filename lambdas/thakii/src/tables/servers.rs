//! Table `processing-servers`: the registry, and a guard item per name that keeps names unique.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tables::{Change, Database, Item, Query, TransactionOutcome, Write, from_item, from_items, strings, to_item};
use thakii_contract::tables::PROCESSING_SERVERS;

use crate::aws::AwsError;

const SERVER_KIND: &str = "server";
const NAME_KIND: &str = "name";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ServerStatus {
    /// The last check succeeded.
    Active,
    /// The last check failed, or an admin deactivated the server.
    Inactive,
}

/// The result of a health check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Health {
    pub(crate) healthy: bool,
    /// In seconds.
    pub(crate) response_time: Option<f64>,
    pub(crate) status_code: Option<u16>,
    /// The body of the answer.
    pub(crate) server_info: Option<Value>,
    pub(crate) error: Option<String>,
    pub(crate) checked_at: String,
}

impl Health {
    pub(crate) fn status(&self) -> ServerStatus {
        if self.healthy { ServerStatus::Active } else { ServerStatus::Inactive }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Server {
    pub(crate) id: String,
    /// Unique, ignoring case.
    pub(crate) name: String,
    pub(crate) url: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) description: String,
    pub(crate) status: ServerStatus,
    pub(crate) health_status: Option<Health>,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
    pub(crate) total_jobs_processed: i64,
    pub(crate) current_load: i64,
    pub(crate) last_health_check: Option<String>,
}

/// The changed fields of a server.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Edit {
    pub(crate) name: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) status: Option<ServerStatus>,
}

/// The result of a write.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    Written,
    NameTaken,
    NotFound,
}

#[derive(Debug, Clone)]
pub(crate) struct Servers {
    database: Database,
    table: String,
}

impl Servers {
    pub(crate) fn new(database: Database, table: String) -> Self {
        Self { database, table }
    }

    pub(crate) async fn get(&self, id: &str) -> Result<Option<Server>, AwsError> {
        self.database.get(&self.table, key(SERVER_KIND, id)).await?.map(from_item).transpose()
    }

    /// Lists all servers, newest first.
    pub(crate) async fn list(&self) -> Result<Vec<Server>, AwsError> {
        let query = Query::new(&self.table, PROCESSING_SERVERS.partition, SERVER_KIND).consistent();
        let mut servers: Vec<Server> = from_items(self.database.query_all(&query).await?)?;
        servers.sort_by_key(|server| Reverse(server.created_at.clone()));
        Ok(servers)
    }

    pub(crate) async fn add(&self, server: &Server) -> Result<Outcome, AwsError> {
        let mut item = to_item(server)?;
        item.extend(key(SERVER_KIND, &server.id));
        let writes =
            vec![Write::Put(self.table.clone(), item, Change::new()), self.claim_name_write(&server.name, &server.id)];
        Ok(match self.database.transact(writes).await? {
            TransactionOutcome::Committed => Outcome::Written,
            TransactionOutcome::ConditionsFailed(_) => Outcome::NameTaken,
        })
    }

    /// Changes a server, provided that its name is still `server`'s.
    pub(crate) async fn edit(&self, server: &Server, edit: &Edit, now: &str) -> Result<Outcome, AwsError> {
        let change = Change::new()
            .set("updated_at", now)
            .set_some("name", edit.name.as_deref())
            .set_some("url", edit.url.as_deref())
            .set_some("type", edit.kind.as_deref())
            .set_some("description", edit.description.as_deref())
            .set_some("status", edit.status)
            // The guard item of the old name is deleted below, so the name must not have changed.
            .when(|at| at.compare("name", "=", server.name.as_str()));
        let mut writes = vec![Write::Change(self.table.clone(), key(SERVER_KIND, &server.id), change)];
        let renamed = edit.name.as_deref().filter(|name| normalized_name(name) != normalized_name(&server.name));
        if let Some(name) = renamed {
            writes.push(self.claim_name_write(name, &server.id));
            writes.push(self.release_name_write(&server.name));
        }
        Ok(match self.database.transact(writes).await? {
            TransactionOutcome::Committed => Outcome::Written,
            TransactionOutcome::ConditionsFailed(failed) if failed.contains(&0) => Outcome::NotFound,
            TransactionOutcome::ConditionsFailed(_) => Outcome::NameTaken,
        })
    }

    /// Deletes a server and the guard item of its name.
    pub(crate) async fn delete(&self, server: &Server) -> Result<Outcome, AwsError> {
        let unchanged = Change::new().when(|at| at.compare("name", "=", server.name.as_str()));
        let writes = vec![
            Write::Delete(self.table.clone(), key(SERVER_KIND, &server.id), unchanged),
            self.release_name_write(&server.name),
        ];
        Ok(match self.database.transact(writes).await? {
            TransactionOutcome::Committed => Outcome::Written,
            TransactionOutcome::ConditionsFailed(_) => Outcome::NotFound,
        })
    }

    /// Stores the result of a check, if the server is still registered.
    pub(crate) async fn record_health(&self, id: &str, health: &Health) -> Result<(), AwsError> {
        let change = Change::new()
            .set("status", health.status())
            .set("health_status", health)
            .set("last_health_check", health.checked_at.as_str())
            .set("updated_at", health.checked_at.as_str())
            .when(|at| at.exists("id"));
        self.database.update(&self.table, key(SERVER_KIND, id), change).await.map(|_| ())
    }

    /// Returns the write that adds to a server's load and number of jobs. It fails if the server is not registered.
    pub(super) fn add_load_write(&self, id: &str, load: i64, jobs: i64) -> Write {
        let change =
            Change::new().add("current_load", load).add("total_jobs_processed", jobs).when(|at| at.exists("id"));
        Write::Change(self.table.clone(), key(SERVER_KIND, id), change)
    }

    /// Returns the write that reserves a free name.
    fn claim_name_write(&self, name: &str, server: &str) -> Write {
        let mut item = key(NAME_KIND, &normalized_name(name));
        item.extend(strings([("server_id", server)]));
        Write::Put(self.table.clone(), item, Change::new().when(|at| at.absent("id")))
    }

    fn release_name_write(&self, name: &str) -> Write {
        Write::Delete(self.table.clone(), key(NAME_KIND, &normalized_name(name)), Change::new())
    }
}

/// Normalizes a name for comparison.
fn normalized_name(name: &str) -> String {
    name.trim().to_lowercase()
}

fn key(kind: &str, id: &str) -> Item {
    strings([("kind", kind), ("id", id)])
}
