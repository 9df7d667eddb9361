//! AnalyticBot's functions. The binaries in `src/bin` only start them.
//!
//! Each user registers one Telegram bot, whose credentials are stored encrypted. Administrators list, limit, suspend and activate
//! bots; each of their changes and calls to Telegram is recorded.
//!
//! Modules depend on each other in one direction: `auth`, `user_bot`, `admin_bot`, `meta`, `cleanup`, `user_admin` → `calls`, `http` →
//! `telegram`, `limits`, `store`, `crypto` → `domain`. `wire` has the requests and responses of all routes.

pub mod admin_bot;
pub mod auth;
mod calls;
pub mod cleanup;
pub mod crypto;
pub mod domain;
pub mod http;
pub mod limits;
pub mod meta;
pub mod metrics;
pub mod settings;
pub mod store;
pub mod stub;
pub mod telegram;
#[cfg(test)]
mod testing;
pub mod user_admin;
pub mod user_bot;
pub mod wire;
