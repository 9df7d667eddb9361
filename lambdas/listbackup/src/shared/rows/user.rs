//! Users.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::shared::identity::Role;

/// The status of a user or an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserStatus {
    /// May sign in.
    Active,
    /// May not sign in, and its tokens are refused.
    Suspended,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// `user:<sub>`, with the user pool's `sub`.
    pub user_id: String,
    /// In lower case.
    pub email: String,
    /// The name that the user entered.
    pub name: String,
    /// The account.
    pub account_id: String,
    /// The role in the account.
    pub role: Role,
    /// The status.
    pub status: UserStatus,
    /// The user pool's `sub`.
    pub cognito_user_id: String,
    /// Whether a second factor is required.
    #[serde(default)]
    pub mfa_enabled: bool,
    /// Settings of the user interface.
    #[serde(default)]
    pub preferences: Map<String, Value>,
    /// Families of refresh tokens, one for each sign-in, at most ten.
    #[serde(default)]
    pub families: BTreeMap<String, Family>,
    /// The last sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_login_at: Option<String>,
    /// When the user was registered.
    pub created_at: String,
    /// The last change.
    pub updated_at: String,
}

/// A family of refresh tokens: only its newest token is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Family {
    /// The ID of the newest refresh token.
    pub jti: String,
    /// When the newest refresh token expires, in seconds since 1970.
    pub exp: i64,
}
