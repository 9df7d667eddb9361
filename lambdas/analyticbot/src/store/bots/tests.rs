//! The requests of bots, recorded.

use serde_json::{Value, json};
use tables::testing::{Reply, Request, Script, error_reply, item, json_reply};

use super::*;
use crate::store::bot::tests::bot;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn bots(script: &Script) -> Bots {
    Bots::new(Database::new(aws_sdk_dynamodb::Client::new(&script.aws())), "bots".to_owned())
}

fn actions(script: &Script) -> Actions {
    Actions::new(Database::new(aws_sdk_dynamodb::Client::new(&script.aws())), "actions".to_owned())
}

/// A bot as DynamoDB answers.
fn stored(status: Status) -> Value {
    let mut row = item(json!({
        "pk": "USER#7", "list_pk": "BOT", "list_sk": "x", "id": 3, "user_id": 7, "bot_username": "Stats_bot", "bot_id": 1001,
        "status": status, "is_verified": true, "rate_limit_rps": 30, "max_concurrent_requests": 10, "total_requests": 5,
        "created_at": "2026-01-31T12:00:00.000Z", "updated_at": "2026-01-31T12:00:00.000Z", "telegram_api_id": 12,
        "enc_v": 1, "fingerprint": "f1", "version": 4,
    }));
    for (name, bytes) in [("dek", "AQ=="), ("bot_token", "AgD/"), ("telegram_api_hash", "Aw==")] {
        row[name] = json!({ "B": bytes });
    }
    row
}

/// Cancels a transaction of which these writes fail.
fn cancelled(count: usize, failed: &[usize]) -> Option<Reply> {
    let code = |at| if failed.contains(&at) { "ConditionalCheckFailed" } else { "None" };
    let reasons: Vec<_> = (0..count).map(|at| json!({ "Code": code(at) })).collect();
    let body = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException", "Message": "cancelled",
        "CancellationReasons": reasons,
    });
    Some((400, body.to_string()))
}

/// An account with one bot, in which every write succeeds.
fn with_bot(status: Status) -> impl FnMut(&Request) -> Option<Reply> + Send + 'static {
    move |request| match request.action.as_str() {
        "DynamoDB.GetItem" => json_reply(json!({ "Item": stored(status) })),
        _ => json_reply(json!({ "Attributes": stored(status) })),
    }
}

fn new_bot() -> NewBot {
    NewBot {
        id: 3,
        user_id: 7,
        identity: Identity { bot_id: 1001, username: Some("Stats_bot".to_owned()) },
        api_id: None,
        limits: Limits::default(),
        fingerprint: "f1".to_owned(),
        sealed: Sealed { dek: vec![1], bot_token: vec![2], ..Sealed::default() },
    }
}

fn transaction(script: &Script) -> Value {
    script.bodies("DynamoDB.TransactWriteItems").remove(0)["TransactItems"].take()
}

#[tokio::test(flavor = "current_thread")]
async fn a_stored_bot_is_read_with_its_bytes() {
    let script = Script::new(with_bot(Status::Active));
    assert_eq!(bots(&script).get(7).await, Ok(Some(bot())));
    assert_eq!(script.bodies("DynamoDB.GetItem")[0]["ConsistentRead"], true);
}

#[tokio::test(flavor = "current_thread")]
async fn a_bot_and_three_guards_are_created_together() {
    let script = Script::new(|_| json_reply(json!({})));
    let created = bots(&script).create(new_bot(), NOW).await.expect("written");
    let Created::Bot(bot) = created else { panic!("a bot: {created:?}") };
    assert_eq!((bot.status.status, bot.status.is_verified, bot.version), (Status::Pending, false, 1));
    let writes = transaction(&script);
    let keys = [0, 1, 2, 3].map(|at| writes[at]["Put"]["Item"]["pk"]["S"].clone());
    assert_eq!(keys, ["USER#7", "TOKEN#f1", "BOTID#1001", "NAME#stats_bot"]);
    assert!((0..4).all(|at| writes[at]["Put"]["ConditionExpression"] == "(attribute_not_exists(#pk))"));
    assert_eq!(writes[1]["Put"]["Item"]["user_id"], json!({ "N": "7" }));
    assert_eq!(writes[0]["Put"]["Item"]["bot_token"], json!({ "B": "Ag==" }));
}

