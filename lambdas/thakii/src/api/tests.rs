//! Uploads when AWS fails or another request interferes, which the emulator cannot simulate.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::testing::{Api, Reply, Request, Script, VIDEO, empty_account, error_reply, item, json_reply, task};

const UPLOADS: &str = "thakii-uploads-test";
const TASKS: &str = "thakii-video-tasks-test";

/// The record of an upload, with `changes` applied.
fn upload(changes: Value) -> Value {
    let now = Timestamp::now().as_second();
    let mut upload = json!({
        "user_id": "ana", "file_id": "f", "video_id": VIDEO, "mode": "single", "filename": "lecture.mp4",
        "content_type": "video/mp4", "size": 7, "total_chunks": 1, "s3_key": format!("videos/{VIDEO}/lecture.mp4"),
        "state": "open", "lease_until": 0, "expires_at": now + 3600,
    });
    let fields = upload.as_object_mut().expect("an object");
    fields.extend(changes.as_object().expect("an object").clone());
    upload
}

/// Scripts an account with one upload record, which every update of it returns.
fn with(record: Value) -> impl FnMut(&Request) -> Option<Reply> {
    move |request| match (request.action.as_str(), request.body["TableName"].as_str()) {
        ("DynamoDB.GetItem", Some(UPLOADS)) => json_reply(json!({"Item": item(record.clone())})),
        ("DynamoDB.UpdateItem", Some(UPLOADS)) => json_reply(json!({"Attributes": item(record.clone())})),
        ("AmazonSQS.SendMessage", _) => json_reply(json!({"MessageId": "m"})),
        ("S3.PUT" | "S3.DELETE", _) => Some((200, String::new())),
        _ => empty_account(request),
    }
}

fn no_such_upload() -> Option<Reply> {
    Some((404, "<Error><Code>NoSuchUpload</Code><Message>no</Message></Error>".to_owned()))
}

async fn assemble(api: &Api, total_chunks: u64) -> crate::testing::Answer {
    let body = json!({"file_id": "f", "total_chunks": total_chunks, "original_filename": "lecture.mp4"});
    api.call_as("ana", "POST", "/assemble-file", Some(body)).await
}

fn form() -> Value {
    let body =
        "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"lecture.mp4\"\r\n\r\nbytes\r\n--x--\r\n";
    json!(body)
}

async fn send_form(api: &Api) -> crate::testing::Answer {
    let headers = json!({
        "Content-Type": ["multipart/form-data; boundary=x"], "Authorization": [format!("Bearer {}", api.token("ana"))],
    });
    let form = form();
    api.answer(crate::testing::event("POST", "/upload", headers, form.as_str())).await
}

#[tokio::test(flavor = "current_thread")]
async fn a_form_creates_object_task_and_message() {
    let script = Script::new(with(json!({})));
    let answer = send_form(&Api::new(script.clone()).await).await;
    assert_eq!(answer.status(), 200, "{answer:?}");
    let actions: Vec<String> = script.requests().into_iter().map(|request| request.action).collect();
    assert_eq!(
        actions,
        ["S3.PUT", "DynamoDB.TransactWriteItems", "AmazonSQS.SendMessage", "DynamoDB.UpdateItem"],
        "the object, the task, the message, and that it was sent"
    );
    let message: Value =
        serde_json::from_str(script.bodies("AmazonSQS.SendMessage")[0]["MessageBody"].as_str().expect("a text"))
            .expect("JSON");
    assert_eq!((&message["video_id"], &message["user_id"]), (&answer.body()["video_id"], &json!("ana")));
}

#[tokio::test(flavor = "current_thread")]
async fn an_unavailable_queue_fails_the_task_and_the_request() {
    let mut world = with(json!({}));
    let script = Script::new(move |request| match request.action.as_str() {
        "AmazonSQS.SendMessage" => error_reply("InternalError"),
        _ => world(request),
    });
    let answer = send_form(&Api::new(script.clone()).await).await;
    assert_eq!(answer.error(), (500, "Failed to queue video".to_owned()));
    let body = answer.body();
    assert!(body["video_id"].is_string() && body["request_id"].is_string(), "{body}");
    let values = script.bodies("DynamoDB.UpdateItem")[0]["ExpressionAttributeValues"].clone();
    assert_eq!((&values[":v0"], &values[":v1"]), (&json!({"S": "failed"}), &json!({"S": "Queue unavailable"})));
}

