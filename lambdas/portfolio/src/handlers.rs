//! The handlers: each reads its request, asks the store or the pool, and answers. Nothing is decided here that another
//! module could decide.

pub mod about;
pub mod analytics;
pub mod auth;
pub mod contents;
pub mod visitors;

use axum::{
    http::{HeaderValue, header::SET_COOKIE},
    response::{IntoResponse, Response},
};

use crate::session::Session;

/// An answer that tells the client which session it belongs to, where the client did not say.
fn remembering(session: &Session, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    if let Some(cookie) = session.cookie().and_then(|cookie| HeaderValue::from_str(&cookie).ok()) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests;
