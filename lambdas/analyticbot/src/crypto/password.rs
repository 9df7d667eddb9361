//! Passwords, hashed with bcrypt.
//!
//! bcrypt ignores all bytes after the 72nd, and implementations differ about NUL. Passwords with either are refused before they are
//! hashed, so bcrypt distinguishes all accepted passwords.

use bcrypt::BcryptError;

/// The logarithm of the number of rounds.
pub const COST: u32 = 12;
/// The maximum number of bytes that bcrypt reads.
pub const MOST_BYTES: usize = 72;
/// The minimum length, in characters.
pub const LEAST_CHARACTERS: usize = 8;
/// A hash of the same cost, for unknown users: a guess then takes as long as for known ones. No password is known for it, and the
/// result of the comparison is ignored.
const DUMMY: &str = "$2b$12$EixQmYVK1fsbw1ZfbX3OXeTbKxn96p36WQoeG6Lruj3vjPGga31lW";

/// The reason why a password was not hashed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// It is too short.
    #[error("a password must have at least {LEAST_CHARACTERS} characters")]
    Short,
    /// It is too long.
    #[error("a password must have at most {MOST_BYTES} bytes")]
    Long,
    /// It contains NUL.
    #[error("a password must not contain NUL")]
    Nul,
    /// bcrypt failed.
    #[error("failed to hash a password")]
    Hash(#[source] BcryptError),
}

/// Checks that a password can be hashed completely.
///
/// # Errors
/// When it is too short or too long, or contains NUL.
pub fn check(password: &str) -> Result<(), PasswordError> {
    if password.contains('\0') {
        return Err(PasswordError::Nul);
    }
    if password.len() > MOST_BYTES {
        return Err(PasswordError::Long);
    }
    if password.chars().count() < LEAST_CHARACTERS {
        return Err(PasswordError::Short);
    }
    Ok(())
}

/// Hashes a password.
///
/// # Errors
/// When it is too short or too long, or contains NUL.
pub fn hash(password: &str) -> Result<String, PasswordError> {
    check(password)?;
    bcrypt::hash(password, COST).map_err(PasswordError::Hash)
}

/// Compares a password with the hash of a user, or with a dummy of the same cost if there is no such user.
///
/// # Errors
/// When the stored hash is damaged.
pub fn matches(password: &str, hash: Option<&str>) -> Result<bool, PasswordError> {
    if check(password).is_err() {
        return Ok(false);
    }
    let is_equal = bcrypt::verify(password, hash.unwrap_or(DUMMY)).map_err(PasswordError::Hash)?;
    Ok(is_equal && hash.is_some())
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use bcrypt::HashParts;

    use super::*;

    #[test]
    fn a_password_matches_its_own_hash_only() {
        let hash = hash("correct horse").expect("hashed");
        assert!(matches("correct horse", Some(&hash)).expect("compared"));
        assert!(!matches("Correct horse", Some(&hash)).expect("compared"));
        assert!(!matches("correct horse", None).expect("compared"));
    }

    #[test]
    fn the_dummy_has_the_cost_of_real_hashes() {
        let cost = |hash: &str| HashParts::from_str(hash).expect("a hash").get_cost();
        assert_eq!(cost(DUMMY), COST);
        assert_eq!(cost(&hash("correct horse").expect("hashed")), COST);
    }

    #[test]
    fn a_password_that_differs_in_byte_73_is_refused() {
        let longest = "a".repeat(MOST_BYTES);
        let hash = hash(&longest).expect("72 bytes");
        assert!(matches(&longest, Some(&hash)).expect("compared"));
        for longer in [format!("{longest}b"), format!("{longest}\u{e9}")] {
            assert!(!matches(&longer, Some(&hash)).expect("compared"), "bcrypt alone would accept it");
            assert!(matches!(super::hash(&longer), Err(PasswordError::Long)));
        }
    }

    #[test]
    fn a_password_with_nul_is_refused() {
        let hash = hash("password").expect("hashed");
        for wrong in ["password\0", "password\0tail", "\0password"] {
            assert!(!matches(wrong, Some(&hash)).expect("compared"), "{wrong:?}");
            assert!(matches!(super::hash(wrong), Err(PasswordError::Nul)), "{wrong:?}");
        }
        assert!(matches!(super::hash("1234567"), Err(PasswordError::Short)));
    }
}
