//! A signing secret that is rotated: its current version signs, and its previous one verifies for a limited time.
//!
//! A secret that has leaked must not sign tokens for ever. After a rotation, the previous version verifies only tokens that
//! were issued before it, and for no longer than such tokens live. Its holder can still backdate a token, so a leaked
//! version has to be revoked: then the store returns no previous version.

use std::{fmt, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use super::{CLOCK_SKEW, Claims, SignatureError, Unverified};

/// The versions of a secret that sign and verify tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecrets {
    /// Signs and verifies.
    pub current: Arc<[u8]>,
    /// Only verifies; absent before the first rotation, and once it is revoked.
    pub previous: Option<Arc<[u8]>>,
    /// When the current version was created, which ended the previous one. Without it, the previous version is not used.
    pub rotated_at: Option<Timestamp>,
}

/// How long a previous version verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlap {
    /// The seconds after a rotation during which signers may not know of it yet.
    pub unaware: i64,
    /// The longest lifetime of a token, in seconds.
    pub lifetime: i64,
}

/// The version that signed a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedBy {
    /// The current one.
    Current,
    /// The previous one.
    Previous,
}

impl SigningSecrets {
    /// Verifies a signature made with HS256; returns the claims and the version that signed them.
    ///
    /// # Errors
    /// When no version made the signature, or when it is the previous version's and that one is no longer accepted.
    pub fn verify<'a>(
        &self,
        token: &'a Unverified<'_>,
        overlap: Overlap,
        now: Timestamp,
    ) -> Result<(Claims<'a>, SignedBy), SignatureError> {
        if let Ok(claims) = token.verify_hs256([self.current.as_ref()]) {
            return Ok((claims, SignedBy::Current));
        }
        let (Some(previous), Some(rotated_at)) = (&self.previous, self.rotated_at) else { return Err(SignatureError) };
        let claims = token.verify_hs256([previous.as_ref()])?;
        let issued_at = claims.time("iat").ok_or(SignatureError)?;
        // Signers that are unaware of the rotation issue tokens until then.
        let last_issue = rotated_at.as_second().saturating_add(overlap.unaware);
        let last_use = last_issue.saturating_add(overlap.lifetime);
        let is_accepted = issued_at <= last_issue.saturating_add(CLOCK_SKEW) && now.as_second() <= last_use;
        if is_accepted { Ok((claims, SignedBy::Previous)) } else { Err(SignatureError) }
    }
}

impl fmt::Debug for SigningSecrets {
    /// Without the secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_previous = self.previous.is_some();
        formatter
            .debug_struct("SigningSecrets")
            .field("has_previous", &has_previous)
            .field("rotated_at", &self.rotated_at)
            .finish_non_exhaustive()
    }
}

/// Returns whether a version of this age is due to be replaced, on a schedule with this interval.
#[must_use]
pub fn is_rotation_due(created: Timestamp, interval: SignedDuration, now: Timestamp) -> bool {
    now.duration_since(created) >= interval
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::token::sign_hs256;

    const ROTATED: i64 = 1_700_000_000;
    const OVERLAP: Overlap = Overlap { unaware: 60, lifetime: 3600 };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn secrets() -> SigningSecrets {
        let version = |text: &[u8]| Arc::from(text);
        SigningSecrets { current: version(b"new"), previous: Some(version(b"old")), rotated_at: Some(at(ROTATED)) }
    }

    fn verified(secrets: &SigningSecrets, secret: &[u8], issued_at: i64, now: i64) -> Option<SignedBy> {
        let token = sign_hs256(secret, &json!({"iat": issued_at}));
        let token = Unverified::parse(&token).expect("a token");
        secrets.verify(&token, OVERLAP, at(now)).ok().map(|(_, signed_by)| signed_by)
    }

    #[test]
    fn the_previous_secret_verifies_tokens_of_before_the_rotation_only() {
        let now = ROTATED + 600;
        assert_eq!(verified(&secrets(), b"new", now, now), Some(SignedBy::Current));
        assert_eq!(verified(&secrets(), b"old", ROTATED - 5, now), Some(SignedBy::Previous));
        // An instance that had not read the new version yet, and whose clock is fast.
        assert_eq!(verified(&secrets(), b"old", ROTATED + 120, now), Some(SignedBy::Previous));
        assert_eq!(verified(&secrets(), b"old", ROTATED + 121, now), None);
        assert_eq!(verified(&secrets(), b"old", now, now), None);
        assert_eq!(verified(&secrets(), b"other", ROTATED - 5, now), None);
    }

    #[test]
    fn the_previous_secret_ends_one_lifetime_after_the_rotation() {
        let last = ROTATED + 60 + 3600;
        assert_eq!(verified(&secrets(), b"old", ROTATED - 5, last), Some(SignedBy::Previous));
        // Even a token that is dated back and claims to live longer.
        assert_eq!(verified(&secrets(), b"old", ROTATED - 5, last + 1), None);
    }

    #[test]
    fn a_revoked_secret_verifies_nothing() {
        let revoked = SigningSecrets { previous: None, ..secrets() };
        assert_eq!(verified(&revoked, b"old", ROTATED - 5, ROTATED), None);
        let undated = SigningSecrets { rotated_at: None, ..secrets() };
        assert_eq!(verified(&undated, b"old", ROTATED - 5, ROTATED), None);
        assert_eq!(verified(&undated, b"new", ROTATED, ROTATED), Some(SignedBy::Current));
    }

    #[test]
    fn a_token_without_a_time_of_issue_needs_the_current_secret() {
        let token = sign_hs256(b"old", &json!({}));
        let token = Unverified::parse(&token).expect("a token");
        assert!(secrets().verify(&token, OVERLAP, at(ROTATED)).is_err());
    }

    #[test]
    fn secrets_are_not_printed() {
        let printed = format!("{:?}", secrets());
        assert!(!printed.contains("110") && printed.contains("has_previous: true"), "{printed}");
    }

    #[test]
    fn a_version_is_due_once_its_interval_has_passed() {
        let interval = SignedDuration::from_hours(24);
        assert!(!is_rotation_due(at(0), interval, at(86_399)));
        assert!(is_rotation_due(at(0), interval, at(86_400)));
        assert!(!is_rotation_due(at(86_400), interval, at(0)));
    }
}
