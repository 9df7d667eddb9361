//! Signing in: what it takes and answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::token::Claims;

/// What a user is to the site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Role {
    /// The site is theirs.
    Owner,
    /// Anybody else.
    Public,
}

/// A signed-in user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The user's unchanging id.
    pub id: String,
    /// The user's address.
    pub email: String,
    /// The user's name.
    pub name: String,
    /// What the user is to the site.
    pub role: Role,
    /// Has the address been verified?
    pub email_verified: bool,
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

/// Email and password, and the answer to a challenge if there was one.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Login {
    /// The user's address.
    #[schemars(length(min = 1, max = 128), extend("format" = "email"))]
    pub email: String,
    /// The user's password.
    #[schemars(length(min = 1, max = 256))]
    pub password: String,
    /// The session of the challenge that is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 4096))]
    pub session: Option<String>,
    /// For `NEW_PASSWORD_REQUIRED`: the user's own password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 256))]
    pub new_password: Option<String>,
    /// For `SOFTWARE_TOKEN_MFA`: the authenticator's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 6, max = 6))]
    pub mfa_code: Option<String>,
}

/// A refresh token.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refresh {
    /// As signing in gave it.
    #[schemars(length(min = 1, max = 8192))]
    pub refresh_token: String,
}

/// Tokens.
#[derive(Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    /// The ID token: what `Authorization` wants.
    pub token: String,
    /// The access token.
    pub access_token: String,
    /// The refresh token.
    pub refresh_token: String,
    /// `Bearer`.
    pub token_type: &'static str,
    /// How long the first two are good, in seconds.
    pub expires_in: i32,
}

/// Tokens, and whose they are.
#[derive(Clone, Serialize, JsonSchema)]
pub struct SignedIn {
    /// The tokens.
    #[serde(flatten)]
    pub tokens: Tokens,
    /// Whose they are.
    pub user: User,
}
