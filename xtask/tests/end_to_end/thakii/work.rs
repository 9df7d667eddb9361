//! What the worker reports, and what becomes of tasks nobody reports on: rows 17 to 19.

use std::{collections::HashMap, sync::Arc, time::Duration};

use ::thakii::fixtures::Stub;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_lambda::primitives::Blob;
use reqwest::Method;
use serde_json::{Value, json};

use super::world::{PATIENCE, World, error, event};

pub(super) async fn row_17_a_finished_video_can_be_downloaded(world: Arc<World>) {
    // Somebody new, who has no other notifications.
    let user = world.person("carla@example.com").await;
    let id = user.upload("lecture.mp4", b"video").await;
    world.tell(event(&id, "in_progress")).await;
    user.status_when(&id, "in_progress").await;
    world.put_object(&format!("pdfs/{id}.pdf"), b"%PDF-1.7").await;
    world.put_object(&format!("subtitles/{id}.srt"), b"1").await;
    world.tell(event(&id, "done")).await;
    user.status_when(&id, "done").await;
    let (status, link) = user.get(&format!("/download/{id}")).await;
    assert_eq!((status, &link["filename"], &link["expires_in"]), (200, &json!("lecture.pdf"), &json!(3600)), "{link}");
    assert_eq!(user.fetch(&link["download_url"]).await, b"%PDF-1.7");
    let (_, link) = user.get(&format!("/download/{id}?type=srt")).await;
    assert_eq!(link["filename"], "lecture.srt", "{link}");
    assert_eq!(user.fetch(&link["download_url"]).await, b"1");

    let (_, unread) = user.get("/notifications?unread=true").await;
    assert_eq!(unread["total"], 1, "{unread}");
    let notification = &unread["notifications"][0];
    assert_eq!(notification["title"], "Video Processing Update");
    assert_eq!(notification["data"], json!({"video_id": id, "status": "done", "type": "video_update"}));
    let path = format!("/notifications/{}", notification["notification_id"].as_str().expect("an id"));
    assert_eq!(
        error(&world.other.call(Method::PUT, &path, Some(json!({"read": true}))).await),
        (404, "Notification not found")
    );
    let (status, marked) = user.call(Method::PUT, &path, Some(json!({"read": true}))).await;
    assert_eq!((status, &marked["notification"]["read"]), (200, &json!(true)), "{marked}");
    assert_eq!(user.get("/notifications?unread=true").await.1["total"], 0);
}

pub(super) async fn row_18_what_goes_wrong_ends_in_failed(world: Arc<World>) {
    let without = world.user.upload("nopdf.mp4", b"video").await;
    world.tell(event(&without, "done")).await;
    assert_eq!(world.user.status_when(&without, "failed").await["error_message"], "PDF missing");

    // Nothing follows done: the garbage behind it shows that the event before it was handled.
    let done = world.user.upload("done.mp4", b"video").await;
    world.put_object(&format!("pdfs/{done}.pdf"), b"%PDF").await;
    world.tell(event(&done, "done")).await;
    world.user.status_when(&done, "done").await;
    world.tell(event(&done, "in_progress")).await;
    world.tell(json!("garbage")).await;
    assert_eq!(put_aside(&world).await, "garbage");
    let last = world.user.upload("last.mp4", b"video").await;
    world.tell(event(&last, "in_progress")).await;
    world.user.status_when(&last, "in_progress").await;
    assert_eq!(world.user.get(&format!("/status/{done}")).await.1["status"], "done");

    given_up(&world).await;
}

