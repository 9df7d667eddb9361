//! Signing in and out.

use axum::{Json, extract::State, http::StatusCode};
use common::{ApiError, telemetry};
use portfolio_contract::Metric;

use crate::{
    answers::{Login, Message, Refresh, SignedIn, Tokens, User},
    app::{App, Shared},
    gate::Viewer,
    input::{Body, invalid},
    pool::{self, PoolError, Reply, SignIn},
    token::{self, TokenError},
};

/// Exchanges email and password, or the answer to a challenge, for tokens.
pub(crate) async fn login(State(app): Shared, Body(login): Body<Login>) -> Result<Json<SignedIn>, ApiError> {
    app.metrics.count(Metric::LoginAttempts, app.now());
    let signed_in = match sign_in(&app, &login).await? {
        Ok(SignIn::Done(tokens)) => signed_in(tokens)?,
        Ok(SignIn::Challenge { name, session }) => return Err(challenge(&name, &session)),
        Err(error) => {
            app.metrics.count(Metric::LoginFailures, app.now());
            return Err(refusal(error, "Invalid email or password", "InvalidCredentials"));
        }
    };
    Ok(Json(signed_in))
}

async fn sign_in(app: &App, login: &Login) -> Result<Result<SignIn, PoolError>, ApiError> {
    let Some(session) = &login.session else {
        return Ok(app.pool().sign_in(&login.email, &login.password).await);
    };
    let reply = match (&login.new_password, &login.mfa_code) {
        (Some(password), _) => Reply::NewPassword(password),
        (None, Some(code)) => Reply::Code(code),
        (None, None) => return Err(invalid("session", "must come with newPassword or mfaCode")),
    };
    Ok(app.pool().reply(&login.email, session, reply).await)
}

fn signed_in(tokens: pool::Tokens) -> Result<SignedIn, TokenError> {
    let user = User::from(&token::claims(&tokens.id)?);
    Ok(SignedIn { tokens: wire(tokens, ""), user })
}

/// Exchanges a refresh token for new tokens.
pub(crate) async fn refresh(State(app): Shared, Body(body): Body<Refresh>) -> Result<Json<Tokens>, ApiError> {
    let tokens = app.pool().refresh(&body.refresh_token).await;
    let tokens = tokens.map_err(|error| refusal(error, "Invalid or expired refresh token", "InvalidToken"))?;
    app.metrics.count(Metric::TokenRefreshCount, app.now());
    Ok(Json(wire(tokens, &body.refresh_token)))
}

/// Ends every session of the caller. The client forgets its tokens either way, so it is never told of a failure.
pub(crate) async fn logout(State(app): Shared, viewer: Viewer) -> Result<Json<Message>, ApiError> {
    let claims = viewer.claims()?;
    let username = if claims.username.is_empty() { &claims.sub } else { &claims.username };
    if let Err(error) = app.pool().sign_out(username).await {
        tracing::warn!(error = telemetry::chain(&error), "a user was not signed out");
    }
    Ok(Json(Message { message: "Successfully logged out" }))
}

/// Who calls.
pub(crate) async fn me(viewer: Viewer) -> Result<Json<User>, ApiError> {
    viewer.claims().map(|claims| Json(User::from(claims)))
}

fn wire(tokens: pool::Tokens, old_refresh: &str) -> Tokens {
    Tokens {
        token: tokens.id,
        access_token: tokens.access,
        refresh_token: tokens.refresh.unwrap_or_else(|| old_refresh.to_owned()),
        token_type: "Bearer",
        expires_in: tokens.expires_in,
    }
}

fn challenge(name: &str, session: &str) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, "ChallengeRequired", "Another step is needed to sign in")
        .detail("challengeName", name)
        .detail("session", session)
}

fn refusal(error: PoolError, wrong: &str, code: &'static str) -> ApiError {
    match error {
        PoolError::Credentials => ApiError::new(StatusCode::UNAUTHORIZED, code, wrong),
        PoolError::Disabled => ApiError::new(StatusCode::FORBIDDEN, "AccountDisabled", "The account is disabled"),
        PoolError::Unconfirmed => {
            ApiError::new(StatusCode::FORBIDDEN, "AccountNotVerified", "The account has not been verified")
        }
        PoolError::Parameter(message) => invalid("body", &format!("was refused: {message}")),
        PoolError::Password(message) => invalid("newPassword", &format!("was refused: {message}")),
        PoolError::TooMany => ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "TooManyRequests",
            "There were too many attempts; please wait before the next",
        ),
        error @ PoolError::Other(_) => error.into(),
    }
}
