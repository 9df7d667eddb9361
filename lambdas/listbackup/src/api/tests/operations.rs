//! OAuth requests, health, and errors of the router itself.

use serde_json::{Value, json};
use tables::testing::{Reply, Request, error_reply, json_reply};

use super::world::{ANA, Answer, Event, World};
use crate::api::{health, oauth, sources};

async fn initiated(world: &World, integration: &str, body: &Value) -> Answer {
    let event = Event::new("POST", &format!("/integrations/{integration}/oauth/initiate")).by(ANA).body(body);
    world.call(oauth::initiate_router, event).await
}

async fn called_back(world: &World, query: &str) -> Answer {
    let event = Event::new("GET", &format!("/integrations/dropbox/oauth/callback?{query}"));
    world.call(oauth::callback_router, event).await
}

/// A stage with a client ID for Dropbox.
fn configured() -> World {
    let world = World::new();
    world.answer(|request| {
        let name = "/listbackup/test/oauth/dropbox-client-id";
        let is_read = request.action == "AmazonSSM.GetParameter" && request.body["Name"] == name;
        is_read.then(|| json_reply(json!({ "Parameter": { "Value": "client 1" } }))).flatten()
    });
    world
}

#[tokio::test(flavor = "current_thread")]
async fn an_oauth_request_needs_a_client_id_and_a_known_integration() {
    let world = World::new();
    initiated(&world, "dropbox", &json!({})).await.error(422, "INTEGRATION_NOT_CONFIGURED");
    initiated(&world, "ftp", &json!({})).await.error(400, "UNKNOWN_INTEGRATION");
    let reader = Event::new("POST", "/integrations/dropbox/oauth/initiate").by_reader(ANA);
    world.call(oauth::initiate_router, reader).await.error(403, "INSUFFICIENT_ROLE");
    assert!(world.memory.all("oauth-states").is_empty());
    let data = initiated(&configured(), "dropbox", &json!({})).await.data(200);
    let url = data["authUrl"].as_str().expect("a URL");
    assert!(
        url.starts_with("https://www.dropbox.com/oauth2/authorize?response_type=code&client_id=client%201&"),
        "{url}"
    );
    assert!(url.contains("https%3A%2F%2Fapi.example.com%2Fintegrations%2Fdropbox%2Foauth%2Fcallback"), "{url}");
    assert_eq!(data["expiresIn"], 600);
}

#[tokio::test(flavor = "current_thread")]
async fn a_foreign_return_url_is_refused() {
    let world = configured();
    for url in [
        "https://evil.example.com/",
        "https://app.example.com.evil.com/",
        "https://app.example.com@evil.com/",
        "https://app.example.com:8443/",
        "http://app.example.com/",
        "//app.example.com/",
        "https://app.example.com\\@evil.com",
        "https://app.example.com/\nx",
        "javascript:alert(1)",
        "",
    ] {
        assert_eq!(initiated(&world, "dropbox", &json!({ "returnUrl": url })).await.field(), "returnUrl", "{url}");
    }
    assert_eq!(initiated(&world, "dropbox", &json!({ "sourceId": "x" })).await.field(), "sourceId");
    for url in ["https://app.example.com", "https://app.example.com/sources?x=1"] {
        initiated(&world, "dropbox", &json!({ "returnUrl": url })).await.data(200);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_state_is_used_once() {
    let world = configured();
    let state = initiated(&world, "dropbox", &json!({})).await.data(200)["state"].as_str().expect("a state").to_owned();
    assert_eq!(called_back(&world, &format!("state={state}")).await.field(), "code");
    called_back(&world, &format!("code=c&state={state}")).await.error(422, "INTEGRATION_NOT_CONFIGURED");
    called_back(&world, &format!("code=c&state={state}")).await.error(400, "INVALID_STATE");
    for query in ["code=c", "code=c&state=x", &format!("code=c&state={}", "0".repeat(64))] {
        called_back(&world, query).await.error(400, "INVALID_STATE");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_state_that_expired_or_is_of_another_integration_is_refused() {
    let world = World::new();
    for (state, integration, ttl) in [("a".repeat(64), "dropbox", 1), ("b".repeat(64), "github", 4_000_000_000_i64)] {
        world.memory.insert(
            "oauth-states",
            json!({
                "state": state, "integrationType": integration, "userId": "u", "accountId": ANA, "ttl": ttl,
            }),
        );
        called_back(&world, &format!("code=c&state={state}")).await.error(400, "INVALID_STATE");
    }
}

fn healthy(request: &Request) -> Option<Reply> {
    match request.action.as_str() {
        "DynamoDB.DescribeTable" => json_reply(json!({ "Table": { "TableStatus": "ACTIVE" } })),
        "S3.HEAD" => Some((200, String::new())),
        _ => None,
    }
}

#[tokio::test(flavor = "current_thread")]
async fn health_reports_each_part() {
    let world = World::new();
    world.answer(healthy);
    let data = world.call(health::router, Event::new("GET", "/system/health")).await.data(200);
    let checks = json!({ "tables": "ok", "bucket": "ok", "queue": "ok" });
    assert_eq!((&data["status"], &data["stage"], &data["checks"]), (&json!("healthy"), &json!("test"), &checks));
    assert_eq!(world.count("DynamoDB.DescribeTable"), 2);
    for (action, part) in
        [("DynamoDB.DescribeTable", "tables"), ("S3.HEAD", "bucket"), ("AmazonSQS.GetQueueAttributes", "queue")]
    {
        let world = World::new();
        world.answer(move |request| match request.action == action {
            true => error_reply("AccessDenied"),
            false => healthy(request),
        });
        let body = world.call(health::router, Event::new("GET", "/system/health")).await.error(503, "UNHEALTHY");
        let failed: Vec<_> =
            body["checks"].as_object().expect("checks").iter().filter(|(_, word)| *word == "failed").collect();
        assert_eq!((failed.len(), failed[0].0.as_str()), (1, part));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn errors_of_the_router_are_in_the_envelope() {
    let world = World::new();
    world.call(sources::list::router, Event::new("GET", "/other").by(ANA)).await.error(404, "ROUTE_NOT_FOUND");
    world.call(sources::list::router, Event::new("POST", "/sources").by(ANA)).await.error(405, "METHOD_NOT_ALLOWED");
}

#[tokio::test(flavor = "current_thread")]
async fn an_internal_error_shows_no_cause() {
    let world = World::new();
    world.answer(|_| error_reply("AccessDeniedException"));
    let body = world.call(sources::list::router, Event::new("GET", "/sources").by(ANA)).await.error(500, "INTERNAL");
    assert!(!body.to_string().contains("AccessDenied") && !body.to_string().contains("sources"), "{body}");
    // A route that lacks its authorizer by mistake.
    world.call(sources::list::router, Event::new("GET", "/sources")).await.error(500, "INTERNAL");
}
