//! The form of a bot's token: `<bot ID>:<secret>`. The errors never contain the text.

/// The minimum length of the secret, in characters.
pub const LEAST_SECRET: usize = 35;
/// The maximum length of a token, in characters. Telegram's tokens have fewer than 60; Telegram documents no limit.
pub const MOST_CHARACTERS: usize = 128;
/// The maximum number of digits of a bot's ID, so that every ID is an `i64`.
const MOST_DIGITS: usize = 18;

/// The reason why a text is not a token. The message is the rest of a sentence about the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// It is blank.
    #[error("must not be empty")]
    Empty,
    /// It has no colon.
    #[error("must contain a colon")]
    NoColon,
    /// It has several colons.
    #[error("must contain only one colon")]
    Colons,
    /// It has another form.
    #[error(
        "must be digits, a colon and at least {LEAST_SECRET} letters, digits, `_` or `-`: at most {MOST_CHARACTERS} characters in all"
    )]
    Form,
}

impl TokenFault {
    /// Whether the fault is one of the field (status 422), in contrast to an invalid token (status 400).
    #[must_use]
    pub const fn is_of_field(self) -> bool {
        !matches!(self, Self::Form)
    }
}

/// Returns the token in a text, without spaces around it.
///
/// # Errors
/// When the text is not a token.
pub fn parse(text: &str) -> Result<&str, TokenFault> {
    let text = text.trim();
    if text.is_empty() {
        return Err(TokenFault::Empty);
    }
    let (id, secret) = text.split_once(':').ok_or(TokenFault::NoColon)?;
    if secret.contains(':') {
        return Err(TokenFault::Colons);
    }
    // Digits of other scripts are no digits here.
    let is_id = (1..=MOST_DIGITS).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit());
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    let is_secret = secret.len() >= LEAST_SECRET && secret.bytes().all(is_allowed);
    if is_id && is_secret && text.len() <= MOST_CHARACTERS { Ok(text) } else { Err(TokenFault::Form) }
}

/// Returns the bot's ID in a token.
#[must_use]
pub fn bot_id(token: &str) -> Option<i64> {
    token.split_once(':')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secret() -> String {
        "VALID-".to_owned() + &"x".repeat(LEAST_SECRET - 6)
    }

    #[test]
    fn a_token_is_an_id_and_a_long_secret() {
        let token = format!("1001:{}", secret());
        assert_eq!(parse(&format!(" {token}\n")), Ok(token.as_str()));
        assert_eq!(bot_id(&token), Some(1001));
    }

    #[test]
    fn the_number_of_colons_is_a_fault_of_the_field() {
        let faults = ["", "  ", "abc", "1:2:3"].map(|text| parse(text).expect_err("no token"));
        assert_eq!(faults, [TokenFault::Empty, TokenFault::Empty, TokenFault::NoColon, TokenFault::Colons]);
        assert!(faults.into_iter().all(TokenFault::is_of_field) && !TokenFault::Form.is_of_field());
    }

    #[test]
    fn digits_of_other_scripts_and_long_texts_are_refused() {
        let secret = secret();
        let texts = [
            "12:short".to_owned(),
            format!("١٢٣:{secret}"),
            format!("１:{secret}"),
            format!(":{secret}"),
            format!("+1:{secret}"),
            format!("{}:{secret}", "1".repeat(19)),
            format!("1:{}", &secret[1..]),
            format!("1:{secret}é"),
            format!("1:{secret}/getMe"),
            format!("1:{}", "x".repeat(10_000)),
            format!("{}:{secret}", "1".repeat(10_000)),
        ];
        for text in texts {
            assert_eq!(parse(&text), Err(TokenFault::Form), "{text:.40}");
        }
    }

    proptest! {
        #[test]
        fn an_accepted_token_is_short_ascii_without_separators(text in "[0-9٠-٩]{0,20}:?[\\PC]{0,150}") {
            if let Ok(token) = parse(&text) {
                prop_assert!(token.is_ascii() && token.len() <= MOST_CHARACTERS);
                prop_assert!(!token.contains(['/', '?', '#', '%', ' ', '\n']));
                prop_assert!(bot_id(token).is_some_and(|id| id >= 0));
            }
        }

        #[test]
        fn every_well_formed_token_is_accepted(text in "[0-9]{1,18}:[A-Za-z0-9_-]{35,109}") {
            prop_assert_eq!(parse(&text), Ok(text.as_str()));
        }
    }
}
