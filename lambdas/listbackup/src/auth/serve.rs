//! The six functions: their state, built from the contract's environment, and their routers.

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::{
    Router,
    body::Bytes,
    extract::{FromRequestParts, State},
    http::{StatusCode, request::Parts},
    routing::on,
};
use common::{ApiError, Authorized, Error, SourceAddress, Started, bus::Bus, cors::Origins, http, token::SecretSource};
use listbackup_contract::auth as contract;
use serde_json::Map;
use tables::Database;

use super::{
    gate::{Gate, LimitError},
    login::{self, Issuer, Login},
    logout::{self, Logout},
    mfa::{self, Mfa},
    pool::Pool,
    refresh::{self, Refresh},
    register::{self, Register},
    users::Users,
};
use crate::{
    mail::Mailer,
    requests::{Fields, RequestId, respond},
    shared::{
        audit::{Audit, Happening},
        envelope::Problem,
        identity::Identity,
    },
};

/// Serves registrations until the instance ends.
///
/// # Errors
/// When the environment is invalid, or when Lambda's runtime interface fails.
pub async fn register(started: Started<contract::Register>) -> Result<(), Error> {
    http::serve::<contract::Register>(register_router(started.environment, &started.aws)?).await
}

/// Serves sign-ins until the instance ends.
///
/// # Errors
/// When the environment is invalid, or when Lambda's runtime interface fails.
pub async fn login(started: Started<contract::Login>) -> Result<(), Error> {
    http::serve::<contract::Login>(login_router(started.environment, &started.aws)?).await
}

/// Exchanges refresh tokens until the instance ends.
///
/// # Errors
/// When the environment is invalid, or when Lambda's runtime interface fails.
pub async fn refresh(started: Started<contract::Refresh>) -> Result<(), Error> {
    http::serve::<contract::Refresh>(refresh_router(started.environment, &started.aws)?).await
}

/// Signs users out until the instance ends.
///
/// # Errors
/// When Lambda's runtime interface fails.
pub async fn logout(started: Started<contract::Logout>) -> Result<(), Error> {
    http::serve::<contract::Logout>(logout_router(started.environment, &started.aws)).await
}

/// Begins setups of second factors until the instance ends.
///
/// # Errors
/// When the environment is invalid, or when Lambda's runtime interface fails.
pub async fn mfa_setup(started: Started<contract::MfaSetup>) -> Result<(), Error> {
    http::serve::<contract::MfaSetup>(mfa_setup_router(started.environment, &started.aws)?).await
}

/// Ends setups of second factors until the instance ends.
///
/// # Errors
/// When the environment is invalid, or when Lambda's runtime interface fails.
pub async fn mfa_verify(started: Started<contract::MfaVerify>) -> Result<(), Error> {
    http::serve::<contract::MfaVerify>(mfa_verify_router(started.environment, &started.aws)?).await
}

pub(super) fn register_router(environment: contract::Register, aws: &SdkConfig) -> Result<Router, LimitError> {
    let database = database(aws);
    let app = Arc::new(Register {
        gate: Gate::new(aws, &environment.users_table, &environment.sign_in_per_minute, &environment.user_pool_id)?,
        pool: Pool::new(aws.clone(), environment.user_pool_id, environment.user_pool_client_id),
        users: Users::new(database.clone(), environment.users_table),
        accounts_table: environment.accounts_table,
        audit: Audit::new(database, environment.activity_table, Bus::new(aws, environment.event_bus_name)),
        mailer: Mailer::new(aws.clone(), environment.ses_from_email),
    });
    Ok(http::router::<contract::Register, _, _>(Origins::gateway(), app, |route, method| match route {
        contract::RegisterRoute::Register => on(
            method,
            async |State(app): State<Arc<Register>>,
                   id: RequestId,
                   SourceAddress(address): SourceAddress,
                   body: Bytes| {
                respond(&id, async { register::register(&app, &address, &Fields::parse(&body)?).await }.await)
            },
        ),
    }))
}

pub(super) fn login_router(environment: contract::Login, aws: &SdkConfig) -> Result<Router, LimitError> {
    let database = database(aws);
    let app = Arc::new(Login {
        gate: Gate::new(aws, &environment.users_table, &environment.sign_in_per_minute, &environment.user_pool_id)?,
        pool: Pool::new(aws.clone(), environment.user_pool_id, environment.user_pool_client_id),
        users: Users::new(database.clone(), environment.users_table),
        audit: Audit::new(database, environment.activity_table, Bus::new(aws, environment.event_bus_name)),
        issuer: issuer(aws, environment.access_secret_arn, environment.refresh_secret_arn, environment.stage),
    });
    Ok(http::router::<contract::Login, _, _>(Origins::gateway(), app, |route, method| match route {
        contract::LoginRoute::Login => on(
            method,
            async |State(app): State<Arc<Login>>, id: RequestId, SourceAddress(address): SourceAddress, body: Bytes| {
                respond(&id, async { login::login(&app, &address, &Fields::parse(&body)?).await }.await)
            },
        ),
    }))
}

