//! Second factors: setup, sign-in, codes that are used twice, and guessing.

use serde_json::{Value, json};

use super::world::{CODE, PASSWORD, USERS, World, caller};

const EMAIL: &str = "ana@example.com";

fn password() -> Value {
    json!({ "email": EMAIL, "password": PASSWORD })
}

fn with_code(code: &str) -> Value {
    json!({ "email": EMAIL, "password": PASSWORD, "mfaCode": code })
}

fn wrong_code() -> (u64, String) {
    (401, "MFA_CODE_INVALID".to_owned())
}

/// A stage with a user whose second factor is set up, and whose codes are all unused.
async fn with_second_factor() -> (World, String) {
    let world = World::new();
    let user_id = world.registered(EMAIL).await;
    let ana = caller(&user_id, EMAIL, "f");
    let setup = world.mfa_setup(ana.clone(), password()).await;
    assert_eq!((setup.status, setup.text("/data/secret").as_str()), (200, "JBSWY3DP"), "{setup:?}");
    assert!(setup.text("/data/otpauthUrl").starts_with("otpauth://totp/ListBackup:ana%40example.com?secret=JBSWY3DP"));
    let verified = world.mfa_verify(ana, json!({ "password": PASSWORD, "code": CODE })).await;
    assert_eq!((verified.status, &verified.body["data"]["mfaEnabled"]), (200, &json!(true)), "{verified:?}");
    (world, user_id)
}

/// Lets the used codes of the setup expire.
fn expire_codes(world: &World) {
    for mut item in world.memory.all(USERS) {
        if item["userId"].as_str().is_some_and(|key| key.starts_with("CODE#")) {
            item["ttl"] = json!(1);
            world.memory.insert(USERS, item);
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_second_factor_is_asked_for_once_it_is_set_up() {
    let (world, user_id) = with_second_factor().await;
    assert_eq!(world.user(&user_id)["mfaEnabled"], true);
    let asked = world.login(password()).await;
    assert_eq!((asked.status, &asked.body["success"], &asked.body["requiresMfa"]), (200, &json!(false), &json!(true)));
    assert_ne!(asked.text("/session"), "session", "the pool's session stays in the function");
    assert!(asked.body["message"].is_string() && asked.body["data"].is_null());
    assert!(world.families(&user_id).is_empty(), "no tokens without a code");
    expire_codes(&world);
    let answer = world.login(with_code(CODE)).await;
    assert_eq!((answer.status, &answer.body["data"]["user"]["mfaEnabled"]), (200, &json!(true)), "{answer:?}");
    assert_eq!(world.families(&user_id).len(), 1);
}

#[tokio::test(flavor = "current_thread")]
async fn a_code_is_accepted_once() {
    let (world, user_id) = with_second_factor().await;
    assert_eq!(world.login(with_code(CODE)).await.error(), wrong_code(), "the setup used the code");
    expire_codes(&world);
    assert_eq!(world.login(with_code(CODE)).await.status, 200);
    assert_eq!(world.login(with_code(CODE)).await.error(), wrong_code());
    assert_eq!(world.families(&user_id).len(), 1);
}

#[tokio::test(flavor = "current_thread")]
async fn of_two_sign_ins_with_one_code_at_once_one_succeeds() {
    let (world, user_id) = with_second_factor().await;
    expire_codes(&world);
    let answers = tokio::join!(world.login(with_code(CODE)), world.login(with_code(CODE)));
    let mut statuses = [answers.0.status, answers.1.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
    assert_eq!(world.families(&user_id).len(), 1);
}

#[tokio::test(flavor = "current_thread")]
async fn guessing_codes_is_throttled_although_the_password_is_right() {
    let (world, _) = with_second_factor().await;
    expire_codes(&world);
    let mut statuses = Vec::new();
    for guess in 0..10 {
        statuses.push(world.login(with_code(&format!("{guess:06}"))).await.status);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 429, 429, 429, 429, 429, 429]);
    let throttled = world.login(with_code(CODE)).await;
    assert_eq!(throttled.error(), (429, "TOO_MANY_REQUESTS".to_owned()), "also the right one");
    let compared = world.script.bodies("AWSCognitoIdentityProviderService.AdminRespondToAuthChallenge");
    assert_eq!(compared.len(), 4, "the pool compares no code meanwhile");
}

#[tokio::test(flavor = "current_thread")]
async fn a_code_has_six_digits() {
    let (world, _) = with_second_factor().await;
    for code in ["12345", "1234567", "12345x", "１２３４５６"] {
        assert_eq!(world.login(with_code(code)).await.error(), wrong_code(), "{code}");
    }
    assert!(world.script.bodies("AWSCognitoIdentityProviderService.AdminRespondToAuthChallenge").is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn both_routes_take_the_password() {
    let world = World::new();
    let user_id = world.registered(EMAIL).await;
    let ana = caller(&user_id, EMAIL, "f");
    let wrong = json!({ "password": "Wrong-horse-1", "code": CODE });
    let expected = (401, "INVALID_CREDENTIALS".to_owned());
    assert_eq!(world.mfa_setup(ana.clone(), wrong.clone()).await.error(), expected);
    assert_eq!(world.mfa_verify(ana.clone(), wrong).await.error(), expected);
    for body in [json!({}), json!({ "password": "" })] {
        assert_eq!(world.mfa_setup(ana.clone(), body).await.error(), (400, "VALIDATION_FAILED".to_owned()));
    }
    assert_eq!(world.user(&user_id)["mfaEnabled"], false);
}

#[tokio::test(flavor = "current_thread")]
async fn a_wrong_first_code_enables_nothing_and_is_throttled() {
    let world = World::new();
    let user_id = world.registered(EMAIL).await;
    let ana = caller(&user_id, EMAIL, "f");
    let guess = async || world.mfa_verify(ana.clone(), json!({ "password": PASSWORD, "code": "000000" })).await;
    for _ in 0..4 {
        assert_eq!(guess().await.error(), (400, "MFA_CODE_INVALID".to_owned()));
    }
    assert_eq!(guess().await.status, 429);
    assert_eq!(world.user(&user_id)["mfaEnabled"], false);
    assert!(!world.pool_users()[0].needs_code);
}

#[tokio::test(flavor = "current_thread")]
async fn a_second_factor_is_not_replaced_by_a_new_setup() {
    let (world, user_id) = with_second_factor().await;
    let answer = world.mfa_setup(caller(&user_id, EMAIL, "f"), password()).await;
    assert_eq!(answer.error(), (400, "MFA_ALREADY_ENABLED".to_owned()));
}
