//! The operations, with recorded requests.

use serde_json::{Value, json};
use tables::testing::{Reply, Request, Script, error_reply, item, json_reply};

use super::*;
use crate::{
    crypto::password::matches,
    testing::{lines::Lines, user},
};

const PARAMETER: &str = "/analyticbot/test/bootstrap-password";

/// An account with user 7 and a parameter.
fn account(kind: &'static str, password: &'static str) -> impl FnMut(&Request) -> Option<Reply> + Send + 'static {
    move |request| {
        let key = request.body["Key"]["pk"]["S"].as_str().unwrap_or_default();
        let stored = || item(serde_json::to_value(user(7)).expect("a row"));
        match (request.action.as_str(), key) {
            ("AmazonSSM.GetParameter", _) => json_reply(json!({ "Parameter": { "Type": kind, "Value": password } })),
            ("DynamoDB.UpdateItem", "SEQ#user") => json_reply(json!({ "Attributes": item(json!({ "n": 7 })) })),
            ("DynamoDB.GetItem", "USERNAME#ana") => json_reply(json!({ "Item": item(json!({ "pk": key, "id": 7 })) })),
            ("DynamoDB.GetItem", "ID#7") => json_reply(json!({ "Item": stored() })),
            ("DynamoDB.UpdateItem", "ID#7") => json_reply(json!({ "Attributes": stored() })),
            ("DynamoDB.UpdateItem", _) => error_reply("ConditionalCheckFailedException"),
            _ => json_reply(json!({})),
        }
    }
}

async fn run(script: &Script, event: Value) -> Result<Value, String> {
    let app = App::new(
        UserAdmin {
            stage: "test".to_owned(),
            users_table: "users".to_owned(),
            admin_bot_actions_table: "actions".to_owned(),
            bootstrap_password_param: PARAMETER.to_owned(),
        },
        &script.aws(),
    );
    let event = serde_json::from_value(event).map_err(|error| error.to_string())?;
    let answer = app.handle(event, Timestamp::UNIX_EPOCH).await.map_err(|error| error.to_string())?;
    Ok(serde_json::to_value(answer).expect("JSON"))
}

fn create() -> Value {
    json!({ "op": "create_user", "username": "ana", "email": "ana@example.com", "role": "admin", "password_param": PARAMETER })
}

fn actions(script: &Script) -> Vec<String> {
    script.requests().into_iter().map(|request| request.action).collect()
}

#[tokio::test(flavor = "current_thread")]
async fn a_user_is_created_with_the_password_of_the_parameter_which_is_deleted_first() {
    let script = Script::new(account("SecureString", "correct horse"));
    let answer = run(&script, create()).await.expect("created");
    assert_eq!(
        (&answer["user"]["id"], &answer["user"]["role"], &answer["is_active"]),
        (&json!(7), &json!("admin"), &json!(true))
    );
    let expected =
        ["AmazonSSM.GetParameter", "AmazonSSM.DeleteParameter", "DynamoDB.UpdateItem", "DynamoDB.TransactWriteItems"];
    assert_eq!(actions(&script), expected);
    assert_eq!(script.bodies("AmazonSSM.GetParameter")[0], json!({ "Name": PARAMETER, "WithDecryption": true }));
    assert_eq!(script.bodies("AmazonSSM.DeleteParameter")[0], json!({ "Name": PARAMETER }));
    let written = &script.bodies("DynamoDB.TransactWriteItems")[0];
    let hash = written["TransactItems"][0]["Put"]["Item"]["password_hash"]["S"].as_str().expect("a hash");
    assert!(matches("correct horse", Some(hash)).expect("compared"));
    assert!(!answer.to_string().contains(hash) && !written.to_string().contains("correct horse"));
}

