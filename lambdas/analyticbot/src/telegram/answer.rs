//! Telegram's responses (Telegram Bot API, "Making requests" and "ResponseParameters").

use serde::Deserialize;
use serde_json::Value;

use super::BotToken;

/// The maximum length of a description, in characters; longer ones are shortened.
const MOST_DESCRIPTION: usize = 200;
/// The wait that a response without `retry_after` implies, in seconds.
const DEFAULT_RETRY_AFTER: u32 = 1;

/// The bot that a token belongs to: the result of `getMe`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BotInfo {
    /// The ID at Telegram.
    pub id: i64,
    /// The name at Telegram.
    pub username: Option<String>,
    /// The name for people.
    pub first_name: String,
    /// Whether the account is a bot.
    pub is_bot: bool,
}

/// A call without the wanted result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TelegramError {
    /// Telegram does not know the token, or its owner revoked it.
    #[error("Telegram rejected the token")]
    Unauthorized,
    /// The bot made too many calls.
    #[error("Telegram accepts the next call in {0} seconds")]
    RetryAfter(u32),
    /// Telegram is not reachable, responds with a server error, or redirects.
    #[error("Telegram is not available")]
    Unavailable,
    /// The call took too long.
    #[error("Telegram did not respond in time")]
    Timeout,
    /// Telegram refused the request for this reason.
    #[error("Telegram refused the request: {0}")]
    Refused(String),
}

/// The body of every response.
#[derive(Deserialize)]
struct Answer {
    ok: bool,
    #[serde(default)]
    result: Value,
    #[serde(default)]
    description: String,
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
struct Parameters {
    retry_after: Option<u32>,
}

/// Returns the result in a response. Only a response with Telegram's own fields can reject a token: a proxy's cannot.
pub(super) fn read(status: u16, body: &[u8], token: &BotToken) -> Result<Value, TelegramError> {
    let answer = serde_json::from_slice::<Answer>(body).ok();
    match (status, answer) {
        (200, Some(Answer { ok: true, result, .. })) => Ok(result),
        (401 | 404, Some(Answer { ok: false, .. })) => Err(TelegramError::Unauthorized),
        (429, answer) => {
            let seconds = answer.and_then(|answer| answer.parameters?.retry_after);
            Err(TelegramError::RetryAfter(seconds.unwrap_or(DEFAULT_RETRY_AFTER).max(1)))
        }
        (200 | 400..=499, Some(Answer { ok: false, description, .. })) => {
            Err(TelegramError::Refused(clean(&description, token)))
        }
        _ => Err(TelegramError::Unavailable),
    }
}

/// Removes the token and control characters, and shortens the text. The token is removed first: a shortened one would remain.
fn clean(description: &str, token: &BotToken) -> String {
    let text = token.redact(description);
    text.chars().filter(|character| !character.is_control()).take(MOST_DESCRIPTION).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token() -> BotToken {
        BotToken::parse(&format!("1001:VALID{}", "x".repeat(35))).expect("a token")
    }

    fn outcome(status: u16, body: Value) -> Result<Value, TelegramError> {
        read(status, body.to_string().as_bytes(), &token())
    }

    #[test]
    fn outcomes_follow_from_status_and_body() {
        let failed = |text: &str| json!({ "ok": false, "description": text });
        assert_eq!(outcome(200, json!({ "ok": true, "result": 7 })), Ok(json!(7)));
        for status in [401, 404] {
            assert_eq!(outcome(status, failed("Unauthorized")), Err(TelegramError::Unauthorized));
            assert_eq!(outcome(status, json!({ "message": "Not Found" })), Err(TelegramError::Unavailable));
        }
        for status in [400, 403] {
            let refused = TelegramError::Refused("Bad Request: chat not found".to_owned());
            assert_eq!(outcome(status, failed("Bad Request: chat not found")), Err(refused));
        }
        let flood = json!({ "ok": false, "description": "", "parameters": { "retry_after": 7 } });
        assert_eq!(outcome(429, flood), Err(TelegramError::RetryAfter(7)));
        assert_eq!(outcome(429, json!("busy")), Err(TelegramError::RetryAfter(1)));
        for status in [200, 204, 301, 302, 307, 500, 502, 503] {
            assert_eq!(outcome(status, json!("no answer")), Err(TelegramError::Unavailable), "{status}");
        }
        assert_eq!(outcome(502, failed("Bad Gateway")), Err(TelegramError::Unavailable));
    }

    #[test]
    fn a_description_loses_the_token_before_it_is_shortened() {
        let token = token();
        let text = format!("{}\n{}{}", "y".repeat(180), token.expose(), "z".repeat(500));
        let TelegramError::Refused(text) =
            outcome(400, json!({ "ok": false, "description": text })).expect_err("refused")
        else {
            panic!("refused")
        };
        assert!(!text.contains("VALID") && !text.contains('\n') && text.chars().count() <= MOST_DESCRIPTION, "{text}");
        assert!(text.contains("[token]"), "{text}");
    }
}
