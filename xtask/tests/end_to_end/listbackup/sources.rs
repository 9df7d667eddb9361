//! Rows 13, 14, 22 and 23: sources, limits, isolation, and what connectors may reach.

use std::{io::Read as _, sync::Arc};

use flate2::{Compression, write::GzEncoder};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    stub::{Reply, Stub},
    world::{FILE_PROCESSOR, SOURCE_BUCKET, World},
};

/// The functions that decide which addresses are reached.
const GUARDED: [&str; 4] = [
    "listbackup-api-local-createSource",
    "listbackup-api-local-updateSource",
    "listbackup-backup-processors-local-backupOrchestrator",
    FILE_PROCESSOR,
];

pub(super) async fn row_13_sources_are_checked_when_they_are_created(world: Arc<World>) {
    let user = world.account("gina@example.com").await;
    let create = async |body: Value| user.post("/sources", body).await;
    let source = |kind: &str, config: Value| json!({ "name": "Files", "type": kind, "config": config });
    let created = create(source("s3", json!({ "bucket": SOURCE_BUCKET }))).await.ok(201);
    assert_eq!((&created["source"]["status"], &created["source"]["type"]), (&json!("active"), &json!("s3")));
    for kind in ["dropbox", "google-drive", "slack", "onedrive", "notion", "github"] {
        let refused = create(source(kind, json!({}))).await;
        assert_eq!(refused.error(422), "INTEGRATION_NOT_CONFIGURED");
        assert!(refused.body["error"].as_str().is_some_and(|error| error.contains(kind)), "{:#}", refused.body);
    }
    create(json!({ "name": "Files", "type": "s3" })).await.error(400);
    create(json!({ "type": "s3", "config": { "bucket": SOURCE_BUCKET } })).await.error(400);
    create(json!({ "name": "Files", "config": { "bucket": SOURCE_BUCKET } })).await.error(400);
    create(source("ftp", json!({}))).await.error(400);
    let other_role = "arn:aws:iam::000000000000:role/administrator";
    for config in [
        json!({}),
        json!({ "bucket": world.data_bucket() }),
        json!({ "bucket": format!("arn:aws:s3:us-east-1:000000000000:accesspoint/{}", world.data_bucket()) }),
        json!({ "bucket": "Not_A_Bucket" }),
        json!({ "bucket": "other-bucket", "roleArn": other_role }),
    ] {
        let refused = create(source("s3", config.clone())).await;
        assert_eq!(refused.status, 400, "{config}: {:#}", refused.body);
    }
    for url in ["ftp://example.com/a", "http://user:secret@example.com/a", "file:///etc/passwd", "example.com/a", ""] {
        let refused = create(source("http", json!({ "urls": [url] }))).await;
        assert_eq!(refused.status, 400, "{url}: {:#}", refused.body);
    }
    let listed = user.get("/sources").await.ok(200);
    assert_eq!((&listed["count"], listed["sources"].as_array().map(Vec::len)), (&json!(1), Some(1)), "{listed:#}");
    let id = created["source"]["sourceId"].as_str().expect("an ID");
    let bare = id.strip_prefix("source:").expect("a kind");
    let renamed = user.put(&format!("/sources/{bare}"), json!({ "name": "Photos" })).await.ok(200);
    assert_eq!((&renamed["source"]["name"], &renamed["source"]["type"]), (&json!("Photos"), &json!("s3")));
    user.put(&format!("/sources/{bare}"), json!({ "type": "http" })).await.error(400);
    let deleted = user.delete(&format!("/sources/{bare}")).await;
    assert_eq!(deleted.status, 204, "{:#}", deleted.body);
    assert_eq!(user.delete(&format!("/sources/{bare}")).await.error(404), "SOURCE_NOT_FOUND");
}

pub(super) async fn row_14_a_free_account_has_three_sources(world: Arc<World>) {
    let user = world.account("hana@example.com").await;
    let config = json!({ "bucket": SOURCE_BUCKET });
    for _ in 0..3 {
        user.source("s3", config.clone()).await;
    }
    let body = json!({ "name": "Files", "type": "s3", "config": config });
    for _ in 0..2 {
        assert_eq!(user.post("/sources", body.clone()).await.error(403), "LIMIT_EXCEEDED");
    }
    let item = world.item("accounts", "accountId", &user.account_id).await.expect("the account");
    let usage = item["usage"].as_m().expect("usage");
    assert_eq!(usage["sources"].as_n().map(String::as_str), Ok("3"));
    // Deleting one makes room for another.
    let listed = user.get("/sources").await.ok(200);
    let id = listed["sources"][0]["sourceId"].as_str().expect("an ID");
    assert_eq!(user.delete(&format!("/sources/{id}")).await.status, 204);
    user.post("/sources", body).await.ok(201);
}

