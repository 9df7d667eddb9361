//! AnalyticBot's functions. The binaries in `src/bin` only start them.
//!
//! Each user registers one Telegram bot, whose credentials are stored encrypted; administrators list, limit and suspend bots, and
//! every such action is recorded.
//!
//! Modules depend on each other in one direction: `auth`, `user_bot`, `admin_bot`, `meta`, `cleanup`, `user_admin` → `http` →
//! `telegram`, `store`, `crypto` → `domain`. `wire` has the requests and responses of all routes.

pub mod auth;
pub mod cleanup;
pub mod crypto;
pub mod domain;
pub mod http;
pub mod meta;
pub mod metrics;
pub mod settings;
pub mod store;
#[cfg(test)]
mod testing;
pub mod user_admin;
pub mod wire;
