//! Registers a bot: Telegram is called first, and nothing is stored unless it accepts the token.

use axum::{Json as Answer, extract::State, http::StatusCode};
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::{App, name_in_use};
use crate::{
    calls::failure,
    crypto::envelope::Credentials,
    domain::{
        limits::Limits,
        names,
        token::{self, TokenFault},
    },
    http::{ApiError, Code, Fault, Json, SignedIn},
    store::bots::{Created, Identity, NewBot},
    telegram::BotToken,
    wire::{CreateBot, CreatedBot},
};

pub(super) async fn create(
    State(app): State<App>,
    SignedIn(user): SignedIn,
    Json(wanted): Json<CreateBot>,
) -> Result<(StatusCode, Answer<CreatedBot>), ApiError> {
    let token = checked(&wanted)?;
    if app.bots.get(user.id).await?.is_some() {
        return Err(already_exists());
    }
    let bot = app.calls.telegram.get_me(&token).await.map_err(|error| failure(&error))?;
    let bot_token = Zeroizing::new(token.expose().to_owned());
    let credentials = Credentials { bot_token, api_hash: wanted.api_hash };
    let limits = Limits {
        max_requests_per_second: wanted.max_requests_per_second,
        max_concurrent_requests: wanted.max_concurrent_requests,
    };
    let new = NewBot {
        id: app.bots.next_id().await?,
        user_id: user.id,
        identity: Identity { bot_id: bot.id, username: bot.username },
        api_id: wanted.api_id,
        limits,
        fingerprint: app.fingerprint.of(token.expose()),
        sealed: app.calls.envelope.seal(user.id, &credentials).await?,
    };
    match app.bots.create(new, Timestamp::now()).await? {
        Created::Bot(bot) => {
            let created = CreatedBot {
                id: bot.status.id,
                message: "Bot created successfully".to_owned(),
                status: bot.status.status,
                bot_username: bot.status.bot_username,
                requires_verification: true,
            };
            Ok((StatusCode::CREATED, Answer(created)))
        }
        Created::AlreadyExists => Err(already_exists()),
        Created::TokenInUse => Err(ApiError::new(Code::TokenInUse, "Another user has registered this bot")),
        Created::UsernameInUse => Err(name_in_use()),
    }
}

/// Checks what the schema does not: the forms of token and name. Their errors contain neither.
fn checked(wanted: &CreateBot) -> Result<BotToken, ApiError> {
    let parsed = token::parse(&wanted.bot_token);
    let mut faults = Vec::new();
    if let Some(fault) = parsed.err().filter(|fault| fault.is_of_field()) {
        faults.push(Fault::new("body", "bot_token", "value_error", fault.to_string()));
    }
    if let Err(fault) = names::bot_name(wanted.bot_username.as_deref().unwrap_or_default()) {
        faults.push(Fault::new("body", "bot_username", "value_error", fault.to_string()));
    }
    if !faults.is_empty() {
        return Err(ApiError::invalid(&faults));
    }
    let token = parsed.ok().and_then(BotToken::parse);
    token.ok_or_else(|| ApiError::new(Code::InvalidBotToken, format!("The bot token {}", TokenFault::Form)))
}

fn already_exists() -> ApiError {
    ApiError::new(Code::BotAlreadyExists, "You already have a bot; remove it to register another one")
}
