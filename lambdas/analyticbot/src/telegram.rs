//! Telegram's Bot API. A bot's token is part of each URL, so no URL leaves this module.
//!
//! - [`BotToken`] shows its content neither by `Display` nor by `Debug`.
//! - [`TelegramError`] is built from the status and Telegram's description, from which the token was removed.
//! - Redirects are not followed: their target could receive the token.

mod answer;
mod client;
mod token;

pub use answer::{BotInfo, TelegramError};
pub use client::{NotEncrypted, Telegram};
pub use token::BotToken;

#[cfg(test)]
pub(crate) mod server;
#[cfg(test)]
mod tests;
