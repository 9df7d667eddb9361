//! Rows 6 to 12: registration, sign-in, refresh, logout and second factors, and the attacks on them.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use futures_util::future::join_all;
use ring::hmac;
use serde_json::{Value, json};

use super::{
    person::{PASSWORD, Person},
    totp,
    world::World,
};

pub(super) async fn row_06_a_user_is_registered_once(world: Arc<World>) {
    let data = world.anonymous.register("carla@example.com").await.ok(201);
    let (user, account) = (&data["user"], &data["account"]);
    assert!(user["userId"].as_str().is_some_and(|id| id.starts_with("user:")), "{data:#}");
    assert_eq!(
        [&user["email"], &user["name"], &user["role"], &user["mfaEnabled"], &user["emailVerified"]],
        [&json!("carla@example.com"), &json!("Test User"), &json!("owner"), &json!(false), &json!(false)]
    );
    assert_eq!((&account["plan"], &account["status"]), (&json!("free"), &json!("trial")), "{data:#}");
    assert_eq!(user["accountId"], account["accountId"]);
    assert!(data["message"].is_string());
    assert_eq!(world.anonymous.register("carla@example.com").await.error(409), "USER_EXISTS");
    assert_eq!(world.anonymous.register("Carla@Example.com").await.error(409), "USER_EXISTS");
}

pub(super) async fn row_07_a_refused_registration_creates_nothing(world: Arc<World>) {
    let email = "dora@example.com";
    let before = (world.items("accounts").await.len(), users(&world).await.len());
    for (body, named) in [
        (json!({ "email": email, "password": "password", "name": "Dora" }), None),
        (json!({ "email": email, "password": PASSWORD }), Some("name")),
        (json!({ "email": email, "password": "Ab1!", "name": "Dora" }), None),
        (json!({ "email": "dora", "password": PASSWORD, "name": "Dora" }), Some("email")),
        (json!({ "email": email, "password": 7, "name": "Dora" }), Some("password")),
    ] {
        let refused = world.anonymous.post("/auth/register", body.clone()).await;
        refused.error(400);
        if let Some(named) = named {
            assert!(refused.body["details"].to_string().contains(named), "{body}: {:#}", refused.body);
        }
    }
    let malformed = world.anonymous.post_raw("/auth/register", "{").await;
    assert_eq!(malformed.error(400), "INVALID_JSON");
    assert_eq!((world.items("accounts").await.len(), users(&world).await.len()), before);
    let found = world.cloud.cognito("ListUsers", &json!({ "UserPoolId": world.outputs["UserPoolId"] })).await;
    assert!(!found["Users"].to_string().contains(email), "{found:#}");
    assert_eq!(world.anonymous.login(email, PASSWORD).await.error(401), "INVALID_CREDENTIALS");
}

/// The rows of users: the table also holds counters.
async fn users(world: &World) -> Vec<BTreeMap<String, aws_sdk_dynamodb::types::AttributeValue>> {
    world.items("users").await.into_iter().filter(|item| item.contains_key("email")).collect()
}

pub(super) async fn row_08_the_right_password_signs_in(world: Arc<World>) {
    let data = world.anonymous.login("ana@example.com", PASSWORD).await.ok(200);
    assert_eq!((&data["expiresIn"], &data["tokenType"]), (&json!(3600), &json!("Bearer")));
    for token in ["accessToken", "refreshToken", "idToken"] {
        assert!(data[token].as_str().is_some_and(|token| token.split('.').count() == 3), "{token}");
    }
    assert_eq!(data["user"]["accountId"], json!(world.ana.account_id));
    let wrong = world.anonymous.login("ana@example.com", "Wrong-Horse-7-Battery").await;
    let unknown = world.anonymous.login("nadie@example.com", PASSWORD).await;
    assert_eq!((wrong.error(401), unknown.error(401)), ("INVALID_CREDENTIALS", "INVALID_CREDENTIALS"));
    assert_eq!(wrong.body["error"], unknown.body["error"], "an unknown address looks like a wrong password");
    let incomplete = world.anonymous.post("/auth/login", json!({ "email": "ana@example.com" })).await;
    incomplete.error(400);
}

async fn refresh(person: &Person, token: &str) -> super::person::Said {
    person.post("/auth/refresh", json!({ "refreshToken": token })).await
}

fn refresh_token(data: &Value) -> String {
    data["refreshToken"].as_str().expect("a token").to_owned()
}

