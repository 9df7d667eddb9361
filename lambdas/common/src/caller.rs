//! The caller according to the API's authorizer. No token is parsed here: API Gateway has already verified it.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use lambda_http::request::RequestContext;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::ApiError;

/// A signed-in user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The user's name in the user pool.
    pub username: String,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts
            .extensions
            .get::<RequestContext>()
            .and_then(username)
            .filter(|username| !username.is_empty())
            .map(|username| Self { username: username.to_owned() })
            .ok_or_else(|| {
                ApiError::new(StatusCode::UNAUTHORIZED, "Unauthorized", "a signed-in user's ID token is needed")
            })
    }
}

/// Returns the user's name in the claims that the gateway has verified. An access token, which an HTTP API also accepts, has another
/// name for it (Amazon Cognito developer guide, "Understanding the access token").
fn username(context: &RequestContext) -> Option<&str> {
    match context {
        RequestContext::ApiGatewayV1(context) => {
            context.authorizer.fields.get("claims")?.get("cognito:username")?.as_str()
        }
        RequestContext::ApiGatewayV2(context) => {
            let claims = &context.authorizer.as_ref()?.jwt.as_ref()?.claims;
            claims.get("cognito:username").or_else(|| claims.get("username")).map(String::as_str)
        }
        _ => None,
    }
}

/// The values that the authorizer of an HTTP API returned with its permission; see [`Decision`](crate::authorizer::Decision).
///
/// A route without such an authorizer is a mistake in the stack, so a request without the values is answered with status 500.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorized<T>(pub T);

/// Why a request has no values of an authorizer.
#[derive(Debug, thiserror::Error)]
enum Unauthorized {
    #[error("the gateway passed no values of an authorizer")]
    Missing,
    #[error("failed to read the values of the authorizer")]
    Form(#[source] serde_json::Error),
}

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Authorized<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let values = match parts.extensions.get::<RequestContext>() {
            Some(RequestContext::ApiGatewayV2(context)) => context.authorizer.as_ref().map(|found| &found.fields),
            _ => None,
        };
        let values = values.filter(|values| !values.is_empty()).ok_or(Unauthorized::Missing)?;
        let values = values.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        Ok(Self(serde_json::from_value(Value::Object(values)).map_err(Unauthorized::Form)?))
    }
}

/// The client's address according to the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceAddress(pub String);

impl<S: Sync> FromRequestParts<S> for SourceAddress {
    type Rejection = Infallible;

    /// Returns an empty address if it is unknown. Servers other than Lambda set the address in the request's extensions.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        if let Some(known) = parts.extensions.get::<Self>() {
            return Ok(known.clone());
        }
        let address = match parts.extensions.get::<RequestContext>() {
            Some(RequestContext::ApiGatewayV1(context)) => context.identity.source_ip.clone(),
            Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.clone(),
            _ => None,
        };
        Ok(Self(address.unwrap_or_default()))
    }
}
