//! Request and response bodies of signing in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::token::Claims;

/// The role of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum Role {
    /// The owner of the site.
    Owner,
    /// Any other user.
    Public,
}

/// A signed-in user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    /// The permanent ID.
    pub(crate) id: String,
    /// The email address.
    pub(crate) email: String,
    /// The name.
    pub(crate) name: String,
    /// The role.
    pub(crate) role: Role,
    /// Whether the email address is verified.
    pub(crate) email_verified: bool,
}

impl From<&Claims> for User {
    fn from(claims: &Claims) -> Self {
        Self {
            id: claims.sub.clone(),
            email: claims.email.clone(),
            name: claims.name.clone(),
            role: if claims.is_owner() { Role::Owner } else { Role::Public },
            email_verified: claims.email_verified,
        }
    }
}

/// Email and password, and the response to a challenge if there was one.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Login {
    /// The email address.
    #[schemars(length(min = 1, max = 128), extend("format" = "email"))]
    pub(crate) email: String,
    /// The password.
    #[schemars(length(min = 1, max = 256))]
    pub(crate) password: String,
    /// The session of the challenge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 4096))]
    pub(crate) session: Option<String>,
    /// For `NEW_PASSWORD_REQUIRED`: the new password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 256))]
    pub(crate) new_password: Option<String>,
    /// For `SOFTWARE_TOKEN_MFA`: the code of the authenticator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 6, max = 6))]
    pub(crate) mfa_code: Option<String>,
}

/// A refresh token.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refresh {
    /// The refresh token from signing in.
    #[schemars(length(min = 1, max = 8192))]
    pub(crate) refresh_token: String,
}

/// Tokens.
#[derive(Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tokens {
    /// The ID token, for the `Authorization` header.
    pub(crate) token: String,
    /// The access token.
    pub(crate) access_token: String,
    /// The refresh token.
    pub(crate) refresh_token: String,
    /// `Bearer`.
    pub(crate) token_type: &'static str,
    /// The lifetime of the ID token and the access token, in seconds.
    pub(crate) expires_in: i32,
}

/// Tokens and their user.
#[derive(Clone, Serialize, JsonSchema)]
pub(crate) struct SignedIn {
    /// The tokens.
    #[serde(flatten)]
    pub(crate) tokens: Tokens,
    /// The user.
    pub(crate) user: User,
}
