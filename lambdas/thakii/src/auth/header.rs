//! The `Authorization` header.

use axum::http::{HeaderMap, header::AUTHORIZATION};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderError {
    Missing,
    /// Not `Bearer`, one space and a token.
    Format,
}

impl HeaderError {
    /// The `message` of a 401 response.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Missing => "No Authorization header provided",
            Self::Format => "Invalid Authorization header format",
        }
    }
}

/// Returns the token of a request. The scheme is case-insensitive:
/// <https://www.rfc-editor.org/rfc/rfc9110#section-11.1>.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, HeaderError> {
    let value = headers.get(AUTHORIZATION).ok_or(HeaderError::Missing)?;
    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(HeaderError::Format)?;
    let well_formed = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains(' ');
    if well_formed { Ok(token) } else { Err(HeaderError::Format) }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn with(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(value))])
    }

    #[test]
    fn the_scheme_is_bearer_in_any_case() {
        for value in ["Bearer abc", "bearer abc", "BEARER abc"] {
            assert_eq!(bearer(&with(value)), Ok("abc"), "{value}");
        }
    }

    #[test]
    fn malformed_headers_are_rejected() {
        assert_eq!(bearer(&HeaderMap::new()), Err(HeaderError::Missing));
        for value in ["", "Bearer", "Bearer ", "Bearer  abc", "Bearer abc def", "Basic x", "abc", "Bearerabc"] {
            assert_eq!(bearer(&with(value)), Err(HeaderError::Format), "{value}");
        }
    }
}
