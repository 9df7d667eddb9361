//! The function `admin-bot`: every user's bot, for administrators. Each change is recorded in the transaction that makes it.

mod access;
mod audit;

use std::sync::Arc;

use analyticbot_contract::{AdminBot, metrics, routes::AdminBotRoute};
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
    crypto::access::AccessTokens,
    domain::bot::BotStatus,
    http::{Access, Admin, ApiError, Code, Fault, Json, Query, UserId, router},
    settings::positive,
    store::{
        actions::Actions,
        bot::Bot,
        bots::{Audit, Bots, Changed},
        users::Users,
    },
    wire::{BotList, ChangeLimits, ChangedLimits, ListBots, SuspendBot},
};

/// The minimum length of a reason, in characters, not counting spaces at its start and end.
const LEAST_REASON: usize = 5;

/// The state of the handlers.
#[derive(Debug, Clone)]
struct App {
    access: Arc<Access>,
    bots: Bots,
    actions: Actions,
    calls: Arc<Calls>,
}

impl FromRef<App> for Arc<Access> {
    fn from_ref(app: &App) -> Self {
        Self::clone(&app.access)
    }
}

/// Serves the routes of administrators.
///
/// # Errors
/// When a variable is no number, when the secret is not usable, or when Lambda's runtime interface fails.
pub async fn serve(started: Started<AdminBot>) -> Result<(), Error> {
    common::http::serve::<AdminBot>(build(&started.environment, &started.aws).await?).await
}

pub(crate) async fn build(environment: &AdminBot, aws: &SdkConfig) -> Result<Router, Error> {
    let database = Database::new(aws_sdk_dynamodb::Client::new(aws));
    let settings = Settings {
        stage: &environment.stage,
        credentials_table: &environment.user_bot_credentials_table,
        kms_key_id: &environment.kms_key_id,
        telegram_api_base: &environment.telegram_api_base,
        telegram_timeout_s: &environment.telegram_timeout_s,
    };
    let secret = SecretSource::new(aws.clone(), environment.jwt_secret_arn.clone());
    let minutes = positive("ACCESS_TOKEN_MINUTES", &environment.access_token_minutes)?;
    let tokens = AccessTokens::start(secret, minutes).await?;
    let app = App {
        access: Arc::new(Access { tokens, users: Users::new(database.clone(), environment.users_table.clone()) }),
        bots: Bots::new(database.clone(), environment.user_bot_credentials_table.clone()),
        actions: Actions::new(database.clone(), environment.admin_bot_actions_table.clone()),
        calls: Arc::new(Calls::new(aws, database, &settings)?),
    };
    Ok(routes(app))
}

fn routes(app: App) -> Router {
    router::router::<AdminBot, AdminBotRoute, App>(app, |route, method| match route {
        AdminBotRoute::List => on(method, list),
        AdminBotRoute::Access => on(method, access::access),
        AdminBotRoute::Suspend => on(method, suspend),
        AdminBotRoute::Activate => on(method, activate),
        AdminBotRoute::RateLimit => on(method, change_limits),
        AdminBotRoute::Status => on(method, status),
        AdminBotRoute::Actions => on(method, audit::list),
    })
}

async fn list(
    State(app): State<App>,
    Admin(_): Admin,
    Query(wanted): Query<ListBots>,
) -> Result<Answer<BotList>, ApiError> {
    let ListBots { page, page_size, status_filter } = wanted;
    let listing = app.bots.list(status_filter, page, page_size).await?;
    Ok(Answer(BotList { total: listing.total, page, page_size, bots: listing.bots }))
}

async fn status(
    State(app): State<App>,
    Admin(_): Admin,
    UserId(user_id): UserId,
) -> Result<Answer<BotStatus>, ApiError> {
    Ok(Answer(app.bot(user_id).await?.status))
}

async fn suspend(
    State(app): State<App>,
    Admin(admin): Admin,
    UserId(user_id): UserId,
    Json(wanted): Json<SuspendBot>,
) -> Result<Answer<BotStatus>, ApiError> {
    let reason = wanted.reason.trim();
    if reason.chars().count() < LEAST_REASON {
        let msg = format!("must have at least {LEAST_REASON} characters, not counting spaces at its start and end");
        return Err(ApiError::invalid(&[Fault::new("body", "reason", "string_too_short", msg)]));
    }
    let changed = app.bots.suspend(user_id, reason, app.audit(admin.id), Timestamp::now()).await?;
    app.changed(user_id, changed).map(|bot| Answer(bot.status))
}

async fn activate(
    State(app): State<App>,
    Admin(admin): Admin,
    UserId(user_id): UserId,
) -> Result<Answer<BotStatus>, ApiError> {
    let changed = app.bots.activate(user_id, app.audit(admin.id), Timestamp::now()).await?;
    app.changed(user_id, changed).map(|bot| Answer(bot.status))
}

/// Changes the limits. Without new ones, nothing is written and no action is recorded.
async fn change_limits(
    State(app): State<App>,
    Admin(admin): Admin,
    UserId(user_id): UserId,
    Json(wanted): Json<ChangeLimits>,
) -> Result<Answer<ChangedLimits>, ApiError> {
    let limits = (wanted.max_requests_per_second, wanted.max_concurrent_requests);
    let bot = if limits == (None, None) {
        app.bot(user_id).await?
    } else {
        let changed = app.bots.set_limits(user_id, limits, app.audit(admin.id), Timestamp::now()).await?;
        app.changed(user_id, changed)?
    };
    let message = "Rate limits updated successfully".to_owned();
    Ok(Answer(ChangedLimits { success: true, message, new_limits: bot.limits() }))
}

impl App {
    /// Returns a user's bot.
    async fn bot(&self, user_id: u64) -> Result<Bot, ApiError> {
        self.bots.get(user_id).await?.ok_or_else(|| not_found(user_id))
    }

    const fn audit(&self, admin_user_id: u64) -> Audit<'_> {
        Audit { actions: &self.actions, admin_user_id }
    }

    /// Returns the bot after a recorded change.
    fn changed(&self, user_id: u64, changed: Changed) -> Result<Bot, ApiError> {
        match changed {
            Changed::Bot(bot) => {
                self.calls.measure(metrics::ADMIN_ACTIONS);
                Ok(*bot)
            }
            Changed::NotFound => Err(not_found(user_id)),
            Changed::Incomplete => Err(incomplete()),
            Changed::Suspended => Err(ApiError::new(Code::BotSuspended, "The bot is suspended")),
            Changed::UsernameInUse => {
                Err(ApiError::new(Code::UsernameInUse, "Another user has registered a bot with this username"))
            }
        }
    }
}

fn incomplete() -> ApiError {
    let detail = "The bot has no Telegram ID yet, so it was not activated; its user must verify it first";
    ApiError::new(Code::BotIncomplete, detail)
}

fn not_found(user_id: u64) -> ApiError {
    ApiError::new(Code::BotNotFound, format!("No bot found for user {user_id}"))
}

#[cfg(test)]
mod tests;
