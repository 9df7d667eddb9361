//! Jobs and their runs.

use serde_json::{Value, json};
use tables::testing::error_reply;

use super::world::{ANA, Answer, BEN, Event, JOB, RUN, SOURCE, UNKNOWN, World, job, source};
use crate::api::{
    jobs::{create, list, run},
    runs,
};

fn world() -> World {
    let world = World::new();
    world.memory.insert("sources", source(SOURCE, ANA));
    world
}

fn nightly() -> Value {
    json!({ "name": "Nightly", "sourceId": SOURCE, "schedule": { "type": "daily", "hour": 3 } })
}

async fn created(world: &World, body: &Value) -> Answer {
    world.call(create::router, Event::new("POST", "/jobs").by(ANA).body(body)).await
}

async fn started(world: &World, job_id: &str) -> Answer {
    world.call(run::router, Event::new("POST", &format!("/jobs/{job_id}/run")).by(ANA)).await
}

#[tokio::test(flavor = "current_thread")]
async fn a_job_is_created_counted_and_announced() {
    let world = world();
    let job = created(&world, &nightly()).await.data(201)["job"].clone();
    assert_eq!((&job["type"], &job["status"]), (&json!("incremental"), &json!("active")));
    assert!(job["nextRun"].as_str().is_some_and(|time| time.contains("T03:00:00")), "{job}");
    assert_eq!(job["source"]["sourceId"], SOURCE);
    assert_eq!(world.memory.get("accounts", &[ANA]).expect("the account")["usage"]["backupJobs"], 1);
    assert_eq!(world.memory.all("activity")[0]["type"], "job.created");
    let event = &world.script.bodies("AWSEvents.PutEvents")[0]["Entries"][0];
    assert_eq!(event["DetailType"], "Job Created");
}

