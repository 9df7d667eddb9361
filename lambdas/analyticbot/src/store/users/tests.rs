//! The requests of users, recorded.

use serde_json::{Value, json};
use tables::testing::{Script, error_reply, item, json_reply};

use super::*;

fn users(script: &Script) -> Users {
    Users::new(Database::new(aws_sdk_dynamodb::Client::new(&script.aws())), "users".to_owned())
}

fn stored() -> Value {
    item(json!({
        "pk": "ID#7", "id": 7, "username": "Ana", "email": "Ana@example.com", "password_hash": "$2b$12$hash", "role": "user",
        "is_active": true, "status": "active", "created_at": "2026-01-31T12:00:00.000Z",
    }))
}

fn new_user() -> NewUser {
    NewUser {
        username: "Ana".to_owned(),
        email: "Ana@example.com".to_owned(),
        password_hash: "$2b$12$hash".to_owned(),
        role: Role::User,
        full_name: None,
        telegram_id: None,
    }
}

/// Cancels a transaction with a code for each write.
fn cancelled(codes: &[&str]) -> (u16, String) {
    let reasons: Vec<_> = codes.iter().map(|code| json!({ "Code": code })).collect();
    let body = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException", "Message": "cancelled",
        "CancellationReasons": reasons,
    });
    (400, body.to_string())
}

#[tokio::test(flavor = "current_thread")]
async fn a_user_is_found_by_name_or_address_without_regard_to_case() {
    let script = Script::new(|request| match request.body["Key"]["pk"]["S"].as_str()? {
        pk @ ("EMAIL#ana@example.com" | "USERNAME#ana") => {
            json_reply(json!({ "Item": item(json!({ "pk": pk, "id": 7 })) }))
        }
        "ID#7" => json_reply(json!({ "Item": stored() })),
        _ => json_reply(json!({})),
    });
    let users = users(&script);
    for login in ["ANA@example.com", "ana", "Ana"] {
        let user = users.find(login).await.expect("read").expect("a user");
        assert_eq!((user.id, user.role), (7, Role::User), "{login}");
        assert!(!format!("{user:?}").contains("hash"));
    }
    assert_eq!(users.find("bob").await, Ok(None));
    let reads = script.bodies("DynamoDB.GetItem");
    assert_eq!(reads.len(), 8, "two for each name, also for the unknown one");
    assert!(reads.iter().all(|read| read["ConsistentRead"] == true));
}

#[tokio::test(flavor = "current_thread")]
async fn a_user_and_both_guards_are_written_together() {
    let script = Script::new(|request| match request.action.as_str() {
        "DynamoDB.UpdateItem" => json_reply(json!({ "Attributes": item(json!({ "n": 3 })) })),
        _ => json_reply(json!({})),
    });
    let created = users(&script).create(new_user(), Timestamp::UNIX_EPOCH).await.expect("written");
    let Created::User(user) = created else { panic!("a user") };
    assert_eq!((user.id, user.is_active), (3, true));
    let writes = &script.bodies("DynamoDB.TransactWriteItems")[0]["TransactItems"];
    let keys = [0, 1, 2].map(|at| writes[at]["Put"]["Item"]["pk"]["S"].clone());
    assert_eq!(keys, ["ID#3", "USERNAME#ana", "EMAIL#ana@example.com"]);
    for at in 0..3 {
        assert_eq!(writes[at]["Put"]["ConditionExpression"], "(attribute_not_exists(#pk))");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_name_or_address_in_use_is_refused() {
    let cases = [
        (["None", "ConditionalCheckFailed", "None"], Created::UsernameInUse),
        (["None", "None", "ConditionalCheckFailed"], Created::EmailInUse),
        (["None", "ConditionalCheckFailed", "ConditionalCheckFailed"], Created::UsernameInUse),
    ];
    for (codes, expected) in cases {
        let script = Script::new(move |request| match request.action.as_str() {
            "DynamoDB.UpdateItem" => json_reply(json!({ "Attributes": item(json!({ "n": 3 })) })),
            _ => Some(cancelled(&codes)),
        });
        assert_eq!(users(&script).create(new_user(), Timestamp::UNIX_EPOCH).await, Ok(expected));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn only_existing_users_are_changed() {
    let script = Script::new(|_| error_reply("ConditionalCheckFailedException"));
    let users = users(&script);
    assert_eq!(users.set_role(9, Role::Admin).await, Ok(None));
    assert_eq!(users.set_active(9, false).await, Ok(None));
    assert_eq!(users.set_password(9, "hash").await, Ok(None));
    assert_eq!(users.record_login(9, Timestamp::UNIX_EPOCH).await, Ok(None));
    let updates = script.bodies("DynamoDB.UpdateItem");
    assert!(updates.iter().all(|update| update["ConditionExpression"] == "(attribute_exists(#pk))"));
    assert_eq!(updates[1]["UpdateExpression"], "SET #is_active = :v0, #status = :v1");
}
