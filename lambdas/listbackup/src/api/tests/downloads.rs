//! Downloads.

use std::io::Write;

use base64::{Engine, prelude::BASE64_STANDARD};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use super::world::{ANA, Answer, BEN, Event, SOURCE, World, file};
use crate::api::download;

const ID: &str = "00000000000000000000000000000001";

async fn downloaded(world: &World, body: &Value) -> Answer {
    world.call(download::router, Event::new("POST", "/data/download").by_reader(ANA).body(body)).await
}

fn direct() -> Value {
    json!({ "fileId": format!("file:{ID}"), "downloadType": "direct" })
}

/// A stage whose bucket answers with this object.
fn with_object(row: Value, object: Vec<u8>) -> World {
    let world = World::new();
    world.memory.insert("files", row);
    // Script bodies are texts, so the object travels as Latin-1 characters would; only ASCII objects reach the handler unchanged.
    let object = String::from_utf8(object).expect("ASCII");
    world.answer(move |request| (request.action == "S3.GET").then(|| (200, object.clone())));
    world
}

#[tokio::test(flavor = "current_thread")]
async fn a_link_answers_as_an_attachment_of_a_harmless_type() {
    let world = World::new();
    world.memory.insert("files", file(1, ANA, SOURCE, "b/page \"1\".html"));
    let data = downloaded(&world, &json!({ "fileId": ID })).await.data(200);
    assert_eq!(
        (&data["downloadType"], &data["expiresIn"], &data["fileSize"]),
        (&json!("url"), &json!(3600), &json!(10))
    );
    let link = data["downloadUrl"].as_str().expect("a link");
    assert!(link.contains("response-content-disposition=attachment%3B%20filename%3D%22page%20_1_.html%22"), "{link}");
    assert!(link.contains("response-content-type=application%2Foctet-stream"), "{link}");
    assert!(link.contains("versionId=v1") && link.contains("X-Amz-Expires=3600"), "{link}");
    assert!(world.memory.all("activity").iter().any(|row| row["type"] == "file.downloaded"));
    assert_eq!(world.count("S3.GET"), 0);
}

#[tokio::test(flavor = "current_thread")]
async fn a_small_file_is_returned_directly() {
    let world = with_object(file(1, ANA, SOURCE, "a.txt"), b"0123456789".to_vec());
    let data = downloaded(&world, &direct()).await.data(200);
    let content = BASE64_STANDARD.decode(data["content"].as_str().expect("content")).expect("base64");
    assert_eq!((content.as_slice(), &data["contentType"]), (b"0123456789".as_slice(), &json!("text/html")));
}

#[tokio::test(flavor = "current_thread")]
async fn large_files_are_not_returned_directly() {
    let limit = 4 * 1024 * 1024;
    let mut row = file(1, ANA, SOURCE, "a.txt");
    row["sizeBytes"] = json!(limit + 1);
    let world = with_object(row, Vec::new());
    assert_eq!(downloaded(&world, &direct()).await.error(400, "FILE_TOO_LARGE")["maxSize"], json!(limit));
    assert_eq!(world.count("S3.GET"), 0);
    // The row is wrong about the size.
    let world = with_object(file(1, ANA, SOURCE, "a.txt"), vec![b'x'; limit + 1]);
    downloaded(&world, &direct()).await.error(400, "FILE_TOO_LARGE");
}

#[test]
fn the_limit_counts_decoded_bytes() {
    let compress = |size: usize| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&vec![0; size]).expect("memory");
        encoder.finish().expect("memory")
    };
    let bomb = compress(64 * 1024 * 1024);
    assert!(bomb.len() < 100 * 1024);
    assert_eq!(download::decoded(&bomb).expect("gzip"), None);
    let limit = 4 * 1024 * 1024;
    assert_eq!(download::decoded(&compress(limit)).expect("gzip").map(|content| content.len()), Some(limit));
    assert_eq!(download::decoded(&compress(limit + 1)).expect("gzip"), None);
    assert!(download::decoded(b"no gzip").is_err());
}

#[tokio::test(flavor = "current_thread")]
async fn wrong_requests_and_foreign_files_are_refused() {
    let world = World::new();
    world.memory.insert("files", file(1, BEN, "source:ben", "a.txt"));
    assert_eq!(downloaded(&world, &json!({})).await.field(), "fileId");
    let other = json!({ "fileId": ID, "downloadType": "stream" });
    assert_eq!(downloaded(&world, &other).await.field(), "downloadType");
    downloaded(&world, &json!({ "fileId": ID })).await.error(403, "ACCESS_DENIED");
    for id in ["00000000000000000000000000000002", "x", "../a"] {
        downloaded(&world, &json!({ "fileId": id })).await.error(404, "FILE_NOT_FOUND");
    }
    assert!(world.memory.all("activity").is_empty());
}