pub(super) async fn row_09_a_replayed_refresh_token_revokes_its_family(world: Arc<World>) {
    let person = world.anonymous.signed_in("carla@example.com").await;
    let first = person.refresh_token.clone();
    let rotated = refresh(&world.anonymous, &first).await.ok(200);
    let second = refresh_token(&rotated);
    let fresh = world.anonymous.with_token(rotated["accessToken"].as_str().expect("a token"));
    fresh.get("/sources").await.ok(200);
    assert_eq!(refresh(&world.anonymous, &first).await.error(401), "INVALID_REFRESH_TOKEN");
    assert_eq!(refresh(&world.anonymous, &second).await.error(401), "INVALID_REFRESH_TOKEN");
    fresh.get("/sources").await.refused_by_gateway(403);
    world.anonymous.post("/auth/refresh", json!({})).await.error(400);
}

pub(super) async fn two_refreshes_of_one_token_at_once_give_one_session_at_most(world: Arc<World>) {
    for _ in 0..5 {
        let person = world.anonymous.signed_in("carla@example.com").await;
        let both = join_all((0..2).map(|_| refresh(&world.anonymous, &person.refresh_token))).await;
        let (won, lost): (Vec<_>, Vec<_>) = both.into_iter().partition(|said| said.status == 200);
        assert_eq!((won.len(), lost.len()), (1, 1), "{won:?} {lost:?}");
        assert_eq!(lost[0].error(401), "INVALID_REFRESH_TOKEN");
        // The second use revoked the family, so the new token is refused as well.
        let next = refresh_token(&won[0].body["data"]);
        assert_eq!(refresh(&world.anonymous, &next).await.error(401), "INVALID_REFRESH_TOKEN");
    }
}

pub(super) async fn row_10_a_logout_takes_effect_at_once(world: Arc<World>) {
    let person = world.anonymous.signed_in("carla@example.com").await;
    let other = world.anonymous.signed_in("carla@example.com").await;
    person.get("/sources").await.ok(200);
    let data = person.post("/auth/logout", json!({})).await.ok(200);
    assert_eq!(data["userId"], json!(person.user_id));
    person.get("/sources").await.refused_by_gateway(403);
    assert_eq!(refresh(&world.anonymous, &person.refresh_token).await.error(401), "INVALID_REFRESH_TOKEN");
    other.get("/sources").await.ok(200);
}

pub(super) async fn row_11_the_gateway_refuses_missing_and_bad_tokens(world: Arc<World>) {
    world.anonymous.get("/sources").await.refused_by_gateway(401);
    for value in ["Bearer x", "Bearer ", "x", "Basic YTpi", "ApiKey lbk_x", "ApiKey ", "bearer"] {
        world.anonymous.with_authorization(value).get("/sources").await.refused_by_gateway(403);
    }
}

/// Signs claims with HS256, or with another name of an algorithm in the header.
fn token(secret: &str, algorithm: &str, claims: &Value) -> String {
    let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(&json!({ "alg": algorithm, "typ": "JWT" })), encode(claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), signed.as_bytes());
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

fn claims(token: &str) -> Value {
    let middle = token.split('.').nth(1).expect("claims");
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(middle).expect("Base64")).expect("JSON")
}

