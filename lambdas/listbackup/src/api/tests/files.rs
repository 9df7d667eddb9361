//! Lists of files and of activity, and their cursors.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::world::{ANA, Answer, BEN, Event, SOURCE, UNKNOWN, World, file, source};
use crate::api::{activity, files};

async fn listed(world: &World, query: &str) -> Answer {
    world.call(files::router, Event::new("GET", &format!("/data/files?{query}")).by_reader(ANA)).await
}

fn names(page: &Value) -> Vec<&str> {
    page["files"].as_array().expect("files").iter().map(|file| file["name"].as_str().expect("a name")).collect()
}

fn world() -> World {
    let world = World::new();
    world.memory.insert("sources", source(SOURCE, ANA));
    world.memory.insert("files", file(1, ANA, SOURCE, "a.txt"));
    world.memory.insert("files", file(2, ANA, SOURCE, "b/c.json"));
    world.memory.insert("files", file(3, ANA, "source:other", "d.jpg"));
    world.memory.insert("files", file(4, BEN, "source:ben", "secret.txt"));
    world
}

#[tokio::test(flavor = "current_thread")]
async fn files_are_listed_in_pages_without_repetition() {
    let world = world();
    let first = listed(&world, "limit=2").await.data(200);
    assert_eq!((names(&first), &first["hasMore"], &first["count"]), (vec!["d.jpg", "c.json"], &json!(true), &json!(2)));
    let cursor = first["lastKey"].as_str().expect("a cursor").to_owned();
    let second = listed(&world, &format!("limit=2&lastKey={cursor}")).await.data(200);
    assert_eq!((names(&second), &second["hasMore"], &second["lastKey"]), (vec!["a.txt"], &json!(false), &Value::Null));
    assert!(first["files"][0].get("pathLower").is_none());
    // A page that ends with the list has no cursor.
    let all = listed(&world, "limit=3").await.data(200);
    assert_eq!((names(&all).len(), &all["hasMore"]), (3, &json!(false)));
}

#[tokio::test(flavor = "current_thread")]
async fn a_foreign_or_altered_cursor_is_refused_before_anything_is_read() {
    let world = world();
    let cursor = listed(&world, "limit=2").await.data(200)["lastKey"].as_str().expect("a cursor").to_owned();
    let before = world.table_calls();
    let event = Event::new("GET", &format!("/data/files?lastKey={cursor}")).by(BEN);
    world.call(files::router, event).await.error(400, "INVALID_CURSOR");
    let json = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(&cursor).expect("base64")).expect("JSON");
    let altered = BASE64_URL_SAFE_NO_PAD.encode(json.replace("000002", "000001"));
    let other_account = BASE64_URL_SAFE_NO_PAD.encode(json.replace(ANA, BEN));
    // The cursor continues outside of this range.
    for range in ["dateFrom=2026-02-01", "dateTo=2026-01-30"] {
        listed(&world, &format!("{range}&lastKey={cursor}")).await.error(400, "INVALID_CURSOR");
    }
    for cursor in ["x", &altered, &other_account] {
        listed(&world, &format!("lastKey={cursor}")).await.error(400, "INVALID_CURSOR");
        listed(&world, &format!("sourceId={SOURCE}&lastKey={cursor}")).await.error(400, "INVALID_CURSOR");
    }
    assert_eq!(world.table_calls(), before);
}

