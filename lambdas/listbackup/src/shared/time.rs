//! Times as texts: RFC 3339 in UTC with milliseconds, so that texts sort by time.

use jiff::Timestamp;

/// Returns the present time.
#[must_use]
pub fn now() -> String {
    text(Timestamp::now())
}

/// Returns a time as text: `2026-01-31T12:00:00.000Z`.
#[must_use]
pub fn text(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// Returns the time this many seconds from now, in seconds since 1970: the value of a `ttl`.
#[must_use]
pub fn ttl(seconds: i64) -> i64 {
    Timestamp::now().as_second().saturating_add(seconds)
}
