//! Headers that may reach some origins only, such as a user's token.

use std::fmt;

use axum::http::{HeaderName, HeaderValue};

use super::address::Origin;

/// The most headers, and the most bytes of a value.
const MAX_HEADERS: usize = 20;
const MAX_VALUE_BYTES: usize = 8192;

/// Headers that describe the connection or the request itself, which the client sets.
const RESERVED: [&str; 13] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "if-range",
    "keep-alive",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// Headers and the origins that they were entered for. `Debug` prints no values.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    origins: Vec<Origin>,
    headers: Vec<(String, String)>,
}

/// A header that cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the header {0:?} is not allowed")]
pub struct HeaderError(pub String);

impl Credentials {
    /// Limits headers to origins.
    ///
    /// # Errors
    /// When a header is malformed, reserved or too long, or when there are too many.
    pub fn new<N: Into<String>, V: Into<String>>(
        origins: impl IntoIterator<Item = Origin>,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, HeaderError> {
        let headers: Vec<(String, String)> =
            headers.into_iter().map(|(name, value)| (name.into().to_ascii_lowercase(), value.into())).collect();
        for (name, value) in &headers {
            if headers.len() > MAX_HEADERS || !is_allowed(name, value) {
                return Err(HeaderError(name.clone()));
            }
        }
        Ok(Self { origins: origins.into_iter().collect(), headers })
    }

    /// Returns the headers for an origin: all or none.
    pub(super) fn headers_for(&self, origin: &Origin) -> impl Iterator<Item = (&str, &str)> {
        let is_known = self.origins.contains(origin);
        self.headers.iter().filter(move |_| is_known).map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn is_allowed(name: &str, value: &str) -> bool {
    HeaderName::from_bytes(name.as_bytes()).is_ok()
        && HeaderValue::from_str(value).is_ok()
        && value.len() <= MAX_VALUE_BYTES
        && !name.starts_with("proxy-")
        && !RESERVED.contains(&name)
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        formatter.debug_struct("Credentials").field("origins", &self.origins).field("headers", &names).finish()
    }
}
