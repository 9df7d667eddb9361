//! Users: items `ID#<id>`, with the guards `EMAIL#<e-mail address>` and `USERNAME#<name>` that make both unique.

use analyticbot_contract::tables::PK;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tables::{AwsError, Change, Database, Item, TransactionOutcome, Write, from_item, to_item};

use super::key;
use crate::domain::{
    time,
    user::{Role, User},
};

/// The item with the newest ID.
const SEQUENCE: &str = "SEQ#user";

/// The table of users.
#[derive(Debug, Clone)]
pub struct Users {
    pub(super) database: Database,
    pub(super) table: String,
}

/// A user to create.
#[derive(Clone)]
pub struct NewUser {
    /// The name.
    pub username: String,
    /// The e-mail address.
    pub email: String,
    /// The bcrypt hash of the password.
    pub password_hash: String,
    /// The role.
    pub role: Role,
    /// The full name.
    pub full_name: Option<String>,
    /// The user's chat at Telegram.
    pub telegram_id: Option<i64>,
}

/// The result of a creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// The user exists now.
    User(Box<User>),
    /// Another user has the name.
    UsernameInUse,
    /// Another user has the e-mail address.
    EmailInUse,
}

#[derive(Serialize, Deserialize)]
struct Guard {
    pk: String,
    id: u64,
}

#[derive(Deserialize)]
struct Sequence {
    n: u64,
}

impl Users {
    /// Uses a table.
    #[must_use]
    pub fn new(database: Database, table: String) -> Self {
        Self { database, table }
    }

    /// Returns a user.
    ///
    /// # Errors
    /// When the request fails.
    pub async fn get(&self, id: u64) -> Result<Option<User>, AwsError> {
        self.database.get(&self.table, key(&id_key(id))).await?.map(from_item).transpose()
    }

    /// Returns the user with an e-mail address, if the text contains an `@`, or with a name.
    ///
    /// An unknown name causes as many reads as a known one: IDs count from 1, so no user has ID 0.
    ///
    /// # Errors
    /// When a request fails.
    pub async fn find(&self, login: &str) -> Result<Option<User>, AwsError> {
        let guard = if login.contains('@') { email_key(login) } else { username_key(login) };
        let guard: Option<Guard> = self.database.get(&self.table, key(&guard)).await?.map(from_item).transpose()?;
        self.get(guard.map_or(0, |guard| guard.id)).await
    }

    /// Creates a user with the next ID. The ID of a refused creation stays unused.
    ///
    /// # Errors
    /// When a request fails.
    pub async fn create(&self, new: NewUser, now: Timestamp) -> Result<Created, AwsError> {
        let id = self.next_id().await?;
        let user = User {
            id,
            username: new.username,
            email: new.email,
            password_hash: new.password_hash,
            role: new.role,
            is_active: true,
            status: "active".to_owned(),
            full_name: new.full_name,
            telegram_id: new.telegram_id,
            created_at: time::text(now),
            last_login: None,
        };
        let mut item = to_item(&user)?;
        item.extend(key(&id_key(id)));
        let guards = [username_key(&user.username), email_key(&user.email)];
        let mut writes = vec![self.put_new(item)];
        for pk in guards {
            writes.push(self.put_new(to_item(&Guard { pk, id })?));
        }
        match self.database.transact(writes).await? {
            TransactionOutcome::Committed => Ok(Created::User(Box::new(user))),
            TransactionOutcome::ConditionsFailed(failed) if failed.contains(&1) => Ok(Created::UsernameInUse),
            TransactionOutcome::ConditionsFailed(_) => Ok(Created::EmailInUse),
        }
    }

    /// Changes a user's role. Returns the user, or `None` if there is none.
    ///
    /// # Errors
    /// When the request fails.
    pub async fn set_role(&self, id: u64, role: Role) -> Result<Option<User>, AwsError> {
        self.change(id, Change::new().set("role", role)).await
    }

    /// Activates or deactivates a user. Returns the user, or `None` if there is none.
    ///
    /// # Errors
    /// When the request fails.
    pub async fn set_active(&self, id: u64, is_active: bool) -> Result<Option<User>, AwsError> {
        let status = if is_active { "active" } else { "inactive" };
        self.change(id, Change::new().set("is_active", is_active).set("status", status)).await
    }

    /// Changes the hash of a user's password. Returns the user, or `None` if there is none.
    ///
    /// # Errors
    /// When the request fails.
    pub async fn set_password(&self, id: u64, hash: &str) -> Result<Option<User>, AwsError> {
        self.change(id, Change::new().set("password_hash", hash)).await
    }

    /// Records a sign-in. Returns the user, or `None` if there is none.
    ///
    /// # Errors
    /// When the request fails.
    pub async fn record_login(&self, id: u64, now: Timestamp) -> Result<Option<User>, AwsError> {
        self.change(id, Change::new().set("last_login", time::text(now))).await
    }

    async fn change(&self, id: u64, change: Change) -> Result<Option<User>, AwsError> {
        let change = change.when(|at| at.exists(PK));
        self.database.update(&self.table, key(&id_key(id)), change).await?.map(from_item).transpose()
    }

    async fn next_id(&self) -> Result<u64, AwsError> {
        let counted = self.database.update(&self.table, key(SEQUENCE), Change::new().add("n", 1)).await?;
        Ok(from_item::<Sequence>(counted.unwrap_or_default())?.n)
    }

    fn put_new(&self, item: Item) -> Write {
        Write::Put(self.table.clone(), item, Change::new().when(|at| at.absent(PK)))
    }
}

fn id_key(id: u64) -> String {
    format!("ID#{id}")
}

fn email_key(email: &str) -> String {
    format!("EMAIL#{}", email.to_lowercase())
}

fn username_key(username: &str) -> String {
    format!("USERNAME#{}", username.to_lowercase())
}

#[cfg(test)]
mod tests;
