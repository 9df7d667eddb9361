//! The Portfolio: posts, projects, certifications, and who looked at them. One function over one table and one user
//! pool; the binary in `src/bin` only starts it.
//!
//! A request goes from `routes` through `gate` (who calls) into a handler, which reads it with `input`, asks `store`
//! for what it needs, and answers with one of `content`'s or `answers`' types. `openapi` describes the same types.

pub mod answers;
pub mod app;
pub mod content;
pub mod gate;
pub mod handlers;
pub mod input;
pub mod local;
pub mod metrics;
pub mod openapi;
pub mod pool;
pub mod routes;
pub mod salt;
pub mod schema;
pub mod session;
pub mod settings;
pub mod slug;
pub mod store;
pub mod time;
pub mod token;

#[cfg(test)]
mod testing;
