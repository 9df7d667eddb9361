//! The counter of a bot's calls to Telegram, in the item `USER#<user>`.

use analyticbot_contract::tables::{PK, STATUS};
use jiff::Timestamp;
use tables::Change;

use super::{LimitError, Limits, key};
use crate::domain::{
    bot::{BotStatus, Status},
    time,
};

/// The caller on whose behalf Telegram is called with a bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Its user, unless the bot is suspended.
    User,
    /// An administrator.
    Admin,
}

impl Limits {
    /// Counts a call that is about to be made. Returns false if the bot was removed or, for its user, suspended since it was read:
    /// then no call may be made.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn record(&self, bot: &BotStatus, by: By) -> Result<bool, LimitError> {
        let mut change = Change::new()
            .add("total_requests", 1)
            .set("last_used_at", time::text(Timestamp::now()))
            .when(|at| at.exists(PK))
            .when(|at| at.compare("id", "=", bot.id));
        if by == By::User {
            change = change.when(|at| at.compare(STATUS, "<>", Status::Suspended));
        }
        let row = key(&format!("USER#{}", bot.user_id));
        Ok(self.database.update(&self.table, row, change).await?.is_some())
    }
}
