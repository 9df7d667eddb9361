//! Keys and indexes of the contract, in the form that queries take.

use listbackup_contract::tables::{Index, Table};
use tables::{Item, strings};

/// Converts an index of the contract.
#[must_use]
pub fn index(index: Index) -> tables::Index {
    tables::Index { name: index.name, partition: index.partition, sort: index.sort }
}

/// Returns the key of an item whose table has no sort key.
#[must_use]
pub fn key(table: Table, id: &str) -> Item {
    strings([(table.partition, id)])
}
