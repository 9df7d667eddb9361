//! Sources: where files are backed up from.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The status of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceStatus {
    /// Runs may read it.
    Active,
    /// Runs fail at once.
    Inactive,
    /// The last run failed.
    Error,
    /// A run reads it now.
    Syncing,
}

/// A source. Its credentials are a secret of Secrets Manager, never part of the row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// `source:<uuid>`.
    pub source_id: String,
    /// The account.
    pub account_id: String,
    /// The user that created it.
    pub user_id: String,
    /// The group, if it belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
    /// The name.
    pub name: String,
    /// The connector: `http`, `s3`.
    #[serde(rename = "type")]
    pub source_type: String,
    /// The connector's configuration.
    pub config: Map<String, Value>,
    /// Whether a secret holds its credentials.
    #[serde(default)]
    pub has_credentials: bool,
    /// The names of the headers among its credentials, in alphabetical order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credential_headers: Vec<String>,
    /// Which files are backed up.
    #[serde(default)]
    pub settings: SourceSettings,
    /// The status.
    pub status: SourceStatus,
    /// When the last run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sync_at: Option<String>,
    /// Why the last run failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Figures of the last run.
    #[serde(default)]
    pub stats: Map<String, Value>,
    /// When the source was created.
    pub created_at: String,
    /// The last change.
    pub updated_at: String,
}

/// Which files of a source are backed up, and how.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceSettings {
    /// Only files below these folders; empty is everywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include_folders: Vec<String>,
    /// No files below these folders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_folders: Vec<String>,
    /// Only files with these extensions or categories; empty is all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub file_types: Vec<String>,
    /// Only files up to this size, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_file_size: Option<u64>,
    /// `false` stores files as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression_enabled: Option<bool>,
}
