//! API keys.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::world::{ANA, Answer, BEN, Event, UNKNOWN, World};
use crate::api::keys;

async fn created(world: &World, body: &Value) -> Answer {
    world.call(keys::router, Event::new("POST", "/api-keys").by(ANA).body(body)).await
}

#[tokio::test(flavor = "current_thread")]
async fn a_keys_secret_is_in_one_response_only() {
    let world = World::new();
    let body = json!({ "name": "CI", "scopes": ["read"], "expiresAt": "2099-01-01T00:00:00Z" });
    let data = created(&world, &body).await.data(201);
    let (id, text) = (data["keyId"].as_str().expect("an ID"), data["key"].as_str().expect("a key"));
    let secret =
        text.strip_prefix(&id.replace("key:", "lbk_")).and_then(|rest| rest.strip_prefix('_')).expect("a secret");
    assert_eq!(secret.len(), 64);
    let stored = world.memory.get("api-keys", &[id]).expect("the row");
    assert_eq!(stored["secretHash"], json!(hex::encode(Sha256::digest(secret))));
    assert!(!stored.to_string().contains(secret), "{stored}");
    let listed = world.call(keys::router, Event::new("GET", "/api-keys").by(ANA)).await.data(200);
    assert_eq!((&listed["count"], &listed["apiKeys"][0]["name"]), (&json!(1), &json!("CI")));
    assert!(!listed.to_string().contains("ecretHash") && !listed.to_string().contains(secret), "{listed}");
    let of_ben = world.call(keys::router, Event::new("GET", "/api-keys").by(BEN)).await.data(200);
    assert_eq!(of_ben["count"], 0);
}

#[tokio::test(flavor = "current_thread")]
async fn an_invalid_key_names_its_field() {
    let world = World::new();
    for (body, field) in [
        (json!({ "scopes": ["read"] }), "name"),
        (json!({ "name": "x" }), "scopes"),
        (json!({ "name": "x", "scopes": [] }), "scopes"),
        (json!({ "name": "x", "scopes": ["admin"] }), "scopes"),
        (json!({ "name": "x", "scopes": ["read"], "expiresAt": "soon" }), "expiresAt"),
        (json!({ "name": "x", "scopes": ["read"], "expiresAt": "2020-01-01T00:00:00Z" }), "expiresAt"),
    ] {
        assert_eq!(created(&world, &body).await.field(), field, "{body}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_key_is_deleted_by_its_own_account_once() {
    let world = World::new();
    let data = created(&world, &json!({ "name": "CI", "scopes": ["write"] })).await.data(201);
    let path = format!("/api-keys/{}", data["keyId"].as_str().expect("an ID"));
    let delete = async |event: Event| world.call(keys::router, event).await;
    delete(Event::new("DELETE", &path).by(BEN)).await.error(403, "ACCESS_DENIED");
    delete(Event::new("DELETE", &path).by_reader(ANA)).await.error(403, "INSUFFICIENT_ROLE");
    assert_eq!(delete(Event::new("DELETE", &path).by(ANA)).await.status(), 204);
    delete(Event::new("DELETE", &path).by(ANA)).await.error(404, "KEY_NOT_FOUND");
    delete(Event::new("DELETE", &format!("/api-keys/{UNKNOWN}")).by(ANA)).await.error(404, "KEY_NOT_FOUND");
    assert!(world.memory.all("api-keys").is_empty());
}
