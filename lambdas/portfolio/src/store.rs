//! The table: one for everything, with one index. Its eighteen access patterns are here and nowhere else, and none of
//! them scans.

pub(crate) mod attempts;
mod batch;
pub mod categories;
mod contents;
mod counter;
pub mod error;
mod filter;
pub mod item;
pub mod keys;
mod list;
pub mod views;
pub mod visitors;
mod write;
mod written;

use aws_sdk_dynamodb::Client;

pub use self::error::StoreError;

/// The table and the client that reaches it.
#[derive(Debug, Clone)]
pub struct Table {
    client: Client,
    name: String,
}

impl Table {
    /// The table called `name`.
    #[must_use]
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into() }
    }
}
