//! The caller, as the authorizer passes it on.

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::envelope::Problem;

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
    /// Whether the caller may write, `true` or `false`: the role's right or the key's scope.
    pub can_write: String,
}

impl Role {
    /// Whether users with this role may change objects of their account.
    #[must_use]
    pub const fn can_write(self) -> bool {
        matches!(self, Self::Owner | Self::Admin)
    }
}

impl Identity {
    /// Checks that the caller may change objects of its account.
    ///
    /// # Errors
    /// With status 403, for a user that reads only, or a key without the scope `write`.
    pub fn check_write(&self) -> Result<(), Problem> {
        if self.can_write == "true" {
            return Ok(());
        }
        let message = "the role owner or admin is needed, or an API key with the scope write";
        Err(Problem::new(StatusCode::FORBIDDEN, "INSUFFICIENT_ROLE", message))
    }

    /// Checks that an object belongs to the caller's account. Call it before anything of the object is returned or used.
    ///
    /// # Errors
    /// With status 403, for an object of another account.
    pub fn check_account(&self, account_id: &str) -> Result<(), Problem> {
        if account_id == self.account_id { Ok(()) } else { Err(Problem::access_denied()) }
    }
}
