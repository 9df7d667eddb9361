//! Bots: one item `USER#<user_id>` for each user, with guards that make token, bot ID and name unique.
//!
//! A change reads the row, applies the table of states, and writes under the condition that no other change came between. A change
//! with guards or with a recorded action is one transaction.

mod change;

use analyticbot_contract::tables::PK;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tables::{AwsError, Change, Database, TransactionOutcome, Write, from_item, strings};

use self::change::Step;
use super::{
    actions::{Actions, Kind, NewAction},
    bot::{self, Bot},
    key,
};
use crate::{
    crypto::envelope::Sealed,
    domain::{
        bot::{BotStatus, Status},
        limits::Limits,
        state::{Effect, Event, effect},
        time,
    },
};

/// The item with the newest ID.
const SEQUENCE: &str = "SEQ#bot";
/// The attempts to write a row that other requests change.
const ATTEMPTS: u32 = 4;

/// The table of bots.
#[derive(Debug, Clone)]
pub struct Bots {
    pub(super) database: Database,
    pub(super) table: String,
}

/// A bot to create. Its ID is from [`Bots::next_id`].
#[derive(Debug)]
pub struct NewBot {
    /// The ID.
    pub id: u64,
    /// The user.
    pub user_id: u64,
    /// The bot according to Telegram.
    pub identity: Identity,
    /// The application's ID at Telegram.
    pub api_id: Option<i64>,
    /// The limits.
    pub limits: Limits,
    /// The fingerprint of the token.
    pub fingerprint: String,
    /// The encrypted credentials.
    pub sealed: Sealed,
}

/// A bot according to Telegram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The ID.
    pub bot_id: i64,
    /// The name.
    pub username: Option<String>,
}

/// The result of a creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// The bot exists now.
    Bot(Box<Bot>),
    /// The user already has a bot.
    AlreadyExists,
    /// Another user has registered the bot, with this token or another one.
    TokenInUse,
    /// Another user has registered a bot with the name.
    UsernameInUse,
}

/// The result of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// The bot as it is now.
    Bot(Box<Bot>),
    /// The user has no bot.
    NotFound,
    /// The bot is suspended, and the change is not the user's to make.
    Suspended,
    /// The bot lacks its ID at Telegram.
    Incomplete,
    /// Another user has registered a bot with the name that Telegram reported.
    UsernameInUse,
}

/// The result of a removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// The bot and its guards are deleted.
    Removed,
    /// The user has no bot.
    NotFound,
    /// The bot is suspended.
    Suspended,
}

/// The administrator of a change, and the table that records it.
#[derive(Debug, Clone, Copy)]
pub struct Audit<'a> {
    /// The table of actions.
    pub actions: &'a Actions,
    /// The administrator.
    pub admin_user_id: u64,
}

#[derive(Deserialize)]
struct Sequence {
    n: u64,
}

impl Bots {
    /// Uses a table.
    #[must_use]
    pub fn new(database: Database, table: String) -> Self {
        Self { database, table }
    }

    /// Returns a user's bot.
    ///
    /// # Errors
    /// When the request fails.
    pub async fn get(&self, user_id: u64) -> Result<Option<Bot>, AwsError> {
        self.database.get(&self.table, key(&bot::pk(user_id))).await?.map(bot::read).transpose()
    }

    /// Returns the next ID of a bot. Gaps are harmless.
    ///
    /// # Errors
    /// When the request fails.
    pub async fn next_id(&self) -> Result<u64, AwsError> {
        let counted = self.database.update(&self.table, key(SEQUENCE), Change::new().add("n", 1)).await?;
        Ok(from_item::<Sequence>(counted.unwrap_or_default())?.n)
    }

