//! Whose identity tokens are accepted: chosen per stage, without a change of code.

use serde::{Deserialize, Serialize};

/// What issues identity tokens.
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
/// A stack may put `${Name}` into the texts and substitute them in the list's JSON: no text here needs escapes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthIssuer {
    /// What it is.
    pub kind: IssuerKind,
    /// Is it the one the front end signs in with? Exactly one is.
    pub primary: bool,
    /// The `iss` of its tokens, such as `https://cognito-idp.<region>.amazonaws.com/<pool>`.
    pub issuer: String,
    /// Where its public keys are. Left out, it is where its kind keeps them; for Cognito on an emulator that is
    /// `<AWS_ENDPOINT_URL>/<pool>/.well-known/jwks.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_url: Option<String>,
    /// The `aud` of its tokens: a user pool client's id, a Firebase project's id.
    pub audience: String,
}

/// Where Firebase keeps its public keys.
pub const FIREBASE_JWKS_URL: &str =
    "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com";
/// What a Firebase project's issuer starts with; the project's id follows.
pub const FIREBASE_ISSUER_PREFIX: &str = "https://securetoken.google.com/";
