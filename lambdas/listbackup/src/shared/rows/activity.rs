//! The audit trail.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How long activity is kept, in seconds.
pub const KEPT_SECONDS: i64 = 90 * 24 * 3600;

/// An entry of the audit trail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Activity {
    /// The ID of the event.
    pub event_id: String,
    /// The account.
    pub account_id: String,
    /// The user, if one caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The type, for example `job.run.completed`.
    #[serde(rename = "type")]
    pub activity_type: String,
    /// The action, for example `completed`.
    pub action: String,
    /// The kind of the object, for example `job`.
    pub resource_type: String,
    /// The object.
    pub resource_id: String,
    /// `success` or `error`.
    pub status: String,
    /// A sentence for people.
    pub message: String,
    /// Further fields.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// In milliseconds since 1970.
    pub timestamp: i64,
    /// When the row expires, in seconds since 1970.
    pub ttl: i64,
}
