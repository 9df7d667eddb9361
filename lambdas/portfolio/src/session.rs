//! Whose visit or view it is: what the client says, or an id made of where it calls from. Addresses are never stored,
//! only a keyed hash that changes every day.

use axum::http::{HeaderMap, HeaderValue, header};
use common::ApiError;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

use crate::{app::App, input::invalid, time};

/// The header that names a session.
const HEADER: &str = "x-session-id";
/// The cookie that names a session.
const COOKIE: &str = "session_id";
/// How long the cookie is kept, in seconds.
const KEEP: u32 = 24 * 60 * 60;
/// What an id may be made of.
pub const PATTERN: &str = "^[A-Za-z0-9_.:-]{1,128}$";

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// Is it ours to remember? Not where the client brought it.
    fresh: bool,
}

impl Session {
    /// The session a request belongs to: the body's, else the header's, else the cookie's, else one made of where the
    /// request comes from.
    ///
    /// # Errors
    /// When the client names a session in a way that is not allowed, or the salt cannot be read.
    pub async fn of(
        app: &App,
        body: Option<String>,
        headers: &HeaderMap,
        address: &str,
        now: Timestamp,
    ) -> Result<Self, ApiError> {
        if let Some((place, id)) = named(body, headers) {
            return if is_allowed(&id) {
                Ok(Self { id, fresh: false })
            } else {
                Err(invalid(place, &format!("must match {PATTERN}")))
            };
        }
        let agent = headers.get(header::USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
        let salt = app.salt().await?;
        Ok(Self { id: anonymous(salt, address, agent, &time::day(now).to_string()), fresh: true })
    }

    /// The cookie to set, if any.
    #[must_use]
    pub fn cookie(&self) -> Option<String> {
        let id = &self.id;
        self.fresh.then(|| format!("{COOKIE}={id}; Max-Age={KEEP}; Path=/; Secure; HttpOnly; SameSite=None"))
    }
}

/// What the client says, and where it says so.
fn named(body: Option<String>, headers: &HeaderMap) -> Option<(&'static str, String)> {
    let header = || {
        let value = headers.get(HEADER)?;
        Some(("X-Session-Id", String::from_utf8_lossy(value.as_bytes()).into_owned()))
    };
    let cookie = || {
        let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == COOKIE).map(|(_, id)| (COOKIE, id.to_owned()))
    };
    body.map(|id| ("sessionId", id)).or_else(header).or_else(cookie)
}

fn is_allowed(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-');
    (1..=128).contains(&id.len()) && id.bytes().all(allowed)
}

/// The first half of a keyed hash: whoever has no salt cannot find out the address by trying all.
fn anonymous(salt: &str, address: &str, agent: &[u8], day: &str) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(salt.as_bytes()) else { unreachable!("any key will do") };
    mac.update(address.as_bytes());
    mac.update(agent);
    mac.update(day.as_bytes());
    let hash = hex::encode(mac.finalize().into_bytes());
    format!("ip-{}", &hash[..32])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| ((*name).parse().expect("a name"), value.parse().expect("a value"))).collect()
    }

    #[test]
    fn the_body_counts_before_the_header_before_the_cookie() {
        let all = headers(&[("x-session-id", "header"), ("cookie", "a=b; session_id=cookie; c=d")]);
        assert_eq!(named(Some("body".to_owned()), &all), Some(("sessionId", "body".to_owned())));
        assert_eq!(named(None, &all), Some(("X-Session-Id", "header".to_owned())));
        let cookie = headers(&[("cookie", "a=b; session_id=cookie; c=d")]);
        assert_eq!(named(None, &cookie), Some(("session_id", "cookie".to_owned())));
        assert_eq!(named(None, &headers(&[("cookie", "my_session_id=x")])), None);
    }

    #[test]
    fn ids_are_short_and_plain() {
        for good in ["s1", "ip-0123abc", "a_b.c:d-e", &"a".repeat(128)] {
            assert!(is_allowed(good), "{good}");
        }
        for bad in ["", "a b", "a#b", "ä", "a/b", &"a".repeat(129)] {
            assert!(!is_allowed(bad), "{bad}");
        }
    }

    #[test]
    fn an_anonymous_id_changes_with_address_agent_day_and_salt() {
        let id = anonymous("salt", "192.0.2.1", b"agent", "2024-03-15");
        assert!(is_allowed(&id) && id.len() == 35, "{id}");
        assert_eq!(id, anonymous("salt", "192.0.2.1", b"agent", "2024-03-15"));
        for other in [
            anonymous("other", "192.0.2.1", b"agent", "2024-03-15"),
            anonymous("salt", "192.0.2.2", b"agent", "2024-03-15"),
            anonymous("salt", "192.0.2.1", b"other", "2024-03-15"),
            anonymous("salt", "192.0.2.1", b"agent", "2024-03-16"),
        ] {
            assert_ne!(id, other);
        }
    }

    #[test]
    fn the_cookie_is_kept_from_scripts() {
        let session = Session { id: "ip-1".to_owned(), fresh: true };
        assert_eq!(
            session.cookie().as_deref(),
            Some("session_id=ip-1; Max-Age=86400; Path=/; Secure; HttpOnly; SameSite=None")
        );
        assert_eq!(Session { fresh: false, ..session }.cookie(), None);
    }
}
