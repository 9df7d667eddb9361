//! Table `processing-servers`: the registry, and a guard per name so that no two servers have one.

use std::cmp::Reverse;

use contract::thakii::tables::PROCESSING_SERVERS;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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

/// Does a server answer?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServerStatus {
    /// It did the last time.
    Active,
    /// It did not, or somebody said so.
    Inactive,
}

/// What the last check found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Did it answer as it should?
    pub healthy: bool,
    /// After how many seconds.
    pub response_time: Option<f64>,
    /// With which HTTP status.
    pub status_code: Option<u16>,
    /// What it said.
    pub server_info: Option<Value>,
    /// Why it is not healthy.
    pub error: Option<String>,
    /// When it was asked.
    pub checked_at: String,
}

impl Health {
    /// The status that follows.
    #[must_use]
    pub fn status(&self) -> ServerStatus {
        if self.healthy { ServerStatus::Active } else { ServerStatus::Inactive }
    }
}

/// A registered server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Server {
    /// Its id.
    pub id: String,
    /// Its name, unlike any other's in any case.
    pub name: String,
    /// Its address.
    pub url: String,
    /// What it is for.
    #[serde(rename = "type")]
    pub kind: String,
    /// What people should know of it.
    pub description: String,
    /// Does it answer?
    pub status: ServerStatus,
    /// What the last check found.
    pub health_status: Option<Health>,
    /// When it was registered.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
    /// How many tasks it has brought to an end.
    pub total_jobs_processed: i64,
    /// How many tasks it works on.
    pub current_load: i64,
    /// When it was last asked.
    pub last_health_check: Option<String>,
}

/// What is changed of a server.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Edit {
    /// Its name.
    pub name: Option<String>,
    /// Its address.
    pub url: Option<String>,
    /// What it is for.
    pub kind: Option<String>,
    /// What people should know of it.
    pub description: Option<String>,
    /// Does it answer?
    pub status: Option<ServerStatus>,
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It was made.
    Made,
    /// Another server has the name.
    NameTaken,
    /// There is no such server.
    Missing,
}

/// The repository.
#[derive(Debug, Clone)]
pub struct Servers {
    database: Database,
    table: String,
}

impl Servers {
    /// In this table.
    #[must_use]
    pub fn new(database: Database, table: String) -> Self {
        Self { database, table }
    }

    /// A server.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn get(&self, id: &str) -> Result<Option<Server>, AwsError> {
        self.database.get(&self.table, key(SERVER, id)).await?.map(from_item).transpose()
    }

    /// All servers, newest first.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn all(&self) -> Result<Vec<Server>, AwsError> {
        let query = Query::new(&self.table, PROCESSING_SERVERS.partition, SERVER).consistent();
        let mut servers: Vec<Server> = from_items(self.database.query_all(&query).await?)?;
        servers.sort_by_key(|server| Reverse(server.created_at.clone()));
        Ok(servers)
    }

    /// Registers a server.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn add(&self, server: &Server) -> Result<Outcome, AwsError> {
        let mut item = to_item(server)?;
        item.extend(key(SERVER, &server.id));
        let parts = vec![Part::Put(self.table.clone(), item, Change::new()), self.claim(&server.name, &server.id)];
        Ok(match self.database.transact(parts).await? {
            Transacted::Yes => Outcome::Made,
            Transacted::Refused(_) => Outcome::NameTaken,
        })
    }

    /// Changes a server, which is as `server` says.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn edit(&self, server: &Server, edit: &Edit, now: &str) -> Result<Outcome, AwsError> {
        let change = Change::new()
            .set("updated_at", now)
            .set_some("name", edit.name.as_deref())
            .set_some("url", edit.url.as_deref())
            .set_some("type", edit.kind.as_deref())
            .set_some("description", edit.description.as_deref())
            .set_some("status", edit.status)
            // The guard of the old name is released below, so it must still be the name.
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

    /// Forgets a server.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn delete(&self, server: &Server) -> Result<Outcome, AwsError> {
        let unchanged = Change::new().when(|at| at.compare("name", "=", server.name.as_str()));
        let parts =
            vec![Part::Delete(self.table.clone(), key(SERVER, &server.id), unchanged), self.release(&server.name)];
        Ok(match self.database.transact(parts).await? {
            Transacted::Yes => Outcome::Made,
            Transacted::Refused(_) => Outcome::Missing,
        })
    }

    /// Notes what a check found, if the server is still registered.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn checked(&self, id: &str, health: &Health) -> Result<(), AwsError> {
        let change = Change::new()
            .set("status", health.status())
            .set("health_status", health)
            .set("last_health_check", health.checked_at.as_str())
            .set("updated_at", health.checked_at.as_str())
            .when(|at| at.exists("id"));
        self.database.change(&self.table, key(SERVER, id), change).await.map(|_| ())
    }

    /// The part of a transaction that adds to a server's load and jobs; refused when it is not registered.
    pub(super) fn loaded(&self, id: &str, load: i64, jobs: i64) -> Part {
        let change =
            Change::new().add("current_load", load).add("total_jobs_processed", jobs).when(|at| at.exists("id"));
        Part::Change(self.table.clone(), key(SERVER, id), change)
    }

    /// The part of a transaction that takes a name nobody has.
    fn claim(&self, name: &str, server: &str) -> Part {
        let mut item = key(NAME, &guard(name));
        item.extend(strings([("server_id", server)]));
        Part::Put(self.table.clone(), item, Change::new().when(|at| at.absent("id")))
    }

    fn release(&self, name: &str) -> Part {
        Part::Delete(self.table.clone(), key(NAME, &guard(name)), Change::new())
    }
}

/// A name as it is compared.
fn guard(name: &str) -> String {
    name.trim().to_lowercase()
}

fn key(kind: &str, id: &str) -> Item {
    strings([("kind", kind), ("id", id)])
}
