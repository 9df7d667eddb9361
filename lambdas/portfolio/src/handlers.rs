//! The handlers: each reads its request, calls the store or the user pool, and builds the response.

pub(crate) mod about;
pub(crate) mod analytics;
pub(crate) mod auth;
pub(crate) mod contents;
pub(crate) mod visitors;

use axum::{
    http::{HeaderValue, header::SET_COOKIE},
    response::{IntoResponse, Response},
};

use crate::session::Session;

/// Adds the cookie of a new session to a response.
fn with_session_cookie(session: &Session, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    if let Some(cookie) = session.cookie().and_then(|cookie| HeaderValue::from_str(&cookie).ok()) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests;
