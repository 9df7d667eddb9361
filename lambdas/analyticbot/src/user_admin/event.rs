//! The events that operators send.

use serde::Deserialize;

use crate::{domain::user::Role, store::actions::Selection};

/// The maximum number of actions in an answer.
pub(super) const MOST_ACTIONS: usize = 1000;

/// An operation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// Creates a user, with the password in the parameter.
    CreateUser(NewUserEvent),
    /// Changes a user's role, which takes effect on the next request.
    SetRole {
        /// The user.
        user: UserName,
        /// The new role.
        role: Role,
    },
    /// Activates or deactivates a user, which takes effect on the next request.
    SetActive {
        /// The user.
        user: UserName,
        /// Whether the user may sign in.
        active: bool,
    },
    /// Changes a user's password to that in the parameter.
    SetPassword {
        /// The user.
        user: UserName,
        /// The parameter's name, which may be omitted.
        password_param: Option<String>,
    },
    /// Lists recorded actions, newest first.
    ListActions {
        /// Which actions: `{"target": 7}`, `{"admin": 1}`, `{"kind": "suspend_bot"}` or `{"day": "2026-01-31"}`.
        by: Selection,
        /// The maximum number of actions.
        #[serde(default = "limit")]
        limit: usize,
    },
}

impl Event {
    /// The name of the operation, in events and log lines.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::CreateUser(_) => "create_user",
            Self::SetRole { .. } => "set_role",
            Self::SetActive { .. } => "set_active",
            Self::SetPassword { .. } => "set_password",
            Self::ListActions { .. } => "list_actions",
        }
    }
}

/// A user to create.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewUserEvent {
    /// The name.
    pub username: String,
    /// The e-mail address.
    pub email: String,
    /// The role.
    pub role: Role,
    /// The full name.
    pub full_name: Option<String>,
    /// The user's chat at Telegram.
    pub telegram_id: Option<i64>,
    /// The parameter's name, which may be omitted.
    pub password_param: Option<String>,
}

/// A user: the ID as a number, or the name or e-mail address as a text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum UserName {
    /// The ID.
    Id(u64),
    /// The name or the e-mail address.
    Login(String),
}

const fn limit() -> usize {
    50
}
