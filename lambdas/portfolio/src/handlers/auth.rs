//! Signing in and out.

use axum::{Json, extract::State, http::StatusCode};
use common::{
    ApiError, SourceAddress,
    limits::{Attempt, Refused, Subjects},
    telemetry,
};
use portfolio_contract::Metric;

use crate::{
    answers::{Login, Message, Refresh, SignedIn, Tokens, User},
    app::{App, Shared},
    gate::Viewer,
    input::{Body, invalid},
    pool::{self, PoolError, Reply, SignIn},
    token::{self, TokenError},
};

/// The message of a 429 response.
const TOO_MANY: &str = "Too many attempts; please wait before you try again";
/// The pause in seconds that a client is asked for when the user pool is busy. The pool names none.
const POOL_PAUSE: u32 = 5;

/// Exchanges email and password, or the response to a challenge, for tokens.
pub(crate) async fn login(
    State(app): Shared,
    SourceAddress(address): SourceAddress,
    Body(login): Body<Login>,
) -> Result<Json<SignedIn>, ApiError> {
    let subjects = admit(&app, &address).await?;
    let attempt = attempt(&app, subjects.as_ref(), &login, &address).await?;
    app.metrics.count(Metric::LoginAttempts, app.now());
    match sign_in(&app, &login).await? {
        Ok(SignIn::Done(tokens)) => {
            let signed_in = signed_in(tokens)?;
            succeed(&app, subjects.as_ref(), attempt, (&signed_in.user.email, &address)).await;
            Ok(Json(signed_in))
        }
        // The attempt stays counted, or a client with the password could guess codes.
        Ok(SignIn::Challenge { name, session }) => Err(challenge(&name, &session)),
        Err(error) => {
            app.metrics.count(Metric::LoginFailures, app.now());
            // The pool has not compared the password: it failed, or the requests of all its clients exceeded a quota.
            if let (PoolError::Other(_) | PoolError::TooMany, Some(attempt)) = (&error, attempt) {
                app.counters().forgive(attempt).await;
            }
            Err(refusal(error, "Invalid email or password", "InvalidCredentials"))
        }
    }
}

/// Counts a request of an address. Without the salt, which pseudonyms are derived from, it is admitted uncounted: signing in
/// must not depend on the counters.
async fn admit(app: &App, address: &str) -> Result<Option<Subjects>, ApiError> {
    match app.subjects().await {
        Ok(subjects) => {
            app.counters().admit(&subjects.address(address), app.now()).await.map_err(too_many)?;
            Ok(Some(subjects))
        }
        Err(error) => {
            tracing::error!(error = telemetry::chain(&error), "failed to count a sign-in; the request is not limited");
            Ok(None)
        }
    }
}

/// Records an attempt to sign in to an account, or to respond to its challenge.
async fn attempt(
    app: &App,
    subjects: Option<&Subjects>,
    login: &Login,
    address: &str,
) -> Result<Option<Attempt>, ApiError> {
    let Some(subjects) = subjects else { return Ok(None) };
    // The session names the user; the email beside it could be any other.
    let account = login.session.as_ref().map_or(login.email.as_str(), |session| pool::unpack(session, &login.email).0);
    let attempt = app.counters().attempt(subjects.account_at(account, address), app.now()).await;
    attempt.map(Some).map_err(too_many)
}

/// Forgets the failures of an account that has signed in: of its password, and of its challenges.
async fn succeed(app: &App, subjects: Option<&Subjects>, attempt: Option<Attempt>, (email, address): (&str, &str)) {
    if let (Some(subjects), Some(attempt)) = (subjects, attempt) {
        let password = subjects.account_at(email, address);
        if !attempt.is_of(&password) {
            app.counters().forget(&password).await;
        }
        app.counters().succeed(attempt).await;
    }
}

fn too_many(refused: Refused) -> ApiError {
    ApiError::too_many_requests(refused.seconds, TOO_MANY)
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
pub(crate) async fn refresh(
    State(app): Shared,
    SourceAddress(address): SourceAddress,
    Body(body): Body<Refresh>,
) -> Result<Json<Tokens>, ApiError> {
    admit(&app, &address).await?;
    let tokens = app.pool().refresh(&body.refresh_token).await;
    let tokens = tokens.map_err(|error| refusal(error, "Invalid or expired refresh token", "InvalidToken"))?;
    app.metrics.count(Metric::TokenRefreshCount, app.now());
    Ok(Json(wire(tokens, &body.refresh_token)))
}

/// Ends every session of the caller. The client discards its tokens in any case, so a failure is only logged.
pub(crate) async fn logout(State(app): Shared, viewer: Viewer) -> Result<Json<Message>, ApiError> {
    let claims = viewer.claims()?;
    let username = if claims.username.is_empty() { &claims.sub } else { &claims.username };
    if let Err(error) = app.pool().sign_out(username).await {
        tracing::warn!(error = telemetry::chain(&error), "failed to sign a user out");
    }
    Ok(Json(Message { message: "Successfully logged out" }))
}

/// The caller.
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
        PoolError::Parameter(message) => invalid("body", &format!("was rejected: {message}")),
        PoolError::Password(message) => invalid("newPassword", &format!("was rejected: {message}")),
        PoolError::TooMany => ApiError::too_many_requests(POOL_PAUSE, TOO_MANY),
        error @ PoolError::Other(_) => error.into(),
    }
}