#[tokio::test(flavor = "current_thread")]
async fn a_repetition_queues_a_task_that_was_not_queued() {
    let mut world = with(upload(json!({"size": 0})));
    let script = Script::new(move |request| match (request.action.as_str(), request.body["TableName"].as_str()) {
        ("DynamoDB.TransactWriteItems", _) => {
            let reasons = json!([{"Code": "ConditionalCheckFailed"}, {"Code": "None"}]);
            let body = json!({"__type": "x#TransactionCanceledException", "CancellationReasons": reasons});
            Some((400, body.to_string()))
        }
        ("DynamoDB.GetItem", Some(TASKS)) => json_reply(json!({"Item": item(task("failed"))})),
        ("DynamoDB.UpdateItem", Some(TASKS)) => json_reply(json!({"Attributes": item(task("in_queue"))})),
        ("S3.HEAD", _) => Some((200, String::new())),
        _ => world(request),
    });
    let answer = assemble(&Api::new(script.clone()).await, 1).await;
    assert_eq!((answer.status(), &answer.body()["video_id"]), (200, &json!(VIDEO)), "{answer:?}");
    assert_eq!(script.bodies("AmazonSQS.SendMessage").len(), 1);
}

#[tokio::test(flavor = "current_thread")]
async fn an_object_of_the_wrong_size_is_deleted() {
    let mut world = with(upload(json!({})));
    let script = Script::new(move |request| match request.action.as_str() {
        "S3.HEAD" => Some((200, String::new())),
        _ => world(request),
    });
    let answer = assemble(&Api::new(script.clone()).await, 1).await;
    assert_eq!(answer.error(), (400, "Size mismatch".to_owned()));
    assert_eq!((&answer.body()["expected"], &answer.body()["actual"]), (&json!(7), &json!(0)));
    let requests = script.requests();
    assert!(requests.iter().any(|request| request.action == "S3.DELETE" && request.path.contains(VIDEO)));
    // The lease is released.
    let last = script.bodies("DynamoDB.UpdateItem").pop().expect("a change");
    assert_eq!(last["ExpressionAttributeValues"][":v0"], json!({"S": "open"}));
    assert_eq!(script.bodies("DynamoDB.TransactWriteItems").len(), 0);
}

