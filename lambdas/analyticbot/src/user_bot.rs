//! The function `user-bot`: a user's own bot.

mod create;
mod verify;

use std::sync::Arc;

use analyticbot_contract::{UserBot, routes::UserBotRoute};
use aws_config::SdkConfig;
use axum::{
    Json as Answer, Router,
    extract::{FromRef, State},
    routing::on,
};
use common::{Started, token::SecretSource};
use jiff::Timestamp;
use lambda_runtime::Error;
use tables::Database;

use crate::{
    calls::{Calls, Settings},
    crypto::{access::AccessTokens, fingerprint::Fingerprints},
    domain::bot::BotStatus,
    http::{Access, ApiError, Code, Json, SignedIn, router},
    settings::positive,
    store::{
        bot::Bot,
        bots::{Bots, Changed, Removed},
        users::Users,
    },
    wire::{ChangeLimits, ChangedLimits, Success},
};

/// The state of the handlers.
#[derive(Debug, Clone)]
struct App {
    access: Arc<Access>,
    bots: Bots,
    calls: Arc<Calls>,
    fingerprint: Arc<Fingerprints>,
}

impl FromRef<App> for Arc<Access> {
    fn from_ref(app: &App) -> Self {
        Self::clone(&app.access)
    }
}

/// Serves the routes of a user's own bot.
///
/// # Errors
/// When a variable is no number, when a secret is not usable, or when Lambda's runtime interface fails.
pub async fn serve(started: Started<UserBot>) -> Result<(), Error> {
    common::http::serve::<UserBot>(build(&started.environment, &started.aws).await?).await
}

pub(crate) async fn build(environment: &UserBot, aws: &SdkConfig) -> Result<Router, Error> {
    let database = Database::new(aws_sdk_dynamodb::Client::new(aws));
    let settings = Settings {
        stage: &environment.stage,
        credentials_table: &environment.user_bot_credentials_table,
        kms_key_id: &environment.kms_key_id,
        telegram_api_base: &environment.telegram_api_base,
        telegram_timeout_s: &environment.telegram_timeout_s,
    };
    let secret = |arn: &String| SecretSource::new(aws.clone(), arn.clone());
    let minutes = positive("ACCESS_TOKEN_MINUTES", &environment.access_token_minutes)?;
    let tokens = AccessTokens::start(secret(&environment.jwt_secret_arn), minutes).await?;
    let app = App {
        access: Arc::new(Access { tokens, users: Users::new(database.clone(), environment.users_table.clone()) }),
        bots: Bots::new(database.clone(), environment.user_bot_credentials_table.clone()),
        calls: Arc::new(Calls::new(aws, database, &settings)?),
        fingerprint: Arc::new(Fingerprints::start(&secret(&environment.fingerprint_secret_arn)).await?),
    };
    Ok(routes(app))
}

fn routes(app: App) -> Router {
    router::router::<UserBot, UserBotRoute, App>(app, |route, method| match route {
        UserBotRoute::Create => on(method, create::create),
        UserBotRoute::Status => on(method, status),
        UserBotRoute::Verify => on(method, verify::verify),
        UserBotRoute::Remove => on(method, remove),
        UserBotRoute::PatchRateLimits | UserBotRoute::PutRateLimits => on(method, change_limits),
    })
}

async fn status(State(app): State<App>, SignedIn(user): SignedIn) -> Result<Answer<BotStatus>, ApiError> {
    Ok(Answer(app.bot(user.id).await?.status))
}

async fn remove(State(app): State<App>, SignedIn(user): SignedIn) -> Result<Answer<Success>, ApiError> {
    match app.bots.remove(user.id).await? {
        Removed::Removed => Ok(Answer(Success { success: true, message: "Bot removed successfully".to_owned() })),
        Removed::NotFound => Err(not_found()),
        Removed::Suspended => Err(suspended()),
    }
}

async fn change_limits(
    State(app): State<App>,
    SignedIn(user): SignedIn,
    Json(wanted): Json<ChangeLimits>,
) -> Result<Answer<ChangedLimits>, ApiError> {
    let ChangeLimits { max_requests_per_second, max_concurrent_requests } = wanted;
    let now = Timestamp::now();
    let changed = app.bots.set_own_limits(user.id, max_requests_per_second, max_concurrent_requests, now).await?;
    let new_limits = changed_bot(changed)?.limits();
    Ok(Answer(ChangedLimits { success: true, message: "Rate limits updated successfully".to_owned(), new_limits }))
}

impl App {
    /// Returns a user's bot.
    async fn bot(&self, user_id: u64) -> Result<Bot, ApiError> {
        self.bots.get(user_id).await?.ok_or_else(not_found)
    }
}

/// Returns the bot after a change by its user.
fn changed_bot(changed: Changed) -> Result<Bot, ApiError> {
    match changed {
        Changed::Bot(bot) => Ok(*bot),
        Changed::NotFound | Changed::Incomplete => Err(not_found()),
        Changed::Suspended => Err(suspended()),
        Changed::UsernameInUse => Err(name_in_use()),
    }
}

fn not_found() -> ApiError {
    ApiError::new(Code::BotNotFound, "No bot found for this user")
}

fn suspended() -> ApiError {
    ApiError::new(Code::BotSuspended, "The bot is suspended; ask an administrator to activate it")
}

fn name_in_use() -> ApiError {
    ApiError::new(Code::UsernameInUse, "Another user has registered a bot with this username")
}

#[cfg(test)]
mod tests;
