//! Users and their roles.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The role of a user, read from the stored user on every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// As a user: routes distinguish administrators only.
    Viewer,
    /// Manages its own bot.
    User,
    /// Manages its own bot, like a user.
    Moderator,
    /// Manages every bot.
    Admin,
    /// Manages every bot.
    Owner,
}

impl Role {
    /// Returns whether the role manages every user's bot.
    #[must_use]
    pub const fn is_admin(self) -> bool {
        matches!(self, Self::Admin | Self::Owner)
    }

    /// The name in tokens, items and responses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::User => "user",
            Self::Moderator => "moderator",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

/// A user: the item `ID#<id>`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Counts from 1.
    pub id: u64,
    /// The name, unique without regard to case.
    pub username: String,
    /// The e-mail address, unique without regard to case.
    pub email: String,
    /// The bcrypt hash of the password.
    pub password_hash: String,
    /// The role.
    pub role: Role,
    /// Whether the user may sign in and use its tokens.
    pub is_active: bool,
    /// The status for display.
    pub status: String,
    /// The full name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_name: Option<String>,
    /// The user's chat at Telegram, for test messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telegram_id: Option<i64>,
    /// When the user was created.
    pub created_at: String,
    /// The last sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_login: Option<String>,
}

impl fmt::Debug for User {
    /// Without the hash of the password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, role, is_active, .. } = self;
        formatter
            .debug_struct("User")
            .field("id", id)
            .field("role", role)
            .field("is_active", is_active)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_roles_manage_every_bot() {
        let all = [Role::Viewer, Role::User, Role::Moderator, Role::Admin, Role::Owner];
        assert_eq!(all.map(Role::is_admin), [false, false, false, true, true]);
        for role in all {
            assert_eq!(serde_json::to_value(role).expect("a text"), role.as_str());
        }
    }
}