#[tokio::test(flavor = "current_thread")]
async fn a_completed_multipart_upload_counts_as_done() {
    let record = upload(json!({"mode": "multipart", "upload_id": "u", "total_chunks": 4, "part_size": 67_108_864}));
    for (there, expected) in [(true, 200), (false, 404)] {
        let mut world = with(record.clone());
        let script = Script::new(move |request| match request.action.as_str() {
            "S3.GET" if request.path.contains("uploadId=u") => no_such_upload(),
            "S3.HEAD" => Some((if there { 200 } else { 404 }, String::new())),
            _ => world(request),
        });
        let answer = assemble(&Api::new(script.clone()).await, 4).await;
        assert_eq!(answer.status(), expected, "{answer:?}");
        assert_eq!(script.bodies("AmazonSQS.SendMessage").len(), usize::from(there));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn only_one_request_assembles_at_a_time() {
    let record = upload(json!({"state": "assembling", "lease_until": Timestamp::now().as_second() + 30}));
    let mut world = with(record);
    let script = Script::new(move |request| match (request.action.as_str(), request.body["TableName"].as_str()) {
        ("DynamoDB.UpdateItem", Some(UPLOADS)) => error_reply("ConditionalCheckFailedException"),
        _ => world(request),
    });
    let api = Api::new(script.clone()).await;
    assert_eq!(assemble(&api, 1).await.error(), (409, "Assembly in progress".to_owned()));
    // Chunks are rejected in the meantime.
    let chunk = json!({
        "file_id": "f", "total_chunks": 1, "original_filename": "lecture.mp4", "chunk_index": 0, "chunk_size": 7,
    });
    let answer = api.call_as("ana", "POST", "/upload-chunk", Some(chunk)).await;
    assert_eq!(answer.error(), (409, "Assembly in progress".to_owned()));
}

#[tokio::test(flavor = "current_thread")]
async fn a_finished_upload_returns_the_same_answer_without_side_effects() {
    let script = Script::new(with(upload(json!({"state": "done", "total_size": 7}))));
    let api = Api::new(script.clone()).await;
    let answer = assemble(&api, 1).await;
    assert_eq!((answer.status(), &answer.body()["total_size"]), (200, &json!(7)));
    assert_eq!(script.requests().len(), 1, "{:?}", script.requests());
    assert_eq!(assemble(&api, 2).await.error(), (409, "Chunk metadata mismatch".to_owned()));
}

#[tokio::test(flavor = "current_thread")]
async fn an_expired_record_counts_as_absent() {
    let api = Api::new(Script::new(with(upload(json!({"expires_at": 1}))))).await;
    assert_eq!(assemble(&api, 1).await.error(), (404, "Chunks directory not found".to_owned()));
}

#[tokio::test(flavor = "current_thread")]
async fn the_second_of_two_creations_uses_the_first_record() {
    let winner = upload(json!({"mode": "presigned", "upload_id": "first", "total_chunks": 2, "size": null}));
    let mut reads = 0;
    let script = Script::new(move |request| match (request.action.as_str(), request.body["TableName"].as_str()) {
        ("DynamoDB.GetItem", Some(UPLOADS)) => {
            reads += 1;
            if reads == 1 { json_reply(json!({})) } else { json_reply(json!({"Item": item(winner.clone())})) }
        }
        ("DynamoDB.PutItem", Some(UPLOADS)) => error_reply("ConditionalCheckFailedException"),
        ("S3.POST", _) => Some((
            200,
            "<InitiateMultipartUploadResult><UploadId>second</UploadId></InitiateMultipartUploadResult>".to_owned(),
        )),
        ("S3.DELETE", _) => Some((204, String::new())),
        _ => empty_account(request),
    });
    let api = Api::new(script.clone()).await;
    let chunk = json!({
        "file_id": "f", "total_chunks": 2, "original_filename": "lecture.mp4", "chunk_index": 1, "chunk_size": 7,
    });
    let answer = api.call_as("ana", "POST", "/upload-chunk", Some(chunk)).await;
    assert_eq!(answer.status(), 200, "{answer:?}");
    let link = answer.body()["upload_url"].as_str().expect("a link").to_owned();
    assert!(link.contains("uploadId=first") && link.contains("partNumber=2"), "{link}");
    let given_up = script.requests().into_iter().find(|request| request.action == "S3.DELETE").expect("given up");
    assert!(given_up.path.contains("uploadId=second"), "{given_up:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn parts_are_validated_before_completion() {
    let parts = |sizes: &[u64]| {
        let parts: String = (1..)
            .zip(sizes)
            .map(|(number, size)| {
                format!("<Part><PartNumber>{number}</PartNumber><ETag>\"e\"</ETag><Size>{size}</Size></Part>")
            })
            .collect();
        Some((200, format!("<ListPartsResult>{parts}<IsTruncated>false</IsTruncated></ListPartsResult>")))
    };
    let gib = 1024 * 1024 * 1024;
    for (mode, size, sizes, expected) in [
        ("presigned", json!(null), vec![5_242_879, 7], (400, "Chunk too small")),
        ("presigned", json!(null), vec![5 * gib, gib], (413, "Assembled file too large")),
        ("presigned", json!(null), vec![5_242_880], (400, "Missing chunks")),
        ("multipart", json!(100), vec![67_108_864, 7], (400, "Size mismatch")),
    ] {
        let record = upload(json!({"mode": mode, "upload_id": "u", "total_chunks": 2, "size": size}));
        let mut world = with(record);
        let listed = parts(&sizes);
        let script = Script::new(move |request| match request.action.as_str() {
            "S3.GET" => listed.clone(),
            _ => world(request),
        });
        let answer = assemble(&Api::new(script.clone()).await, 2).await;
        assert_eq!(answer.error(), (expected.0, expected.1.to_owned()), "{mode} {sizes:?}");
        assert_eq!(script.bodies("DynamoDB.TransactWriteItems").len(), 0, "{mode} {sizes:?}");
    }
}