#[tokio::test(flavor = "current_thread")]
async fn an_invalid_job_names_its_field() {
    let world = world();
    for (change, field) in [
        (json!({ "name": null }), "name"),
        (json!({ "sourceId": null }), "sourceId"),
        (json!({ "schedule": null }), "schedule"),
        (json!({ "schedule": { "type": "yearly" } }), "schedule"),
        (json!({ "schedule": { "type": "daily", "hour": 24 } }), "schedule.hour"),
        (json!({ "schedule": { "type": "daily", "minute": 60 } }), "schedule.minute"),
        (json!({ "schedule": { "type": "weekly", "day": 7 } }), "schedule.day"),
        (json!({ "schedule": { "type": "monthly", "day": 0 } }), "schedule.day"),
        (json!({ "type": "other" }), "type"),
        (json!({ "status": "running" }), "status"),
        (json!({ "config": [] }), "config"),
        (json!({ "description": 7 }), "description"),
    ] {
        let mut body = nightly();
        for (name, value) in change.as_object().expect("fields") {
            body[name] = value.clone();
        }
        assert_eq!(created(&world, &body).await.field(), field, "{change}");
    }
    let mut body = nightly();
    body["type"] = json!("differential");
    created(&world, &body).await.error(400, "UNSUPPORTED_JOB_TYPE");
    assert!(world.memory.all("jobs").is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn a_job_needs_a_source_of_its_account() {
    let world = world();
    world.memory.insert("sources", source(&format!("source:{UNKNOWN}"), BEN));
    let with = |id: &str| json!({ "name": "x", "sourceId": id, "schedule": { "type": "manual" } });
    created(&world, &with(UNKNOWN)).await.error(403, "ACCESS_DENIED");
    for id in ["77777777-7777-4777-8777-777777777777", "x"] {
        created(&world, &with(id)).await.error(400, "SOURCE_NOT_FOUND");
    }
    // The source is deleted between the read and the write.
    world.answer(|request| {
        let is_write = request.action == "DynamoDB.TransactWriteItems";
        let reasons = json!([{ "Code": "None" }, { "Code": "None" }, { "Code": "ConditionalCheckFailed" }]);
        let error =
            json!({ "__type": "x#TransactionCanceledException", "message": "no", "CancellationReasons": reasons });
        is_write.then(|| (400, error.to_string()))
    });
    created(&world, &nightly()).await.error(400, "SOURCE_NOT_FOUND");
}

#[tokio::test(flavor = "current_thread")]
async fn the_sixth_job_of_a_free_account_is_refused() {
    let world = world();
    for _ in 0..5 {
        created(&world, &nightly()).await.data(201);
    }
    created(&world, &nightly()).await.error(403, "LIMIT_EXCEEDED");
    assert_eq!(world.memory.all("jobs").len(), 5);
}

#[tokio::test(flavor = "current_thread")]
async fn jobs_are_listed_in_pages_with_their_sources() {
    let world = world();
    for number in 1..=3 {
        let mut job = job(&format!("job:{number}"), ANA, SOURCE);
        job["createdAt"] = json!(format!("2026-01-0{number}T00:00:00.000Z"));
        world.memory.insert("jobs", job);
    }
    world.memory.insert("jobs", job(JOB, BEN, "source:x"));
    let first = world.call(list::router, Event::new("GET", "/jobs?limit=2").by_reader(ANA)).await.data(200);
    let ids = |page: &Value| -> Vec<String> {
        let jobs = page["jobs"].as_array().expect("jobs").iter();
        jobs.map(|job| job["jobId"].as_str().expect("an ID").to_owned()).collect()
    };
    assert_eq!((ids(&first), &first["hasMore"]), (vec!["job:3".to_owned(), "job:2".to_owned()], &json!(true)));
    let source = json!({ "sourceId": SOURCE, "name": "Photos", "type": "s3", "status": "active" });
    assert_eq!(first["jobs"][0]["source"], source);
    let cursor = first["lastKey"].as_str().expect("a cursor").to_owned();
    let next = format!("/jobs?limit=2&lastKey={cursor}");
    let second = world.call(list::router, Event::new("GET", &next).by(ANA)).await.data(200);
    assert_eq!((ids(&second), &second["hasMore"]), (vec!["job:1".to_owned()], &json!(false)));
    let before = world.table_calls();
    world.call(list::router, Event::new("GET", &next).by(BEN)).await.error(400, "INVALID_CURSOR");
    assert_eq!(world.table_calls(), before);
    for limit in ["0", "101", "x", "-1"] {
        let event = Event::new("GET", &format!("/jobs?limit={limit}")).by(ANA);
        assert_eq!(world.call(list::router, event).await.field(), "limit");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_run_is_queued_once() {
    let world = world();
    world.memory.insert("jobs", job(JOB, ANA, SOURCE));
    let data = started(&world, JOB).await.data(202);
    assert_eq!((&data["jobId"], &data["status"]), (&json!(JOB), &json!("queued")));
    let message = &world.script.bodies("AmazonSQS.SendMessage")[0]["MessageBody"];
    let message: Value = serde_json::from_str(message.as_str().expect("a text")).expect("JSON");
    assert_eq!((&message["type"], &message["runId"]), (&json!("run"), &data["runId"]));
    let refused = started(&world, JOB).await.error(400, "JOB_ALREADY_RUNNING");
    assert_eq!((&refused["existingRun"], world.memory.all("runs").len()), (&data["runId"], 1));
    assert_eq!(world.count("AmazonSQS.SendMessage"), 1);
    assert!(world.memory.all("activity").iter().any(|row| row["type"] == "job.run.queued"));
}

#[tokio::test(flavor = "current_thread")]
async fn a_run_is_queued_even_if_its_message_is_lost() {
    let world = world();
    world.memory.insert("jobs", job(JOB, ANA, SOURCE));
    world.answer(|request| {
        let is_lost = ["AmazonSQS.SendMessage", "AWSEvents.PutEvents"].contains(&request.action.as_str());
        is_lost.then(|| error_reply("InternalException")).flatten()
    });
    started(&world, JOB).await.data(202);
    assert_eq!(world.memory.all("runs")[0]["status"], "queued");
}

#[tokio::test(flavor = "current_thread")]
async fn a_job_that_is_paused_unknown_or_of_another_account_is_not_run() {
    let world = world();
    let mut paused = job(JOB, ANA, SOURCE);
    paused["status"] = json!("paused");
    world.memory.insert("jobs", paused);
    started(&world, JOB).await.error(400, "JOB_NOT_ACTIVE");
    world.memory.insert("jobs", job(JOB, BEN, SOURCE));
    started(&world, JOB).await.error(403, "ACCESS_DENIED");
    started(&world, UNKNOWN).await.error(404, "JOB_NOT_FOUND");
    world.memory.insert("jobs", job(JOB, ANA, SOURCE));
    let event = Event::new("POST", &format!("/jobs/{JOB}/run")).by_reader(ANA);
    world.call(run::router, event).await.error(403, "INSUFFICIENT_ROLE");
    assert!(world.memory.all("runs").is_empty());
}

fn ended_run(account_id: &str) -> Value {
    json!({
        "runId": RUN, "jobId": JOB, "accountId": account_id, "sourceId": SOURCE, "type": "manual", "status": "completed",
        "listingDone": true, "filesTotal": 3, "filesProcessed": 3, "bytesProcessed": 100, "currentStep": 8,
        "stats": { "filesAdded": 3, "bytesTransferred": 100, "bytesStored": 25 }, "byType": { "document": 100 },
        "createdAt": "2026-01-31T12:00:00.000Z", "startedAt": "2026-01-31T12:00:00.000Z",
        "completedAt": "2026-01-31T12:00:10.000Z", "updatedAt": "2026-01-31T12:00:10.000Z",
    })
}

#[tokio::test(flavor = "current_thread")]
async fn a_run_has_computed_figures() {
    let world = World::new();
    world.memory.insert("runs", ended_run(ANA));
    let path = format!("/runs/{}", RUN.replace("run:", ""));
    let run = world.call(runs::router, Event::new("GET", &path).by_reader(ANA)).await.data(200)["run"].clone();
    let progress = json!({
        "percentage": 100, "currentStep": 8, "totalSteps": 8, "filesProcessed": 3, "totalFiles": 3, "bytesProcessed": 100,
    });
    assert_eq!(run["progress"], progress);
    assert_eq!(
        (&run["stats"]["compressionRatio"], &run["stats"]["transferRateBytesPerSecond"]),
        (&json!(0.25), &json!(10.0))
    );
    assert_eq!((&run["status"], &run["stats"]["filesAdded"]), (&json!("completed"), &json!(3)));
    assert!(run.get("result").is_none() && run.get("typeDeltas").is_none(), "{run}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_run_of_another_account_is_denied_and_a_marker_is_no_run() {
    let world = World::new();
    world.memory.insert("runs", ended_run(BEN));
    world.memory.insert("runs", json!({ "runId": format!("{RUN}#0123"), "mark": "ok", "ttl": 1 }));
    let call = async |id: &str| world.call(runs::router, Event::new("GET", &format!("/runs/{id}")).by(ANA)).await;
    call(RUN).await.error(403, "ACCESS_DENIED");
    for id in [UNKNOWN, &format!("{RUN}%230123"), JOB] {
        call(id).await.error(404, "RUN_NOT_FOUND");
    }
}
