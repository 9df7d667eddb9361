//! Requests with tokens of active, inactive, unknown and demoted users, as API Gateway sends them.

use axum::routing::on;
use common::http::answer;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};
use tables::{
    Database,
    testing::{Reply, Request, Script, item, json_reply},
};

use super::*;
use crate::{
    domain::user::Role,
    http::router::router,
    testing::{SECRET, secret, user},
};
use analyticbot_contract::{AdminBot, routes::AdminBotRoute};

/// A table in which user 7 has a role and a state.
fn table(role: Role, is_active: bool) -> impl FnMut(&Request) -> Option<Reply> + Send + 'static {
    move |request| match request.body["Key"]["pk"]["S"].as_str()? {
        "ID#7" => {
            let mut stored = serde_json::to_value(user(7)).ok()?;
            stored["role"] = json!(role);
            stored["is_active"] = json!(is_active);
            json_reply(json!({ "Item": item(stored) }))
        }
        _ => json_reply(json!({})),
    }
}

async fn access(script: &Script) -> Arc<Access> {
    let users = Users::new(Database::new(aws_sdk_dynamodb::Client::new(&script.aws())), "users".to_owned());
    Arc::new(Access { tokens: AccessTokens::start(secret(SECRET), 30).await.expect("a secret"), users })
}

async fn token(access: &Access, id: u64) -> String {
    access.tokens.issue(&user(id), Timestamp::now()).await.expect("issued")
}

/// Sends a request to a router whose routes need a user or an administrator.
async fn call(access: &Arc<Access>, method: &str, path: &str, headers: Value) -> Value {
    let router = router::<AdminBot, AdminBotRoute, _>(access.clone(), |route, method| match route {
        AdminBotRoute::Access => on(method, async |SignedIn(user): SignedIn| user.username),
        _ => on(method, async |Admin(user): Admin| user.username),
    });
    let event = json!({
        "version": "2.0", "rawPath": path, "rawQueryString": "", "headers": headers, "isBase64Encoded": false,
        "requestContext": { "stage": "$default", "http": { "method": method, "path": path, "sourceIp": "192.0.2.1" } },
    });
    let mut answer = answer::<AdminBot>(router, LambdaEvent::new(event, Context::default())).await.expect("an answer");
    answer["body"] = answer["body"].as_str().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
    answer
}

const ANY: &str = "/api/admin/bots/9/access";
const ADMIN: &str = "/api/admin/bots/list";

async fn status(access: &Arc<Access>, method: &str, path: &str, token: &str) -> (u64, Value) {
    let answer = call(access, method, path, json!({ "authorization": format!("Bearer {token}") })).await;
    (answer["statusCode"].as_u64().expect("a status"), answer["body"]["code"].clone())
}

#[tokio::test(flavor = "current_thread")]
async fn a_request_without_a_valid_token_is_refused() {
    let access = access(&Script::new(table(Role::Owner, true))).await;
    let valid = token(&access, 7).await;
    let unknown = token(&access, 8).await;
    let headers = [
        json!({}),
        json!({ "authorization": "" }),
        json!({ "authorization": valid }),
        json!({ "authorization": format!("Basic {valid}") }),
        json!({ "authorization": format!("Bearer  {valid}") }),
        json!({ "authorization": format!("Bearer {valid}x") }),
        json!({ "authorization": format!("Bearer {unknown}") }),
    ];
    for headers in headers {
        let answer = call(&access, "GET", ADMIN, headers.clone()).await;
        assert_eq!(answer["statusCode"], 401, "{headers}");
        assert_eq!(answer["headers"]["www-authenticate"], "Bearer");
        let body = json!({ "error": "not_authenticated", "detail": "Not authenticated", "code": "NOT_AUTHENTICATED" });
        assert_eq!(answer["body"], body);
    }
    assert_eq!(status(&access, "GET", ADMIN, &valid).await.0, 200);
}

#[tokio::test(flavor = "current_thread")]
async fn role_and_state_are_those_of_the_table_and_not_of_the_token() {
    for (role, is_active, any, admin) in [
        (Role::Owner, true, 200, (200, json!(null))),
        (Role::Admin, true, 200, (200, json!(null))),
        (Role::Moderator, true, 200, (403, json!("ADMIN_REQUIRED"))),
        (Role::User, true, 200, (403, json!("ADMIN_REQUIRED"))),
        (Role::Admin, false, 403, (403, json!("ACCOUNT_INACTIVE"))),
    ] {
        let access = access(&Script::new(table(role, is_active))).await;
        // The token says `admin`.
        let token = token(&access, 7).await;
        assert_eq!(status(&access, "POST", ANY, &token).await.0, any, "{role:?} {is_active}");
        assert_eq!(status(&access, "GET", ADMIN, &token).await, admin, "{role:?} {is_active}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_table_that_does_not_answer_is_no_refusal() {
    let access = access(&Script::new(|_| None)).await;
    let token = token(&access, 7).await;
    assert_eq!(status(&access, "GET", ADMIN, &token).await, (500, json!("INTERNAL")));
}

#[tokio::test(flavor = "current_thread")]
async fn unknown_routes_and_methods_have_errors_of_the_same_form() {
    let access = access(&Script::new(|_| None)).await;
    let unknown = call(&access, "GET", "/api/admin", json!({})).await;
    assert_eq!((&unknown["statusCode"], &unknown["body"]["code"]), (&json!(404), &json!("NOT_FOUND")));
    let method = call(&access, "DELETE", ADMIN, json!({})).await;
    assert_eq!((&method["statusCode"], &method["body"]["code"]), (&json!(405), &json!("METHOD_NOT_ALLOWED")));
    assert_eq!(method["headers"]["x-content-type-options"], "nosniff");
}
