//! Valid and malformed messages, and their effects.

use serde_json::{Value, json};

use super::*;
use crate::testing::{Reply, Request, Script, VIDEO, background_environment, error_reply, item, json_reply, task};

fn function(script: &Script) -> StatusFunction {
    StatusFunction::new(background_environment(), &script.aws())
}

fn message(queue: &str, body: &str) -> Batch {
    batch(&[("m", queue, body)])
}

/// A batch of messages, each with its ID, its queue and its body.
fn batch(messages: &[(&str, &str, &str)]) -> Batch {
    let record = |(id, queue, body): &(&str, &str, &str)| {
        json!({
            "messageId": id, "body": body, "eventSourceARN": format!("arn:aws:sqs:us-east-2:000000000000:{queue}"),
            "receiptHandle": "r", "attributes": {}, "awsRegion": "us-east-2",
        })
    };
    let records: Vec<_> = messages.iter().map(record).collect();
    serde_json::from_value(json!({ "Records": records })).expect("an event")
}

fn event_body(status: &str) -> String {
    json!({"video_id": VIDEO, "status": status, "server_id": "s1", "at": "2026-01-31T12:00:00.000Z"}).to_string()
}

/// Scripts an account with a task in a status, and with or without a PDF.
fn scripted(status: Option<&'static str>, pdf: bool) -> impl FnMut(&Request) -> Option<Reply> {
    move |request| match request.action.as_str() {
        "DynamoDB.GetItem" => match status {
            Some(status) => json_reply(json!({"Item": item(task(status))})),
            None => json_reply(json!({})),
        },
        "S3.HEAD" if pdf && request.path.contains("pdfs/") => Some((200, String::new())),
        "S3.HEAD" => Some((404, String::new())),
        "S3.DELETE" => Some((204, String::new())),
        "SNS.Publish" => Some((
            200,
            "<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>".to_owned(),
        )),
        "DynamoDB.TransactWriteItems" | "DynamoDB.UpdateItem" | "AmazonSQS.SendMessage" => {
            json_reply(json!({"MessageId": "m"}))
        }
        _ => None,
    }
}

/// Returns the status that a transaction sets, and its error message.
fn written_status(script: &Script) -> Option<(String, Option<String>)> {
    let bodies = script.bodies("DynamoDB.TransactWriteItems");
    let update = &bodies.first()?["TransactItems"][0]["Update"];
    let text = update["UpdateExpression"].as_str()?;
    let value = |name: &str| {
        let place = text.find(&format!("#{name} = "))? + name.len() + 4;
        let placeholder = text[place..].split([',', ' ']).next()?;
        update["ExpressionAttributeValues"][placeholder]["S"].as_str().map(str::to_owned)
    };
    Some((value("status")?, value("error_message")))
}

#[tokio::test(flavor = "current_thread")]
async fn a_finished_task_is_done_and_its_user_notified() {
    let script = Script::new(scripted(Some("in_progress"), true));
    assert_eq!(function(&script).handle(message("events", &event_body("done"))).await, BatchResponse::default());
    assert_eq!(written_status(&script), Some(("done".to_owned(), None)));
    let published = script.bodies("SNS.Publish");
    assert_eq!(published.len(), 1);
    let text = published[0].as_str().expect("a form");
    assert!(text.contains("user_id") && text.contains("video_update"), "{text}");
    assert_eq!(script.bodies("DynamoDB.UpdateItem").len(), 1, "the counter");
}

#[tokio::test(flavor = "current_thread")]
async fn done_without_a_pdf_fails_the_task() {
    let script = Script::new(scripted(Some("in_progress"), false));
    assert_eq!(function(&script).handle(message("events", &event_body("done"))).await, BatchResponse::default());
    assert_eq!(written_status(&script), Some(("failed".to_owned(), Some("PDF missing".to_owned()))));
}

