//! Registration: what exists afterwards, and that nothing exists after a failure.

use serde_json::{Value, json};

use super::world::{ACCOUNTS, ACTIVITY, PASSWORD, USERS, World};

fn body() -> Value {
    json!({ "email": "Ana@Example.com", "password": PASSWORD, "name": "Ana" })
}

/// The users among the items of the table, which also has counters.
fn users(world: &World) -> Vec<Value> {
    world.memory.all(USERS).into_iter().filter(|item| item["email"].is_string()).collect()
}

#[tokio::test(flavor = "current_thread")]
async fn a_registration_creates_a_user_and_an_account() {
    let world = World::new();
    let answer = world.register(body()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let (user_id, account_id) = (answer.text("/data/user/userId"), answer.text("/data/account/accountId"));
    let expected = json!({
        "userId": user_id, "email": "ana@example.com", "name": "Ana", "accountId": account_id, "role": "owner",
        "mfaEnabled": false, "emailVerified": false,
    });
    assert_eq!(answer.body["data"]["user"], expected);
    let expected = json!({ "accountId": account_id, "name": "Ana's account", "plan": "free", "status": "trial" });
    assert_eq!(answer.body["data"]["account"], expected);
    assert_eq!((answer.text("/requestId").as_str(), &answer.body["success"]), ("request-1", &json!(true)));
    assert!(answer.body["timestamp"].is_string() && answer.body["data"]["message"].is_string());
    let user = world.user(&user_id);
    assert_eq!(
        (&user["email"], &user["status"], &user["families"]),
        (&json!("ana@example.com"), &json!("active"), &json!({}))
    );
    let account = world.memory.get(ACCOUNTS, &[&account_id]).expect("an account");
    assert_eq!(account["settings"]["maxSources"], 3);
    assert_eq!(account["usage"]["sources"], 0);
    assert_eq!(world.memory.all(ACTIVITY)[0]["type"], "user.registered");
    assert_eq!(world.events(), ["User Registered"]);
    assert!(world.pool_users()[0].is_permanent);
    let mails: Vec<_> =
        world.script.requests().into_iter().filter(|request| request.action == "SNS.SendEmail").collect();
    assert_eq!(mails.len(), 1, "one welcome mail");
}

#[tokio::test(flavor = "current_thread")]
async fn an_address_registers_once() {
    let world = World::new();
    world.registered("ana@example.com").await;
    assert_eq!(world.register(body()).await.error(), (409, "USER_EXISTS".to_owned()));
    assert_eq!((users(&world).len(), world.memory.all(ACCOUNTS).len(), world.pool_users().len()), (1, 1, 1));
}

#[tokio::test(flavor = "current_thread")]
async fn invalid_fields_are_named_and_create_nothing() {
    let world = World::new();
    for (field, value) in [
        ("email", json!(null)),
        ("email", json!("ana")),
        ("email", json!(7)),
        ("password", json!(null)),
        ("password", json!("short")),
        ("password", json!("password")),
        ("name", json!(null)),
        ("name", json!(" ")),
        ("accountName", json!(["x"])),
    ] {
        let mut body = body();
        body[field] = value.clone();
        let answer = world.register(body).await;
        assert_eq!(answer.error(), (400, "VALIDATION_FAILED".to_owned()), "{field} {value}");
        assert_eq!(answer.body["details"]["field"], field, "{value}");
    }
    assert!(users(&world).is_empty() && world.pool_users().is_empty() && world.events().is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn a_value_that_the_pool_refuses_is_named() {
    for (reason, field) in
        [("Value at 'temporaryPassword' failed", "password"), ("Invalid email address format.", "email")]
    {
        let world = World::new();
        world.refuse("AdminCreateUser", "InvalidParameterException", reason);
        let answer = world.register(body()).await;
        assert_eq!(answer.error(), (400, "VALIDATION_FAILED".to_owned()), "{reason}");
        assert_eq!(answer.body["details"]["field"], field, "{reason}");
        assert!(users(&world).is_empty());
    }
    let world = World::new();
    world.refuse("AdminCreateUser", "InvalidParameterException", "another setting is wrong");
    assert_eq!(world.register(body()).await.error(), (500, "INTERNAL".to_owned()));
}

#[tokio::test(flavor = "current_thread")]
async fn a_body_must_be_a_small_json_object() {
    let world = World::new();
    for body in [json!("{"), json!("[]"), json!("")] {
        assert_eq!(world.register(body).await.error(), (400, "INVALID_JSON".to_owned()));
    }
    let large = json!({ "email": "a".repeat(256 * 1024) });
    assert_eq!(world.register(large).await.error(), (413, "BODY_TOO_LARGE".to_owned()));
}

#[tokio::test(flavor = "current_thread")]
async fn a_registration_that_fails_halfway_can_be_repeated() {
    for operation in ["AdminSetUserPassword", "TransactWriteItems"] {
        let world = World::new();
        world.fail(operation, "InternalErrorException");
        let answer = world.register(body()).await;
        assert_eq!(answer.error(), (500, "INTERNAL".to_owned()), "{operation}");
        assert!(!answer.body.to_string().contains("InternalErrorException"), "{answer:?}");
        assert!(world.pool_users().is_empty(), "{operation}");
        world.recover();
        world.registered("ana@example.com").await;
    }
}

#[tokio::test(flavor = "current_thread")]
async fn mail_and_event_are_best_effort() {
    let world = World::new();
    world.fail("PutEvents", "InternalException");
    world.fail("SendEmail", "MessageRejected");
    world.registered("ana@example.com").await;
}
