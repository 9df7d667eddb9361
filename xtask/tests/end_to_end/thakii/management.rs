//! Servers, notifications to everybody, and what a stage file may change: rows 6, 20 and 21.

use std::sync::Arc;

use ::thakii::fixtures::{Stub, TestIssuer};
use reqwest::Method;
use serde_json::json;

use super::world::{World, error};

pub(super) async fn row_20_servers_are_registered_and_checked(world: Arc<World>) {
    let stub = Stub::start(200, r#"{"status": "ok"}"#.to_owned()).await;
    let server = json!({"name": "Alpha", "url": format!("{}/", stub.url)});
    let (status, added) = world.admin.post("/admin/servers", server.clone()).await;
    assert_eq!((status, &added["server"]["status"]), (200, &json!("active")), "{added}");
    assert_eq!(added["server"]["health_status"]["server_info"], json!({"status": "ok"}));
    assert_eq!(stub.requests(), ["GET /health HTTP/1.1"]);
    let again = world.admin.post("/admin/servers", json!({"name": "ALPHA", "url": stub.url})).await;
    assert_eq!(error(&again), (400, "Server with name \"ALPHA\" already exists"));
    let ftp = world.admin.post("/admin/servers", json!({"name": "b", "url": "ftp://x"})).await;
    assert_eq!(error(&ftp), (400, "Server URL must start with http:// or https://"));

    stub.answer(503, "{}");
    let (status, checked) = world.admin.post("/admin/servers/health-check", json!({})).await;
    assert_eq!((status, &checked["total_servers"], &checked["unhealthy_servers"]), (200, &json!(1), &json!(1)));
    let (_, servers) = world.admin.get("/admin/servers").await;
    assert_eq!(
        (&servers[0]["status"], &servers[0]["health_status"]["error"]),
        (&json!("inactive"), &json!("HTTP 503"))
    );

    let path = format!("/admin/servers/{}", added["server"]["id"].as_str().expect("an id"));
    let (status, renamed) = world.admin.call(Method::PUT, &path, Some(json!({"name": "Beta"}))).await;
    assert_eq!((status, &renamed["server"]["name"]), (200, &json!("Beta")), "{renamed}");
    // The old name is free again.
    let (status, second) = world.admin.post("/admin/servers", server).await;
    assert_eq!((status, &second["server"]["status"]), (200, &json!("inactive")), "{second}");
    let taken = world.admin.call(Method::PUT, &path, Some(json!({"name": "alpha"}))).await;
    assert_eq!(error(&taken), (400, "Server with name \"alpha\" already exists"));
    let second = format!("/admin/servers/{}", second["server"]["id"].as_str().expect("an id"));
    for path in [&path, &second] {
        assert_eq!(world.admin.delete(path).await.0, 200);
        assert_eq!(error(&world.admin.delete(path).await), (404, "Server not found"));
    }
}

pub(super) async fn row_21_everybody_gets_the_test_notification(world: Arc<World>) {
    let (status, body) = world.admin.call(Method::POST, "/admin/test-notification", Some(json!({}))).await;
    assert_eq!((status, &body["result"]["success"]), (200, &json!(true)), "{body}");
    for person in [&world.user, &world.other] {
        let (_, list) = person.get("/notifications").await;
        let found = list["notifications"].as_array().expect("a list").iter().any(|notification| {
            notification["title"] == "Test Notification" && notification["data"]["type"] == "simple_test"
        });
        assert!(found, "{list}");
    }
    let unknown = world.admin.post("/admin/test-notification", json!({"type": "x"})).await;
    assert_eq!((unknown.0, &unknown.1["result"]["message"]), (400, &json!("Unknown test type")), "{unknown:?}");
}

pub(super) async fn row_06_and_20_a_second_issuer_and_a_worker_need_no_code(world: Arc<World>) {
    let without = world.admin.get("/worker-health").await;
    assert_eq!((without.0, &without.1["worker_status"]), (503, &json!("unavailable")), "{without:?}");
    assert!(without.1["queue"]["visible"].is_u64(), "{without:?}");

    let issuer = TestIssuer::default();
    let keys = Stub::start(200, issuer.jwks().to_string()).await;
    let worker = Stub::start(200, r#"{"worker": "ready"}"#.to_owned()).await;
    let firebase = json!({
        "kind": "firebase", "primary": false, "issuer": "https://issuer.test", "jwks_url": keys.url, "audience": "demo",
    });
    world.accept(firebase).await;
    let changes = [("WORKER_SERVICE_URL", worker.url.clone())];
    world.cloud.reconfigure("thakii-backend-api-local", &changes).await;

    let (status, healthy) = world.admin.get("/worker-health").await;
    assert_eq!((status, &healthy["worker_response"]), (200, &json!({"worker": "ready"})), "{healthy}");
    worker.answer(500, "{}");
    let unhealthy = world.admin.get("/worker-health").await;
    assert_eq!((error(&unhealthy), &unhealthy.1["worker_status"]), ((503, "HTTP 500"), &json!("unhealthy")));

    let now = jiff::Timestamp::now().as_second();
    let token = |audience: &str| {
        issuer.token(&json!({
            "iss": "https://issuer.test", "aud": audience, "sub": "fire", "email": "fire@example.com", "iat": now,
            "exp": now + 600, "firebase": {"sign_in_provider": "google.com"},
        }))
    };
    assert_eq!(world.anonymous.with_token(token("demo")).get("/list").await.0, 200);
    assert_eq!(world.anonymous.with_token(token("other")).get("/list").await.0, 401);
    assert_eq!(world.user.get("/list").await.0, 200);
}
