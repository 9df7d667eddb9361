//! Runs in which a step fails.

use serde_json::{Value, json};

use super::*;
use crate::testing::{Reply, Request, Script, background_environment, error_reply, item, json_reply, task};

const GOOD: &str = "11111111-1111-4111-8111-111111111111";
const BAD: &str = "22222222-2222-4222-8222-222222222222";

fn function(script: &Script) -> MaintenanceFunction {
    MaintenanceFunction::new(background_environment(), &script.aws())
}

fn task_with_id(id: &str, status: &str) -> Value {
    let mut task = task(status);
    task["video_id"] = json!(id);
    task
}

/// Scripts an account with two tasks in a status, starting with `first`. Calls that match `broken` fail.
fn scripted(first: Value, status: &'static str, broken: fn(&Request) -> bool) -> impl FnMut(&Request) -> Option<Reply> {
    move |request| {
        if broken(request) {
            return error_reply("InternalServerError");
        }
        let queried = request.body["ExpressionAttributeValues"][":v0"]["S"].as_str();
        match request.action.as_str() {
            "DynamoDB.Query" if request.body["Select"] == "COUNT" => json_reply(json!({"Count": 2})),
            "DynamoDB.Query" if queried == Some(status) => {
                json_reply(json!({"Items": [item(first.clone()), item(task_with_id(GOOD, status))], "Count": 2}))
            }
            "DynamoDB.Query" => json_reply(json!({"Items": [], "Count": 0})),
            "DynamoDB.GetItem" => {
                let id = request.body["Key"]["video_id"]["S"].as_str().expect("an id");
                json_reply(json!({"Item": item(task_with_id(id, status))}))
            }
            "SNS.Publish" => Some((
                200,
                "<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>".to_owned(),
            )),
            "secretsmanager.ListSecretVersionIds" => json_reply(json!({"Versions": [
                {"VersionId": "v", "VersionStages": ["AWSCURRENT"], "CreatedDate": Timestamp::now().as_second()},
            ]})),
            _ => json_reply(json!({"MessageId": "m"})),
        }
    }
}

fn is_about(request: &Request, id: &str) -> bool {
    request.body.to_string().contains(id)
}

#[tokio::test(flavor = "current_thread")]
async fn lost_tasks_are_queued_despite_a_failure() {
    let broken: fn(&Request) -> bool = |request| request.action == "AmazonSQS.SendMessage" && is_about(request, BAD);
    let script = Script::new(scripted(task_with_id(BAD, "in_queue"), "in_queue", broken));
    let error = function(&script).run().await.expect_err("one failed").to_string();
    assert!(error.contains("1 failed") && error.contains("send to tasks"), "{error}");
    assert_eq!(script.bodies("AmazonSQS.SendMessage").len(), 2);
    let updates = script.bodies("DynamoDB.UpdateItem");
    assert_eq!(updates.iter().map(|update| &update["Key"]["video_id"]["S"]).collect::<Vec<_>>(), [GOOD]);
}

#[tokio::test(flavor = "current_thread")]
async fn stalled_tasks_are_failed_despite_a_failure() {
    let broken: fn(&Request) -> bool =
        |request| request.action == "DynamoDB.TransactWriteItems" && is_about(request, BAD);
    let script = Script::new(scripted(task_with_id(BAD, "in_progress"), "in_progress", broken));
    let error = function(&script).run().await.expect_err("one failed").to_string();
    assert!(error.contains("1 failed") && error.contains("write in a transaction"), "{error}");
    assert_eq!(script.bodies("SNS.Publish").len(), 1, "the other task's user is notified");
}

#[tokio::test(flavor = "current_thread")]
async fn an_unreadable_task_is_named_and_skipped() {
    let mut unreadable = task_with_id(BAD, "in_queue");
    unreadable["size"] = json!("large");
    let script = Script::new(scripted(unreadable, "in_queue", |_| false));
    let error = function(&script).run().await.expect_err("one failed").to_string();
    assert!(error.contains(BAD), "{error}");
    assert_eq!(script.bodies("AmazonSQS.SendMessage").len(), 1);
}

#[tokio::test(flavor = "current_thread")]
async fn every_step_runs_when_others_fail() {
    // All lists fail; the tasks of every status are still counted.
    let broken: fn(&Request) -> bool = |request| {
        request.action == "DynamoDB.Query"
            && (request.body["Select"].is_null() || request.body.to_string().contains("in_progress"))
    };
    let script = Script::new(scripted(task_with_id(BAD, "done"), "done", broken));
    let error = function(&script).run().await.expect_err("four failed").to_string();
    assert!(error.contains("4 failed"), "lost, stuck, servers and one count: {error}");
    let counts = script.bodies("DynamoDB.Query").into_iter().filter(|query| query["Select"] == "COUNT");
    assert_eq!(counts.count(), 4);
}

#[tokio::test(flavor = "current_thread")]
async fn a_run_without_failures_reports_its_counts() {
    let script = Script::new(scripted(task_with_id(BAD, "in_queue"), "in_queue", |_| false));
    let results = function(&script).run().await.expect("nothing failed");
    assert_eq!(results, MaintenanceResults { requeued: 2, ended: 0, servers: 0, healthy_servers: 0, rotated: false });
}

#[tokio::test(flavor = "current_thread")]
async fn a_secret_that_cannot_be_rotated_fails_the_run_only() {
    let broken: fn(&Request) -> bool = |request| request.action == "secretsmanager.ListSecretVersionIds";
    let script = Script::new(scripted(task_with_id(BAD, "in_queue"), "in_queue", broken));
    let error = function(&script).run().await.expect_err("one failed").to_string();
    assert!(error.contains("1 failed") && error.contains("list the token secret's versions"), "{error}");
    assert_eq!(script.bodies("AmazonSQS.SendMessage").len(), 2);
}
