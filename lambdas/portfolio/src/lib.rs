//! The Portfolio: posts, projects, certifications and their statistics. One function with one table and one user pool;
//! the binary in `src/bin` only starts it.
//!
//! A request passes from `routes` through `gate` (authorization) to a handler, which parses it with `input`, calls
//! `store`, and responds with a type of `content` or `answers`. `openapi` describes the same types.

pub(crate) mod answers;
pub mod app;
pub(crate) mod content;
pub(crate) mod gate;
pub(crate) mod handlers;
pub(crate) mod input;
pub mod local;
pub(crate) mod metrics;
pub(crate) mod openapi;
pub(crate) mod pool;
pub mod routes;
pub(crate) mod salt;
pub(crate) mod schema;
pub(crate) mod session;
pub mod settings;
pub(crate) mod slug;
pub(crate) mod store;
pub(crate) mod time;
pub(crate) mod token;

#[cfg(test)]
mod testing;
