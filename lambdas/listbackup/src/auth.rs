//! The sign-in service: registration, sessions and second factors.
//!
//! Passwords and second factors are the user pool's; this service issues its own tokens. Read `login.rs` first, then `users.rs`, which
//! keeps the families of refresh tokens.

mod gate;
mod input;
mod login;
mod logout;
mod mfa;
mod pool;
mod refresh;
mod register;
mod serve;
#[cfg(test)]
mod tests;
mod users;

pub use self::serve::{login, logout, mfa_setup, mfa_verify, refresh, register};