pub(super) fn refresh_router(environment: contract::Refresh, aws: &SdkConfig) -> Result<Router, LimitError> {
    let app = Arc::new(Refresh {
        gate: Gate::new(
            aws,
            &environment.users_table,
            &environment.sign_in_per_minute,
            &environment.refresh_secret_arn,
        )?,
        users: Users::new(database(aws), environment.users_table),
        issuer: issuer(aws, environment.access_secret_arn, environment.refresh_secret_arn, environment.stage),
    });
    Ok(http::router::<contract::Refresh, _, _>(Origins::gateway(), app, |route, method| match route {
        contract::RefreshRoute::Refresh => on(
            method,
            async |State(app): State<Arc<Refresh>>,
                   id: RequestId,
                   SourceAddress(address): SourceAddress,
                   body: Bytes| {
                respond(&id, async { refresh::refresh(&app, &address, &Fields::parse(&body)?).await }.await)
            },
        ),
    }))
}

pub(super) fn logout_router(environment: contract::Logout, aws: &SdkConfig) -> Router {
    let database = database(aws);
    let app = Arc::new(Logout {
        pool: Pool::new(aws.clone(), environment.user_pool_id, String::new()),
        users: Users::new(database.clone(), environment.users_table),
        audit: Audit::new(database, environment.activity_table, Bus::new(aws, environment.event_bus_name)),
    });
    http::router::<contract::Logout, _, _>(Origins::gateway(), app, |route, method| match route {
        contract::LogoutRoute::Logout => on(
            method,
            async |State(app): State<Arc<Logout>>, id: RequestId, Authorized(caller): Authorized<Identity>| {
                respond(&id, logout::logout(&app, &caller).await)
            },
        ),
    })
}

pub(super) fn mfa_setup_router(environment: contract::MfaSetup, aws: &SdkConfig) -> Result<Router, LimitError> {
    let app = Arc::new(Mfa {
        gate: Gate::new(aws, &environment.users_table, &environment.sign_in_per_minute, &environment.user_pool_id)?,
        pool: Pool::new(aws.clone(), environment.user_pool_id, environment.user_pool_client_id),
        users: Users::new(database(aws), environment.users_table),
    });
    Ok(http::router::<contract::MfaSetup, _, _>(Origins::gateway(), app, |route, method| match route {
        contract::MfaSetupRoute::Setup => on(method, async |request: MfaRequest, body: Bytes| {
            let MfaRequest { app, id, address, caller } = request;
            respond(&id, async { mfa::setup(&app, &address, &caller, &Fields::parse(&body)?).await }.await)
        }),
    }))
}

pub(super) fn mfa_verify_router(environment: contract::MfaVerify, aws: &SdkConfig) -> Result<Router, LimitError> {
    let app = Arc::new(Mfa {
        gate: Gate::new(aws, &environment.users_table, &environment.sign_in_per_minute, &environment.user_pool_id)?,
        pool: Pool::new(aws.clone(), environment.user_pool_id, environment.user_pool_client_id),
        users: Users::new(database(aws), environment.users_table),
    });
    Ok(http::router::<contract::MfaVerify, _, _>(Origins::gateway(), app, |route, method| match route {
        contract::MfaVerifyRoute::Verify => on(method, async |request: MfaRequest, body: Bytes| {
            let MfaRequest { app, id, address, caller } = request;
            respond(&id, async { mfa::verify(&app, &address, &caller, &Fields::parse(&body)?).await }.await)
        }),
    }))
}

/// A request about a second factor, without its body.
struct MfaRequest {
    app: Arc<Mfa>,
    id: RequestId,
    address: String,
    caller: Identity,
}

impl FromRequestParts<Arc<Mfa>> for MfaRequest {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<Mfa>) -> Result<Self, ApiError> {
        let Ok(id) = RequestId::from_request_parts(parts, app).await;
        let Ok(SourceAddress(address)) = SourceAddress::from_request_parts(parts, app).await;
        let Authorized(caller) = Authorized::from_request_parts(parts, app).await?;
        Ok(Self { app: Arc::clone(app), id, address, caller })
    }
}

fn database(aws: &SdkConfig) -> Database {
    Database::new(aws_sdk_dynamodb::Client::new(aws))
}

fn issuer(aws: &SdkConfig, access: String, refresh: String, stage: String) -> Issuer {
    let secret = |arn| SecretSource::new(aws.clone(), arn);
    Issuer { access: secret(access), refresh: secret(refresh), stage }
}

/// Describes what a user of an account did. `id` distinguishes it from everything else that the user does.
pub(super) fn happening_of(
    (account_id, user_id): (&str, &str),
    id: &str,
    action: &'static str,
    message: &str,
) -> Happening {
    Happening {
        event_id: format!("{user_id}:{id}"),
        account_id: account_id.to_owned(),
        user_id: user_id.to_owned(),
        resource_type: "user",
        resource_id: user_id.to_owned(),
        action,
        message: message.to_owned(),
        fields: Map::new(),
    }
}

/// Refuses callers without a session: API keys.
pub(super) fn session_required(caller: &Identity) -> Result<(), Problem> {
    if caller.family.is_empty() {
        let message = "an API key has no session; sign in with a password";
        return Err(Problem::new(StatusCode::FORBIDDEN, "ACCESS_DENIED", message));
    }
    Ok(())
}

/// The user pool refuses requests for now.
pub(super) fn unavailable() -> Problem {
    let message = "signing in is not possible now; please try again";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_REQUESTS", message)
}
