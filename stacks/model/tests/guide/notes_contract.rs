//! The contract of the system `notes`.

use contract::{Function, FunctionName};
use serde::{Deserialize, Serialize};

/// The system's name, as stage files spell it.
pub const SYSTEM: &str = "notes";

/// Serves the notes: routes [`ApiRoute`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Api<V = String> {
    /// The table of notes.
    pub table_name: V,
}

impl<V> Function for Api<V> {
    const NAME: FunctionName = FunctionName::new(SYSTEM, "api", "ApiFunction");
}

contract::routes! {
    /// The routes of [`Api`].
    pub enum ApiRoute {
        /// Returns a note.
        Get => Get "/notes/{id}",
    }
}

/// Deletes old notes, once a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Sweep<V = String> {
    /// The table of notes.
    pub table_name: V,
}

impl<V> Function for Sweep<V> {
    const NAME: FunctionName = FunctionName::new(SYSTEM, "sweep", "SweepFunction");
}
