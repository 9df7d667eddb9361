//! Sign-in: exchanges identity tokens for backend tokens, and describes the caller.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
};
use common::{SourceAddress, limits::Refused};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::shared::{Answer, Shared, ok};
use crate::{
    app::App,
    auth::{
        TokenError,
        backend::Issued,
        header::bearer,
        identity::{Identity, TokenKind},
        role::Role,
    },
    error::ApiError,
    http::Caller,
    ids, time,
};

pub(crate) async fn login(State(app): Shared, address: SourceAddress, headers: HeaderMap) -> Answer {
    let token = bearer(&headers).map_err(|_| ApiError::bad_request("No Firebase token provided"))?;
    admit_address(&app, &address).await?;
    let identity = app.authentication.verify(token).await.map_err(|error| login_error(&error))?;
    if identity.kind == TokenKind::CustomBackend {
        return Err(ApiError::new(StatusCode::UNAUTHORIZED, "Invalid Firebase token"));
    }
    let (issued, role) = sign_in(&app, &identity).await?;
    ok(json!({
        "success": true,
        "backend_token": issued.token,
        "expires_in_days": app.authentication.backend.hours / 24,
        "user": {
            "uid": identity.uid,
            "email": identity.email,
            "name": identity.name,
            "picture": identity.picture,
            "is_admin": role.is_admin(),
        },
        "message": "Login successful",
    }))
}

fn login_error(error: &TokenError) -> ApiError {
    let text = match error {
        TokenError::Unavailable(_) => return error.response(),
        TokenError::Malformed => return ApiError::bad_request("Invalid Firebase token format"),
        TokenError::NoIdentity => return ApiError::bad_request("Invalid Firebase token data"),
        TokenError::Expired => "Firebase token expired",
        TokenError::Invalid(_) => "Invalid Firebase token",
    };
    ApiError::new(StatusCode::UNAUTHORIZED, text).with_cause(error)
}

pub(crate) async fn exchange(State(app): Shared, address: SourceAddress, headers: HeaderMap) -> Answer {
    let unauthorized = |message: &'static str| {
        ApiError::new(StatusCode::UNAUTHORIZED, "Invalid Firebase token").with("message", message)
    };
    let token = bearer(&headers).map_err(|error| unauthorized(error.message()))?;
    admit_address(&app, &address).await?;
    let verified = app.authentication.verify(token).await;
    let identity = verified
        .map_err(|error| error.unavailable().unwrap_or_else(|| unauthorized(error.message()).with_cause(&error)))?;
    if identity.kind == TokenKind::CustomBackend {
        return Err(ApiError::bad_request("Token already custom")
            .with("expires_at", identity.expires_at)
            .with("token_type", "custom"));
    }
    let (issued, role) = sign_in(&app, &identity).await?;
    ok(json!({
        "success": true,
        "message": "Token exchanged successfully",
        "custom_token": issued.token,
        "expires_in_hours": app.authentication.backend.hours,
        "expires_at": issued.expires_at,
        "user": {
            "uid": identity.uid,
            "email": identity.email,
            "name": identity.name,
            "picture": identity.picture,
            "email_verified": identity.email_verified,
            "is_admin": role.is_admin(),
            "firebase_provider": identity.provider,
        },
        "token_type": "custom_backend",
    }))
}

/// Counts a request of an address, before its token is verified.
async fn admit_address(app: &App, SourceAddress(address): &SourceAddress) -> Result<(), ApiError> {
    let subjects = app.authentication.backend.subjects().await.map_err(|error| error.response())?;
    app.counters.admit(&subjects.address(address), Timestamp::now()).await.map_err(refusal)
}

/// Counts a sign-in of an account, once its token is verified: a forged token must not count for the account it names.
async fn admit_account(app: &App, identity: &Identity) -> Result<(), ApiError> {
    let subjects = app.authentication.backend.subjects().await.map_err(|error| error.response())?;
    app.counters.admit(&subjects.account(&identity.uid), Timestamp::now()).await.map_err(refusal)
}

fn refusal(refused: Refused) -> ApiError {
    ApiError::too_many_requests(refused.seconds).with_cause(&refused)
}

/// Issues a token and records the visit.
async fn sign_in(app: &Arc<App>, identity: &Identity) -> Result<(Issued, Role), ApiError> {
    admit_account(app, identity).await?;
    let role = app.role(identity).await?;
    let issued = app.authentication.backend.issue(identity, role.is_admin()).await.map_err(|error| error.response())?;
    let now = time::now();
    // The sign-in succeeds even if the visit cannot be recorded.
    if let Err(error) = app.users.record_visit(&identity.uid, &identity.email, &now).await {
        tracing::warn!(%error, "failed to record a visit");
    }
    if role.is_admin()
        && let Err(error) = app.admins.record_login(&ids::admin_id(&identity.email), &now).await
    {
        tracing::warn!(%error, "failed to record an admin's login");
    }
    Ok((issued, role))
}

pub(crate) async fn user(State(app): Shared, Caller(identity): Caller) -> Answer {
    let role = app.role(&identity).await?;
    ok(json!({"success": true, "user": user_json(&identity, role), "timestamp": time::now()}))
}

fn user_json(identity: &Identity, role: Role) -> Value {
    json!({
        "uid": identity.uid,
        "email": identity.email,
        "name": identity.name,
        "picture": identity.picture,
        "email_verified": identity.email_verified,
        "is_admin": role.is_admin(),
        "role": role,
        "firebase_provider": identity.provider,
        "auth_time": identity.auth_time,
        "token_type": identity.kind,
        "token_expires_at": identity.expires_at,
        "token_issued_at": identity.issued_at,
    })
}
