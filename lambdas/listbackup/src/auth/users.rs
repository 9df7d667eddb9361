//! Users and their accounts in the tables, and the families of refresh tokens.

use listbackup_contract::{
    limits::FAMILIES,
    tables::{TTL, USERS},
};
use tables::{AwsError, Change, Database, Item, TransactionOutcome, Write, from_item, strings, to_item};

use crate::{
    shared::{
        rows::{
            Account, User,
            user::{Family, UserStatus},
        },
        time,
    },
    tokens::{Refresh, random_id},
};

/// The most attempts to change families that other requests change, too.
const TRIES: u32 = 5;

/// The table of users.
#[derive(Debug, Clone)]
pub(crate) struct Users {
    database: Database,
    table: String,
}

/// The result of exchanging a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rotation {
    Rotated,
    /// The token is not the newest of its family: it was used before.
    Replayed,
}

impl Users {
    pub(crate) fn new(database: Database, table: String) -> Self {
        Self { database, table }
    }

    /// Reads a user, consistently.
    pub(crate) async fn get(&self, user_id: &str) -> Result<Option<User>, AwsError> {
        self.database.get(&self.table, key(user_id)).await?.map(from_item).transpose()
    }

    /// Writes a new user, its account and the activity about it: all or none.
    pub(crate) async fn register(
        &self,
        user: &User,
        account: (&str, &Account),
        activity: Write,
    ) -> Result<(), AwsError> {
        let absent = |name: &str| Change::new().when(|at| at.absent(name));
        let writes = vec![
            Write::Put(self.table.clone(), to_item(user)?, absent("userId")),
            Write::Put(account.0.to_owned(), to_item(account.1)?, absent("accountId")),
            activity,
        ];
        match self.database.transact(writes).await? {
            TransactionOutcome::Committed => Ok(()),
            TransactionOutcome::ConditionsFailed(_) => {
                Err(AwsError::unexpected("register a user", "an item with a new ID exists"))
            }
        }
    }

    /// Adds a family for a sign-in. Expired ones are removed, and the oldest one if there would be too many.
    ///
    /// Returns false if the user cannot sign in any more.
    pub(crate) async fn add_family(&self, mut user: User, refresh: &Refresh, now: i64) -> Result<bool, AwsError> {
        for _ in 0..TRIES {
            let removed = superfluous(&user, now);
            let family = Family { jti: refresh.jti.clone(), exp: refresh.expires_at };
            let moment = time::now();
            let mut change = Change::new()
                .set(&path(&refresh.family), family)
                .set("lastLoginAt", &moment)
                .set("updatedAt", &moment)
                .when(|at| at.compare("status", "=", UserStatus::Active))
                // Whether the number of families changed since it was read.
                .when(|at| format!("size({}) = {}", at.name("families"), at.value(user.families.len())));
            for family in &removed {
                change = change.remove(&path(family)).when(|at| at.exists(&path(family)));
            }
            if self.database.update(&self.table, key(&user.user_id), change).await?.is_some() {
                return Ok(true);
            }
            match self.get(&user.user_id).await? {
                // The update was repeated, because its answer was lost.
                Some(read) if read.families.contains_key(&refresh.family) => return Ok(true),
                Some(read) if read.status == UserStatus::Active => user = read,
                _ => return Ok(false),
            }
        }
        Err(AwsError::unexpected("add a session", "other requests change the user's sessions all the time"))
    }

    /// Replaces the newest token of a family, if it is `old`.
    pub(crate) async fn rotate(&self, old: &Refresh, new: &Refresh) -> Result<Rotation, AwsError> {
        let family = path(&old.family);
        let jti = format!("{family}.jti");
        let change = Change::new()
            .set(&jti, &new.jti)
            .set(&format!("{family}.exp"), new.expires_at)
            .set("updatedAt", time::now())
            .when(|at| at.compare("status", "=", UserStatus::Active))
            .when(|at| at.compare(&jti, "=", &old.jti));
        if self.database.update(&self.table, key(&old.user_id), change).await?.is_some() {
            return Ok(Rotation::Rotated);
        }
        // The update was repeated, because its answer was lost.
        let stored = self.get(&old.user_id).await?;
        let is_new = stored.and_then(|user| user.families.get(&old.family).map(|family| family.jti == new.jti));
        Ok(if is_new == Some(true) { Rotation::Rotated } else { Rotation::Replayed })
    }

    /// Ends a family: its tokens are refused from now on. An absent family is success.
    pub(crate) async fn remove_family(&self, user_id: &str, family: &str) -> Result<(), AwsError> {
        let family = path(family);
        let change = Change::new().remove(&family).set("updatedAt", time::now()).when(|at| at.exists(&family));
        self.database.update(&self.table, key(user_id), change).await.map(|_| ())
    }

    /// Records that the user needs a code to sign in.
    pub(crate) async fn require_code(&self, user_id: &str) -> Result<(), AwsError> {
        let change = Change::new().set("mfaEnabled", true).set("updatedAt", time::now()).when(|at| at.exists("userId"));
        self.database.update(&self.table, key(user_id), change).await.map(|_| ())
    }

    /// Uses up a code: returns whether it was unused. The item has a pseudonym as its key, and expires.
    pub(crate) async fn use_code(&self, pseudonym: &str, now: i64, expires: i64) -> Result<bool, AwsError> {
        // With a text of its own, because putting an equal item counts as a repetition of the same request.
        let mut item = strings([(USERS.partition, pseudonym), ("use", &random_id())]);
        item.insert(TTL.to_owned(), tables::number(expires));
        // Items are deleted late, so an expired one counts as absent.
        let unused = Change::new().when(|at| {
            let (absent, expired) = (at.absent("userId"), at.compare(TTL, "<", now));
            format!("{absent} OR {expired}")
        });
        self.database.put(&self.table, item, unused).await
    }
}

/// Returns the families to remove before another one is added.
fn superfluous(user: &User, now: i64) -> Vec<String> {
    let mut families: Vec<(&String, i64)> = user.families.iter().map(|(family, token)| (family, token.exp)).collect();
    families.sort_by_key(|(_, expires_at)| *expires_at);
    let expired = families.iter().filter(|(_, expires_at)| *expires_at <= now).count();
    let excess = (families.len() + 1).saturating_sub(FAMILIES);
    families.into_iter().take(expired.max(excess)).map(|(family, _)| family.clone()).collect()
}

fn path(family: &str) -> String {
    format!("families.{family}")
}

fn key(user_id: &str) -> Item {
    strings([(USERS.partition, user_id)])
}
