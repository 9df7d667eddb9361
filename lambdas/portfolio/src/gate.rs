//! Who calls, and whether they may: what the contract's mark on a route says.

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use common::{ApiError, http::Logged, telemetry};
use contract::Routes;
use portfolio_contract::{Access, ApiRoute, Metric};

use crate::{
    app::App,
    token::{Claims, TokenError},
};

/// Who calls.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Viewer(Option<Claims>);

impl Viewer {
    /// Is it the owner?
    #[must_use]
    pub fn is_owner(&self) -> bool {
        self.0.as_ref().is_some_and(Claims::is_owner)
    }

    /// Who it is.
    ///
    /// # Errors
    /// A 401 where nobody is known.
    pub(crate) fn claims(&self) -> Result<&Claims, ApiError> {
        self.0.as_ref().ok_or_else(unauthorized)
    }

    fn role(&self) -> &'static str {
        match &self.0 {
            Some(claims) if claims.is_owner() => "owner",
            Some(_) => "public",
            None => "anonymous",
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Viewer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

/// Lets through who may call the route, and tells the handler who it is.
pub async fn layer(State((app, route)): State<(Arc<App>, ApiRoute)>, mut request: Request, next: Next) -> Response {
    let (viewer, response) = match viewer(&app, route.access(), request.headers()).await {
        Ok(viewer) => {
            request.extensions_mut().insert(viewer.clone());
            (viewer, next.run(request).await)
        }
        Err((viewer, refusal)) => {
            if refusal.status().is_client_error() {
                app.metrics.count(Metric::UnauthorizedAccess, app.now());
            }
            (viewer, refusal.into_response())
        }
    };
    logged(response, route, &viewer)
}

/// Tells the request's log line what it was and whose.
fn logged(mut response: Response, route: ApiRoute, viewer: &Viewer) -> Response {
    let logged = Logged { route: Some(route.route().path), role: Some(viewer.role()), ..Logged::default() };
    response.extensions_mut().insert(logged);
    response
}

/// Who calls, or why they may not.
async fn viewer(app: &App, access: Access, headers: &HeaderMap) -> Result<Viewer, (Viewer, ApiError)> {
    let nobody = Viewer::default;
    match access {
        Access::Public => Ok(nobody()),
        Access::Optional => {
            let Some(token) = bearer(headers) else { return Ok(nobody()) };
            match app.verifier.verify(token, app.now()).await {
                Ok(claims) => Ok(Viewer(Some(claims))),
                Err(error) => {
                    // The answer is for everybody then; where nobody can tell, the log should.
                    if let TokenError::Keys(error) = &error {
                        tracing::warn!(error = telemetry::chain(error), "a token was ignored");
                    }
                    Ok(nobody())
                }
            }
        }
        Access::SignedIn | Access::Owner => {
            let Some(token) = bearer(headers) else { return Err((nobody(), unauthorized())) };
            let verified = app.verifier.verify(token, app.now()).await;
            let viewer = Viewer(Some(verified.map_err(|error| (nobody(), refusal(error)))?));
            if access == Access::Owner && !viewer.is_owner() {
                return Err((viewer, forbidden()));
            }
            Ok(viewer)
        }
    }
}

/// The token of an `Authorization` header, with or without the word before it: the gateway's authorizer takes both.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim();
    let token = match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => token.trim(),
        Some(_) => return None,
        None => value,
    };
    Some(token).filter(|token| !token.is_empty())
}

fn refusal(error: TokenError) -> ApiError {
    match error {
        TokenError::Keys(error) => error.into(),
        TokenError::Expired => {
            ApiError::new(StatusCode::UNAUTHORIZED, "TokenExpired", "Authentication token has expired")
        }
        error => {
            tracing::debug!(reason = error.to_string(), "a token was refused");
            unauthorized()
        }
    }
}

fn unauthorized() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "InvalidToken", "Authentication token is missing or invalid")
}

fn forbidden() -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, "Forbidden", "You do not have permission to perform this action")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_may_come_with_or_without_its_scheme() {
        let token = |value: &str| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().expect("a header's value"))]);
            bearer(&headers).map(str::to_owned)
        };
        for good in ["Bearer abc", "bearer  abc", "abc", " abc "] {
            assert_eq!(token(good).as_deref(), Some("abc"), "{good}");
        }
        for none in ["", "Bearer", "Bearer ", "Basic abc"] {
            assert_ne!(token(none).as_deref(), Some("abc"), "{none}");
        }
    }
}
