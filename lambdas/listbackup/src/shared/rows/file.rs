//! Files: the latest version of each path of a source.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::shared::category::Category;

/// A file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileRow {
    /// See [`file_id`](crate::shared::ids::file_id).
    pub file_id: String,
    /// The account.
    pub account_id: String,
    /// The source.
    pub source_id: String,
    /// The last segment of the path.
    pub name: String,
    /// The path within the source.
    pub path: String,
    /// The name in lower case.
    pub name_lower: String,
    /// The path in lower case.
    pub path_lower: String,
    /// The category.
    pub file_type: Category,
    /// The media type.
    pub content_type: String,
    /// The size, in bytes.
    pub size_bytes: u64,
    /// The stored size, in bytes.
    pub stored_bytes: u64,
    /// The content's SHA-256, in hexadecimal digits.
    pub hash: String,
    /// The content's MD5, in hexadecimal digits.
    pub checksum_md5: String,
    /// Whether the object is compressed with gzip.
    pub compressed: bool,
    /// Always true.
    pub encrypted: bool,
    /// The object's key.
    pub s3_key: String,
    /// The object's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3_version_id: Option<String>,
    /// The source's own tag of this version of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin_tag: Option<String>,
    /// The run that stored it.
    pub run_id: String,
    /// Counts the changes.
    pub version: i64,
    /// The last change at the source, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_at: Option<String>,
    /// When this version was stored.
    pub backed_up_at: String,
    /// When the path was stored first.
    pub created_at: String,
    /// The last change.
    pub updated_at: String,
    /// Further fields.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}
