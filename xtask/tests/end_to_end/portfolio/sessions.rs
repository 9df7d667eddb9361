//! Signing in and out, against a user pool.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::world::{OWNER, PASSWORD, World};

pub(super) async fn row_05_the_right_password_signs_in(world: Arc<World>) {
    let signed_in = world.sign_in(OWNER).await;
    for token in ["token", "accessToken", "refreshToken"] {
        assert!(signed_in[token].as_str().is_some_and(|token| !token.is_empty()), "{token}");
    }
    assert_eq!((&signed_in["tokenType"], &signed_in["expiresIn"]), (&json!("Bearer"), &json!(3600)));
    let user = &signed_in["user"];
    assert_eq!((&user["role"], &user["email"], &user["emailVerified"]), (&json!("owner"), &json!(OWNER), &json!(true)));
}

pub(super) async fn row_06_wrong_password_and_unknown_address_look_the_same(world: Arc<World>) {
    let login = async |email: &str| {
        world.anonymous.post("/v1/auth/login", json!({"email": email, "password": "Wrong-Horse-7-Battery"})).await
    };
    let (wrong, unknown) = (login(OWNER).await, login("nobody@example.com").await);
    assert_eq!(wrong.error(401).0, "InvalidCredentials");
    assert_eq!(wrong.body, unknown.body);
}

pub(super) async fn row_07_a_missing_password_is_named(world: Arc<World>) {
    let missing = world.anonymous.post("/v1/auth/login", json!({"email": OWNER})).await;
    assert_eq!(missing.status, 400, "{:#}", missing.body);
    // The gateway's own model refuses it first, in its own words, where the emulator has request validators.
    if !missing.body["details"].is_null() {
        assert_eq!(missing.error(400), ("InvalidRequest", &json!("password")));
    }
    let empty = world.anonymous.post("/v1/auth/login", json!({"email": OWNER, "password": ""})).await;
    assert_eq!(empty.error(400), ("InvalidRequest", &json!("password")));
}

pub(super) async fn row_08_a_refresh_token_is_exchanged(world: Arc<World>) {
    let signed_in = world.sign_in(OWNER).await;
    let refresh = async |token: &Value| world.anonymous.post("/v1/auth/refresh", json!({"refreshToken": token})).await;
    let refreshed = refresh(&signed_in["refreshToken"]).await.ok(200);
    assert!(refreshed["refreshToken"].is_string() && refreshed["accessToken"].is_string());
    let token = refreshed["token"].as_str().expect("a token");
    assert_eq!(world.anonymous.with_token(token).get("/v1/auth/me").await.ok(200)["email"], OWNER);
    assert_eq!(refresh(&json!("garbage")).await.error(401).0, "InvalidToken");
}

pub(super) async fn row_09_one_is_told_who_one_is(world: Arc<World>) {
    let me = world.owner.get("/v1/auth/me").await.ok(200);
    assert_eq!((&me["role"], &me["email"], &me["name"]), (&json!("owner"), &json!(OWNER), &json!("Site Owner")));
    let stranger = world.stranger.get("/v1/auth/me").await.ok(200);
    assert_eq!(stranger["role"], "public");
    assert_eq!(world.anonymous.get("/v1/auth/me").await.status, 401);
    let token = world.owner.token.clone().expect("a token");
    let tampered = world.anonymous.with_token(format!("{}AAAA", &token[..token.len() - 4]));
    assert_eq!(tampered.get("/v1/auth/me").await.status, 401);
}

/// Waits for the next second: the emulator tells tokens of before a sign-out from those of after it by theirs.
pub(super) async fn next_second() {
    let issued = Timestamp::now().as_second();
    while Timestamp::now().as_second() == issued {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(super) async fn signing_out_ends_the_refresh_token(world: Arc<World>) {
    let email = "leaving@example.com";
    world.add_user(email, None, true).await;
    let signed_in = world.sign_in(email).await;
    next_second().await;
    let leaving = world.anonymous.with_token(signed_in["token"].as_str().expect("a token"));
    let left = leaving.act("/v1/auth/logout").await.ok(200);
    assert_eq!(left, json!({"message": "Successfully logged out"}));
    let refresh = json!({"refreshToken": signed_in["refreshToken"]});
    assert_eq!(world.anonymous.post("/v1/auth/refresh", refresh).await.error(401).0, "InvalidToken");
    assert_eq!(world.anonymous.act("/v1/auth/logout").await.status, 401);
}

pub(super) async fn a_temporary_password_is_replaced_through_the_challenge(world: Arc<World>) {
    let email = "new@example.com";
    world.add_user(email, None, false).await;
    let login = json!({"email": email, "password": PASSWORD});
    let challenged = world.anonymous.post("/v1/auth/login", login.clone()).await;
    assert_eq!(challenged.error(403).0, "ChallengeRequired");
    assert_eq!(challenged.body["details"]["challengeName"], "NEW_PASSWORD_REQUIRED");
    let mut reply = login;
    reply["session"] = challenged.body["details"]["session"].clone();
    reply["newPassword"] = json!("Another-Horse-8-Battery");
    let signed_in = world.anonymous.post("/v1/auth/login", reply).await.ok(200);
    assert_eq!(signed_in["user"]["email"], email);
    let again = json!({"email": email, "password": "Another-Horse-8-Battery"});
    world.anonymous.post("/v1/auth/login", again).await.ok(200);
}

pub(super) async fn a_disabled_account_is_told_so(world: Arc<World>) {
    let email = "disabled@example.com";
    world.add_user(email, None, true).await;
    world.cloud.cognito("AdminDisableUser", &json!({ "UserPoolId": world.pool(), "Username": email })).await;
    let refused = world.anonymous.post("/v1/auth/login", json!({"email": email, "password": PASSWORD})).await;
    assert_eq!(refused.error(403).0, "AccountDisabled");
}

pub(super) async fn guessing_a_password_leads_to_a_pause(world: Arc<World>) {
    let guess = async |email: &str| {
        world.anonymous.post("/v1/auth/login", json!({"email": email, "password": "Wrong-Horse-7-Battery"})).await
    };
    let email = "guessed@example.com";
    for _ in 0..4 {
        assert_eq!(guess(email).await.error(401).0, "InvalidCredentials");
    }
    assert_eq!(guess(email).await.error(429).0, "TooManyRequests");
    // Other accounts are not affected.
    assert_eq!(guess("other@example.com").await.error(401).0, "InvalidCredentials");
}
