//! Error responses: `{"error":"snake_code","detail":…,"code":"UPPER_CODE"}`.
//!
//! The detail is a text, or a list of faults for status 422. Neither repeats input of the client. The cause of an internal error is
//! only logged.

use std::sync::Arc;

use axum::{
    Json,
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use common::telemetry;
use serde_json::{Value, json};

macro_rules! codes {
    ($($(#[$meta:meta])* $name:ident = $status:literal $code:literal,)*) => {
        /// The code of an error, which determines the status of its response.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $($(#[$meta])* $name,)*
        }

        impl Code {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code in responses.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// The status of the response.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$name => $status,)*
                }
            }
        }
    };
}

codes! {
    /// The token has the wrong form, or Telegram rejects it. The status is not 401, which means the caller's own sign-in.
    InvalidBotToken = 400 "INVALID_BOT_TOKEN",
    /// The caller has a bot already.
    BotAlreadyExists = 400 "BOT_ALREADY_EXISTS",
    /// A test message needs a chat.
    TestChatRequired = 400 "TEST_CHAT_REQUIRED",
    /// The bot lacks its ID at Telegram.
    BotIncomplete = 400 "BOT_INCOMPLETE",
    /// The request has no valid access token of a user.
    NotAuthenticated = 401 "NOT_AUTHENTICATED",
    /// Name or password is wrong.
    InvalidCredentials = 401 "INVALID_CREDENTIALS",
    /// The caller is not an administrator.
    AdminRequired = 403 "ADMIN_REQUIRED",
    /// The caller's account is not active.
    AccountInactive = 403 "ACCOUNT_INACTIVE",
    /// The caller's bot is suspended.
    BotSuspended = 403 "BOT_SUSPENDED",
    /// The user has no bot.
    BotNotFound = 404 "BOT_NOT_FOUND",
    /// There is no such route.
    NotFound = 404 "NOT_FOUND",
    /// The route does not support the method.
    MethodNotAllowed = 405 "METHOD_NOT_ALLOWED",
    /// Another user has registered the bot.
    TokenInUse = 409 "TOKEN_IN_USE",
    /// Another user has registered a bot with the name.
    UsernameInUse = 409 "USERNAME_IN_USE",
    /// The body is too large.
    PayloadTooLarge = 413 "PAYLOAD_TOO_LARGE",
    /// The body is not declared as JSON.
    UnsupportedMediaType = 415 "UNSUPPORTED_MEDIA_TYPE",
    /// Fields, parameters or the body are invalid.
    ValidationError = 422 "VALIDATION_ERROR",
    /// The bot's own limit of requests per second is reached.
    BotRateLimited = 429 "BOT_RATE_LIMITED",
    /// The bot's own limit of concurrent requests is reached.
    BotBusy = 429 "BOT_BUSY",
    /// The limit of sign-ins is reached.
    LoginRateLimited = 429 "LOGIN_RATE_LIMITED",
    /// Telegram's limit is reached.
    TelegramRateLimited = 429 "TELEGRAM_RATE_LIMITED",
    /// An internal error.
    Internal = 500 "INTERNAL",
    /// Telegram does not respond, or responds with a server error.
    TelegramUnavailable = 503 "TELEGRAM_UNAVAILABLE",
    /// Telegram takes too long.
    TelegramTimeout = 504 "TELEGRAM_TIMEOUT",
}

/// An invalid part of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The place: `body`, `query` or `path`, and the name of the field or parameter.
    pub loc: Vec<String>,
    /// The reason, as the rest of a sentence about the field. It repeats no input of the client.
    pub msg: String,
    /// The kind, for example `missing`.
    pub kind: &'static str,
}

impl Fault {
    /// Describes an invalid field or parameter.
    #[must_use]
    pub fn new(part: &str, name: &str, kind: &'static str, msg: impl Into<String>) -> Self {
        Self { loc: vec![part.to_owned(), name.to_owned()], msg: msg.into(), kind }
    }
}

/// An error response.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiError {
    code: Code,
    detail: Value,
    retry_after: Option<u32>,
    cause: Option<Arc<str>>,
}

/// The code and the cause of an error, in the extensions of its response, for the log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) code: &'static str,
    pub(super) cause: Option<Arc<str>>,
}

impl ApiError {
    /// Creates an error with a sentence for people.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: Value::String(detail.into()), retry_after: None, cause: None }
    }

    /// Creates a 429 error: the client may try again after this many seconds.
    #[must_use]
    pub fn limited(code: Code, seconds: u32, detail: impl Into<String>) -> Self {
        Self { retry_after: Some(seconds.max(1)), ..Self::new(code, detail) }
    }

    /// Creates a 422 error.
    #[must_use]
    pub fn invalid(faults: &[Fault]) -> Self {
        let fault = |fault: &Fault| json!({ "loc": fault.loc, "msg": fault.msg, "type": fault.kind });
        let detail = faults.iter().map(fault).collect();
        Self { code: Code::ValidationError, detail, retry_after: None, cause: None }
    }

    /// Creates a 401 error, always with the same text.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::new(Code::NotAuthenticated, "Not authenticated")
    }

    /// Adds a cause for the log line, which must contain no secret.
    #[must_use]
    pub fn because(mut self, cause: &str) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Returns the code.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// Returns the detail: a text, or a list of faults.
    #[must_use]
    pub const fn detail(&self) -> &Value {
        &self.detail
    }
}

/// Converts an internal error to a 500 response without details.
impl<E: std::error::Error + 'static> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self::new(Code::Internal, "Internal server error").because(&telemetry::chain(&error))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let code = self.code.as_str();
        let body = json!({ "error": code.to_lowercase(), "detail": self.detail, "code": code });
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(Failed { code, cause: self.cause });
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_an_error_status() {
        for code in Code::ALL {
            let response = ApiError::new(*code, "text").into_response();
            assert_eq!(response.status().as_u16(), code.status());
            assert!(response.status().is_client_error() || response.status().is_server_error());
            let asks = response.headers().get(WWW_AUTHENTICATE).is_some_and(|value| value == "Bearer");
            assert_eq!(asks, code.status() == 401, "{code:?}");
        }
    }

    #[test]
    fn an_internal_error_has_no_details() {
        let error = ApiError::from(std::io::Error::other("table users-prod"));
        assert_eq!((error.code(), error.detail()), (Code::Internal, &json!("Internal server error")));
        let response = error.into_response();
        let failed = response.extensions().get::<Failed>().expect("a cause for the log");
        assert_eq!(failed.cause.as_deref(), Some("table users-prod"));
    }

    #[test]
    fn a_limited_client_waits_at_least_a_second() {
        let response = ApiError::limited(Code::BotBusy, 0, "busy").into_response();
        assert_eq!(response.headers()[RETRY_AFTER], "1");
    }
}