#[tokio::test(flavor = "current_thread")]
async fn another_parameter_is_never_read() {
    let script = Script::new(account("SecureString", "correct horse"));
    let mut event = create();
    event["password_param"] = json!("/another/secret");
    let error = run(&script, event).await.expect_err("another parameter");
    assert_eq!(error, format!("no user was changed: `password_param` must be {PARAMETER} or absent"));
    assert_eq!(actions(&script), [""; 0]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_plain_parameter_and_a_refused_password_create_no_user() {
    for (kind, password) in [("String", "correct horse"), ("SecureString", "short"), ("SecureString", "with\0nul-byte")]
    {
        let script = Script::new(account(kind, password));
        let error = run(&script, create()).await.expect_err(password);
        assert!(!error.contains(password), "{error}");
        assert_eq!(actions(&script), ["AmazonSSM.GetParameter"]);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn operators_receive_the_causes_of_an_error() {
    let refused = run(&Script::new(account("SecureString", "short")), create()).await.expect_err("refused");
    assert!(refused.ends_with("in the parameter: a password must have at least 8 characters"), "{refused}");
    let missing = run(&Script::new(|_| error_reply("ParameterNotFound")), create()).await.expect_err("no parameter");
    assert!(missing.starts_with("failed to read the parameter with the password; no user was changed: "), "{missing}");
    assert!(missing.contains("ParameterNotFound"), "{missing}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_taken_name_is_reported_with_the_deleted_parameter() {
    for (at, field) in [(1, "username"), (2, "e-mail address")] {
        let mut account = account("SecureString", "correct horse");
        let script = Script::new(move |request| match request.action.as_str() {
            "DynamoDB.TransactWriteItems" => {
                let code = |write| if write == at { "ConditionalCheckFailed" } else { "None" };
                let reasons: Vec<_> = (0..3).map(|write| json!({ "Code": code(write) })).collect();
                let error = json!({
                    "__type": "com.amazonaws#TransactionCanceledException", "message": "no",
                    "CancellationReasons": reasons,
                });
                Some((400, error.to_string()))
            }
            _ => account(request),
        });
        let error = run(&script, create()).await.expect_err("the guard exists");
        let expected = format!("no user was created: another user has this {field}; the parameter was deleted, so ");
        assert!(error.starts_with(&expected), "{error}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn names_of_another_form_are_refused_before_the_password_is_read() {
    let script = Script::new(account("SecureString", "correct horse"));
    for (field, value) in [("username", "a@b"), ("username", ""), ("email", "ana"), ("role", "root"), ("password", "x")]
    {
        let mut event = create();
        event[field] = json!(value);
        run(&script, event).await.expect_err(field);
    }
    assert_eq!(actions(&script), [""; 0]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_user_is_named_by_id_name_or_address() {
    let script = Script::new(account("SecureString", "correct horse"));
    for event in [
        json!({ "op": "set_role", "user": 7, "role": "user" }),
        json!({ "op": "set_active", "user": "Ana", "active": false }),
        json!({ "op": "set_password", "user": "ana" }),
    ] {
        run(&script, event.clone()).await.unwrap_or_else(|error| panic!("{event}: {error}"));
    }
    let updates = script.bodies("DynamoDB.UpdateItem");
    let expressions: Vec<_> = updates.iter().map(|update| update["UpdateExpression"].clone()).collect();
    assert_eq!(expressions, ["SET #role = :v0", "SET #is_active = :v0, #status = :v1", "SET #password_hash = :v0"]);
    for unknown in [json!(9), json!("bob")] {
        let event = json!({ "op": "set_role", "user": unknown, "role": "user" });
        let error = "no user was changed: no user has this ID, name or e-mail address";
        assert_eq!(run(&script, event).await, Err(error.to_owned()));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn each_operation_is_logged_without_names_and_passwords() {
    let lines = Lines::default();
    let _guard = lines.listen_to_json();
    let script = Script::new(account("SecureString", "correct horse"));
    run(&script, create()).await.expect("created");
    run(&script, json!({ "op": "set_role", "user": "ana", "role": "owner" })).await.expect("changed");
    run(&script, json!({ "op": "set_active", "user": 9, "active": false })).await.expect_err("no such user");
    let text = lines.text();
    let logged = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let logged: Vec<_> = logged.filter(|line| line["message"] == "administration of users").collect();
    let fields = |line: &Value| ["operation", "user_id", "role", "error"].map(|name| line[name].clone());
    // The scripted table returns the same row after each change.
    let expected = [
        [json!("create_user"), json!(7), json!("admin"), json!(null)],
        [json!("set_role"), json!(7), json!("admin"), json!(null)],
        [
            json!("set_active"),
            json!(null),
            json!(null),
            json!("no user was changed: no user has this ID, name or e-mail address"),
        ],
    ];
    assert_eq!(logged.iter().map(fields).collect::<Vec<_>>(), expected);
    for line in logged.iter().map(Value::to_string) {
        assert!(!line.contains("ana@example.com") && !line.contains("correct horse"), "{line}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn actions_are_listed_over_several_pages() {
    let action = json!({
        "id": "01", "admin_user_id": 1, "target_user_id": 7, "action": "suspend_bot", "details": { "reason": "spam" },
        "timestamp": "2026-01-31T12:00:00.000Z",
    });
    let stored = action.clone();
    let script = Script::new(move |request| match request.body["ExclusiveStartKey"].is_null() {
        true => json_reply(json!({ "Items": [item(stored.clone())], "LastEvaluatedKey": item(json!({ "id": "01" })) })),
        false => json_reply(json!({ "Items": [item(stored.clone())] })),
    });
    let answer = run(&script, json!({ "op": "list_actions", "by": { "target": 7 } })).await.expect("listed");
    assert_eq!(answer, json!({ "actions": [action, action] }));
    let one =
        run(&script, json!({ "op": "list_actions", "by": { "day": "2026-01-31" }, "limit": 1 })).await.expect("listed");
    assert_eq!(one["actions"].as_array().map(Vec::len), Some(1));
    assert_eq!(script.bodies("DynamoDB.Query")[2]["IndexName"], "DayIndex");
}
