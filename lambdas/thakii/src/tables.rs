//! The six tables, one repository each. Only they know keys, indexes and conditions; no table is scanned.

use thakii_contract::tables::Index;

pub(crate) mod admins;
pub(crate) mod notifications;
pub(crate) mod servers;
pub(crate) mod tasks;
pub(crate) mod uploads;
pub(crate) mod users;

/// Converts an index of the contract, which does not depend on the crate of queries.
fn index(index: Index) -> ::tables::Index {
    ::tables::Index { name: index.name, partition: index.partition, sort: Some(index.sort) }
}