/// The one message among those that could not be understood.
async fn put_aside(world: &World) -> String {
    let queue = world.queue("task-events-dlq").await;
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Some(message) = world.received(&queue).await.first() {
                return message["Body"].as_str().expect("a body").to_owned();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    waited.await.expect("a message that was put aside")
}

/// A worker that dies three times over one task.
async fn given_up(world: &World) {
    // Takes all other messages out of the way.
    world.messages_of("nobody").await;
    let id = world.user.upload("hard.mp4", b"video").await;
    let queue = world.queue("tasks").await;
    for _ in 0..3 {
        let receive = json!({ "QueueUrl": queue, "WaitTimeSeconds": 5 });
        let received = world.cloud.sqs("ReceiveMessage", &receive).await;
        let message = &received["Messages"][0];
        assert!(message["Body"].as_str().expect("the task").contains(&id));
        let handle = &message["ReceiptHandle"];
        let release = json!({ "QueueUrl": queue, "ReceiptHandle": handle, "VisibilityTimeout": 0 });
        world.cloud.sqs("ChangeMessageVisibility", &release).await;
    }
    assert_eq!(world.received(&queue).await.len(), 0, "it is with the dead letters");
    let failed = world.user.status_when(&id, "failed").await;
    assert_eq!(failed["error_message"], "Gave up after 3 attempts");
}

pub(super) async fn row_19_a_deleted_video_leaves_nothing(world: Arc<World>) {
    let id = world.user.upload("gone.mp4", b"video").await;
    world.put_object(&format!("pdfs/{id}.pdf"), b"%PDF").await;
    world.put_object(&format!("subtitles/{id}.srt"), b"1").await;
    let path = format!("/admin/videos/{id}");
    assert_eq!(world.user.delete(&path).await.0, 403);
    let (status, body) = world.admin.delete(&path).await;
    let keys = [format!("videos/{id}/gone.mp4"), format!("subtitles/{id}.srt"), format!("pdfs/{id}.pdf")];
    assert_eq!((status, &body["database"], &body["s3_deletions"]), (200, &json!("deleted"), &json!(keys)), "{body}");
    for key in keys {
        assert_eq!(world.object(&key).await, None, "{key}");
    }
    assert_eq!(world.user.get(&format!("/status/{id}")).await.0, 404);
    assert_eq!(error(&world.admin.delete(&path).await), (404, "Video not found"));

    // A worker that did not know: what it made goes too.
    world.put_object(&format!("pdfs/{id}.pdf"), b"%PDF").await;
    world.tell(event(&id, "done")).await;
    let gone = tokio::time::timeout(PATIENCE, async {
        while world.object(&format!("pdfs/{id}.pdf")).await.is_some() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    gone.await.expect("the late PDF is deleted");
}

pub(super) async fn a_servers_load_follows_its_tasks(world: Arc<World>) {
    let stub = Stub::start(200, r#"{"status": "ok"}"#.to_owned()).await;
    let (_, added) = world.admin.post("/admin/servers", json!({"name": "Loaded", "url": stub.url})).await;
    let server = added["server"]["id"].as_str().expect("an id").to_owned();
    let counted = async || {
        let (_, servers) = world.admin.get("/admin/servers").await;
        let found = servers.as_array().expect("a list").iter().find(|found| found["id"] == server).cloned();
        let found = found.expect("the server");
        (found["current_load"].as_i64(), found["total_jobs_processed"].as_i64())
    };
    let begin = async || {
        let id = world.user.upload("loaded.mp4", b"video").await;
        let mut begun = event(&id, "in_progress");
        begun["server_id"] = json!(server);
        world.tell(begun).await;
        world.user.status_when(&id, "in_progress").await;
        id
    };
    let (failing, deleted) = (begin().await, begin().await);
    assert_eq!(counted().await, (Some(2), Some(0)));
    world.tell(event(&failing, "failed")).await;
    world.user.status_when(&failing, "failed").await;
    assert_eq!(counted().await, (Some(1), Some(1)));
    assert_eq!(world.admin.delete(&format!("/admin/videos/{deleted}")).await.0, 200);
    assert_eq!(counted().await, (Some(0), Some(1)));
    // Maintenance asks it too.
    let maintained = maintain(&world).await;
    assert_eq!((&maintained["servers"], &maintained["healthy_servers"]), (&json!(1), &json!(1)), "{maintained}");
    assert_eq!(world.admin.delete(&format!("/admin/servers/{server}")).await.0, 200);
}

pub(super) async fn lost_and_stuck_tasks_are_taken_care_of(world: Arc<World>) {
    let lost = "11111111-1111-4111-8111-111111111111";
    let stuck = "22222222-2222-4222-8222-222222222222";
    let fresh = world.user.upload("fresh.mp4", b"video").await;
    put_task(&world, lost, "in_queue").await;
    put_task(&world, stuck, "in_progress").await;
    let done = maintain(&world).await;
    assert_eq!((&done["requeued"], &done["ended"]), (&json!(1), &json!(1)), "{done}");
    assert_eq!(world.messages_of(lost).await.len(), 1);
    assert_eq!(world.messages_of(&fresh).await.len(), 1, "who is queued is not queued again");
    let failed = world.admin.status_when(stuck, "failed").await;
    assert_eq!(failed["error_message"], "Worker stopped responding");
    let again = maintain(&world).await;
    assert_eq!((&again["requeued"], &again["ended"]), (&json!(0), &json!(0)), "{again}");
}

/// A task of long ago.
async fn put_task(world: &World, id: &str, status: &str) {
    let created = "2026-01-01T00:00:00.000Z";
    let texts = [
        ("video_id", id),
        ("filename", "old.mp4"),
        ("user_id", "nobody"),
        ("user_email", "nobody@example.com"),
        ("status", status),
        ("upload_date", "2026-01-01 00:00:00"),
        ("created_at", created),
        ("updated_at", created),
        ("s3_key", &format!("videos/{id}/old.mp4")),
        ("content_type", "video/mp4"),
        ("created_key", &format!("{created}#{id}")),
    ];
    let mut item: HashMap<String, AttributeValue> =
        texts.iter().map(|(name, text)| ((*name).to_owned(), AttributeValue::S((*text).to_owned()))).collect();
    item.insert("size".to_owned(), AttributeValue::N("7".to_owned()));
    let put = world.dynamodb().put_item().table_name("thakii-video-tasks-local").set_item(Some(item));
    put.send().await.expect("a task");
}

/// Runs the maintenance function as its schedule would.
async fn maintain(world: &World) -> Value {
    let lambda = world.cloud.lambda();
    let invoke = lambda.invoke().function_name("thakii-maintenance-local").qualifier("live");
    let answer = invoke.payload(Blob::new(br#"{"source": "aws.events"}"#)).send().await.expect("an answer");
    assert_eq!(answer.function_error(), None, "{answer:?}");
    serde_json::from_slice(answer.payload().expect("a payload").as_ref()).expect("JSON")
}
