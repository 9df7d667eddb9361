//! Verifies a bot with Telegram, and sends a test message if one is wanted.

use analyticbot_contract::metrics;
use axum::{Json as Answer, extract::State};
use jiff::Timestamp;

use super::{App, changed_bot, not_found, suspended};
use crate::{
    calls::{failure, shown},
    domain::{bot::Status, user::User},
    http::{ApiError, Code, Json, SignedIn},
    limits::By,
    store::{bot::Bot, bots::Identity},
    telegram::{BotInfo, BotToken, TelegramError},
    wire::{VerifiedBot, VerifyBot},
};

/// The text of a test message if the request has none.
const DEFAULT_MESSAGE: &str = "This is a test message. Your bot is set up correctly.";

/// The outcome of a verification whose token Telegram rejects.
const REJECTED: &str = "Verification failed: Telegram rejected the bot token. To replace the token, remove the bot and \
                        register it again with the current one.";

/// A message to send.
struct Message {
    chat_id: i64,
    text: String,
}

pub(super) async fn verify(
    State(app): State<App>,
    SignedIn(user): SignedIn,
    Json(wanted): Json<VerifyBot>,
) -> Result<Answer<VerifiedBot>, ApiError> {
    let bot = app.bot(user.id).await?;
    if bot.status.status == Status::Suspended {
        return Err(suspended());
    }
    let message = message(&user, wanted)?;
    let token = app.calls.token(&bot).await?;
    let result = app.calls.leased(&bot, async || app.verify(&bot, &token, message).await).await;
    let is_success = result.as_ref().is_ok_and(|verified| verified.success);
    app.calls.measure(if is_success { metrics::VERIFY_OK } else { metrics::VERIFY_FAILED });
    result.map(Answer)
}

/// Returns the message to send, if one is wanted.
fn message(user: &User, wanted: VerifyBot) -> Result<Option<Message>, ApiError> {
    if !wanted.send_test_message {
        return Ok(None);
    }
    let chat_id = wanted.test_chat_id.or(user.telegram_id);
    let chat_id = chat_id.ok_or_else(|| {
        ApiError::new(Code::TestChatRequired, "test_chat_id is required, because your account has no Telegram chat")
    })?;
    let text = wanted.test_message.filter(|text| !text.trim().is_empty());
    Ok(Some(Message { chat_id, text: text.unwrap_or_else(|| DEFAULT_MESSAGE.to_owned()) }))
}

impl App {
    async fn verify(&self, bot: &Bot, token: &BotToken, message: Option<Message>) -> Result<VerifiedBot, ApiError> {
        self.admit(bot).await?;
        let info = match self.calls.telegram.get_me(token).await {
            Ok(info) => info,
            Err(TelegramError::Unauthorized) => return self.reject(bot).await,
            Err(error) => return Err(failure(&error)),
        };
        let identity = Identity { bot_id: info.id, username: info.username.clone() };
        changed_bot(self.bots.verified(bot, &identity, Timestamp::now()).await?)?;
        match message {
            Some(message) => self.send(bot, token, &info, message).await,
            None => Ok(verified(&info, None)),
        }
    }

    /// Sends the message. One that Telegram refuses does not change the bot's state.
    async fn send(
        &self,
        bot: &Bot,
        token: &BotToken,
        info: &BotInfo,
        message: Message,
    ) -> Result<VerifiedBot, ApiError> {
        self.admit(bot).await?;
        match self.calls.telegram.send_message(token, message.chat_id, &message.text).await {
            Ok(()) => Ok(verified(info, Some(true))),
            Err(TelegramError::Refused(reason)) => Ok(VerifiedBot {
                success: false,
                message: format!("Bot verified but failed to send test message: {reason}"),
                bot_info: Some(shown(info, Some(false))),
                is_verified: true,
            }),
            Err(TelegramError::Unauthorized) => self.reject(bot).await,
            Err(error) => Err(failure(&error)),
        }
    }

    /// Admits a call, unless the bot was suspended or removed since it was read.
    async fn admit(&self, bot: &Bot) -> Result<(), ApiError> {
        if self.calls.admit(bot, By::User).await? {
            return Ok(());
        }
        let present = self.bots.get(bot.status.user_id).await?;
        Err(if present.is_some_and(|present| present.status.id == bot.status.id) { suspended() } else { not_found() })
    }

    async fn reject(&self, bot: &Bot) -> Result<VerifiedBot, ApiError> {
        changed_bot(self.bots.rejected(bot, Timestamp::now()).await?)?;
        Ok(VerifiedBot { success: false, message: REJECTED.to_owned(), bot_info: None, is_verified: false })
    }
}

fn verified(info: &BotInfo, test_message_sent: Option<bool>) -> VerifiedBot {
    VerifiedBot {
        success: true,
        message: "Bot verified successfully".to_owned(),
        bot_info: Some(shown(info, test_message_sent)),
        is_verified: true,
    }
}
