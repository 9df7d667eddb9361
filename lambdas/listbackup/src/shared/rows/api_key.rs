//! API keys: `lbk_<keyUuid>_<secret>`.

use serde::{Deserialize, Serialize};

/// What an API key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Read.
    Read,
    /// Write.
    Write,
}

/// An API key. Its secret is shown once and stored as a hash.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    /// `key:<uuid>`.
    pub key_id: String,
    /// The account.
    pub account_id: String,
    /// The SHA-256 of the secret, in hexadecimal digits.
    pub secret_hash: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The name.
    pub name: String,
    /// The user that created it.
    pub created_by: String,
    /// The last use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<String>,
    /// When it stops to be valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// When it was created.
    pub created_at: String,
}