pub(super) async fn tokens_of_another_kind_stage_key_or_age_are_refused(world: Arc<World>) {
    let secret = async |name: &str| {
        let value = world.cloud.secret(&format!("listbackup/local/{name}")).await;
        value["SecretString"].as_str().expect("a value").to_owned()
    };
    let (access_key, refresh_key) = (secret("jwt-secret").await, secret("jwt-refresh-secret").await);
    let person = world.anonymous.signed_in("carla@example.com").await;
    let access = person.authorization.as_deref().and_then(|value| value.strip_prefix("Bearer ")).expect("a token");
    let good = claims(access);
    let with = |changes: Value| {
        let mut changed = good.clone();
        for (name, value) in changes.as_object().expect("changes") {
            changed[name] = value.clone();
        }
        changed
    };
    let try_access = async |token: String| world.anonymous.with_token(&token).get("/sources").await;
    // The helper signs as the functions do.
    try_access(token(&access_key, "HS256", &good)).await.ok(200);
    let past = good["iat"].as_i64().expect("a time") - 7200;
    let unsigned = token(&access_key, "none", &good);
    let unsigned = format!("{}.", unsigned.rsplit_once('.').expect("a signature").0);
    for (what, refused) in [
        ("alg none", unsigned),
        ("alg HS512", token(&access_key, "HS512", &good)),
        ("alg RS256", token(&access_key, "RS256", &good)),
        ("typ refresh", token(&access_key, "HS256", &with(json!({ "typ": "refresh" })))),
        ("another stage", token(&access_key, "HS256", &with(json!({ "aud": "prod" })))),
        ("no audience", token(&access_key, "HS256", &with(json!({ "aud": null })))),
        ("expired", token(&access_key, "HS256", &with(json!({ "iat": past, "exp": past + 3600 })))),
        ("no expiry", token(&access_key, "HS256", &with(json!({ "exp": null })))),
        (
            "another family",
            token(&access_key, "HS256", &with(json!({ "fid": "00000000-0000-4000-8000-000000000000" }))),
        ),
        ("another account", token(&access_key, "HS256", &with(json!({ "accountId": world.bob.account_id })))),
        ("the key of refresh tokens", token(&refresh_key, "HS256", &good)),
        ("a foreign key", token("another-key-of-more-than-32-bytes-in-length", "HS256", &good)),
        ("a refresh token", person.refresh_token.clone()),
    ] {
        let said = try_access(refused).await;
        assert_eq!((said.status, &said.body["message"]), (403, &json!("Forbidden")), "{what}");
    }
    // A role that the token claims has no effect: the row decides.
    let own = claims(&person.refresh_token);
    for (what, refused) in [
        ("an access token", access.to_owned()),
        (
            "typ access",
            token(&refresh_key, "HS256", &{
                let mut changed = own.clone();
                changed["typ"] = json!("access");
                changed
            }),
        ),
        ("the key of access tokens", token(&access_key, "HS256", &own)),
    ] {
        let said = refresh(&world.anonymous, &refused).await;
        assert_eq!((said.status, &said.body["code"]), (401, &json!("INVALID_REFRESH_TOKEN")), "{what}");
    }
    // The refused tokens did not revoke the session.
    person.get("/sources").await.ok(200);
}

pub(super) async fn row_12_a_second_factor_is_required_and_each_code_works_once(world: Arc<World>) {
    let email = "emma@example.com";
    let person = world.account(email).await;
    let wrong = person.post("/auth/mfa/setup", json!({ "password": "Wrong-Horse-7-Battery" })).await;
    wrong.error(401);
    let setup = person.post("/auth/mfa/setup", json!({ "password": PASSWORD })).await.ok(200);
    let secret = setup["secret"].as_str().expect("a secret").to_owned();
    assert!(setup["otpauthUrl"].as_str().is_some_and(|url| url.starts_with("otpauth://totp/")), "{setup:#}");
    let verify =
        async |code: String| person.post("/auth/mfa/verify", json!({ "password": PASSWORD, "code": code })).await;
    verify(wrong_code(&secret)).await.error(400);
    let used = totp::code(&secret, 0);
    assert_eq!(verify(used).await.ok(200)["mfaEnabled"], true);

    let without = world.anonymous.login(email, PASSWORD).await;
    assert_eq!((without.status, &without.body["success"]), (200, &json!(false)), "{:#}", without.body);
    assert_eq!(without.body["requiresMfa"], true);
    assert!(without.body["session"].is_string() && without.body["message"].is_string(), "{:#}", without.body);
    assert!(!without.body.to_string().contains("accessToken"));

    let login = async |code: &str| {
        let body = json!({ "email": email, "password": PASSWORD, "mfaCode": code });
        world.anonymous.post("/auth/login", body).await
    };
    // The code of the setup is used up. That of the next half minute is accepted already.
    let code = totp::code(&secret, 1);
    assert!(login(&code).await.ok(200)["accessToken"].is_string());
    assert_eq!(login(&code).await.error(401), "MFA_CODE_INVALID", "a code works once");

    let mut statuses = Vec::new();
    for _ in 0..15 {
        statuses.push(login(&wrong_code(&secret)).await.status);
    }
    assert_eq!(statuses[0], 401, "{statuses:?}");
    assert!(statuses[..10].iter().all(|status| [401, 429].contains(status)), "{statuses:?}");
    assert!(statuses[10..].iter().all(|status| *status == 429), "guessing is throttled: {statuses:?}");
}

/// A code that is none of those around now.
fn wrong_code(secret: &str) -> String {
    let now: Vec<_> = (0..3).map(|later| totp::code(secret, later)).collect();
    let mut wrong = (0..).map(|number: u32| format!("{number:06}")).filter(|code| !now.contains(code));
    wrong.next().expect("a code")
}