pub(super) async fn row_22_another_account_s_objects_are_denied(world: Arc<World>) {
    let backup = world.backup();
    let file = world.ana.files(&backup.source_id).await[0]["fileId"].as_str().expect("an ID").to_owned();
    let bob = &world.bob;
    let (source, run) = (&backup.source_id, &backup.run_id);
    let job = json!({ "name": "Theirs", "sourceId": source, "schedule": { "type": "manual" } });
    for (method, path, body) in [
        (Method::PUT, format!("/sources/{source}"), Some(json!({ "name": "Mine" }))),
        (Method::DELETE, format!("/sources/{source}"), None),
        (Method::POST, "/jobs".to_owned(), Some(job)),
        (Method::POST, format!("/jobs/{}/run", backup.job_id), Some(json!({}))),
        (Method::GET, format!("/runs/{run}"), None),
        (Method::GET, format!("/data/files?sourceId={source}"), None),
        (Method::POST, "/data/download".to_owned(), Some(json!({ "fileId": file }))),
    ] {
        let said = bob.call(method.clone(), &path, body).await;
        assert_eq!(
            (said.status, &said.body["code"]),
            (403, &json!("ACCESS_DENIED")),
            "{method} {path}: {:#}",
            said.body
        );
    }
    let unknown = uuid();
    assert_eq!(bob.get(&format!("/runs/run:{unknown}")).await.error(404), "RUN_NOT_FOUND");
    assert_eq!(bob.put(&format!("/sources/{unknown}"), json!({ "name": "x" })).await.error(404), "SOURCE_NOT_FOUND");
    assert_eq!(bob.post(&format!("/jobs/{unknown}/run"), json!({})).await.error(404), "JOB_NOT_FOUND");
    let no_file = json!({ "fileId": format!("file:{}", "0".repeat(32)) });
    assert_eq!(bob.post("/data/download", no_file).await.error(404), "FILE_NOT_FOUND");
    let found = bob.post("/data/search", json!({ "query": "c.json" })).await.ok(200);
    assert_eq!(found["count"], 0, "{found:#}");
    assert_eq!(world.ana.get("/sources").await.ok(200)["sources"][0]["name"], "Files", "nothing was changed");
}

fn uuid() -> String {
    "00000000-0000-4000-8000-000000000000".to_owned()
}

pub(super) async fn row_23_a_missing_file_is_an_error_and_private_addresses_are_refused(world: Arc<World>) {
    let user = world.account("ines@example.com").await;
    let stub = Stub::start().await;
    let urls = [stub.text("/one.txt", "one"), format!("{}/missing.txt", stub.url), stub.text("/three.txt", "three")];
    let source = user.source("http", json!({ "urls": urls })).await;
    let job = user.job(&source).await;
    let run = user.back_up(&job).await;
    assert_eq!(run["status"], "completed", "{run:#}");
    assert_eq!((&run["stats"]["filesAdded"], &run["stats"]["filesError"]), (&json!(2), &json!(1)), "{run:#}");

    let requests = stub.requests().len();
    allow_private_sources(&world, false).await;
    for url in [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[fd00::1]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://10.0.0.1/",
        "http://localhost/",
        stub.url.as_str(),
    ] {
        let body = json!({ "name": "Metadata", "type": "http", "config": { "urls": [url] } });
        let created = user.post("/sources", body).await;
        if created.status == 201 {
            // A name is resolved when the source is read.
            let source = created.ok(201)["source"]["sourceId"].as_str().expect("an ID").to_owned();
            let job = user.job(&source).await;
            let run = user.back_up(&job).await;
            assert_eq!(run["status"], "failed", "{url}: {run:#}");
        } else {
            assert_eq!(created.status, 400, "{url}: {:#}", created.body);
        }
    }
    // The source that was allowed is refused now, too.
    let run = user.back_up(&job).await;
    assert_eq!((&run["status"], &run["stats"]["filesAdded"]), (&json!("failed"), &json!(0)), "{run:#}");
    assert_eq!(stub.requests().len(), requests, "no request was sent");
    allow_private_sources(&world, true).await;
    assert_eq!(user.back_up(&job).await["status"], "completed");
}

async fn allow_private_sources(world: &World, allowed: bool) {
    for function in GUARDED {
        world.cloud.reconfigure(function, &[("ALLOW_PRIVATE_SOURCES", allowed.to_string())]).await;
    }
}

