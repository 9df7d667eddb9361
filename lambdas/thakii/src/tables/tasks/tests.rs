//! Requests to DynamoDB, and the meaning of its answers.

use serde_json::{Value, json};

use super::{
    transitions::{Report, Transition},
    *,
};
use crate::testing::{Script, VIDEO, error_reply, item, json_reply, task};

fn tasks(script: &Script) -> Tasks {
    let database = Database::new(aws_sdk_dynamodb::Client::new(&script.aws()));
    Tasks::new(
        database.clone(),
        "tasks".to_owned(),
        Users::new(database.clone(), "system".to_owned()),
        Servers::new(database.clone(), "servers".to_owned()),
        Notifications::new(database, "notifications".to_owned()),
    )
}

/// A cancelled transaction, with a reason per write.
fn cancelled(codes: &[&str]) -> Option<(u16, String)> {
    let reasons: Vec<Value> = codes.iter().map(|code| json!({"Code": code})).collect();
    let body = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException", "CancellationReasons": reasons,
    });
    Some((400, body.to_string()))
}

fn row(status: &str) -> Task {
    serde_json::from_value(task(status)).expect("a task")
}

#[tokio::test(flavor = "current_thread")]
async fn creation_writes_task_and_user_in_one_transaction() {
    let script = Script::new(|_| json_reply(json!({})));
    assert!(tasks(&script).create(&row("in_queue")).await.expect("written"));
    let parts = &script.bodies("DynamoDB.TransactWriteItems")[0]["TransactItems"];
    assert_eq!(parts[0]["Put"]["TableName"], "tasks");
    assert_eq!(parts[0]["Put"]["ConditionExpression"], "(attribute_not_exists(#video_id))");
    assert_eq!(parts[1]["Update"]["Key"], json!({"pk": {"S": "user"}, "sk": {"S": "ana"}}));
    assert!(parts[1]["Update"]["UpdateExpression"].as_str().expect("a text").contains("ADD #videos"));
}

#[tokio::test(flavor = "current_thread")]
async fn an_existing_task_is_not_overwritten() {
    let script = Script::new(|_| cancelled(&["ConditionalCheckFailed", "None"]));
    assert!(!tasks(&script).create(&row("in_queue")).await.expect("an answer"));
}

#[tokio::test(flavor = "current_thread")]
async fn conflicting_transactions_are_retried_three_times() {
    let mut meetings = 2;
    let script = Script::new(move |_| {
        meetings -= 1;
        if meetings >= 0 { cancelled(&["TransactionConflict", "None"]) } else { json_reply(json!({})) }
    });
    assert!(tasks(&script).create(&row("in_queue")).await.expect("written"));
    assert_eq!(script.requests().len(), 3);
    let script = Script::new(|_| cancelled(&["None", "TransactionConflict"]));
    tasks(&script).create(&row("in_queue")).await.expect_err("they meet all the time");
    assert_eq!(script.requests().len(), 4);
}

#[tokio::test(flavor = "current_thread")]
async fn other_failures_are_not_retried() {
    let script = Script::new(|_| error_reply("ResourceNotFoundException"));
    let error = tasks(&script).create(&row("in_queue")).await.expect_err("no table");
    assert!(error.to_string().contains("ResourceNotFoundException"), "{error}");
    assert_eq!(script.requests().len(), 1);
}

#[tokio::test(flavor = "current_thread")]
async fn a_transition_writes_task_notification_and_server_in_one_transaction() {
    let script = Script::new(|request| match request.action.as_str() {
        "DynamoDB.GetItem" => {
            let mut task = task("in_progress");
            task["server_id"] = json!("s1");
            json_reply(json!({"Item": item(task)}))
        }
        _ => json_reply(json!({})),
    });
    let report = Report::Finished { pdf_key: "pdfs/x.pdf".to_owned(), subtitle_key: None };
    let transition = tasks(&script).apply_report(VIDEO, &report, None, Timestamp::now()).await.expect("moved");
    let Transition::Applied(Some(stored)) = transition else { panic!("{transition:?}") };
    assert_eq!(stored.notification.title, "Video Processing Update");
    assert_eq!(json!(stored.notification.data), json!({"video_id": VIDEO, "status": "done", "type": "video_update"}));
    let parts = script.bodies("DynamoDB.TransactWriteItems")[0]["TransactItems"].clone();
    assert_eq!(parts.as_array().map(Vec::len), Some(3));
    assert_eq!(parts[1]["Put"]["TableName"], "notifications");
    assert_eq!(parts[2]["Update"]["Key"]["id"], json!({"S": "s1"}));
    let values = &parts[2]["Update"]["ExpressionAttributeValues"];
    assert_eq!((&values[":v0"], &values[":v1"]), (&json!({"N": "-1"}), &json!({"N": "1"})));
}