    /// Creates a bot and its guards in one transaction. Of simultaneous creations of a user, one succeeds.
    ///
    /// # Errors
    /// When the request fails.
    pub async fn create(&self, new: NewBot, now: Timestamp) -> Result<Created, AwsError> {
        let bot = pending(new, now);
        let user_id = bot.status.user_id;
        let absent = || Change::new().when(|at| at.absent(PK));
        let mut writes = vec![Write::Put(self.table.clone(), bot::write(&bot)?, absent())];
        let guards = guards(&bot.fingerprint, &bot.status);
        let name = guards.iter().position(|guard| guard.starts_with(NAME));
        for guard in &guards {
            let mut item = key(guard);
            item.insert("user_id".to_owned(), tables::to_attribute(user_id)?);
            writes.push(Write::Put(self.table.clone(), item, absent()));
        }
        let failed = match self.database.transact(writes).await? {
            TransactionOutcome::Committed => return Ok(Created::Bot(Box::new(bot))),
            TransactionOutcome::ConditionsFailed(failed) => failed,
        };
        // The guards of a simultaneous creation of the same user may fail while its row is still held, and only the row decides.
        Ok(if failed.contains(&0) || self.get(user_id).await?.is_some() {
            Created::AlreadyExists
        } else if failed.iter().any(|at| Some(at - 1) != name) {
            Created::TokenInUse
        } else {
            Created::UsernameInUse
        })
    }

    /// Deletes a user's bot and its guards in one transaction, unless the bot is suspended.
    ///
    /// # Errors
    /// When a request fails, or when a guard belongs to another user.
    pub async fn remove(&self, user_id: u64) -> Result<Removed, AwsError> {
        for _ in 0..ATTEMPTS {
            let Some(bot) = self.get(user_id).await? else { return Ok(Removed::NotFound) };
            if effect(bot.status.status, Event::Remove) == Effect::Refused {
                return Ok(Removed::Suspended);
            }
            let unchanged = Change::new().when(|at| at.compare("version", "=", bot.version));
            let mut writes = vec![Write::Delete(self.table.clone(), key(&bot::pk(user_id)), unchanged)];
            let guards = guards(&bot.fingerprint, &bot.status);
            writes.extend(guards.iter().map(|guard| self.release(guard, user_id)));
            match self.database.transact(writes).await? {
                TransactionOutcome::Committed => return Ok(Removed::Removed),
                TransactionOutcome::ConditionsFailed(failed) if failed.contains(&0) => {}
                TransactionOutcome::ConditionsFailed(_) => {
                    return Err(AwsError::unexpected("remove a bot", "one of its guards belongs to another user"));
                }
            }
        }
        Err(AwsError::unexpected("remove a bot", "other requests kept changing it; it was not removed"))
    }

    /// Records that Telegram accepted the token of the bot that was read as `of`, and how Telegram names it.
    ///
    /// # Errors
    /// When a request fails.
    pub async fn verified(&self, of: &Bot, identity: &Identity, now: Timestamp) -> Result<Changed, AwsError> {
        let edit = |status: &mut BotStatus| {
            status.bot_id = Some(identity.bot_id);
            status.bot_username.clone_from(&identity.username);
        };
        let step = Step { event: Event::Verified, bot_id: Some(of.status.id), edit: &edit, action: None, now };
        self.change(of.status.user_id, &step).await
    }

    /// Records that Telegram rejected the token of the bot that was read as `of`.
    ///
    /// # Errors
    /// When a request fails.
    pub async fn rejected(&self, of: &Bot, now: Timestamp) -> Result<Changed, AwsError> {
        let step = Step { event: Event::Rejected, bot_id: Some(of.status.id), edit: &|_| {}, action: None, now };
        self.change(of.status.user_id, &step).await
    }

    /// Changes the limits of a bot for its user. A limit without a value is unchanged.
    ///
    /// # Errors
    /// When a request fails.
    pub async fn set_own_limits(
        &self,
        user_id: u64,
        requests_per_second: Option<u32>,
        concurrent_requests: Option<u32>,
        now: Timestamp,
    ) -> Result<Changed, AwsError> {
        let edit = |status: &mut BotStatus| set_limits(status, requests_per_second, concurrent_requests);
        let step = Step { event: Event::ChangeLimits, bot_id: None, edit: &edit, action: None, now };
        self.change(user_id, &step).await
    }

    /// Suspends a user's bot, and records it.
    ///
    /// # Errors
    /// When a request fails.
    pub async fn suspend(
        &self,
        user_id: u64,
        reason: &str,
        audit: Audit<'_>,
        now: Timestamp,
    ) -> Result<Changed, AwsError> {
        let edit = |status: &mut BotStatus| status.suspension_reason = Some(reason.to_owned());
        let action = |_: &Bot, _: &BotStatus| audit.action(user_id, Kind::SuspendBot, json!({ "reason": reason }));
        let action = Some((audit.actions, &action as _));
        self.change(user_id, &Step { event: Event::Suspend, bot_id: None, edit: &edit, action, now }).await
    }