#[tokio::test(flavor = "current_thread")]
async fn files_are_filtered_by_source_type_and_time() {
    let world = world();
    let mut image = file(5, ANA, SOURCE, "e.png");
    image["fileType"] = json!("image");
    world.memory.insert("files", image);
    for (query, expected) in [
        (format!("sourceId={SOURCE}"), vec!["e.png", "c.json", "a.txt"]),
        ("fileType=image".to_owned(), vec!["e.png"]),
        ("dateFrom=2026-01-31T00:00:02Z&dateTo=2026-01-31T00:00:03Z".to_owned(), vec!["d.jpg", "c.json"]),
        ("dateFrom=2026-01-31&dateTo=2026-01-31".to_owned(), vec!["e.png", "d.jpg", "c.json", "a.txt"]),
        ("dateFrom=2026-02-01".to_owned(), vec![]),
        ("dateTo=2026-01-30".to_owned(), vec![]),
    ] {
        assert_eq!(names(&listed(&world, &query).await.data(200)), expected, "{query}");
    }
    for (query, field) in [
        ("fileType=x", "fileType"),
        ("dateFrom=yesterday", "dateFrom"),
        ("dateFrom=2026-02-01&dateTo=2026-01-01", "dateTo"),
        ("limit=1000", "limit"),
    ] {
        assert_eq!(listed(&world, query).await.field(), field);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn files_of_another_accounts_source_are_denied_even_after_its_deletion() {
    let world = world();
    world.memory.insert("sources", source("source:ben", BEN));
    let id = format!("source:{UNKNOWN}");
    world.memory.insert("sources", source(&id, BEN));
    world.memory.insert("files", file(6, BEN, &id, "private.txt"));
    listed(&world, &format!("sourceId={UNKNOWN}")).await.error(403, "ACCESS_DENIED");
    listed(&world, "sourceId=x").await.error(404, "SOURCE_NOT_FOUND");
    // Without its source, the files stay, for their own account only.
    let deleted = "source:88888888-8888-4888-8888-888888888888";
    world.memory.insert("files", file(7, BEN, deleted, "private.txt"));
    world.memory.insert("files", file(8, ANA, SOURCE, "own.txt"));
    assert!(names(&listed(&world, &format!("sourceId={deleted}")).await.data(200)).is_empty());
    let ben = Event::new("GET", &format!("/data/files?sourceId={deleted}")).by(BEN);
    assert_eq!(names(&world.call(files::router, ben).await.data(200)), ["private.txt"]);
}

fn activity_row(number: i64, account_id: &str, activity_type: &str, ttl: i64) -> Value {
    json!({
        "eventId": format!("event-{number}"), "accountId": account_id, "type": activity_type, "action": "created",
        "resourceType": activity_type.split('.').next(), "resourceId": "x", "status": "success", "message": "m",
        "metadata": {}, "timestamp": 1_700_000_000_000_i64 + number, "ttl": ttl,
    })
}

#[tokio::test(flavor = "current_thread")]
async fn activity_is_listed_newest_first_without_expired_rows() {
    let world = World::new();
    let later = 4_000_000_000;
    for (number, account, kind, ttl) in [
        (1, ANA, "job.created", later),
        (2, ANA, "source.connected", later),
        (3, ANA, "job.run.queued", later),
        (4, ANA, "job.created", 1),
        (5, BEN, "job.created", later),
    ] {
        world.memory.insert("activity", activity_row(number, account, kind, ttl));
    }
    let call = async |query: &str| {
        world.call(activity::router, Event::new("GET", &format!("/activity?{query}")).by_reader(ANA)).await
    };
    let ids = |page: &Value| -> Vec<String> {
        let rows = page["activities"].as_array().expect("rows").iter();
        rows.map(|row| row["eventId"].as_str().expect("an ID").replace("event-", "")).collect()
    };
    let first = call("limit=2").await.data(200);
    assert_eq!((ids(&first), &first["hasMore"]), (vec!["3".to_owned(), "2".to_owned()], &json!(true)));
    let cursor = first["lastKey"].as_str().expect("a cursor").to_owned();
    let second = call(&format!("limit=2&lastKey={cursor}")).await.data(200);
    assert_eq!((ids(&second), &second["hasMore"]), (vec!["1".to_owned()], &json!(false)));
    assert_eq!(ids(&call("resourceType=job").await.data(200)), ["3", "1"]);
    assert_eq!(ids(&call("type=source.connected").await.data(200)), ["2"]);
    let event = Event::new("GET", &format!("/activity?lastKey={cursor}")).by(BEN);
    world.call(activity::router, event).await.error(400, "INVALID_CURSOR");
}
