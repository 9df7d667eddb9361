//! The requests that reach DynamoDB.

use serde_json::{Value, json};

use crate::{
    Change, Database, Index, Query, TransactionOutcome, Write, from_items, number, strings,
    testing::{Script, error_reply, item, json_reply},
};

const BY_TIME: Index = Index { name: "by-time", partition: "owner", sort: Some("time") };

fn database(script: &Script) -> Database {
    Database::new(aws_sdk_dynamodb::Client::new(&script.aws()))
}

#[tokio::test]
async fn a_page_is_one_request_that_continues_after_a_key() {
    let script = Script::new(|_| {
        json_reply(
            json!({"Items": [item(json!({"id": "b"}))], "LastEvaluatedKey": item(json!({"id": "b", "time": 7}))}),
        )
    });
    let query = Query::index("notes", BY_TIME, "ana").between("time", 5, 9).descending();
    let query = query.filter(|at| at.compare("size", ">", 1)).filter(|at| at.exists("name"));
    let mut start = strings([("id", "a")]);
    start.insert("time".to_owned(), number(8));
    let (items, next) = database(&script).page(&query, 1000, Some(start)).await.expect("a page");
    assert_eq!(from_items::<Value>(items).expect("plain items"), [json!({"id": "b"})]);
    assert_eq!(next.expect("more")["time"], number(7));
    let sent = &script.bodies("DynamoDB.Query")[..];
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0]["Limit"], 1000);
    assert_eq!(sent[0]["ExclusiveStartKey"], json!({"id": {"S": "a"}, "time": {"N": "8"}}));
    assert_eq!(sent[0]["KeyConditionExpression"], "#owner = :v0 AND #time BETWEEN :v1 AND :v2");
    assert_eq!(sent[0]["FilterExpression"], "(#size > :v3) AND (attribute_exists(#name))");
    assert_eq!(sent[0]["ExpressionAttributeValues"][":v1"], json!({"N": "5"}));
}

#[tokio::test]
async fn skipped_items_are_counted_and_not_sent() {
    let script = Script::new(|request| match request.body["ExclusiveStartKey"].is_null() {
        true => json_reply(json!({"Count": 2, "LastEvaluatedKey": item(json!({"id": "b"}))})),
        false => json_reply(json!({"Count": 1, "LastEvaluatedKey": item(json!({"id": "c"}))})),
    });
    let query = Query::new("notes", "owner", "ana");
    let next = database(&script).skip(&query, 3).await.expect("an answer");
    assert_eq!(next, Some(strings([("id", "c")])));
    let sent = script.bodies("DynamoDB.Query");
    assert_eq!([&sent[0]["Limit"], &sent[1]["Limit"]], [3, 1]);
    assert!(sent.iter().all(|query| query["Select"] == "COUNT"));
    let short = Script::new(|_| json_reply(json!({"Count": 2})));
    assert_eq!(database(&short).skip(&query, 3).await, Ok(None));
    assert_eq!(database(&short).skip(&query, 0).await, Ok(None));
    assert_eq!(short.requests().len(), 1);
}

#[tokio::test]
async fn a_change_whose_item_a_transaction_holds_is_repeated() {
    let mut attempts = 0;
    let script = Script::new(move |_| {
        attempts += 1;
        if attempts < 3 {
            return error_reply("TransactionConflictException");
        }
        json_reply(json!({"Attributes": item(json!({"n": 1}))}))
    });
    let change = || Change::new().add("n", 1);
    let changed = database(&script).update("notes", strings([("id", "a")]), change()).await.expect("changed");
    assert_eq!(changed.expect("an item")["n"], number(1));
    assert_eq!(script.requests().len(), 3);
    let held = Script::new(|_| error_reply("TransactionConflictException"));
    database(&held).update("notes", strings([("id", "a")]), change()).await.expect_err("held for too long");
    assert_eq!(held.requests().len(), 4);
}

#[tokio::test]
async fn a_check_of_a_transaction_writes_nothing() {
    let script = Script::new(|_| json_reply(json!({})));
    let write = |id, change| Write::Change("notes".to_owned(), strings([("id", id)]), change);
    let condition = Change::new().when(|at| at.compare("status", "=", "active"));
    let writes = vec![
        Write::Check("jobs".to_owned(), strings([("id", "j")]), condition),
        write("n", Change::new().add("a.b", 1)),
    ];
    let outcome = database(&script).transact(writes).await.expect("an answer");
    assert_eq!(outcome, TransactionOutcome::Committed);
    let sent = &script.bodies("DynamoDB.TransactWriteItems")[0]["TransactItems"];
    assert_eq!(
        sent[0]["ConditionCheck"],
        json!({
            "TableName": "jobs", "Key": {"id": {"S": "j"}}, "ConditionExpression": "(#status = :v0)",
            "ExpressionAttributeNames": {"#status": "status"}, "ExpressionAttributeValues": {":v0": {"S": "active"}},
        })
    );
    assert_eq!(sent[1]["Update"]["UpdateExpression"], "SET #a.#b = if_not_exists(#a.#b, :v1) + :v0");
}

#[tokio::test]
async fn one_caller_receives_a_deleted_item() {
    let mut rows = vec![item(json!({"id": "a", "owner": "ana"}))];
    let script = Script::new(move |_| match rows.pop() {
        Some(row) => json_reply(json!({"Attributes": row})),
        None => json_reply(json!({})),
    });
    let database = database(&script);
    let delete = async || {
        let condition = Change::new().when(|at| at.compare("owner", "=", "ana"));
        database.delete("notes", strings([("id", "a")]), condition).await.expect("an answer")
    };
    assert_eq!(delete().await.expect("the item")["owner"].as_s().expect("a string"), "ana");
    assert_eq!(delete().await, None);
    let sent = &script.bodies("DynamoDB.DeleteItem")[0];
    assert_eq!((&sent["ReturnValues"], &sent["ConditionExpression"]), (&json!("ALL_OLD"), &json!("(#owner = :v0)")));
}

#[tokio::test]
async fn a_failed_condition_deletes_nothing() {
    let script = Script::new(|_| error_reply("ConditionalCheckFailedException"));
    let condition = Change::new().when(|at| at.exists("id"));
    let deleted = database(&script).delete("notes", strings([("id", "a")]), condition).await;
    assert_eq!(deleted.expect("an answer"), None);
}

#[tokio::test]
async fn a_batch_reads_unprocessed_keys_again_and_no_key_twice() {
    let mut calls = 0;
    let script = Script::new(move |request| {
        calls += 1;
        let mut keys = request.body["RequestItems"]["notes"]["Keys"].as_array().expect("keys").clone();
        let unprocessed = if calls == 1 { json!({"notes": {"Keys": [keys.pop()]}}) } else { json!({}) };
        json_reply(json!({"Responses": {"notes": keys}, "UnprocessedKeys": unprocessed}))
    });
    let keys = ["a", "b", "a"].map(|id| strings([("id", id)])).to_vec();
    let items = database(&script).get_all("notes", keys).await.expect("all items");
    assert_eq!(from_items::<Value>(items).expect("items"), [json!({"id": "a"}), json!({"id": "b"})]);
    assert_eq!(script.requests().len(), 2);
    assert!(database(&script).get_all("notes", Vec::new()).await.expect("no items").is_empty());
    assert_eq!(script.requests().len(), 2);
}