    /// Activates a user's bot, and records it.
    ///
    /// # Errors
    /// When a request fails.
    pub async fn activate(&self, user_id: u64, audit: Audit<'_>, now: Timestamp) -> Result<Changed, AwsError> {
        let action = |before: &Bot, _: &BotStatus| {
            audit.action(user_id, Kind::ActivateBot, json!({ "previous_status": before.status.status }))
        };
        let action = Some((audit.actions, &action as _));
        self.change(user_id, &Step { event: Event::Activate, bot_id: None, edit: &|_| {}, action, now }).await
    }

    /// Changes the limits of a user's bot in any state, and records it. A limit without a value is unchanged.
    ///
    /// # Errors
    /// When a request fails.
    pub async fn set_limits(
        &self,
        user_id: u64,
        limits: (Option<u32>, Option<u32>),
        audit: Audit<'_>,
        now: Timestamp,
    ) -> Result<Changed, AwsError> {
        let edit = |status: &mut BotStatus| set_limits(status, limits.0, limits.1);
        let action = |before: &Bot, after: &BotStatus| {
            let details = json!({
                "old_rate_limit_rps": before.status.max_requests_per_second,
                "new_rate_limit_rps": after.max_requests_per_second,
                "old_max_concurrent_requests": before.status.max_concurrent_requests,
                "new_max_concurrent_requests": after.max_concurrent_requests,
            });
            audit.action(user_id, Kind::UpdateRateLimits, details)
        };
        let action = Some((audit.actions, &action as _));
        self.change(user_id, &Step { event: Event::AdminLimits, bot_id: None, edit: &edit, action, now }).await
    }

    /// Deletes a guard if it belongs to the user.
    fn release(&self, guard: &str, user_id: u64) -> Write {
        let is_own = Change::new().when(|at| format!("{} OR {}", at.absent(PK), at.compare("user_id", "=", user_id)));
        Write::Delete(self.table.clone(), strings([(PK, guard)]), is_own)
    }
}

impl Audit<'_> {
    fn action(self, target_user_id: u64, action: Kind, details: Value) -> NewAction {
        let details = match details {
            Value::Object(details) => details,
            _ => Map::new(),
        };
        NewAction { admin_user_id: self.admin_user_id, target_user_id, action, details }
    }
}

fn set_limits(status: &mut BotStatus, requests_per_second: Option<u32>, concurrent_requests: Option<u32>) {
    status.max_requests_per_second = requests_per_second.unwrap_or(status.max_requests_per_second);
    status.max_concurrent_requests = concurrent_requests.unwrap_or(status.max_concurrent_requests);
}

/// The start of the keys of guards of names.
const NAME: &str = "NAME#";

/// Returns the guards of a bot: token, ID at Telegram, and name.
fn guards(fingerprint: &str, status: &BotStatus) -> Vec<String> {
    let token = format!("TOKEN#{fingerprint}");
    // A re-issued token has another fingerprint, but the same bot.
    let bot_id = status.bot_id.map(|bot_id| format!("BOTID#{bot_id}"));
    let name = status.bot_username.as_ref().map(|name| format!("{NAME}{}", name.to_lowercase()));
    [Some(token), bot_id, name].into_iter().flatten().collect()
}

/// Returns a new bot, which is not verified yet.
fn pending(new: NewBot, now: Timestamp) -> Bot {
    let now = time::text(now);
    let status = BotStatus {
        id: new.id,
        user_id: new.user_id,
        bot_username: new.identity.username,
        bot_id: Some(new.identity.bot_id),
        status: Status::Pending,
        is_verified: false,
        max_requests_per_second: new.limits.max_requests_per_second,
        max_concurrent_requests: new.limits.max_concurrent_requests,
        total_requests: 0,
        last_used_at: None,
        created_at: now.clone(),
        updated_at: now,
        suspension_reason: None,
    };
    Bot { status, api_id: new.api_id, fingerprint: new.fingerprint, sealed: new.sealed, version: 1 }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
