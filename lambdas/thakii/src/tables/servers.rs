//! Table `processing-servers`: the registry, and a guard item per name that keeps names unique.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thakii_contract::tables::PROCESSING_SERVERS;

use super::{
    attributes::{Item, from_item, from_items, strings, to_item},
    change::Change,
    database::Database,
    query::Query,
    transaction::{Part, Transacted},
};
use crate::aws::AwsError;

const SERVER: &str = "server";
const NAME: &str = "name";

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
    Made,
    NameTaken,
    Missing,
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
        self.database.get(&self.table, key(SERVER, id)).await?.map(from_item).transpose()
    }

    /// Lists all servers, newest first.
    pub(crate) async fn all(&self) -> Result<Vec<Server>, AwsError> {
        let query = Query::new(&self.table, PROCESSING_SERVERS.partition, SERVER).consistent();
        let mut servers: Vec<Server> = from_items(self.database.query_all(&query).await?)?;
        servers.sort_by_key(|server| Reverse(server.created_at.clone()));
        Ok(servers)
    }

    pub(crate) async fn add(&self, server: &Server) -> Result<Outcome, AwsError> {
        let mut item = to_item(server)?;
        item.extend(key(SERVER, &server.id));
        let parts = vec![Part::Put(self.table.clone(), item, Change::new()), self.claim(&server.name, &server.id)];
        Ok(match self.database.transact(parts).await? {
            Transacted::Yes => Outcome::Made,
            Transacted::Refused(_) => Outcome::NameTaken,
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
            // The guard of the old name is released below, so the name must not have changed.
            .when(|at| at.compare("name", "=", server.name.as_str()));
        let mut parts = vec![Part::Change(self.table.clone(), key(SERVER, &server.id), change)];
        let renamed = edit.name.as_deref().filter(|name| guard(name) != guard(&server.name));
        if let Some(name) = renamed {
            parts.push(self.claim(name, &server.id));
            parts.push(self.release(&server.name));
        }
        Ok(match self.database.transact(parts).await? {
            Transacted::Yes => Outcome::Made,
            Transacted::Refused(places) if places.contains(&0) => Outcome::Missing,
            Transacted::Refused(_) => Outcome::NameTaken,
        })
    }

    /// Deletes a server and the guard of its name.
    pub(crate) async fn delete(&self, server: &Server) -> Result<Outcome, AwsError> {
        let unchanged = Change::new().when(|at| at.compare("name", "=", server.name.as_str()));
        let parts =
            vec![Part::Delete(self.table.clone(), key(SERVER, &server.id), unchanged), self.release(&server.name)];
        Ok(match self.database.transact(parts).await? {
            Transacted::Yes => Outcome::Made,
            Transacted::Refused(_) => Outcome::Missing,
        })
    }

    /// Stores the result of a check, if the server is still registered.
    pub(crate) async fn checked(&self, id: &str, health: &Health) -> Result<(), AwsError> {
        let change = Change::new()
            .set("status", health.status())
            .set("health_status", health)
            .set("last_health_check", health.checked_at.as_str())
            .set("updated_at", health.checked_at.as_str())
            .when(|at| at.exists("id"));
        self.database.change(&self.table, key(SERVER, id), change).await.map(|_| ())
    }

    /// Returns the write that adds to a server's load and number of jobs. It fails if the server is not registered.
    pub(super) fn loaded(&self, id: &str, load: i64, jobs: i64) -> Part {
        let change =
            Change::new().add("current_load", load).add("total_jobs_processed", jobs).when(|at| at.exists("id"));
        Part::Change(self.table.clone(), key(SERVER, id), change)
    }

    /// Returns the write that reserves a free name.
    fn claim(&self, name: &str, server: &str) -> Part {
        let mut item = key(NAME, &guard(name));
        item.extend(strings([("server_id", server)]));
        Part::Put(self.table.clone(), item, Change::new().when(|at| at.absent("id")))
    }

    fn release(&self, name: &str) -> Part {
        Part::Delete(self.table.clone(), key(NAME, &guard(name)), Change::new())
    }
}

/// Normalizes a name for comparison.
fn guard(name: &str) -> String {
    name.trim().to_lowercase()
}

fn key(kind: &str, id: &str) -> Item {
    strings([("kind", kind), ("id", id)])
}
