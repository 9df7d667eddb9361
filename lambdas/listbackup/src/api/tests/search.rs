//! Searches.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::world::{ANA, Answer, BEN, Event, SOURCE, World, file, source};
use crate::api::search;

async fn found(world: &World, body: &Value) -> Answer {
    world.call(search::router, Event::new("POST", "/data/search").by_reader(ANA).body(body)).await
}

fn paths(page: &Value) -> Vec<&str> {
    page["files"].as_array().expect("files").iter().map(|file| file["path"].as_str().expect("a path")).collect()
}

#[tokio::test(flavor = "current_thread")]
async fn matches_are_ordered_by_beginning_name_and_path() {
    let world = World::new();
    for (number, path) in [(1, "b/C.JSON"), (2, "c.json/x.txt"), (3, "abc.json"), (4, "d.jpg")] {
        world.memory.insert("files", file(number, ANA, SOURCE, path));
    }
    world.memory.insert("files", file(5, BEN, "source:ben", "c.json"));
    let page = found(&world, &json!({ "query": "C.json" })).await.data(200);
    assert_eq!(paths(&page), ["b/C.JSON", "abc.json", "c.json/x.txt"]);
    assert_eq!((&page["query"], &page["filters"], &page["hasMore"]), (&json!("C.json"), &json!({}), &json!(false)));
}

#[tokio::test(flavor = "current_thread")]
async fn an_empty_query_and_wrong_filters_name_their_field() {
    let world = World::new();
    for (body, field) in [
        (json!({}), "query"),
        (json!({ "query": "" }), "query"),
        (json!({ "query": "  " }), "query"),
        (json!({ "query": 7 }), "query"),
        (json!({ "query": "x", "filters": 7 }), "filters"),
        (json!({ "query": "x", "filters": { "sizeMin": "1" } }), "filters.sizeMin"),
        (json!({ "query": "x", "filters": { "other": 1 } }), "filters.other"),
        (json!({ "query": "x", "filters": { "fileType": "x" } }), "fileType"),
        (json!({ "query": "x", "limit": 101 }), "limit"),
        (json!({ "query": "x", "limit": "5" }), "limit"),
    ] {
        assert_eq!(found(&world, &body).await.field(), field, "{body}");
    }
    for cursor in [json!("x"), json!(7)] {
        found(&world, &json!({ "query": "x", "lastKey": cursor })).await.error(400, "INVALID_CURSOR");
    }
    assert_eq!(world.table_calls(), 0);
}

#[tokio::test(flavor = "current_thread")]
async fn filters_select_source_type_size_and_time() {
    let world = World::new();
    world.memory.insert("sources", source(SOURCE, ANA));
    for (number, source_id, size, kind) in
        [(1, SOURCE, 10, "document"), (2, SOURCE, 20, "image"), (3, "source:x", 30, "image")]
    {
        let mut row = file(number, ANA, source_id, &format!("file{number}"));
        row["sizeBytes"] = json!(size);
        row["fileType"] = json!(kind);
        world.memory.insert("files", row);
    }
    for (filters, expected) in [
        (json!({ "sourceId": SOURCE }), vec!["file2", "file1"]),
        (json!({ "fileType": "image" }), vec!["file3", "file2"]),
        (json!({ "sizeMin": 20 }), vec!["file3", "file2"]),
        (json!({ "sizeMax": 20, "sizeMin": 11 }), vec!["file2"]),
        (json!({ "dateTo": "2026-01-31T00:00:01Z" }), vec!["file1"]),
    ] {
        let page = found(&world, &json!({ "query": "file", "filters": filters })).await.data(200);
        assert_eq!((paths(&page), &page["filters"]), (expected, &filters));
    }
    let foreign = json!({ "query": "x", "filters": { "sourceId": "77777777-7777-4777-8777-777777777777" } });
    world.memory.insert("sources", source("source:77777777-7777-4777-8777-777777777777", BEN));
    found(&world, &foreign).await.error(403, "ACCESS_DENIED");
}

#[tokio::test(flavor = "current_thread")]
async fn ten_thousand_rows_take_at_most_twelve_calls_a_page() {
    let world = World::new();
    world.memory.insert("sources", source(SOURCE, ANA));
    for number in 1..=10_000 {
        let name = if number % 2500 == 1 { "needle" } else { "straw" };
        world.memory.insert("files", file(number, ANA, SOURCE, &format!("{name}{number}.txt")));
    }
    let search = json!({ "query": "needle", "filters": { "sourceId": SOURCE } });
    let page = found(&world, &search).await.data(200);
    assert_eq!((paths(&page).len(), &page["hasMore"]), (4, &json!(false)));
    assert!(world.table_calls() <= 12, "{} calls", world.table_calls());
    let examined = world.script.bodies("DynamoDB.Query");
    assert!(examined.iter().all(|query| query["Limit"].as_u64().is_some_and(|limit| limit <= 1000)));

    let before = world.table_calls();
    let first = found(&world, &json!({ "query": "straw" })).await.data(200);
    assert_eq!((paths(&first).len(), world.table_calls() - before), (50, 1));
}

#[tokio::test(flavor = "current_thread")]
async fn pages_neither_repeat_nor_omit_matches() {
    let world = World::new();
    for number in 1..=2500 {
        let name = if number % 100 == 0 { "needle" } else { "straw" };
        world.memory.insert("files", file(number, ANA, SOURCE, &format!("{name}{number}.txt")));
    }
    let (mut all, mut cursor, mut pages) = (BTreeSet::new(), Value::Null, 0);
    loop {
        let search = json!({ "query": "needle", "limit": 4, "lastKey": cursor });
        let page = found(&world, &search).await.data(200);
        for path in paths(&page) {
            assert!(all.insert(path.to_owned()), "{path} is repeated");
        }
        pages += 1;
        assert!(pages < 20, "the search ends");
        cursor = page["lastKey"].clone();
        if page["hasMore"] == false {
            break;
        }
    }
    assert_eq!(all.len(), 25);
}
