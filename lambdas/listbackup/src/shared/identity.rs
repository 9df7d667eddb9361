//! The caller, as the authorizer passes it on.

use serde::{Deserialize, Serialize};

/// The role of a user in its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Registered the account.
    Owner,
    /// Changes everything in the account.
    Admin,
    /// Reads everything in the account.
    User,
}

/// The caller of a route: the context that the authorizer returns. The gateway passes values on as strings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The user; for an API key, the user that created it.
    pub user_id: String,
    /// The account.
    pub account_id: String,
    /// The user's role.
    pub role: Role,
    /// The user's e-mail address; empty for an API key.
    pub email: String,
    /// The family of refresh tokens; empty for an API key.
    pub family: String,
    /// Whether the caller may write: the role's right or the key's scope.
    pub can_write: String,
}
