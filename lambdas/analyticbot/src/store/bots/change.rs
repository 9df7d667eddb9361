//! A change of a bot's row: read, apply the table of states, write under the condition that the row is still the same.

use analyticbot_contract::tables::PK;
use jiff::Timestamp;
use tables::{AwsError, Change, TransactionOutcome, Write};

use super::{ATTEMPTS, Bots, Changed, NAME, guards};
use crate::{
    domain::{
        bot::BotStatus,
        state::{Effect, Event, effect},
        time,
    },
    store::{
        actions::{Actions, NewAction},
        bot::{self, Bot},
        key,
    },
};

/// Describes the action of a change, from the bot before it and the status after it.
type Describe<'a> = &'a (dyn Fn(&Bot, &BotStatus) -> NewAction + Sync);

/// A change to apply.
pub(super) struct Step<'a> {
    pub(super) event: Event,
    /// The ID of the bot that the change is about, if it must not apply to a later bot of the user.
    pub(super) bot_id: Option<u64>,
    /// Changes what the table of states does not.
    pub(super) edit: &'a (dyn Fn(&mut BotStatus) + Sync),
    /// The action to record, in the same transaction.
    pub(super) action: Option<(&'a Actions, Describe<'a>)>,
    pub(super) now: Timestamp,
}

/// The result of one attempt to write.
enum Written {
    Yes,
    /// Another request changed the row since it was read.
    Contended,
    UsernameInUse,
}

impl Bots {
    pub(super) async fn change(&self, user_id: u64, step: &Step<'_>) -> Result<Changed, AwsError> {
        for _ in 0..ATTEMPTS {
            let found = self.get(user_id).await?;
            let found = found.filter(|bot| step.bot_id.is_none_or(|id| id == bot.status.id));
            let Some(before) = found else { return Ok(Changed::NotFound) };
            if step.event == Event::Activate && before.status.bot_id.is_none() {
                return Ok(Changed::Incomplete);
            }
            let Some(after) = applied(&before, step) else { return Ok(Changed::Suspended) };
            // Many requests verify a bot at once; those that change nothing do not compete for the row.
            if after == before.status && step.action.is_none() {
                return Ok(Changed::Bot(Box::new(before)));
            }
            let after = BotStatus { updated_at: time::text(step.now), ..after };
            match self.write(&before, &after, step).await? {
                Written::Yes => {
                    let version = before.version + 1;
                    return Ok(Changed::Bot(Box::new(Bot { status: after, version, ..before })));
                }
                Written::Contended => {}
                Written::UsernameInUse => return Ok(Changed::UsernameInUse),
            }
        }
        Err(AwsError::unexpected("change a bot", "other requests kept changing it; it was not changed"))
    }

    async fn write(&self, before: &Bot, after: &BotStatus, step: &Step<'_>) -> Result<Written, AwsError> {
        let (user_id, row) = (after.user_id, row_change(before, after));
        let [old, new] = [&before.status, after].map(|status| guards(&before.fingerprint, status));
        if old == new && step.action.is_none() {
            let written = self.database.update(&self.table, key(&bot::pk(user_id)), row).await?;
            return Ok(written.map_or(Written::Contended, |_| Written::Yes));
        }
        let mut writes = vec![Write::Change(self.table.clone(), key(&bot::pk(user_id)), row)];
        if let Some((actions, describe)) = step.action {
            writes.push(actions.write(&describe(before, after), step.now)?);
        }
        for guard in new.iter().filter(|guard| !old.contains(guard)) {
            let mut item = key(guard);
            item.insert("user_id".to_owned(), tables::to_attribute(user_id)?);
            let is_free =
                Change::new().when(|at| format!("{} OR {}", at.absent(PK), at.compare("user_id", "=", user_id)));
            writes.push(Write::Put(self.table.clone(), item, is_free));
        }
        writes.extend(old.iter().filter(|guard| !new.contains(guard)).map(|guard| self.release(guard, user_id)));
        let has_new_name = new.iter().any(|guard| guard.starts_with(NAME) && !old.contains(guard));
        match self.database.transact(writes).await? {
            TransactionOutcome::Committed => Ok(Written::Yes),
            TransactionOutcome::ConditionsFailed(failed) if failed.contains(&0) => Ok(Written::Contended),
            TransactionOutcome::ConditionsFailed(_) if has_new_name => Ok(Written::UsernameInUse),
            TransactionOutcome::ConditionsFailed(_) => {
                Err(AwsError::unexpected("change a bot", "one of its guards belongs to another user"))
            }
        }
    }
}

/// Returns the status after a change, or `None` if the change is refused.
fn applied(before: &Bot, step: &Step<'_>) -> Option<BotStatus> {
    let mut after = before.status.clone();
    match effect(after.status, step.event) {
        Effect::Refused | Effect::Deleted => return None,
        Effect::Unchanged => {}
        Effect::Marked(status) => after.status = status,
        Effect::Becomes(status, is_verified) => {
            (after.status, after.is_verified) = (status, is_verified);
            after.suspension_reason = None;
        }
    }
    (step.edit)(&mut after);
    Some(after)
}

/// The change of the row. Counters of calls are not part of it: other requests add to them meanwhile.
fn row_change(before: &Bot, after: &BotStatus) -> Change {
    let change = Change::new()
        .set("status", after.status)
        .set("is_verified", after.is_verified)
        .set("rate_limit_rps", after.max_requests_per_second)
        .set("max_concurrent_requests", after.max_concurrent_requests)
        .set("updated_at", &after.updated_at)
        .set("version", before.version + 1)
        .set_some("bot_id", after.bot_id)
        .when(|at| at.compare("version", "=", before.version));
    let texts = [("suspension_reason", &after.suspension_reason), ("bot_username", &after.bot_username)];
    texts.into_iter().fold(change, |change, (name, text)| match text {
        Some(text) => change.set(name, text),
        None => change.remove(name),
    })
}
