//! DynamoDB for functions: items as plain data, expressions whose names and values are placeholders, queries, pages,
//! batches, and transactions that are retried safely.
//!
//! A repository of a system names keys, indexes and conditions; this crate knows none of them. A failed condition is a
//! result, not an error. No method scans a table. Read [`Database`] first, then [`Change`] and [`Query`].

mod attributes;
mod change;
mod database;
mod error;
mod query;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod transaction;

pub use attributes::{Item, from_item, from_items, number, strings, to_attribute, to_item, to_storable};
pub use change::{Change, Placeholders};
pub use database::Database;
pub use error::AwsError;
pub use query::{Index, Query};
pub use transaction::{TransactionOutcome, Write};
