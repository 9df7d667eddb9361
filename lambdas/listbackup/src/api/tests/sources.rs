//! Sources and their credentials.

use serde_json::{Value, json};
use tables::testing::error_reply;

use super::world::{ANA, Answer, BEN, Event, JOB, SOURCE, UNKNOWN, World, job, source};
use crate::api::sources::{create, delete, list, update};

fn s3() -> Value {
    json!({ "name": "Photos", "type": "s3", "config": { "bucket": "lb-src" } })
}

fn http(credentials: Value) -> Value {
    json!({
        "name": "Site", "type": "http", "config": { "urls": ["https://files.example.com/a.txt"] },
        "credentials": credentials,
    })
}

async fn created(world: &World, body: &Value) -> Answer {
    world.call(create::router, Event::new("POST", "/sources").by(ANA).body(body)).await
}

async fn updated(world: &World, source_id: &str, body: &Value) -> Answer {
    world.call(update::router, Event::new("PUT", &format!("/sources/{source_id}")).by(ANA).body(body)).await
}

async fn deleted(world: &World, source_id: &str) -> Answer {
    world.call(delete::router, Event::new("DELETE", &format!("/sources/{source_id}")).by(ANA)).await
}

fn usage(world: &World) -> Value {
    world.memory.get("accounts", &[ANA]).expect("the account")["usage"]["sources"].clone()
}

#[tokio::test(flavor = "current_thread")]
async fn a_source_is_created_counted_and_announced() {
    let world = World::new();
    let source = created(&world, &s3()).await.data(201)["source"].clone();
    assert_eq!((&source["status"], &source["accountId"]), (&json!("active"), &json!(ANA)));
    assert_eq!(usage(&world), json!(1));
    assert_eq!(world.memory.all("activity")[0]["type"], "source.connected");
    let event = &world.script.bodies("AWSEvents.PutEvents")[0]["Entries"][0];
    assert_eq!((&event["Source"], &event["DetailType"]), (&json!("listbackup.sources"), &json!("Source Connected")));
    let listed = world.call(list::router, Event::new("GET", "/sources").by_reader(ANA)).await.data(200);
    assert_eq!((&listed["count"], &listed["sources"][0]), (&json!(1), &source));
    let of_ben = world.call(list::router, Event::new("GET", "/sources").by(BEN)).await.data(200);
    assert_eq!(of_ben["sources"], json!([]));
}

#[tokio::test(flavor = "current_thread")]
async fn a_lost_event_fails_no_request() {
    let world = World::new();
    world.answer(|request| {
        (request.action == "AWSEvents.PutEvents").then(|| error_reply("InternalException")).flatten()
    });
    created(&world, &s3()).await.data(201);
}

#[tokio::test(flavor = "current_thread")]
async fn the_fourth_source_of_a_free_account_is_refused_and_not_counted() {
    let world = World::new();
    for _ in 0..3 {
        created(&world, &s3()).await.data(201);
    }
    created(&world, &s3()).await.error(403, "LIMIT_EXCEEDED");
    assert_eq!((usage(&world), world.memory.all("sources").len()), (json!(3), 3));
    // The secret of a refused source does not remain.
    created(&world, &http(json!({ "headers": { "Authorization": "Bearer s3cret" } })))
        .await
        .error(403, "LIMIT_EXCEEDED");
    let (made, gone) =
        (world.script.bodies("secretsmanager.CreateSecret"), world.script.bodies("secretsmanager.DeleteSecret"));
    assert_eq!(made[0]["Name"], gone[0]["SecretId"]);
}

#[tokio::test(flavor = "current_thread")]
async fn an_invalid_source_names_its_field() {
    let world = World::new();
    for (body, field) in [
        (json!({ "type": "s3", "config": {} }), "name"),
        (json!({ "name": 7, "type": "s3", "config": {} }), "name"),
        (json!({ "name": "x", "config": {} }), "type"),
        (json!({ "name": "x", "type": "s3" }), "config"),
        (json!({ "name": "x", "type": "s3", "config": "lb-src" }), "config"),
        (
            json!({ "name": "x", "type": "s3", "config": { "bucket": "lb-src" }, "settings": { "includeFolders": 1 } }),
            "settings",
        ),
        (json!({ "name": "x", "type": "s3", "config": { "bucket": "lb-src" }, "credentials": "x" }), "credentials"),
        (http(json!({ "headers": { "Authorization": 7 } })), "credentials.headers"),
        (http(json!({ "headers": { "a\nb": "x" } })), "credentials.headers"),
        (http(json!({ "headers": { "Authorization": "***" } })), "credentials.headers"),
    ] {
        assert_eq!(created(&world, &body).await.field(), field, "{body}");
    }
    assert_eq!((world.memory.all("sources").len(), world.count("secretsmanager.CreateSecret")), (0, 0));
}

