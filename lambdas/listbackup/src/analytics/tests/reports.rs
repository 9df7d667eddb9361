//! Reports: rows, formats, links, and formulas.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    super::report,
    world::{ACTIVITY, ANA, BEN, REPORTS, RUNS, World, ended},
};
use crate::{runs::tests::run, shared::time};

async fn generate(world: &World, body: Value) -> (u64, Value) {
    world.call(report::router, ANA, ("POST", "/reports/generate", "", body)).await
}

fn activity(account_id: &str, id: &str, message: &str) -> Value {
    json!({
        "eventId": id, "accountId": account_id, "type": "job.created", "action": "created", "resourceType": "job",
        "resourceId": "job:1", "status": "success", "message": message, "metadata": {},
        "timestamp": Timestamp::now().as_millisecond(), "ttl": time::ttl(1000),
    })
}

/// The stored object: its key and content.
fn stored(world: &World) -> (String, String) {
    world.objects.lock().expect("no panic").last().expect("an object").clone()
}

#[tokio::test(flavor = "current_thread")]
async fn a_report_is_stored_and_linked_as_an_attachment() {
    let world = World::new();
    for (account_id, id) in [(ANA, "a"), (ANA, "b"), (BEN, "c")] {
        let run = crate::shared::rows::Run { account_id: account_id.to_owned(), created_at: time::now(), ..run(id) };
        world.memory.insert(RUNS, serde_json::to_value(run).expect("JSON"));
    }
    let (status, body) =
        generate(&world, json!({ "type": "backup-summary", "format": "csv", "timeRange": "7d" })).await;
    assert_eq!((status, &body["data"]["status"]), (201, &json!("completed")), "{body}");
    let data = &body["data"];
    assert_eq!(
        (&data["type"], &data["format"], &data["expiresIn"]),
        (&json!("backup-summary"), &json!("csv"), &json!(3600))
    );
    let (path, content) = stored(&world);
    let id = data["reportId"].as_str().expect("an ID").trim_start_matches("report:");
    assert!(path.starts_with(&format!("/data/reports/{}/{id}.csv", ANA.trim_start_matches("account:"))), "{path}");
    let lines: Vec<_> = content.lines().collect();
    assert!(lines[0].starts_with("runId,jobId,sourceId,type,status,"), "{content}");
    assert_eq!((lines.len() - 1, &data["rowCount"]), (2, &json!(2)), "{content}");
    assert!(!content.contains("run:c"), "a run of another account");
    let url = data["downloadUrl"].as_str().expect("a link");
    assert!(url.starts_with("http://s3.example.com/data/reports/"), "{url}");
    for part in ["X-Amz-Expires=3600", "response-content-disposition=attachment"] {
        assert!(url.contains(part), "{url}");
    }
    let row = &world.memory.all(REPORTS)[0];
    assert_eq!((&row["accountId"], &row["timeRange"], &row["rowCount"]), (&json!(ANA), &json!("7d"), &json!(2)));
    assert_eq!(world.script.bodies("AWSEvents.PutEvents")[0]["Entries"][0]["DetailType"], "Report Generated");
}

#[tokio::test(flavor = "current_thread")]
async fn formulas_in_names_are_quoted() {
    let world = World::new();
    world.memory.insert(ACTIVITY, activity(ANA, "1", "=cmd|' /C calc'!A0"));
    world.memory.insert(ACTIVITY, activity(BEN, "2", "of another account"));
    let (status, body) = generate(&world, json!({ "type": "activity", "format": "csv" })).await;
    assert_eq!((status, &body["data"]["rowCount"]), (201, &json!(1)), "{body}");
    let (_, content) = stored(&world);
    assert!(content.contains("\"'=cmd|' /C calc'!A0\"") && !content.contains(",=cmd"), "{content}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_report_in_json_has_the_same_rows() {
    let world = World::new();
    world.deliver(&ended(ANA, "a", &time::now(), "Job Completed")).await.expect("counted");
    let (status, body) = generate(&world, json!({ "type": "storage" })).await;
    assert_eq!((status, &body["data"]["format"]), (201, &json!("json")), "{body}");
    let (_, content) = stored(&world);
    let document: Value = serde_json::from_str(&content).expect("JSON");
    assert_eq!((&document["type"], &document["rowCount"]), (&json!("storage"), &json!(3)));
    let rows = json!([
        { "group": "source", "id": "source:1", "name": null, "files": 1, "bytes": 1500, "storedBytes": 700 },
        { "group": "type", "id": "document", "name": "document", "files": 1, "bytes": 1000, "storedBytes": 400 },
        { "group": "type", "id": "image", "name": "image", "files": 0, "bytes": 500, "storedBytes": 300 },
    ]);
    assert_eq!(document["rows"], rows);
}

#[tokio::test(flavor = "current_thread")]
async fn invalid_requests_are_refused_and_store_nothing() {
    let world = World::new();
    for (field, body) in [
        ("type", json!({})),
        ("type", json!({ "type": "other" })),
        ("format", json!({ "type": "storage", "format": "xml" })),
        ("format", json!({ "type": "storage", "format": 7 })),
        ("timeRange", json!({ "type": "storage", "timeRange": "1y" })),
    ] {
        let (status, answer) = generate(&world, body.clone()).await;
        assert_eq!(
            (status, &answer["code"], &answer["details"]["field"]),
            (400, &json!("VALIDATION_FAILED"), &json!(field)),
            "{body}"
        );
    }
    assert_eq!(generate(&world, json!([])).await.1["code"], "INVALID_JSON");
    assert!(world.objects.lock().expect("no panic").is_empty() && world.memory.all(REPORTS).is_empty());
}
