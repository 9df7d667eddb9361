//! The functions that pass notes on: from an API to an event bus, from there to a queue, from there to a table.

use contract::{Function, FunctionName};
use serde::{Deserialize, Serialize};

/// The functions share a binary.
const BINARY: &str = "events";

/// The source and the type of the events.
pub const SOURCE: &str = "notes";
pub const ADDED: &str = "Note Added";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Add<V = String> {
    pub table_name: V,
    pub bus_name: V,
}

impl<V> Function for Add<V> {
    const NAME: FunctionName = FunctionName::new("notes", "add", "AddFunction").in_binary(BINARY);
}

contract::routes! {
    /// The routes of [`Add`].
    pub enum AddRoute {
        /// Sends an event.
        Add => Post "/events",
        /// Returns how often each note was stored.
        Counts => Get "/events",
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Forward<V = String> {
    pub queue_url: V,
}

impl<V> Function for Forward<V> {
    const NAME: FunctionName = FunctionName::new("notes", "forward", "ForwardFunction").in_binary(BINARY);
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Store<V = String> {
    pub table_name: V,
}

impl<V> Function for Store<V> {
    const NAME: FunctionName = FunctionName::new("notes", "store", "StoreFunction").in_binary(BINARY);
}

/// The detail of the events: the names of notes.
#[derive(Serialize, Deserialize)]
pub struct Added {
    pub names: Vec<String>,
}

/// A message of the queue. Only those of kind [`NOTE`] reach [`Store`].
#[derive(Serialize, Deserialize)]
pub struct Note {
    pub kind: String,
    pub name: String,
}

pub const NOTE: &str = "note";
