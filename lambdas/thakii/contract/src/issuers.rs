//! The issuers of accepted identity tokens, configured per stage.

use serde::{Deserialize, Serialize};

/// A kind of issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IssuerKind {
    /// A Cognito user pool.
    Cognito,
    /// A Firebase project.
    Firebase,
}

/// An issuer whose identity tokens are accepted.
///
/// A stack may substitute `${Name}` in the list's JSON: no string here needs escapes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthIssuer {
    /// The kind.
    pub kind: IssuerKind,
    /// Whether the front end signs in with it. Exactly one issuer is primary.
    pub primary: bool,
    /// The `iss` of its tokens, such as `https://cognito-idp.<region>.amazonaws.com/<pool>`.
    pub issuer: String,
    /// The address of its public keys, by default that of its kind. For Cognito on an emulator, the default is
    /// `<AWS_ENDPOINT_URL>/<pool>/.well-known/jwks.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_url: Option<String>,
    /// The `aud` of its tokens: the ID of a user pool's client or of a Firebase project.
    pub audience: String,
}

/// The address of Firebase's public keys.
pub const FIREBASE_JWKS_URL: &str =
    "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com";
/// The prefix of a Firebase project's issuer, followed by the project's ID.
pub const FIREBASE_ISSUER_PREFIX: &str = "https://securetoken.google.com/";
