//! A fake Telegram server, for local and development stages. The beginning of a token's secret selects its behaviour:
//!
//! | secret | behaviour |
//! | --- | --- |
//! | `VALID` | `getMe` and `sendMessage` succeed; chat 0 is unknown |
//! | `REVOKED` | 401 |
//! | `FLOOD` | 429, to be repeated after 7 seconds |
//! | `DOWN` | 502 |
//! | `MOVED` | 302 to an address that contains the token |
//! | `SLOW` | as `VALID`, after 15 seconds |
//! | `LAGGY` | as `VALID`; `sendMessage` after 15 seconds |
//!
//! Other tokens are unknown, so the answer is 401. No log line contains a path, so none contains a token.

use std::time::Duration;

use analyticbot_contract::{TelegramStub, routes::TelegramStubRoute};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
    routing::on,
};
use common::{Started, cors::Origins, http};
use lambda_runtime::Error;
use serde_json::{Value, json};

/// The stages that may run the server.
const STAGES: [&str; 2] = ["local", "dev"];
/// The pause of slow tokens: longer than the client waits.
const PAUSE: Duration = Duration::from_secs(15);
/// The wait that `FLOOD` asks for, in seconds.
const RETRY_AFTER: u32 = 7;

/// The stage runs real bots.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to start the fake Telegram server: the stage is `{0}`; it runs in local and dev only")]
pub struct WrongStage(String);

/// Serves the fake Bot API until the instance ends.
///
/// # Errors
/// In other stages than `local` and `dev`, and when Lambda's runtime interface fails.
pub async fn serve(started: Started<TelegramStub>) -> Result<(), Error> {
    http::serve::<TelegramStub>(router(&started.environment, PAUSE)?).await
}

/// Builds the router; slow tokens wait for `pause`.
pub(crate) fn router(environment: &TelegramStub, pause: Duration) -> Result<Router, WrongStage> {
    if !STAGES.contains(&environment.stage.as_str()) {
        return Err(WrongStage(environment.stage.clone()));
    }
    let router = http::router::<TelegramStub, TelegramStubRoute, Duration>(
        Origins::gateway(),
        pause,
        |route, filter| match route {
            TelegramStubRoute::Get | TelegramStubRoute::Post => on(filter, answer),
        },
    );
    Ok(router)
}

async fn answer(State(pause): State<Duration>, Path((bot, method)): Path<(String, String)>, body: Bytes) -> Response {
    let token = bot.strip_prefix("bot").and_then(|token| token.split_once(':'));
    let Some((id, secret)) = token.and_then(|(id, secret)| Some((id.parse::<i64>().ok()?, secret))) else {
        return failure(StatusCode::NOT_FOUND, "Not Found");
    };
    let is_slow = secret.starts_with("SLOW") || (secret.starts_with("LAGGY") && method == "sendMessage");
    if is_slow {
        tokio::time::sleep(pause).await;
    }
    let behaves = |name: &str| secret.starts_with(name);
    if behaves("VALID") || behaves("SLOW") || behaves("LAGGY") {
        succeed(id, &method, &body)
    } else if behaves("FLOOD") {
        let body = json!({
            "ok": false, "error_code": 429, "description": format!("Too Many Requests: retry after {RETRY_AFTER}"),
            "parameters": { "retry_after": RETRY_AFTER },
        });
        (StatusCode::TOO_MANY_REQUESTS, Json(body)).into_response()
    } else if behaves("DOWN") {
        failure(StatusCode::BAD_GATEWAY, "Bad Gateway")
    } else if behaves("MOVED") {
        let location = HeaderValue::try_from(format!("/telegram-stub/{bot}/{method}"));
        location.map_or_else(
            |_| failure(StatusCode::BAD_REQUEST, "Bad Request"),
            |location| (StatusCode::FOUND, [(LOCATION, location)]).into_response(),
        )
    } else {
        failure(StatusCode::UNAUTHORIZED, "Unauthorized")
    }
}

fn succeed(id: i64, method: &str, body: &[u8]) -> Response {
    let bot = json!({ "id": id, "is_bot": true, "first_name": "Stub", "username": format!("stub_{id}_bot") });
    let message: Value = serde_json::from_slice(body).unwrap_or_default();
    match (method, message["chat_id"].as_i64(), message["text"].as_str()) {
        ("getMe", ..) => success(bot),
        ("sendMessage", Some(chat), Some(text)) if chat != 0 && !text.is_empty() => success(
            json!({ "message_id": 1, "date": 0, "from": bot, "chat": { "id": chat, "type": "private" }, "text": text }),
        ),
        ("sendMessage", Some(0), _) => failure(StatusCode::BAD_REQUEST, "Bad Request: chat not found"),
        ("sendMessage", ..) => failure(StatusCode::BAD_REQUEST, "Bad Request: message text is empty"),
        _ => failure(StatusCode::NOT_FOUND, "Not Found"),
    }
}

fn success(result: Value) -> Response {
    Json(json!({ "ok": true, "result": result })).into_response()
}

fn failure(status: StatusCode, description: &str) -> Response {
    let body = json!({ "ok": false, "error_code": status.as_u16(), "description": description });
    (status, Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_starts_in_local_and_dev_only() {
        let start = |stage: &str| router(&TelegramStub { stage: stage.to_owned() }, PAUSE).map(|_| ());
        for stage in STAGES {
            assert_eq!(start(stage), Ok(()));
        }
        for stage in ["prod", "staging", "production", "Local", "dev2", ""] {
            assert_eq!(start(stage), Err(WrongStage(stage.to_owned())));
        }
    }
}
