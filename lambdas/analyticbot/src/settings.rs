//! Numbers in the functions' environments.

use std::str::FromStr;

/// A variable is not a positive number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} must be a positive number")]
pub struct NotPositive(&'static str);

/// Parses a variable that is a positive number.
///
/// # Errors
/// When it is none.
pub fn positive<N: FromStr + PartialOrd + Default>(name: &'static str, text: &str) -> Result<N, NotPositive> {
    text.parse().ok().filter(|number| *number > N::default()).ok_or(NotPositive(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_positive_numbers_are_accepted() {
        assert_eq!(positive::<u32>("A", "30"), Ok(30));
        for wrong in ["", "0", "-1", "1.5", "x", "4294967296"] {
            assert_eq!(positive::<u32>("A", wrong), Err(NotPositive("A")), "{wrong}");
        }
    }
}
