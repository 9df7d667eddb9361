//! Users, bots and their states, without AWS.

pub mod bot;
pub mod limits;
pub mod names;
pub mod state;
pub mod time;
pub mod token;
pub mod ulid;
pub mod user;