#[tokio::test(flavor = "current_thread")]
async fn an_unregistered_server_does_not_block_a_transition() {
    let script = Script::new(|request| match request.action.as_str() {
        "DynamoDB.GetItem" => json_reply(json!({"Item": item(task("in_queue"))})),
        _ if request.body["TransactItems"].as_array().map(Vec::len) == Some(2) => {
            cancelled(&["None", "ConditionalCheckFailed"])
        }
        _ => json_reply(json!({})),
    });
    let transition = tasks(&script).apply_report(VIDEO, &Report::Started, Some("unregistered"), Timestamp::now()).await;
    assert_eq!(transition.expect("a transition"), Transition::Applied(None));
    assert_eq!(script.bodies("DynamoDB.TransactWriteItems").len(), 2);
}

#[tokio::test(flavor = "current_thread")]
async fn a_concurrently_changed_task_is_read_again() {
    let mut reads = 0;
    let script = Script::new(move |request| match request.action.as_str() {
        "DynamoDB.GetItem" => {
            reads += 1;
            json_reply(json!({"Item": item(task(if reads == 1 { "in_queue" } else { "done" }))}))
        }
        _ => cancelled(&["ConditionalCheckFailed"]),
    });
    let transition = tasks(&script).apply_report(VIDEO, &Report::Started, None, Timestamp::now()).await;
    assert_eq!(transition.expect("a transition"), Transition::Ignored);
}

/// The number of writes of a deletion, and the condition of its first write with the values filled in.
fn deletion(body: &Value) -> (usize, String) {
    let parts = body["TransactItems"].as_array().expect("parts");
    let delete = &parts[0]["Delete"];
    let mut condition = delete["ConditionExpression"].as_str().expect("a condition").to_owned();
    for (name, value) in delete["ExpressionAttributeValues"].as_object().expect("values") {
        condition = condition.replace(name, value["S"].as_str().expect("a text"));
    }
    (parts.len(), condition)
}

#[tokio::test(flavor = "current_thread")]
async fn a_task_that_changes_during_deletion_is_read_again() {
    let mut stored = task("in_progress");
    stored["server_id"] = json!("s1");
    let mut tries = 0;
    let script = Script::new(move |request| match request.action.as_str() {
        "DynamoDB.GetItem" => json_reply(json!({"Item": item(stored.clone())})),
        _ => {
            tries += 1;
            if tries == 1 { cancelled(&["ConditionalCheckFailed", "None"]) } else { json_reply(json!({})) }
        }
    });
    assert!(tasks(&script).delete(&row("in_queue")).await.expect("deleted"));
    let bodies = script.bodies("DynamoDB.TransactWriteItems");
    let (queued, condition) = deletion(&bodies[0]);
    assert_eq!(queued, 2, "no worker has started it");
    assert_eq!(condition, "(#status IN (in_queue)) AND (#updated_at = 2026-01-31T12:00:00.000Z)");
    // A worker has started in the meantime, so its server's load is reduced.
    let (begun, condition) = deletion(&bodies[1]);
    assert_eq!(begun, 3);
    assert!(condition.starts_with("(#status IN (in_progress, processing))"), "{condition}");
    assert_eq!(bodies[1]["TransactItems"][2]["Update"]["Key"]["id"], json!({"S": "s1"}));
}

#[tokio::test(flavor = "current_thread")]
async fn a_concurrently_deleted_task_counts_as_missing() {
    let script = Script::new(|request| match request.action.as_str() {
        "DynamoDB.GetItem" => json_reply(json!({})),
        _ => cancelled(&["ConditionalCheckFailed", "None"]),
    });
    assert!(!tasks(&script).delete(&row("in_queue")).await.expect("an answer"));
    assert_eq!(script.bodies("DynamoDB.TransactWriteItems").len(), 1);
}

#[tokio::test(flavor = "current_thread")]
async fn a_task_is_deleted_without_its_unregistered_server() {
    let script = Script::new(|request| match request.body["TransactItems"].as_array().map(Vec::len) {
        Some(3) => cancelled(&["None", "None", "ConditionalCheckFailed"]),
        _ => json_reply(json!({})),
    });
    let mut task = row("in_progress");
    task.server_id = Some("gone".to_owned());
    assert!(tasks(&script).delete(&task).await.expect("deleted"));
    assert_eq!(script.bodies("DynamoDB.TransactWriteItems").len(), 2);
}

