//! Callers: the user of an access token, read from the table on every request.

use std::sync::{Arc, OnceLock};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, header::AUTHORIZATION, request::Parts},
};
use jiff::Timestamp;

use super::error::{ApiError, Code};
use crate::{crypto::access::AccessTokens, domain::user::User, store::users::Users};

/// Verifies callers. The extractors of this module work with every router whose state contains an `Arc<Access>`.
#[derive(Debug)]
pub struct Access {
    /// Verifies tokens.
    pub tokens: AccessTokens,
    /// Reads users.
    pub users: Users,
}

/// The caller: an active user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn(pub User);

/// The caller: an active user whose stored role is that of an administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin(pub User);

/// The caller's ID, for the log line. The router adds it to every request.
#[derive(Debug, Clone, Default)]
pub(crate) struct LoggedUser(Arc<OnceLock<u64>>);

impl LoggedUser {
    /// Sets the ID. A second extractor of the request finds the same user.
    pub(crate) fn set(&self, id: u64) {
        let _ = self.0.set(id);
    }

    pub(super) fn get(&self) -> Option<u64> {
        self.0.get().copied()
    }
}

impl Access {
    /// Returns the active user of a request's token. Role and state of the user are those of the table.
    ///
    /// # Errors
    /// When the request has no valid token (401), or when the user is not active (403).
    pub async fn authenticate(&self, headers: &HeaderMap, now: Timestamp) -> Result<User, ApiError> {
        let token = bearer(headers).ok_or_else(ApiError::unauthenticated)?;
        let id = match self.tokens.verify(token, now).await {
            Ok(id) => id,
            Err(error) if error.is_refusal() => return Err(ApiError::unauthenticated().because(&error.to_string())),
            Err(error) => return Err(error.into()),
        };
        let user = self
            .users
            .get(id)
            .await?
            .ok_or_else(|| ApiError::unauthenticated().because("the token's user does not exist"))?;
        if !user.is_active {
            return Err(inactive());
        }
        Ok(user)
    }
}

/// The response to a user whose account is not active.
pub(crate) fn inactive() -> ApiError {
    ApiError::new(Code::AccountInactive, "The account is not active; ask the operator of this service to activate it")
}

/// Returns the token of the only `Authorization` header, if its scheme is `Bearer` (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let is_token = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains(' ');
    is_token.then_some(token)
}

impl<S: Send + Sync> FromRequestParts<S> for SignedIn
where
    Arc<Access>: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let user = Arc::<Access>::from_ref(state).authenticate(&parts.headers, Timestamp::now()).await?;
        if let Some(logged) = parts.extensions.get::<LoggedUser>() {
            logged.set(user.id);
        }
        Ok(Self(user))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Admin
where
    Arc<Access>: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let SignedIn(user) = SignedIn::from_request_parts(parts, state).await?;
        if user.role.is_admin() {
            Ok(Self(user))
        } else {
            Err(ApiError::new(Code::AdminRequired, "Admin access required"))
        }
    }
}

#[cfg(test)]
mod tests;