pub(super) async fn secrets_of_a_source_reach_its_own_host_only(world: Arc<World>) {
    let user = world.account("jana@example.com").await;
    let (own, foreign) = (Stub::start().await, Stub::start().await);
    foreign.text("/moved.txt", "moved");
    own.set("/moved.txt", Reply::Redirect(format!("{}/moved.txt", foreign.url)));
    let files = json!({ "files": [
        { "path": "own.txt", "url": own.text("/own.txt", "own") },
        { "path": "moved.txt", "url": format!("{}/moved.txt", own.url) },
        { "path": "foreign.txt", "url": foreign.text("/foreign.txt", "foreign") },
    ] });
    own.set("/manifest.json", Reply::Content("application/json", files.to_string().into_bytes()));
    let body = json!({
        "name": "Guarded", "type": "http", "config": { "manifestUrl": format!("{}/manifest.json", own.url) },
        "credentials": { "headers": { "Authorization": "Bearer very-secret" } },
    });
    let created = user.post("/sources", body).await.ok(201);
    assert!(!created.to_string().contains("very-secret"), "{created:#}");
    assert!(!user.get("/sources").await.ok(200).to_string().contains("very-secret"));
    let source = created["source"]["sourceId"].as_str().expect("an ID");
    let item = world.item("sources", "sourceId", source).await.expect("the source");
    assert!(!format!("{item:?}").contains("very-secret"), "secrets are not in the table");

    let job = user.job(source).await;
    let run = user.back_up(&job).await;
    assert_eq!((&run["status"], &run["stats"]["filesAdded"]), (&json!("completed"), &json!(3)), "{run:#}");
    let sent = |stub: &Stub| -> Vec<_> {
        stub.requests().iter().filter_map(|(_, headers)| headers.get("authorization").cloned()).collect()
    };
    assert!(sent(&own).len() >= 3 && sent(&own).iter().all(|value| value == "Bearer very-secret"));
    assert_eq!(foreign.requests().len(), 2, "{:?}", foreign.requests());
    assert!(sent(&foreign).is_empty(), "a secret reached another host");

    // What the API shows, written back, keeps the secret.
    let shown = json!({ "name": "Renamed", "credentials": { "headers": { "Authorization": "***" } } });
    user.put(&format!("/sources/{source}"), shown).await.ok(200);
    let before = sent(&own).len();
    assert_eq!(user.back_up(&job).await["status"], "completed");
    let after = sent(&own);
    assert!(after.len() > before && after.iter().all(|value| value == "Bearer very-secret"), "{after:?}");
}

pub(super) async fn endless_and_false_sources_end_in_errors(world: Arc<World>) {
    let user = world.account("kira@example.com").await;
    let stub = Stub::start().await;
    stub.set("/manifest.json", Reply::Endless);
    let endless = user.source("http", json!({ "manifestUrl": format!("{}/manifest.json", stub.url) })).await;
    let run = user.back_up(&user.job(&endless).await).await;
    assert_eq!(run["status"], "failed", "{run:#}");
    assert!(run["error"].is_string(), "{run:#}");

    // Sixty kilobytes that become sixty megabytes.
    stub.set("/bomb.json", Reply::Gzip(compressed_spaces(64 << 20)));
    let bomb = user.source("http", json!({ "manifestUrl": format!("{}/bomb.json", stub.url) })).await;
    let run = user.back_up(&user.job(&bomb).await).await;
    assert_eq!(run["status"], "failed", "{run:#}");

    let wrong = "0".repeat(64);
    let text = stub.text("/a.txt", "content");
    let files = json!({ "files": [
        { "path": "good.txt", "url": text },
        { "path": "hash.txt", "url": text, "sha256": wrong },
        { "path": "../up.txt", "url": text },
        { "path": "/root.txt", "url": text },
        { "path": "a/%2e%2e/b.txt", "url": format!("{}/missing", stub.url) },
        { "path": "bell\u{7}.txt", "url": text },
    ] });
    stub.set("/files.json", Reply::Content("application/json", files.to_string().into_bytes()));
    let source = user.source("http", json!({ "manifestUrl": format!("{}/files.json", stub.url) })).await;
    let run = user.back_up(&user.job(&source).await).await;
    assert_eq!(run["status"], "completed", "{run:#}");
    assert_eq!((&run["stats"]["filesAdded"], &run["stats"]["filesError"]), (&json!(1), &json!(5)), "{run:#}");
    let paths: Vec<_> = user.files(&source).await.iter().map(|file| file["path"].clone()).collect();
    assert_eq!(paths, ["good.txt"]);
    let listed = world.cloud.s3().list_objects_v2().bucket(world.data_bucket()).prefix("data/").send().await;
    let listed = listed.expect("objects");
    let keys: Vec<_> = listed.contents().iter().filter_map(|object| object.key()).collect();
    assert!(keys.iter().all(|key| !key.contains("..") && !key.contains("%2e")), "{keys:?}");
}

/// Returns this many spaces, compressed.
fn compressed_spaces(count: u64) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    std::io::copy(&mut std::io::repeat(b' ').take(count), &mut encoder).expect("compressed");
    encoder.finish().expect("compressed")
}