#[tokio::test(flavor = "current_thread")]
async fn done_is_final() {
    for status in ["in_progress", "failed", "done"] {
        let script = Script::new(scripted(Some("done"), true));
        assert_eq!(function(&script).handle(message("events", &event_body(status))).await, BatchResponse::default());
        assert_eq!(written_status(&script), None, "{status}");
        assert_eq!(script.bodies("SNS.Publish").len(), 0, "{status}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn results_of_a_deleted_video_are_deleted() {
    let script = Script::new(scripted(None, true));
    assert_eq!(function(&script).handle(message("events", &event_body("done"))).await, BatchResponse::default());
    let deleted: Vec<String> = script
        .requests()
        .into_iter()
        .filter(|request| request.action == "S3.DELETE")
        .map(|request| request.path)
        .collect();
    assert_eq!(deleted.len(), 2);
    assert!(deleted[0].contains(&format!("pdfs/{VIDEO}.pdf")), "{deleted:?}");
    assert!(deleted[1].contains(&format!("subtitles/{VIDEO}.srt")), "{deleted:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn malformed_messages_go_to_the_dead_letter_queue() {
    let no_id = json!({"video_id": "../x", "status": "done", "at": "2026-01-31T12:00:00Z"}).to_string();
    let no_time = json!({"video_id": VIDEO, "status": "done"}).to_string();
    let unknown_status = event_body("processing");
    let valid = event_body("done");
    for (queue, body) in [
        ("events", "garbage"),
        ("events", "{}"),
        ("events", no_id.as_str()),
        ("events", no_time.as_str()),
        ("events", unknown_status.as_str()),
        // An event is not a task.
        ("tasks-dlq", valid.as_str()),
    ] {
        let script = Script::new(scripted(Some("in_queue"), true));
        assert_eq!(function(&script).handle(message(queue, body)).await, BatchResponse::default(), "{body}");
        let sent = script.bodies("AmazonSQS.SendMessage");
        assert_eq!(sent.len(), 1, "{body}");
        assert_eq!(
            (&sent[0]["MessageBody"], &sent[0]["QueueUrl"]),
            (&json!(body), &json!("http://aws.test/0/events-dlq"))
        );
        assert_eq!(written_status(&script), None, "{body}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_dead_task_fails() {
    let task: crate::tables::tasks::Task = serde_json::from_value(task("in_progress")).expect("a task");
    let body = serde_json::to_string(&TaskMessage::new(&task, "videos")).expect("plain data");
    let script = Script::new(scripted(Some("in_progress"), false));
    assert_eq!(function(&script).handle(message("tasks-dlq", &body)).await, BatchResponse::default());
    assert_eq!(written_status(&script), Some(("failed".to_owned(), Some("Gave up after 3 attempts".to_owned()))));
}

#[tokio::test(flavor = "current_thread")]
async fn only_failed_messages_are_delivered_again() {
    let script = Script::new(|request| match request.action.as_str() {
        "DynamoDB.GetItem" => error_reply("InternalServerError"),
        _ => json_reply(json!({"MessageId": "m"})),
    });
    let event = event_body("failed");
    let batch = batch(&[("m", "events", event.as_str()), ("other", "events", "garbage")]);
    let response = function(&script).handle(batch).await;
    assert_eq!(
        serde_json::to_value(response).expect("plain data"),
        json!({"batchItemFailures": [{"itemIdentifier": "m"}]})
    );
    assert_eq!(script.bodies("AmazonSQS.SendMessage").len(), 1);
}

#[test]
fn a_task_message_has_the_original_fields() {
    let task: crate::tables::tasks::Task = serde_json::from_value(task("in_queue")).expect("a task");
    let message: Value = serde_json::to_value(TaskMessage::new(&task, "bucket")).expect("plain data");
    for (name, value) in [
        ("schema", json!(1)),
        ("video_id", json!(VIDEO)),
        ("user_id", json!("ana")),
        ("filename", json!("lecture.mp4")),
        ("s3_key", json!(format!("videos/{VIDEO}/lecture.mp4"))),
        ("bucket", json!("bucket")),
        ("pdf_key", json!(format!("pdfs/{VIDEO}.pdf"))),
        ("subtitle_key", json!(format!("subtitles/{VIDEO}.srt"))),
    ] {
        assert_eq!(message[name], value, "{name}");
    }
}
