//! The details of events on the bus.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The detail of every event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    /// Identifies what happened: the same in every delivery, and in every event about the same happening.
    pub event_id: String,
    /// The account.
    pub account_id: String,
    /// The user that caused it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The object that changed.
    pub resource_id: String,
    /// When it happened.
    pub at: String,
    /// Further fields of this kind of event.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}
