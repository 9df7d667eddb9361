//! States of OAuth requests.

use serde::{Deserialize, Serialize};

/// How long a state is valid, in seconds.
pub const VALID_SECONDS: i64 = 600;

/// The state of an OAuth request, which the callback consumes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OauthState {
    /// Random.
    pub state: String,
    /// The integration.
    pub integration_type: String,
    /// The user that started the request.
    pub user_id: String,
    /// The account.
    pub account_id: String,
    /// The source, if it is for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_id: Option<String>,
    /// Where the browser returns to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_url: Option<String>,
    /// When the row expires, in seconds since 1970.
    pub ttl: i64,
}
