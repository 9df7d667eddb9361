//! What the API takes and refuses: authorization, CORS, validation.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{acceptance::World, client::Client};

const MIB: u64 = 1024 * 1024;

pub(crate) async fn row_08_no_token_or_a_bad_one_is_refused(world: Arc<World>) {
    for client in [&world.anonymous, &world.forged] {
        let refused = client.post("/media", json!({ "contentType": "image/jpeg", "contentLength": 1 })).await;
        assert_eq!(refused.status(), 401);
    }
}

pub(crate) async fn row_09_an_upload_link_names_the_owner_and_expires(world: Arc<World>) {
    let created = world.user.post("/media", json!({ "contentType": "image/jpeg", "contentLength": 1000 })).await;
    assert_eq!(created.status(), 201);
    let created: Value = created.json().await.unwrap();
    let filename = created["filename"].as_str().unwrap();
    assert_eq!(uuid::Uuid::parse_str(filename).unwrap().get_version_num(), 4);
    assert_eq!(created["key"], format!("{}/images/{filename}", world.username));
    assert_eq!(created["expiresIn"], 3600);
    assert_eq!(created["method"], "PUT");
    assert_eq!(created["headers"]["Content-Type"], "image/jpeg", "{created:#}");
}

pub(crate) async fn cors_answers_listed_origins_only(world: Arc<World>) {
    let listed = "http://localhost:3000";
    for path in ["/media", "/media/multipart", "/media/3f1c1f5e-6a53-4b6c-9a57-0b1f9d0f9a11"] {
        let preflight = world.anonymous.options(path, listed).await;
        assert_eq!(preflight.status(), 204, "{path}");
        assert_eq!(preflight.headers()["access-control-allow-origin"], listed);
        let other = world.anonymous.options(path, "https://evil.example").await;
        assert_eq!(other.status(), 204);
        assert!(!other.headers().contains_key("access-control-allow-origin"));
    }
}

pub(crate) async fn row_15_unknown_sizes_extensions_and_filenames_are_refused(world: Arc<World>) {
    let any = uuid::Uuid::new_v4();
    for (path, field, named) in [
        (format!("/media/{any}?size=giant"), "size", "tiny"),
        (format!("/media/{any}?extension=exe"), "extension", "webm"),
        ("/media/abc".to_owned(), "filename", "UUID"),
    ] {
        let refused = world.user.get(&path).await;
        assert_eq!(refused.status(), 400, "{path}");
        let body: Value = refused.json().await.unwrap();
        assert_eq!(body["statusCode"], 400);
        assert_eq!(body["details"]["field"], field, "{body:#}");
        assert!(body["message"].as_str().unwrap().contains(named), "{body:#}");
    }
}

pub(crate) async fn row_16_an_unknown_filename_is_not_found(world: Arc<World>) {
    let unknown = uuid::Uuid::new_v4();
    assert_eq!(world.user.get(&format!("/media/{unknown}")).await.status(), 404);
    assert_eq!(world.user.get(&format!("/media/{unknown}/manifest")).await.status(), 404);
    assert_eq!(world.user.send(Method::HEAD, &format!("/media/{unknown}"), None).await.status(), 404);
    assert_eq!(world.user.send(Method::DELETE, &format!("/media/{unknown}"), None).await.status(), 404);
}

pub(crate) async fn row_17_other_types_are_refused(world: Arc<World>) {
    for content_type in ["image/svg+xml", "text/plain", "image/heic", "video/x-msvideo"] {
        refused(&world.user, "/media", json!({ "contentType": content_type, "contentLength": 10 }), 415).await;
    }
}

pub(crate) async fn row_18_files_that_are_too_large_are_refused(world: Arc<World>) {
    let request =
        |content_type: &str, mebibytes: u64| json!({ "contentType": content_type, "contentLength": mebibytes * MIB });
    refused(&world.user, "/media", request("image/jpeg", 60), 413).await;
    refused(&world.user, "/media/multipart", request("video/mp4", 3 * 1024), 413).await;
    let single = refused(&world.user, "/media", request("video/mp4", 200), 413).await;
    assert!(single["message"].as_str().unwrap().contains("/media/multipart"), "{single:#}");
}

pub(crate) async fn missing_and_malformed_fields_are_named(world: Arc<World>) {
    for (body, field) in [
        (json!({ "contentLength": 10 }), "contentType"),
        (json!({ "contentType": "image/png" }), "contentLength"),
        (json!({ "contentType": "image/png", "contentLength": "ten" }), "contentLength"),
        (json!({ "contentType": "image/png", "contentLength": 0 }), "contentLength"),
        (json!({ "contentType": "image/png", "contentLength": 1.5 }), "contentLength"),
        (json!({ "contentType": "image/png", "data": "%%%" }), "data"),
        (json!({ "contentType": "image/png", "data": "AAAA", "contentLength": 3 }), "data"),
    ] {
        let answer = refused(&world.user, "/media", body.clone(), 400).await;
        let text = answer.to_string();
        assert!(text.contains(field), "{body} → {answer:#}");
    }
    let unknown = uuid::Uuid::new_v4().to_string();
    let poster = json!({ "contentType": "image/png", "contentLength": 10, "posterFor": unknown });
    refused(&world.user, "/media", poster, 404).await;
}

async fn refused(client: &Client, path: &str, body: Value, status: u16) -> Value {
    let answer = client.post(path, body.clone()).await;
    assert_eq!(answer.status(), status, "{path} {body}");
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["statusCode"], status, "{answer:#}");
    assert!(answer["error"].is_string() && answer["message"].is_string(), "{answer:#}");
    answer
}
