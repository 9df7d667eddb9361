//! Names of bots and users, and IDs in paths.

/// The maximum length of a bot's name: Telegram's names have 5 to 32 (Telegram Bot API, "BotFather": creating a new bot).
pub const BOT_NAME_CHARACTERS: usize = 32;
/// The maximum length of a user's name, in characters.
pub const USER_NAME_CHARACTERS: usize = 64;
/// The maximum length of an e-mail address, in characters (RFC 3696, erratum 1690).
pub const EMAIL_CHARACTERS: usize = 254;

/// The name is too long, or has a character that is not an ASCII letter, a digit or an underscore. The message is the rest of a
/// sentence about the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have at most {BOT_NAME_CHARACTERS} characters, all of them ASCII letters, digits or underscores")]
pub struct BotNameFault;

/// Returns a bot's name without spaces around it and without one leading `@`. A blank name counts as absent.
///
/// # Errors
/// When it is too long or has another character.
pub fn bot_name(text: &str) -> Result<Option<&str>, BotNameFault> {
    let text = text.trim();
    let text = text.strip_prefix('@').unwrap_or(text);
    let is_valid =
        text.len() <= BOT_NAME_CHARACTERS && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_valid { Ok(Some(text).filter(|text| !text.is_empty())) } else { Err(BotNameFault) }
}

/// Checks a user's name: ASCII letters, digits, `_`, `-` and `.`, and thereby never an `@`.
#[must_use]
pub fn is_user_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    !text.is_empty() && text.len() <= USER_NAME_CHARACTERS && text.bytes().all(is_allowed)
}

/// Checks the form of an e-mail address: one `@` between visible ASCII characters.
#[must_use]
pub fn is_email(text: &str) -> bool {
    let parts = text.split_once('@').filter(|(name, domain)| !name.is_empty() && !domain.is_empty());
    let is_visible = text.len() <= EMAIL_CHARACTERS && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_visible && parts.is_some_and(|(_, domain)| !domain.contains('@'))
}

/// Parses the ID of a user: decimal digits of a positive number without sign, space or leading zero.
///
/// The largest ID is that of a signed 64-bit number, which JSON clients and DynamoDB's number type hold exactly.
#[must_use]
pub fn user_id(text: &str) -> Option<u64> {
    let is_canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    let id: u64 = text.parse().ok().filter(|_| is_canonical)?;
    i64::try_from(id).is_ok().then_some(id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bot_name_loses_spaces_and_one_sign() {
        assert_eq!(bot_name(" @Stats_bot "), Ok(Some("Stats_bot")));
        assert_eq!([bot_name(""), bot_name("  "), bot_name("@")], [Ok(None), Ok(None), Ok(None)]);
        let long = "a".repeat(33);
        for wrong in ["@@bot", "stats-bot", "stats bot", "бот", "bot\u{0}", &long] {
            assert_eq!(bot_name(wrong), Err(BotNameFault), "{wrong}");
        }
    }

    #[test]
    fn names_and_addresses_of_users_differ() {
        assert!(is_user_name("ana.b-c_1") && !is_user_name("a@b") && !is_user_name("") && !is_user_name("a b"));
        assert!(is_email("ana@example.com"));
        for wrong in ["ana", "@example.com", "ana@", "a@b@c", "a b@c", "ä@example.com"] {
            assert!(!is_email(wrong), "{wrong}");
        }
    }

    #[test]
    fn an_id_is_a_positive_number_in_its_only_form() {
        assert_eq!([user_id("1"), user_id("9223372036854775807")], [Some(1), Some(i64::MAX.unsigned_abs())]);
        for wrong in ["", "0", "01", "+1", "-1", " 1", "1.0", "1e3", "0x1", "١", "9223372036854775808", "list"] {
            assert_eq!(user_id(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn an_accepted_id_is_written_as_it_was_read(text in "\\PC{0,24}") {
            if let Some(id) = user_id(&text) {
                prop_assert_eq!(id.to_string(), text);
            }
        }

        #[test]
        fn every_positive_number_is_an_id(id in 1_u64..=i64::MAX.unsigned_abs()) {
            prop_assert_eq!(user_id(&id.to_string()), Some(id));
        }

        #[test]
        fn an_accepted_bot_name_is_accepted_again(text in "\\PC{0,40}") {
            if let Ok(Some(name)) = bot_name(&text) {
                prop_assert_eq!(bot_name(name), Ok(Some(name)));
            }
        }
    }
}
