//! The functions of the HTTP APIs: an authorizer, and functions that read what it decided, or whom a JWT names.

use std::process::ExitCode;

use axum::{Json, extract::Path, routing::on};
use common::{
    Authorized, Caller, Error,
    authorizer::{self, AuthorizerRequest, Decision},
    cors::Origins,
    http,
};
use notes_contract::{Decide, Enter, EnterRoute, More, MoreRoute, Who, WhoRoute};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The guest that the authorizer let in.
#[derive(Serialize, Deserialize)]
struct Guest {
    guest: String,
    level: u32,
}

fn main() -> ExitCode {
    common::functions()
        .function::<Decide>(async |started| {
            let word = started.environment.word;
            authorizer::serve::<Decide>(async |request| decide(&word, &request)).await
        })
        .function::<Enter>(async |_| {
            let router = http::router::<Enter, EnterRoute, _>(Origins::gateway(), (), |route, method| match route {
                EnterRoute::Health => on(method, async || "open"),
                EnterRoute::Enter => on(method, enter),
            });
            http::serve::<Enter>(router).await
        })
        .function::<Who>(async |_| {
            let router = http::router::<Who, WhoRoute, _>(Origins::gateway(), (), |route, method| match route {
                WhoRoute::Get => on(method, async |caller: Caller| Json(json!({ "username": caller.username }))),
            });
            http::serve::<Who>(router).await
        })
        .function::<More>(async |_| {
            let router = http::router::<More, MoreRoute, _>(Origins::gateway(), (), |route, method| match route {
                MoreRoute::Get => on(method, enter),
            });
            http::serve::<More>(router).await
        })
        .run()
}

/// Allows requests with the word, as long as the door is not closed.
fn decide(word: &str, request: &AuthorizerRequest) -> Result<Decision, Error> {
    let is_known = request.identity_source.first().is_some_and(|token| token == word);
    if !is_known || request.header("x-door") == Some("closed") {
        return Ok(Decision::Deny);
    }
    Decision::allow(&Guest { guest: "ana".to_owned(), level: 2 })
}

async fn enter(Authorized(guest): Authorized<Guest>, Path(place): Path<String>) -> Json<Value> {
    Json(json!({ "place": place, "guest": guest.guest, "level": guest.level }))
}