#[tokio::test(flavor = "current_thread")]
async fn the_failed_guard_decides_why_a_bot_is_refused() {
    for (failed, expected) in [
        (vec![0, 1, 2, 3], Created::AlreadyExists),
        (vec![1], Created::TokenInUse),
        // A re-issued token of the same bot.
        (vec![2], Created::TokenInUse),
        (vec![2, 3], Created::TokenInUse),
        (vec![3], Created::UsernameInUse),
    ] {
        let case = failed.clone();
        let script = Script::new(move |request| match request.action.as_str() {
            "DynamoDB.GetItem" => json_reply(json!({})),
            _ => cancelled(4, &failed),
        });
        assert_eq!(bots(&script).create(new_bot(), NOW).await, Ok(expected), "{case:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn the_guards_of_the_users_own_bot_are_no_other_users() {
    for failed in [vec![1], vec![1, 2], vec![3]] {
        let case = failed.clone();
        let script = Script::new(move |request| match request.action.as_str() {
            "DynamoDB.GetItem" => json_reply(json!({ "Item": stored(Status::Pending) })),
            _ => cancelled(4, &failed),
        });
        assert_eq!(bots(&script).create(new_bot(), NOW).await, Ok(Created::AlreadyExists), "{case:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_removal_deletes_the_guards_that_the_user_owns() {
    let script = Script::new(with_bot(Status::Active));
    assert_eq!(bots(&script).remove(7).await, Ok(Removed::Removed));
    let writes = transaction(&script);
    let keys = [0, 1, 2, 3].map(|at| writes[at]["Delete"]["Key"]["pk"]["S"].clone());
    assert_eq!(keys, ["USER#7", "TOKEN#f1", "BOTID#1001", "NAME#stats_bot"]);
    assert_eq!(writes[0]["Delete"]["ConditionExpression"], "(#version = :v0)");
    assert_eq!(writes[1]["Delete"]["ConditionExpression"], "(attribute_not_exists(#pk) OR #user_id = :v0)");
}

#[tokio::test(flavor = "current_thread")]
async fn users_cannot_change_a_suspended_bot() {
    let script = Script::new(with_bot(Status::Suspended));
    let (bots, of) = (bots(&script), bot());
    let identity = Identity { bot_id: 1001, username: None };
    assert_eq!(bots.remove(7).await, Ok(Removed::Suspended));
    assert_eq!(bots.verified(&of, &identity, NOW).await, Ok(Changed::Suspended));
    assert_eq!(bots.rejected(&of, NOW).await, Ok(Changed::Suspended));
    assert_eq!(bots.set_own_limits(7, Some(1), None, NOW).await, Ok(Changed::Suspended));
    assert!(script.requests().iter().all(|request| request.action == "DynamoDB.GetItem"), "nothing is written");
}

#[tokio::test(flavor = "current_thread")]
async fn a_suspension_and_its_record_are_one_transaction() {
    let script = Script::new(with_bot(Status::Active));
    let actions = actions(&script);
    let audit = Audit { actions: &actions, admin_user_id: 1 };
    let changed = bots(&script).suspend(7, "Policy violation", audit, NOW).await.expect("written");
    let Changed::Bot(bot) = changed else { panic!("a bot: {changed:?}") };
    assert_eq!((bot.status.status, bot.version), (Status::Suspended, 5));
    assert_eq!(bot.status.suspension_reason.as_deref(), Some("Policy violation"));
    assert!(bot.status.is_verified && bot.status.updated_at == "1970-01-01T00:00:00.000Z");
    let writes = transaction(&script);
    assert_eq!(writes[0]["Update"]["ConditionExpression"], "(#version = :v7)");
    assert_eq!(writes[1]["Put"]["TableName"], "actions");
    assert_eq!(writes[1]["Put"]["Item"]["details"], json!({ "M": { "reason": { "S": "Policy violation" } } }));
    assert_eq!(writes.as_array().map(Vec::len), Some(2));
}

#[tokio::test(flavor = "current_thread")]
async fn an_activation_clears_the_reason_and_records_the_status_before() {
    let script = Script::new(with_bot(Status::Suspended));
    let actions = actions(&script);
    let audit = Audit { actions: &actions, admin_user_id: 1 };
    let changed = bots(&script).activate(7, audit, NOW).await.expect("written");
    assert!(matches!(changed, Changed::Bot(bot) if bot.status.status == Status::Active && bot.status.is_verified));
    let writes = transaction(&script);
    let update = writes[0]["Update"]["UpdateExpression"].as_str().expect("an expression");
    assert!(update.ends_with("REMOVE #suspension_reason"), "{update}");
    let details = json!({ "M": { "previous_status": { "S": "suspended" } } });
    assert_eq!(writes[1]["Put"]["Item"]["details"], details);
}

#[tokio::test(flavor = "current_thread")]
async fn an_administrator_limits_a_suspended_bot_and_both_pairs_are_recorded() {
    let script = Script::new(with_bot(Status::Suspended));
    let actions = actions(&script);
    let audit = Audit { actions: &actions, admin_user_id: 1 };
    let changed = bots(&script).set_limits(7, (Some(50), None), audit, NOW).await.expect("written");
    assert!(matches!(changed, Changed::Bot(bot) if bot.status.status == Status::Suspended));
    let details = &transaction(&script)[1]["Put"]["Item"]["details"]["M"];
    let number = |name: &str| details[name]["N"].as_str().expect("a number").to_owned();
    let names =
        ["old_rate_limit_rps", "new_rate_limit_rps", "old_max_concurrent_requests", "new_max_concurrent_requests"];
    assert_eq!(names.map(number), ["30", "50", "10", "10"]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_bot_without_an_id_is_not_activated() {
    let script = Script::new(|_| {
        let mut row = stored(Status::Pending);
        row.as_object_mut().expect("an object").remove("bot_id");
        json_reply(json!({ "Item": row }))
    });
    let actions = actions(&script);
    let audit = Audit { actions: &actions, admin_user_id: 1 };
    assert_eq!(bots(&script).activate(7, audit, NOW).await, Ok(Changed::Incomplete));
}

#[tokio::test(flavor = "current_thread")]
async fn a_contended_change_reads_the_row_again() {
    let mut writes = 0;
    let script = Script::new(move |request| match request.action.as_str() {
        "DynamoDB.GetItem" => json_reply(json!({ "Item": stored(Status::Active) })),
        _ => {
            writes += 1;
            if writes < 3 {
                error_reply("ConditionalCheckFailedException")
            } else {
                json_reply(json!({ "Attributes": {} }))
            }
        }
    });
    let changed = bots(&script).rejected(&bot(), NOW).await.expect("written at last");
    assert!(matches!(changed, Changed::Bot(bot) if bot.status.status == Status::Error && !bot.status.is_verified));
    assert_eq!(script.bodies("DynamoDB.GetItem").len(), 3);
    let contended = Script::new(|request| match request.action.as_str() {
        "DynamoDB.GetItem" => json_reply(json!({ "Item": stored(Status::Active) })),
        _ => error_reply("ConditionalCheckFailedException"),
    });
    bots(&contended).rejected(&bot(), NOW).await.expect_err("no attempt was written");
    assert_eq!(contended.bodies("DynamoDB.UpdateItem").len(), 4);
}

#[tokio::test(flavor = "current_thread")]
async fn a_verification_that_changes_nothing_writes_nothing() {
    let script = Script::new(with_bot(Status::Active));
    let same = Identity { bot_id: 1001, username: Some("Stats_bot".to_owned()) };
    let changed = bots(&script).verified(&bot(), &same, NOW).await;
    assert_eq!(changed, Ok(Changed::Bot(Box::new(bot()))));
    assert_eq!(script.requests().len(), 1);
}

#[tokio::test(flavor = "current_thread")]
async fn a_new_name_replaces_the_guard_of_the_old_one() {
    let script = Script::new(with_bot(Status::Active));
    let renamed = Identity { bot_id: 1001, username: Some("News_bot".to_owned()) };
    bots(&script).verified(&bot(), &renamed, NOW).await.expect("written");
    let writes = transaction(&script);
    assert_eq!(writes[1]["Put"]["Item"]["pk"]["S"], "NAME#news_bot");
    assert_eq!(writes[2]["Delete"]["Key"]["pk"]["S"], "NAME#stats_bot");
    let taken = Script::new(|request| match request.action.as_str() {
        "DynamoDB.GetItem" => json_reply(json!({ "Item": stored(Status::Active) })),
        _ => cancelled(3, &[1]),
    });
    assert_eq!(bots(&taken).verified(&bot(), &renamed, NOW).await, Ok(Changed::UsernameInUse));
}

#[tokio::test(flavor = "current_thread")]
async fn a_verification_does_not_apply_to_a_later_bot_of_the_user() {
    let script = Script::new(with_bot(Status::Pending));
    let mut earlier = bot();
    earlier.status.id = 2;
    let identity = Identity { bot_id: 1001, username: None };
    assert_eq!(bots(&script).verified(&earlier, &identity, NOW).await, Ok(Changed::NotFound));
}

#[tokio::test(flavor = "current_thread")]
async fn pages_are_counted_skipped_and_read() {
    let script = Script::new(|request| {
        let after = json!({ "pk": { "S": "USER#9" }, "list_pk": { "S": "BOT" }, "list_sk": { "S": "x" } });
        match (request.body["Select"] == "COUNT", request.body["Limit"].as_u64()) {
            (true, None) => json_reply(json!({ "Count": 3 })),
            (true, Some(_)) => json_reply(json!({ "Count": 2, "LastEvaluatedKey": after })),
            _ => json_reply(json!({ "Items": [stored(Status::Pending)], "Count": 1 })),
        }
    });
    let listing = bots(&script).list(Some(Status::Pending), 2, 2).await.expect("a page");
    assert_eq!((listing.total, listing.bots.len(), listing.bots[0].id), (3, 1, 3));
    let queries = script.bodies("DynamoDB.Query");
    assert!(queries.iter().all(|query| query["IndexName"] == "StatusIndex" && query["ScanIndexForward"] == false));
    assert_eq!((queries[1]["Limit"].as_u64(), queries[2]["Limit"].as_u64()), (Some(2), Some(2)));
    assert_eq!(queries[2]["ExclusiveStartKey"]["pk"]["S"], "USER#9");
    for beyond in [3, u64::MAX] {
        let listing = bots(&script).list(None, beyond, 2).await.expect("a page");
        assert_eq!((listing.total, listing.bots.len()), (3, 0), "{beyond}");
    }
    assert_eq!(script.bodies("DynamoDB.Query")[3]["IndexName"], "ListIndex");
}