#[tokio::test(flavor = "current_thread")]
async fn a_type_without_connector_and_the_bucket_of_backups_are_refused() {
    let world = World::new();
    let dropbox = json!({ "name": "x", "type": "dropbox", "config": {} });
    let body = created(&world, &dropbox).await.error(422, "INTEGRATION_NOT_CONFIGURED");
    assert!(body["error"].as_str().is_some_and(|text| text.contains("dropbox")), "{body}");
    for config in [json!({ "bucket": "listbackup-data-test" }), json!({})] {
        let body = json!({ "name": "x", "type": "s3", "config": config });
        created(&world, &body).await.error(400, "VALIDATION_FAILED");
    }
    let metadata = json!({ "name": "x", "type": "http", "config": { "urls": ["http://169.254.169.254/latest"] } });
    created(&world, &metadata).await.error(400, "VALIDATION_FAILED");
    assert_eq!(world.table_calls(), 0);
}

#[tokio::test(flavor = "current_thread")]
async fn bodies_that_are_no_json_or_too_large_are_refused() {
    let world = World::new();
    for text in ["", "{", "[]", "7"] {
        let event = Event::new("POST", "/sources").by(ANA).text(text);
        world.call(create::router, event).await.error(400, "INVALID_JSON");
    }
    let large = json!({ "name": "x".repeat(256 * 1024) }).to_string();
    let event = Event::new("POST", "/sources").by(ANA).text(&large);
    assert_eq!(world.call(create::router, event).await.status(), 413);
}

#[tokio::test(flavor = "current_thread")]
async fn a_reader_changes_nothing() {
    let world = World::new();
    world.memory.insert("sources", source(SOURCE, ANA));
    let path = format!("/sources/{SOURCE}");
    let event = |method, path: &str| Event::new(method, path).by_reader(ANA).body(&s3());
    world.call(create::router, event("POST", "/sources")).await.error(403, "INSUFFICIENT_ROLE");
    world.call(update::router, event("PUT", &path)).await.error(403, "INSUFFICIENT_ROLE");
    world.call(delete::router, event("DELETE", &path)).await.error(403, "INSUFFICIENT_ROLE");
    assert_eq!(world.table_calls(), 0);
}

#[tokio::test(flavor = "current_thread")]
async fn the_source_of_another_account_is_denied_and_an_unknown_one_not_found() {
    let world = World::new();
    world.memory.insert("sources", source(SOURCE, BEN));
    let before = world.memory.all("sources");
    updated(&world, SOURCE, &json!({ "name": "x" })).await.error(403, "ACCESS_DENIED");
    deleted(&world, SOURCE).await.error(403, "ACCESS_DENIED");
    for id in [UNKNOWN, "source:x", "..", JOB] {
        updated(&world, id, &json!({ "name": "x" })).await.error(404, "SOURCE_NOT_FOUND");
        deleted(&world, id).await.error(404, "SOURCE_NOT_FOUND");
    }
    assert_eq!(world.memory.all("sources"), before);
}

