//! Users, bots and their states, without AWS.

pub mod bot;
pub mod user;
