//! Rows 19 to 21: lists with cursors, search, and downloads.

use std::{collections::BTreeSet, io::Read as _, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    stub::{Reply, Stub},
    world::{World, a_text},
};

fn paths(data: &Value) -> Vec<String> {
    let files = data["files"].as_array().expect("files").iter();
    files.map(|file| file["path"].as_str().expect("a path").to_owned()).collect()
}

pub(super) async fn row_19_files_have_pages_whose_cursors_are_the_account_s(world: Arc<World>) {
    let ana = &world.ana;
    let first = ana.get("/data/files?limit=2").await.ok(200);
    assert_eq!((paths(&first).len(), &first["count"], &first["hasMore"]), (2, &json!(2), &json!(true)), "{first:#}");
    let cursor = first["lastKey"].as_str().expect("a cursor");
    let second = ana.get(&format!("/data/files?limit=2&lastKey={cursor}")).await.ok(200);
    assert_eq!((paths(&second).len(), &second["hasMore"]), (1, &json!(false)), "{second:#}");
    let all: BTreeSet<_> = paths(&first).into_iter().chain(paths(&second)).collect();
    assert_eq!(all.len(), 3, "no file is repeated: {all:?}");
    let foreign = world.bob.get(&format!("/data/files?limit=2&lastKey={cursor}")).await;
    assert_eq!(foreign.error(400), "INVALID_CURSOR");
    for wrong in ["x", "e30", &format!("{cursor}x")] {
        assert_eq!(
            ana.get(&format!("/data/files?limit=2&lastKey={wrong}")).await.error(400),
            "INVALID_CURSOR",
            "{wrong}"
        );
    }
    // A cursor of another list names another table.
    let activity = ana.get("/activity?limit=1").await.ok(200);
    let other = activity["lastKey"].as_str().expect("a cursor");
    assert_eq!(ana.get(&format!("/data/files?lastKey={other}")).await.error(400), "INVALID_CURSOR");
    for limit in ["0", "101", "x", "-1"] {
        ana.get(&format!("/data/files?limit={limit}")).await.error(400);
    }
    let images = ana.get("/data/files?fileType=image").await.ok(200);
    assert_eq!(paths(&images), ["d.jpg"]);
}

pub(super) async fn row_20_files_are_found_by_name_and_path(world: Arc<World>) {
    let search = async |body: Value| world.ana.post("/data/search", body).await;
    let found = search(json!({ "query": "C.JSON" })).await.ok(200);
    assert_eq!((paths(&found), &found["query"]), (vec!["b/c.json".to_owned()], &json!("C.JSON")), "{found:#}");
    assert_eq!(paths(&search(json!({ "query": "b/" })).await.ok(200)), ["b/c.json"]);
    assert_eq!(search(json!({ "query": "absent" })).await.ok(200)["count"], 0);
    let large = search(json!({ "query": ".", "filters": { "sizeMin": 5000 } })).await.ok(200);
    assert_eq!(paths(&large), ["a.txt"]);
    for refused in [json!({ "query": "" }), json!({ "query": "   " }), json!({}), json!({ "query": 7 })] {
        search(refused).await.error(400);
    }
}

pub(super) async fn row_21_downloads_return_the_stored_content(world: Arc<World>) {
    let file = world.ana.files(&world.backup().source_id).await.remove(0);
    let id = file["fileId"].as_str().expect("an ID");
    let download = async |body: Value| world.ana.post("/data/download", body).await;
    let link = download(json!({ "fileId": id })).await.ok(200);
    assert_eq!((&link["fileName"], &link["downloadType"]), (&json!("a.txt"), &json!("url")), "{link:#}");
    assert_eq!((&link["expiresIn"], &link["fileSize"]), (&json!(3600), &json!(10_340)));
    let url = link["downloadUrl"].as_str().expect("a link");
    let response = world.anonymous.http.get(url).send().await.expect("a response");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let (disposition, media_type) =
        (response.headers()["content-disposition"].clone(), response.headers()["content-type"].clone());
    assert!(disposition.to_str().is_ok_and(|text| text.starts_with("attachment")), "{disposition:?}");
    assert_eq!(media_type, "application/octet-stream");
    let stored = response.bytes().await.expect("a body");
    let mut content = Vec::new();
    GzDecoder::new(stored.as_ref()).read_to_end(&mut content).expect("gzip");
    assert!(stored.len() < content.len(), "the text was compressed");
    assert_eq!(json!(hex::encode(Sha256::digest(&content))), file["hash"]);
    assert_eq!(content, a_text(100).as_bytes());

    let direct = download(json!({ "fileId": id, "downloadType": "direct" })).await.ok(200);
    let decoded = BASE64_STANDARD.decode(direct["content"].as_str().expect("a content")).expect("Base64");
    assert_eq!((decoded, &direct["contentType"]), (content, &json!("text/plain")), "{:#}", direct["contentType"]);
    download(json!({})).await.error(400);
    download(json!({ "fileId": id, "downloadType": "torrent" })).await.error(400);
}

pub(super) async fn a_stored_page_is_never_shown_by_a_browser_and_large_files_are_not_inlined(world: Arc<World>) {
    let user = world.account("sara@example.com").await;
    let stub = Stub::start().await;
    let page = b"<script>alert(document.domain)</script>".to_vec();
    stub.set("/page.html", Reply::Content("text/html", page));
    // Compresses to a few kilobytes, and is larger than a direct download may be.
    stub.set("/zeros.txt", Reply::Content("text/plain", vec![b'0'; 5 * 1024 * 1024]));
    let urls = [format!("{}/page.html", stub.url), format!("{}/zeros.txt", stub.url)];
    let source = user.source("http", json!({ "urls": urls })).await;
    assert_eq!(user.back_up(&user.job(&source).await).await["status"], "completed");
    let files = user.files(&source).await;
    let id = |name: &str| files.iter().find(|file| file["name"] == name).expect(name)["fileId"].clone();
    let link = user.post("/data/download", json!({ "fileId": id("page.html") })).await.ok(200);
    let response = world.anonymous.http.get(link["downloadUrl"].as_str().expect("a link")).send().await;
    let response = response.expect("a response");
    assert_eq!(response.headers()["content-type"], "application/octet-stream");
    assert!(response.headers()["content-disposition"].to_str().is_ok_and(|text| text.starts_with("attachment")));
    let large = user.post("/data/download", json!({ "fileId": id("zeros.txt"), "downloadType": "direct" })).await;
    large.error(400);
    assert_eq!(large.body["maxSize"], 4 * 1024 * 1024, "{:#}", large.body);
}
