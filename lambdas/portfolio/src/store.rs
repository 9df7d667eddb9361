//! The only table, with one index. It has eighteen access patterns, all of them here, and none of them scans.

pub(crate) mod attempts;
mod batch;
pub(crate) mod categories;
mod contents;
mod counter;
pub(crate) mod error;
mod filter;
pub(crate) mod item;
pub(crate) mod keys;
mod list;
pub(crate) mod views;
pub(crate) mod visitors;
mod write;
mod written;

use aws_sdk_dynamodb::Client;

pub(crate) use self::{error::StoreError, list::Reach};

/// The table and its client.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    client: Client,
    name: String,
}

impl Table {
    pub(crate) fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into() }
    }
}