#[tokio::test(flavor = "current_thread")]
async fn credentials_are_a_secret_and_come_back_hidden() {
    let world = World::new();
    let headers = json!({ "Authorization": "Bearer s3cret", "X-Team": "blue" });
    let source = created(&world, &http(json!({ "headers": headers }))).await.data(201)["source"].clone();
    let id = source["sourceId"].as_str().expect("an ID").to_owned();
    let secret = &world.script.bodies("secretsmanager.CreateSecret")[0];
    assert!(secret["ClientRequestToken"].as_str().is_some_and(|token| (32..=64).contains(&token.len())), "{secret}");
    let uuid = id.strip_prefix("source:").expect("a prefix");
    assert_eq!(secret["Name"], json!(format!("listbackup/test/sources/{uuid}")));
    let text = secret["SecretString"].as_str().expect("a text");
    assert_eq!(serde_json::from_str::<Value>(text).expect("JSON"), json!({ "headers": headers }));
    let hidden = json!({ "headers": { "Authorization": "***", "X-Team": "***" } });
    assert_eq!(source["credentials"], hidden);
    let stored = format!("{:?}{:?}", world.memory.all("sources"), world.memory.all("activity"));
    assert!(!stored.contains("s3cret"), "{stored}");

    // Written back, hidden values change nothing.
    let update = json!({ "name": "New", "credentials": hidden });
    let changed = updated(&world, &id, &update).await.data(200)["source"].clone();
    assert_eq!((&changed["name"], &changed["credentials"]), (&json!("New"), &hidden));
    assert_eq!((world.count("secretsmanager.PutSecretValue"), world.count("secretsmanager.CreateSecret")), (0, 1));
    for headers in [json!({ "Authorization": "***" }), json!({ "Authorization": "***", "X-Team": "red" })] {
        let answer = updated(&world, &id, &json!({ "credentials": { "headers": headers } })).await;
        assert_eq!(answer.field(), "credentials.headers");
    }
    assert_eq!(world.count("secretsmanager.PutSecretValue"), 0);

    let new = json!({ "credentials": { "headers": { "Authorization": "Bearer other" } } });
    updated(&world, &id, &new).await.data(200);
    assert_eq!(world.count("secretsmanager.PutSecretValue"), 1);
    let none = updated(&world, &id, &json!({ "credentials": null })).await.data(200);
    assert_eq!((&none["source"]["credentials"], world.count("secretsmanager.DeleteSecret")), (&Value::Null, 1));
}

#[tokio::test(flavor = "current_thread")]
async fn an_update_changes_known_fields_only() {
    let world = World::new();
    world.memory.insert("sources", source(SOURCE, ANA));
    for body in [json!({}), json!({ "type": "http" }), json!({ "accountId": BEN })] {
        assert_eq!(updated(&world, SOURCE, &body).await.field(), "body");
    }
    for status in ["syncing", "error", "x"] {
        assert_eq!(updated(&world, SOURCE, &json!({ "status": status })).await.field(), "status");
    }
    let body = json!({ "status": "inactive", "type": "http", "accountId": BEN });
    let changed = updated(&world, SOURCE, &body).await.data(200)["source"].clone();
    assert_eq!(
        (&changed["status"], &changed["type"], &changed["accountId"]),
        (&json!("inactive"), &json!("s3"), &json!(ANA))
    );
    let event = &world.script.bodies("AWSEvents.PutEvents")[0]["Entries"][0];
    assert_eq!(event["DetailType"], "Source Updated");
}

#[tokio::test(flavor = "current_thread")]
async fn a_source_with_jobs_stays_and_one_without_is_deleted_once() {
    let world = World::new();
    let id = created(&world, &s3()).await.data(201)["source"]["sourceId"].as_str().expect("an ID").to_owned();
    world.memory.insert("jobs", job(JOB, ANA, &id));
    let body = deleted(&world, &id).await.error(400, "SOURCE_HAS_JOBS");
    assert_eq!((&body["jobCount"], usage(&world)), (&json!(1), json!(1)));
    let world = World::new();
    let id = created(&world, &s3()).await.data(201)["source"]["sourceId"].as_str().expect("an ID").to_owned();
    let answer = deleted(&world, &id).await;
    assert_eq!((answer.status(), answer.body()), (204, Value::Null));
    assert_eq!((usage(&world), world.memory.all("sources").len()), (json!(0), 0));
    deleted(&world, &id).await.error(404, "SOURCE_NOT_FOUND");
    assert_eq!(usage(&world), json!(0));
}

#[tokio::test(flavor = "current_thread")]
async fn a_source_that_is_deleted_during_an_update_stays_deleted() {
    let world = World::new();
    world.memory.insert("sources", source(SOURCE, ANA));
    world.answer(|request| {
        (request.action == "DynamoDB.UpdateItem").then(|| error_reply("ConditionalCheckFailedException")).flatten()
    });
    updated(&world, SOURCE, &json!({ "name": "x" })).await.error(404, "SOURCE_NOT_FOUND");
    let condition = &world.script.bodies("DynamoDB.UpdateItem")[0]["ConditionExpression"];
    assert!(condition.as_str().is_some_and(|text| text.contains("#accountId =")), "{condition}");
}
