//! A bot's token.

use std::fmt;

use zeroize::Zeroizing;

use crate::domain::token;

/// A bot's token: `<bot ID>:<secret>`. Its memory is cleared when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct BotToken(Zeroizing<String>);

impl BotToken {
    /// Reads a token; `None` if its form is wrong. All accepted characters may be part of a URL's path.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        token::parse(text).ok().map(|text| Self(Zeroizing::new(text.to_owned())))
    }

    /// Returns the token's text, for encryption and for a URL.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Removes the token and its secret from a text.
    pub(crate) fn redact(&self, text: &str) -> String {
        let secret = self.0.split_once(':').map_or(self.0.as_str(), |(_, secret)| secret);
        text.replace(self.0.as_str(), "[token]").replace(secret, "[token]")
    }
}

impl fmt::Debug for BotToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("BotToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ascii_tokens_of_a_usual_length_are_accepted() {
        let secret = "a".repeat(token::LEAST_SECRET);
        assert!(BotToken::parse(&format!("1001:{secret}")).is_some());
        assert!(BotToken::parse(&format!("1001:{}_-A9", "z".repeat(31))).is_some());
        let wrong = [
            String::new(),
            secret.clone(),
            format!(":{secret}"),
            format!("12:{}", &secret[1..]),
            format!("12:{secret}:x"),
            format!("12:{secret}/getMe"),
            format!("12:{secret}?a"),
            format!("\u{661}\u{662}:{secret}"),
            format!("12:{}é", &secret),
            format!("12:{}", "a".repeat(10_000)),
        ];
        for text in wrong {
            assert_eq!(BotToken::parse(&text), None, "{text}");
        }
    }

    #[test]
    fn the_content_is_not_shown() {
        let token = BotToken::parse(&format!("1001:VALID{}", "x".repeat(35))).expect("a token");
        assert_eq!(format!("{token:?} {:?}", Some(&token)), "BotToken(…) Some(BotToken(…))");
        let text = format!("bot{} and VALID{}", token.expose(), "x".repeat(35));
        assert_eq!(token.redact(&text), "bot[token] and [token]");
    }
}
