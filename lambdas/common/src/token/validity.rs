//! The period in which a token is valid. Every token must state it, and it must not be longer than its issuer's tokens live.

use jiff::Timestamp;

use super::Claims;

/// The tolerated difference between clocks, in seconds: a token may be issued this much in the future.
pub const CLOCK_SKEW: i64 = 60;

/// The longest period of an issuer's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// The most seconds between a token's issue and its expiry.
    pub longest: i64,
    /// The seconds after its expiry during which a token is still accepted.
    pub grace: i64,
}

/// A token's period, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// When it was issued.
    pub issued_at: i64,
    /// When it expires.
    pub expires_at: i64,
}

/// Why a token is not valid now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValidityError {
    /// It does not say when it was issued or when it expires.
    #[error("the token has no {0}")]
    Missing(&'static str),
    /// It has expired.
    #[error("the token has expired")]
    Expired,
    /// It was issued in the future, or is not valid yet.
    #[error("the token is not valid yet")]
    NotYet,
    /// It is valid for longer than its issuer's tokens are.
    #[error("the token is valid for too long")]
    TooLong,
}

impl Claims<'_> {
    /// Checks `iat`, `exp` and `nbf`, of which the first two are required: <https://www.rfc-editor.org/rfc/rfc7519#section-4.1>.
    ///
    /// # Errors
    /// When the token is not valid now, or for too long.
    pub fn validity(self, lifetime: Lifetime, now: Timestamp) -> Result<Validity, ValidityError> {
        let now = now.as_second();
        let expires_at = self.time("exp").ok_or(ValidityError::Missing("exp"))?;
        let issued_at = self.time("iat").ok_or(ValidityError::Missing("iat"))?;
        if expires_at.saturating_add(lifetime.grace) <= now {
            return Err(ValidityError::Expired);
        }
        let earliest = self.time("nbf").unwrap_or(issued_at).max(issued_at);
        if earliest > now.saturating_add(CLOCK_SKEW) {
            return Err(ValidityError::NotYet);
        }
        if expires_at.saturating_sub(issued_at) > lifetime.longest {
            return Err(ValidityError::TooLong);
        }
        Ok(Validity { issued_at, expires_at })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{super::Unverified, *};
    use crate::token::sign_hs256;

    const NOW: i64 = 1_700_000_000;
    const HOUR: Lifetime = Lifetime { longest: 3600, grace: 60 };

    fn validity(claims: &Value) -> Result<Validity, ValidityError> {
        let token = sign_hs256(b"", claims);
        let token = Unverified::parse(&token).expect("a token");
        token.from_issuer().validity(HOUR, Timestamp::from_second(NOW).expect("a time"))
    }

    #[test]
    fn a_token_is_valid_for_at_most_its_issuers_lifetime() {
        let valid = |issued_at, expires_at| Ok(Validity { issued_at, expires_at });
        assert_eq!(validity(&json!({"iat": NOW, "exp": NOW + 3600})), valid(NOW, NOW + 3600));
        let too_long =
            [(NOW, NOW + 3601), (NOW, NOW + 31 * 31_536_000), (0, NOW + 1), (NOW, i64::MAX), (i64::MIN, NOW)];
        for (issued, expires) in too_long {
            assert_eq!(validity(&json!({"iat": issued, "exp": expires})), Err(ValidityError::TooLong), "{issued}");
        }
        // Numbers beyond an integer saturate.
        assert_eq!(validity(&json!({"iat": NOW, "exp": 1e300})), Err(ValidityError::TooLong));
    }

    #[test]
    fn both_times_are_required_and_compared_with_now() {
        for (claims, expected) in [
            (json!({"exp": NOW + 1}), ValidityError::Missing("iat")),
            (json!({"iat": NOW}), ValidityError::Missing("exp")),
            (json!({"iat": "now", "exp": NOW + 1}), ValidityError::Missing("iat")),
            (json!({"iat": NOW - 3600, "exp": NOW - 60}), ValidityError::Expired),
            (json!({"iat": NOW + 61, "exp": NOW + 90}), ValidityError::NotYet),
            (json!({"iat": NOW, "nbf": NOW + 61, "exp": NOW + 90}), ValidityError::NotYet),
        ] {
            assert_eq!(validity(&claims), Err(expected), "{claims}");
        }
        assert!(validity(&json!({"iat": NOW + 60, "exp": NOW + 90})).is_ok());
        assert!(validity(&json!({"iat": NOW - 3600, "exp": NOW - 59})).is_ok());
    }
}
