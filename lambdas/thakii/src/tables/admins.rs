//! Table `admin-users`: who manages, and who once did.

use std::cmp::Reverse;

use contract::thakii::tables::ADMIN_USERS;
use serde::{Deserialize, Serialize};

use super::{
    attributes::{Item, from_item, from_items, strings, to_item},
    change::Change,
    database::Database,
    query::Query,
};
use crate::{aws::AwsError, ids};

const ADMIN: &str = "admin";
/// The role of super admins' rows.
pub const SUPER_ADMIN: &str = "super_admin";

/// Is an admin's row in force?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Yes.
    Active,
    /// No longer; the row is kept.
    Removed,
}

/// An admin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admin {
    /// Derived from the e-mail address.
    pub id: String,
    /// Their e-mail address, lower case.
    pub email: String,
    /// What they are called; only [`SUPER_ADMIN`] means something.
    pub role: String,
    /// Are they still one?
    pub status: Standing,
    /// Do they manage admins?
    pub is_super_admin: bool,
    /// What people should know of them.
    pub description: String,
    /// Who added them.
    pub added_by: String,
    /// When they were added.
    pub created_at: String,
    /// When the row last changed.
    pub updated_at: String,
    /// Who changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_by: Option<String>,
    /// Who removed them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_by: Option<String>,
    /// When they were removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_at: Option<String>,
    /// When they last signed in.
    pub last_login: Option<String>,
    /// How often they signed in.
    pub login_count: u64,
}

impl Admin {
    /// A new one.
    #[must_use]
    pub fn new(email: &str, role: &str, description: &str, added_by: &str, now: &str) -> Self {
        Self {
            id: ids::admin(email),
            email: email.to_owned(),
            role: role.to_owned(),
            status: Standing::Active,
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

/// What is changed of an admin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edit {
    /// What they are called.
    pub role: Option<String>,
    /// What people should know of them.
    pub description: Option<String>,
    /// Are they one?
    pub status: Option<Standing>,
}

/// The repository.
#[derive(Debug, Clone)]
pub struct Admins {
    database: Database,
    table: String,
}

impl Admins {
    /// In this table.
    #[must_use]
    pub fn new(database: Database, table: String) -> Self {
        Self { database, table }
    }

    /// An admin as they are now.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn get(&self, id: &str) -> Result<Option<Admin>, AwsError> {
        self.database.get(&self.table, key(id)).await?.map(from_item).transpose()
    }

    /// All admins, also removed ones, newest first.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn all(&self) -> Result<Vec<Admin>, AwsError> {
        let query = Query::new(&self.table, ADMIN_USERS.partition, ADMIN).consistent();
        let mut admins: Vec<Admin> = from_items(self.database.query_all(&query).await?)?;
        admins.sort_by_key(|admin| Reverse((admin.created_at.clone(), admin.id.clone())));
        Ok(admins)
    }

    /// Adds an admin; false when the e-mail address is there already, even if removed.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn add(&self, admin: &Admin) -> Result<bool, AwsError> {
        let mut item = to_item(admin)?;
        item.extend(key(&admin.id));
        Ok(self.database.put(&self.table, item, Change::new().when(|at| at.absent("id"))).await?.is_made())
    }

    /// Changes an admin; nothing when there is no such one.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn edit(&self, id: &str, edit: &Edit, by: &str, now: &str) -> Result<Option<Admin>, AwsError> {
        let mut change = Change::new()
            .set("updated_at", now)
            .set("updated_by", by)
            .set_some("role", edit.role.as_deref())
            .set_some("description", edit.description.as_deref())
            .set_some("status", edit.status)
            .when(|at| at.exists("id"));
        change = match edit.status {
            Some(Standing::Active) => change.remove("removed_by").remove("removed_at"),
            Some(Standing::Removed) => change.set("removed_by", by).set("removed_at", now),
            None => change,
        };
        self.database.change(&self.table, key(id), change).await?.map(from_item).transpose()
    }

    /// Counts a login of an admin.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn logged_in(&self, id: &str, now: &str) -> Result<(), AwsError> {
        let change = Change::new().set("last_login", now).add("login_count", 1).when(|at| at.exists("id"));
        self.database.change(&self.table, key(id), change).await.map(|_| ())
    }
}

fn key(id: &str) -> Item {
    strings([("kind", ADMIN), ("id", id)])
}
