//! Families of refresh tokens: rotation, replay, and their end.

use serde_json::json;

use super::world::{PASSWORD, USERS, World, caller};

fn refused() -> (u64, String) {
    (401, "INVALID_REFRESH_TOKEN".to_owned())
}

#[tokio::test(flavor = "current_thread")]
async fn a_refresh_token_is_accepted_once_and_a_replay_ends_its_family() {
    let world = World::new();
    let user_id = world.registered("ana@example.com").await;
    let first = world.signed_in("ana@example.com").await;
    let other = world.signed_in("ana@example.com").await;
    let answer = world.refresh(&first).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        (&answer.body["data"]["expiresIn"], &answer.body["data"]["tokenType"]),
        (&json!(3600), &json!("Bearer"))
    );
    let second = answer.text("/data/refreshToken");
    assert_eq!(world.refresh(&first).await.error(), refused());
    assert_eq!(world.refresh(&second).await.error(), refused(), "the family has ended");
    assert_eq!(world.families(&user_id).len(), 1, "the other session has not");
    assert_eq!(world.refresh(&other).await.status, 200);
}

#[tokio::test(flavor = "current_thread")]
async fn of_two_refreshes_at_once_one_succeeds() {
    for _ in 0..10 {
        let world = World::new();
        world.registered("ana@example.com").await;
        let token = world.signed_in("ana@example.com").await;
        let answers = tokio::join!(world.refresh(&token), world.refresh(&token));
        let mut statuses = [answers.0.status, answers.1.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401]);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_rotation_whose_answer_was_lost_is_no_replay() {
    let world = World::new();
    let user_id = world.registered("ana@example.com").await;
    world.signed_in("ana@example.com").await;
    let users = super::super::users::Users::new(
        tables::Database::new(aws_sdk_dynamodb::Client::new(&world.script.aws())),
        USERS.to_owned(),
    );
    let family = world.families(&user_id)[0].clone();
    let jti = world.user(&user_id)["families"][&family]["jti"].as_str().expect("an ID").to_owned();
    let now = jiff::Timestamp::now();
    let new = crate::tokens::Refresh::next(&user_id, &family, now);
    let old = crate::tokens::Refresh { jti, ..new.clone() };
    for _ in 0..2 {
        let rotation = users.rotate(&old, &new).await.expect("an answer");
        assert_eq!(rotation, super::super::users::Rotation::Rotated);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn an_access_token_refreshes_nothing() {
    let world = World::new();
    world.registered("ana@example.com").await;
    let answer = world.login(json!({ "email": "ana@example.com", "password": PASSWORD })).await;
    for token in [answer.text("/data/accessToken"), answer.text("/data/idToken"), "x".to_owned()] {
        assert_eq!(world.refresh(&token).await.error(), refused());
    }
    assert_eq!(world.refresh("").await.error(), (400, "VALIDATION_FAILED".to_owned()));
}

#[tokio::test(flavor = "current_thread")]
async fn a_user_has_at_most_ten_families() {
    let world = World::new();
    let user_id = world.registered("ana@example.com").await;
    let oldest = world.signed_in("ana@example.com").await;
    let mut user = world.user(&user_id);
    let family = world.families(&user_id)[0].clone();
    user["families"][&family]["exp"] = json!(user["families"][&family]["exp"].as_i64().expect("a time") - 1);
    world.memory.insert(USERS, user);
    for _ in 0..10 {
        world.signed_in("ana@example.com").await;
    }
    let families = world.families(&user_id);
    assert!(families.len() == 10 && !families.contains(&family), "{families:?}");
    assert_eq!(world.refresh(&oldest).await.error(), refused());
}

#[tokio::test(flavor = "current_thread")]
async fn sign_ins_at_once_do_not_exceed_ten_families() {
    let world = World::new();
    let user_id = world.registered("ana@example.com").await;
    for _ in 0..8 {
        world.signed_in("ana@example.com").await;
    }
    let login = || world.signed_in("ana@example.com");
    tokio::join!(login(), login(), login());
    assert_eq!(world.families(&user_id).len(), 10);
}

#[tokio::test(flavor = "current_thread")]
async fn a_suspended_user_cannot_refresh() {
    let world = World::new();
    let user_id = world.registered("ana@example.com").await;
    let token = world.signed_in("ana@example.com").await;
    let mut user = world.user(&user_id);
    user["status"] = json!("suspended");
    world.memory.insert(USERS, user);
    assert_eq!(world.refresh(&token).await.error(), refused());
}

#[tokio::test(flavor = "current_thread")]
async fn signing_out_ends_the_family_and_the_pools_sessions() {
    let world = World::new();
    let user_id = world.registered("ana@example.com").await;
    let token = world.signed_in("ana@example.com").await;
    let other = world.signed_in("ana@example.com").await;
    let family = family_of(&token);
    let answer = world.logout(caller(&user_id, "ana@example.com", &family)).await;
    assert_eq!((answer.status, &answer.body["data"]["userId"]), (200, &json!(user_id)), "{answer:?}");
    assert_eq!(world.families(&user_id).len(), 1);
    assert_eq!(world.refresh(&token).await.error(), refused());
    assert_eq!(world.refresh(&other).await.status, 200);
    assert_eq!(world.script.bodies("AWSCognitoIdentityProviderService.AdminUserGlobalSignOut").len(), 1);
    assert!(world.events().contains(&"User Logout".to_owned()));
    // Repeating it, or a pool that does not answer, changes nothing.
    world.fail("AdminUserGlobalSignOut", "InternalErrorException");
    assert_eq!(world.logout(caller(&user_id, "ana@example.com", &family)).await.status, 200);
}

#[tokio::test(flavor = "current_thread")]
async fn an_api_key_has_no_session() {
    let world = World::new();
    let answer = world.logout(caller("user:1", "", "")).await;
    assert_eq!(answer.error(), (403, "ACCESS_DENIED".to_owned()));
    let body = json!({ "password": PASSWORD, "code": "123456" });
    assert_eq!(world.mfa_setup(caller("user:1", "", ""), body.clone()).await.status, 403);
    assert_eq!(world.mfa_verify(caller("user:1", "", ""), body).await.status, 403);
    assert!(world.script.requests().is_empty());
}

fn family_of(token: &str) -> String {
    let token = common::token::Unverified::parse(token).expect("a token");
    token.from_issuer().text("fid").expect("a family").to_owned()
}
