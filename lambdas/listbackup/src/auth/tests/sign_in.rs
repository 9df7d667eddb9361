//! Signing in with a password, and its limits.

use serde_json::json;

use super::world::{ACTIVITY, PASSWORD, SECRET, USERS, World};

#[tokio::test(flavor = "current_thread")]
async fn a_correct_password_gives_tokens_of_a_new_family() {
    let world = World::new();
    let user_id = world.registered("ana@example.com").await;
    let answer = world.login(json!({ "email": " ANA@example.com", "password": PASSWORD })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let data = &answer.body["data"];
    assert_eq!((&data["expiresIn"], &data["tokenType"]), (&json!(3600), &json!("Bearer")));
    assert_eq!((&data["user"]["userId"], &data["user"]["role"]), (&json!(user_id), &json!("owner")));
    assert!(data["idToken"].is_string() && data["refreshToken"].is_string());
    let families = world.families(&user_id);
    assert_eq!(families.len(), 1);
    let token = answer.text("/data/accessToken");
    let token = common::token::Unverified::parse(&token).expect("a token");
    let secret = format!("{SECRET}: \"access\"");
    let claims = token.verify_hs256([secret.as_bytes()]).expect("signed with the secret of access tokens");
    let expected = [("sub", user_id.as_str()), ("fid", &families[0]), ("typ", "access"), ("aud", "test")];
    for (name, value) in expected {
        assert_eq!(claims.text(name), Some(value), "{name}");
    }
    assert_eq!(world.events(), ["User Registered", "User Login"]);
    assert!(world.memory.all(ACTIVITY).iter().any(|row| row["type"] == "user.login"));
    assert!(world.user(&user_id)["lastLoginAt"].is_string());
}

#[tokio::test(flavor = "current_thread")]
async fn a_wrong_password_and_an_unknown_address_have_the_same_answer() {
    let world = World::new();
    world.registered("ana@example.com").await;
    let wrong = world.login(json!({ "email": "ana@example.com", "password": "Wrong-horse-1" })).await;
    let unknown = world.login(json!({ "email": "bob@example.com", "password": PASSWORD })).await;
    assert_eq!(wrong.error(), (401, "INVALID_CREDENTIALS".to_owned()));
    assert_eq!(unknown.error(), wrong.error());
    assert_eq!(unknown.body["error"], wrong.body["error"]);
}

#[tokio::test(flavor = "current_thread")]
async fn an_address_that_is_not_verified_is_reported() {
    let world = World::new();
    world.fail("AdminInitiateAuth", "UserNotConfirmedException");
    let answer = world.login(json!({ "email": "ana@example.com", "password": PASSWORD })).await;
    assert_eq!(answer.error(), (403, "EMAIL_NOT_VERIFIED".to_owned()));
    assert_eq!(answer.body["requiresVerification"], true);
}

#[tokio::test(flavor = "current_thread")]
async fn fields_are_required() {
    let world = World::new();
    for body in [json!({ "password": PASSWORD }), json!({ "email": "ana@example.com" })] {
        assert_eq!(world.login(body).await.error(), (400, "VALIDATION_FAILED".to_owned()));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn guessing_a_password_is_throttled_and_success_ends_the_count() {
    let world = World::new();
    world.registered("ana@example.com").await;
    let guess = async || world.login(json!({ "email": "ana@example.com", "password": "Wrong-horse-1" })).await;
    for _ in 0..3 {
        assert_eq!(guess().await.status, 401);
    }
    world.signed_in("ana@example.com").await;
    for _ in 0..4 {
        assert_eq!(guess().await.status, 401);
    }
    let refused = guess().await;
    assert_eq!(refused.error(), (429, "TOO_MANY_REQUESTS".to_owned()));
    assert!(refused.body["retryAfter"].as_u64().is_some_and(|seconds| (1..=30).contains(&seconds)), "{refused:?}");
    // Neither an address nor an account is in a counter's key.
    let items = world.memory.all(USERS);
    let counters: Vec<_> = items.iter().filter(|item| item["email"].is_null()).collect();
    assert!(
        counters.iter().all(|item| item["ttl"].is_i64() && !item.to_string().contains("192.0.2.1")),
        "{counters:?}"
    );
}

#[tokio::test(flavor = "current_thread")]
async fn requests_of_an_address_are_limited_per_minute() {
    let world = World::new();
    let mut statuses = Vec::new();
    // At most one end of a minute is passed meanwhile.
    for at in 0..121 {
        let body = json!({ "email": format!("user{at}@example.com"), "password": PASSWORD });
        statuses.push(world.login(body).await.status);
    }
    assert!(statuses[..60].iter().all(|status| *status == 401), "{statuses:?}");
    assert!(statuses.contains(&429), "{statuses:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn an_unavailable_pool_counts_no_failures() {
    let world = World::new();
    world.registered("ana@example.com").await;
    world.fail("AdminInitiateAuth", "InternalErrorException");
    for _ in 0..6 {
        let answer = world.login(json!({ "email": "ana@example.com", "password": PASSWORD })).await;
        assert_eq!(answer.error(), (500, "INTERNAL".to_owned()));
    }
    world.recover();
    world.signed_in("ana@example.com").await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_suspended_user_cannot_sign_in() {
    let world = World::new();
    let user_id = world.registered("ana@example.com").await;
    let mut user = world.user(&user_id);
    user["status"] = json!("suspended");
    world.memory.insert(USERS, user);
    let answer = world.login(json!({ "email": "ana@example.com", "password": PASSWORD })).await;
    assert_eq!(answer.error(), (403, "ACCESS_DENIED".to_owned()));
    assert!(world.families(&user_id).is_empty());
}
