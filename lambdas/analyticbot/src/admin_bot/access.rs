//! Calls Telegram with a user's bot. The access is recorded before anything is returned.

use analyticbot_contract::metrics;
use axum::{Json as Answer, extract::State};
use jiff::Timestamp;
use serde_json::{Map, json};

use super::{App, not_found};
use crate::{
    calls::{failure, shown},
    domain::time,
    http::{Admin, ApiError, UserId},
    limits::By,
    store::{
        actions::{Kind, NewAction},
        bot::Bot,
    },
    telegram::{BotInfo, BotToken, TelegramError},
    wire::AccessedBot,
};

pub(super) async fn access(
    State(app): State<App>,
    Admin(admin): Admin,
    UserId(user_id): UserId,
) -> Result<Answer<AccessedBot>, ApiError> {
    let bot = app.bot(user_id).await?;
    let token = app.calls.token(&bot).await?;
    let outcome = app.calls.leased(&bot, async || app.call(&bot, &token).await).await?;
    app.record(admin.id, user_id, outcome.is_ok()).await?;
    let info = outcome.map_err(|error| failure(&error))?;
    Ok(Answer(AccessedBot {
        success: true,
        message: "Bot accessed successfully".to_owned(),
        bot_info: shown(&info, None),
        access_logged: true,
    }))
}

impl App {
    /// Calls Telegram within the bot's limits. A call that a limit refuses is not recorded: no access took place.
    async fn call(&self, bot: &Bot, token: &BotToken) -> Result<Result<BotInfo, TelegramError>, ApiError> {
        if !self.calls.admit(bot, By::Admin).await? {
            return Err(not_found(bot.status.user_id));
        }
        Ok(self.calls.telegram.get_me(token).await)
    }

    async fn record(&self, admin_user_id: u64, target_user_id: u64, is_ok: bool) -> Result<(), ApiError> {
        let now = Timestamp::now();
        let details = [
            ("action_type", json!("access")),
            ("timestamp", json!(time::text(now))),
            ("outcome", json!(if is_ok { "ok" } else { "telegram_error" })),
        ];
        let details: Map<_, _> = details.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let action = NewAction { admin_user_id, target_user_id, action: Kind::AdminAccessBot, details };
        if let Err(error) = self.actions.record(&action, now).await {
            // Telegram was called, so the log is the only trace of the access.
            let cause = error.to_string();
            tracing::error!(admin_user_id, target_user_id, error = cause, "failed to record an access to a bot");
            return Err(error.into());
        }
        self.calls.measure(metrics::ADMIN_ACTIONS);
        Ok(())
    }
}