#[tokio::test(flavor = "current_thread")]
async fn all_attempts_of_a_transaction_use_the_same_token() {
    let mut answers = vec![
        // The first attempt is carried out, but its answer is lost. The SDK's second attempt finds it in progress.
        Some((500, json!({"__type": "InternalServerError"}).to_string())),
        error_reply("TransactionInProgressException"),
        json_reply(json!({})),
    ]
    .into_iter();
    let script = Script::new(move |_| answers.next().expect("no fourth try"));
    let client = aws_sdk_dynamodb::Config::new(&script.aws())
        .to_builder()
        .retry_config(aws_config::retry::RetryConfig::standard().with_max_attempts(2))
        .build();
    let database = Database::new(aws_sdk_dynamodb::Client::from_conf(client));
    let write = Write::Put("tasks".to_owned(), to_item(&row("in_queue")).expect("an item"), Change::new());
    assert_eq!(database.transact(vec![write]).await.expect("committed"), TransactionOutcome::Committed);
    let bodies = script.bodies("DynamoDB.TransactWriteItems");
    let tokens: Vec<&str> = bodies.iter().filter_map(|body| body["ClientRequestToken"].as_str()).collect();
    assert_eq!(tokens.len(), 3);
    assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_repeated_put_succeeds_on_its_own_item_only() {
    let mine = json!({"id": "x", "by": "me", "at": 7});
    for (stored, expected) in [(mine.clone(), true), (json!({"id": "x", "by": "another", "at": 7}), false)] {
        let script = Script::new(move |request| {
            assert_eq!(request.body["ReturnValuesOnConditionCheckFailure"], "ALL_OLD");
            let body = json!({
                "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
                "Item": item(stored.clone()),
            });
            Some((400, body.to_string()))
        });
        let database = Database::new(aws_sdk_dynamodb::Client::new(&script.aws()));
        let absent = Change::new().when(|at| at.absent("id"));
        let written = database.put("admins", to_item(&mine).expect("an item"), absent).await.expect("an answer");
        assert_eq!(written, expected);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn long_error_messages_are_truncated() {
    let script = Script::new(|request| match request.action.as_str() {
        "DynamoDB.GetItem" => json_reply(json!({"Item": item(task("in_queue"))})),
        _ => json_reply(json!({})),
    });
    let report = Report::Failed("ä".repeat(2000));
    tasks(&script).apply_report(VIDEO, &report, None, Timestamp::now()).await.expect("moved");
    let update = script.bodies("DynamoDB.TransactWriteItems")[0]["TransactItems"][0]["Update"].clone();
    let values = update["ExpressionAttributeValues"].as_object().expect("values").values();
    assert!(values.filter_map(|value| value["S"].as_str()).any(|text| text == "ä".repeat(1000)));
}

#[tokio::test(flavor = "current_thread")]
async fn queries_read_pages_until_the_limit() {
    let mut page = 0;
    let script = Script::new(move |_| {
        page += 1;
        let mut task = task("done");
        task["video_id"] = json!(format!("v{page}"));
        let key = json!({"video_id": {"S": format!("v{page}")}});
        json_reply(json!({"Items": [item(task)], "LastEvaluatedKey": key}))
    });
    let found = tasks(&script).list_for_user("ana", Some("2026"), 3).await.expect("tasks");
    assert_eq!(found.len(), 3);
    let queries = script.bodies("DynamoDB.Query");
    assert_eq!(queries[0]["IndexName"], "by-user");
    assert_eq!(queries[0]["KeyConditionExpression"], "#user_id = :v0 AND #created_key < :v1");
    assert_eq!((&queries[0]["ScanIndexForward"], &queries[0]["Limit"]), (&json!(false), &json!(3)));
    assert_eq!((&queries[2]["Limit"], &queries[2]["ExclusiveStartKey"]["video_id"]["S"]), (&json!(1), &json!("v2")));
}

#[tokio::test(flavor = "current_thread")]
async fn counts_add_up_over_pages() {
    let mut pages = 3;
    let script = Script::new(move |_| {
        pages -= 1;
        let mut body = json!({"Count": 10});
        if pages > 0 {
            body["LastEvaluatedKey"] = json!({"video_id": {"S": format!("v{pages}")}});
        }
        json_reply(body)
    });
    assert_eq!(tasks(&script).count_with_status(Status::Done).await.expect("a count"), 30);
    assert_eq!(script.bodies("DynamoDB.Query")[0]["Select"], "COUNT");
}

#[test]
fn lists_are_merged_newest_first_without_duplicates() {
    let task = |id: &str, created: &str, status: &str, updated: &str| {
        let mut task = row(status);
        task.video_id = id.to_owned();
        task.created_key = format!("{created}#{id}");
        task.updated_at = updated.to_owned();
        task
    };
    let merged = merge(
        [
            vec![task("b", "2", "in_queue", "2"), task("a", "1", "in_queue", "1")],
            vec![task("b", "2", "in_progress", "3")],
            vec![task("c", "3", "done", "9")],
            vec![],
        ],
        3,
    );
    let shown: Vec<(&str, Status)> = merged.iter().map(|task| (task.video_id.as_str(), task.status)).collect();
    assert_eq!(shown, [("c", Status::Done), ("b", Status::InProgress), ("a", Status::InQueue)]);
}

#[test]
fn statuses_of_the_original_service_are_parsed() {
    for (old, status) in [("processing", Status::InProgress), ("completed", Status::Done)] {
        assert_eq!(serde_json::from_value::<Status>(json!(old)).expect("an old status"), status);
    }
    assert_eq!(Status::ALL.map(|status| Status::parse(status.as_str())), Status::ALL.map(Some));
}
