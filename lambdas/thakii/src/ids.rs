//! Identifiers: generated ones, derived ones, and those that clients choose.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Generates the ID of a video, a server or an upload.
pub(crate) fn new_id() -> String {
    Uuid::new_v4().hyphenated().to_string()
}

/// Checks for an ID as [`new_id`] writes it. Others are never looked up.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == 36 && Uuid::try_parse(text).is_ok_and(|id| id.hyphenated().to_string() == text)
}

/// Checks a client's name of an upload.
pub(crate) fn is_file_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// Derives a user's prefix in the keys of chunks: 32 hexadecimal digits.
pub(crate) fn owner_prefix(uid: &str) -> String {
    digest(uid, 32)
}

/// Derives an admin's ID from the e-mail address, which is therefore unique: 20 hexadecimal digits.
pub(crate) fn admin_id(email: &str) -> String {
    digest(&email.trim().to_lowercase(), 20)
}

/// Returns the first `digits` hexadecimal digits of a text's SHA-256.
pub(crate) fn digest(text: &str, digits: usize) -> String {
    let mut hex = hex::encode(Sha256::digest(text.as_bytes()));
    hex.truncate(digits);
    hex
}

/// Crockford's digits: <https://github.com/ulid/spec>.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Generates a ULID: 48 bits of milliseconds and 80 random ones, so that IDs sort by time.
pub(crate) fn ulid(time: Timestamp) -> Result<String, getrandom::Error> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)?;
    Ok(ulid_of(time, u128::from_be_bytes(random)))
}

pub(crate) fn is_ulid(text: &str) -> bool {
    // 26 digits hold 130 bits, two more than a ULID has.
    text.len() == 26 && text.bytes().all(|byte| DIGITS.contains(&byte)) && text.as_bytes()[0] <= b'7'
}

fn ulid_of(time: Timestamp, random: u128) -> String {
    let milliseconds = u128::try_from(time.as_millisecond()).unwrap_or(0);
    let number = (milliseconds << 80) | (random & ((1 << 80) - 1));
    // 26 digits of five bits each.
    (0..26).rev().map(|digit| char::from(DIGITS[(number >> (digit * 5)) as usize & 31])).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_hyphenated_lowercase_uuids_are_ids() {
        assert!(is_id(&new_id()));
        for other in
            ["", "x", "550E8400-E29B-41D4-A716-446655440000", "550e8400e29b41d4a716446655440000", "../../etc/passwd"]
        {
            assert!(!is_id(other), "{other}");
        }
    }

    #[test]
    fn upload_names_are_safe_in_keys() {
        let longest = "a".repeat(64);
        for good in ["a", "A-z_9", longest.as_str()] {
            assert!(is_file_id(good), "{good}");
        }
        let too_long = "a".repeat(65);
        for bad in ["", "../x", "a/b", "a b", "ä", too_long.as_str()] {
            assert!(!is_file_id(bad), "{bad}");
        }
    }

    #[test]
    fn admin_ids_ignore_case() {
        assert_eq!(admin_id(" New@Example.com"), admin_id("new@example.com"));
        assert_eq!(admin_id("new@example.com").len(), 20);
        assert_eq!(owner_prefix("uid").len(), 32);
    }

    #[test]
    fn ulids_match_the_specification() {
        let time = Timestamp::from_millisecond(1_469_918_176_385).expect("a time");
        assert_eq!(ulid_of(time, 0), "01ARYZ6S410000000000000000");
        assert_eq!(ulid_of(time, u128::MAX), "01ARYZ6S41ZZZZZZZZZZZZZZZZ");
        assert!(is_ulid(&ulid(time).expect("randomness")));
        assert!(is_ulid("7ZZZZZZZZZZZZZZZZZZZZZZZZZ"));
        for other in ["", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "01aryz6s410000000000000000", "01ARYZ6S41000000000000000", "x"]
        {
            assert!(!is_ulid(other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn ulids_sort_by_time(earlier in 0_i64..100_000_000_000, ahead in 1_i64..1000, random: u128, other: u128) {
            let time = |milliseconds| Timestamp::from_millisecond(milliseconds).expect("a time");
            prop_assert!(ulid_of(time(earlier), random) < ulid_of(time(earlier + ahead), other));
        }
    }
}
