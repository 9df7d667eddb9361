//! Authorization: identifies the caller and checks the access that the contract requires for the route.

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

/// The caller, if signed in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Viewer(Option<Claims>);

impl Viewer {
    pub(crate) fn is_owner(&self) -> bool {
        self.0.as_ref().is_some_and(Claims::is_owner)
    }

    /// Returns the caller's claims, or responds with 401 if the caller is not signed in.
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

/// Middleware that rejects unauthorized callers and passes the caller to the handler.
pub(crate) async fn layer(
    State((app, route)): State<(Arc<App>, ApiRoute)>,
    mut request: Request,
    next: Next,
) -> Response {
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

/// Adds route and role to the request's log line.
fn logged(mut response: Response, route: ApiRoute, viewer: &Viewer) -> Response {
    let logged = Logged { route: Some(route.route().path), role: Some(viewer.role()), ..Logged::default() };
    response.extensions_mut().insert(logged);
    response
}

/// Identifies the caller, or returns the error response.
async fn viewer(app: &App, access: Access, headers: &HeaderMap) -> Result<Viewer, (Viewer, ApiError)> {
    let nobody = Viewer::default;
    match access {
        Access::Public => Ok(nobody()),
        Access::Optional => {
            let Some(token) = bearer(headers) else { return Ok(nobody()) };
            match app.verifier.verify(token, app.now()).await {
                Ok(claims) => Ok(Viewer(Some(claims))),
                Err(error) => {
                    // The response is the public one. Unavailable keys are logged.
                    if let TokenError::Keys(error) = &error {
                        tracing::warn!(
                            error = telemetry::chain(error),
                            "ignored a token, because keys are unavailable"
                        );
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

/// Returns the token of an `Authorization` header, with or without its scheme: the gateway's authorizer accepts both.
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
            tracing::debug!(reason = error.to_string(), "rejected a token");
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
    fn the_scheme_of_a_token_is_optional() {
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
