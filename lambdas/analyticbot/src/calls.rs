//! Calls to Telegram with stored bots, within each bot's limits; and how their failures appear in responses.

use std::time::Duration;

use analyticbot_contract::metrics::RATE_LIMITED;
use aws_config::SdkConfig;
use common::Error;
use jiff::Timestamp;
use tables::{AwsError, Database};

use crate::{
    crypto::envelope::Envelope,
    http::{ApiError, Code},
    limits::{By, LimitError, Limits},
    metrics::{self, Metric},
    settings::positive,
    store::bot::Bot,
    telegram::{BotInfo, BotToken, Telegram, TelegramError},
    wire,
};

/// The clients and limits with which a function calls Telegram for stored bots.
#[derive(Debug)]
pub(crate) struct Calls {
    pub(crate) envelope: Envelope,
    pub(crate) telegram: Telegram,
    limits: Limits,
    /// For metrics.
    stage: String,
}

/// The parts of a function's environment that calls need.
pub(crate) struct Settings<'a> {
    pub(crate) stage: &'a str,
    pub(crate) credentials_table: &'a str,
    pub(crate) kms_key_id: &'a str,
    pub(crate) telegram_api_base: &'a str,
    pub(crate) telegram_timeout_s: &'a str,
}

impl Calls {
    pub(crate) fn new(aws: &SdkConfig, database: Database, settings: &Settings<'_>) -> Result<Self, Error> {
        let Settings { stage, credentials_table, kms_key_id, telegram_api_base, telegram_timeout_s } = *settings;
        let timeout = Duration::from_secs(positive("TELEGRAM_TIMEOUT_S", telegram_timeout_s)?);
        Ok(Self {
            envelope: Envelope::new(aws.clone(), kms_key_id, stage),
            telegram: Telegram::new(telegram_api_base, timeout, stage)?,
            limits: Limits::new(database, credentials_table.to_owned()),
            stage: stage.to_owned(),
        })
    }

    /// Decrypts a bot's token.
    pub(crate) async fn token(&self, bot: &Bot) -> Result<BotToken, ApiError> {
        let text = self.envelope.token(bot.row_state(), Timestamp::now()).await?;
        let token = BotToken::parse(&text);
        token.ok_or_else(|| AwsError::unexpected("read a bot's token", "the decrypted text is not a token").into())
    }

    /// Runs `work` under one of the bot's leases.
    pub(crate) async fn leased<T>(
        &self,
        bot: &Bot,
        work: impl AsyncFnOnce() -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let most = bot.status.max_concurrent_requests;
        let result = self.limits.with_lease(bot.status.user_id, most, work).await;
        result.map_err(|error| self.limited(error))?
    }

    /// Admits one call: waits for room in a window of the bot, then counts the call. Returns false if the bot was removed or
    /// suspended meanwhile.
    pub(crate) async fn admit(&self, bot: &Bot, by: By) -> Result<bool, ApiError> {
        let status = &bot.status;
        let admitted = self.limits.admit(status.user_id, status.max_requests_per_second).await;
        admitted.map_err(|error| self.limited(error))?;
        self.limits.record(status, by).await.map_err(|error| self.limited(error))
    }

    /// Adds 1 to a metric.
    pub(crate) fn measure(&self, metric: &'static str) {
        metrics::emit(&self.stage, &[Metric::count(metric, 1)]);
    }

    fn limited(&self, error: LimitError) -> ApiError {
        let (code, detail) = match error {
            LimitError::RateLimited => (Code::BotRateLimited, "The bot's limit of requests per second is reached"),
            LimitError::Busy => (Code::BotBusy, "The bot's limit of concurrent requests is reached"),
            LimitError::Table(error) => return error.into(),
        };
        self.measure(RATE_LIMITED);
        ApiError::limited(code, 1, detail)
    }
}

/// Returns the response to a failed call.
pub(crate) fn failure(error: &TelegramError) -> ApiError {
    match error {
        TelegramError::Unauthorized => ApiError::new(Code::InvalidBotToken, "Telegram rejected the bot token"),
        TelegramError::RetryAfter(seconds) => {
            ApiError::limited(Code::TelegramRateLimited, *seconds, "Telegram's limit for this bot is reached")
        }
        TelegramError::Timeout => {
            ApiError::new(Code::TelegramTimeout, "Telegram did not respond in time; try again later")
        }
        TelegramError::Unavailable | TelegramError::Refused(_) => {
            ApiError::new(Code::TelegramUnavailable, "Telegram is not available; try again later")
        }
    }
}

/// Returns a bot as responses show it.
pub(crate) fn shown(bot: &BotInfo, test_message_sent: Option<bool>) -> wire::BotInfo {
    let BotInfo { id, username, first_name, is_bot } = bot.clone();
    wire::BotInfo { id, username, first_name, is_bot, test_message_sent }
}
