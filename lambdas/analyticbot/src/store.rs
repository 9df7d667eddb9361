//! The tables: users with their guards and sign-in windows, bots with their guards, and administrative actions.

pub mod actions;
pub mod bot;
pub mod bots;
pub mod listing;
pub mod users;
pub mod windows;

use analyticbot_contract::tables::PK;
use tables::{Item, strings};

/// The key of an item in the tables of users and of bots.
pub(crate) fn key(pk: &str) -> Item {
    strings([(PK, pk)])
}
