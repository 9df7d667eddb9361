//! Limits of sign-in routes.

use std::collections::BTreeMap;

use serde_json::json;

use crate::{
    fixtures::unsigned_token,
    testing::{Api, Script, claims, empty_account, error_reply, event, json_reply},
};

/// Counts requests as DynamoDB does, and fails if the table is down.
fn counted(is_down: bool) -> Script {
    let mut counts = BTreeMap::<String, u64>::new();
    Script::new(move |request| {
        let key = request.body["Key"]["pk"]["S"].as_str().unwrap_or_default();
        if request.action != "DynamoDB.UpdateItem" || !key.starts_with("LIMIT#") {
            return empty_account(request);
        }
        if is_down {
            return error_reply("InternalServerError");
        }
        let most = request.body["ExpressionAttributeValues"][":most"]["N"].as_str().expect("a limit");
        let count = counts.entry(key.to_owned()).or_default();
        if count.to_string() == most {
            return error_reply("ConditionalCheckFailedException");
        }
        *count += 1;
        json_reply(json!({}))
    })
}

#[tokio::test(flavor = "current_thread")]
async fn sign_in_routes_are_limited_per_address_and_per_account() {
    let api = Api::new(counted(false)).await;
    let from = async |uid: &str, address: &str| {
        let token = format!("Bearer {}", api.token(uid));
        // A header that clients set names no address.
        let headers = json!({"Authorization": [token], "X-Forwarded-For": ["203.0.113.77"]});
        let mut event = event("POST", "/auth/login", headers, None);
        event["requestContext"]["identity"]["sourceIp"] = json!(address);
        api.answer(event).await
    };
    for number in 0..60 {
        assert_eq!(from(&format!("user-{number}"), "192.0.2.1").await.status(), 200, "{number}");
    }
    let refused = from("user-60", "192.0.2.1").await;
    assert_eq!(refused.error(), (429, "Too many requests".to_owned()));
    let seconds: u64 = refused.header("retry-after").and_then(|text| text.parse().ok()).expect("seconds");
    assert!((1..=60).contains(&seconds), "{seconds}");
    // Others sign in, but not one account from many addresses.
    for number in 0..60 {
        assert_eq!(from("ana", &format!("198.51.100.{number}")).await.status(), 200, "{number}");
    }
    assert_eq!(from("ana", "198.51.100.60").await.status(), 429);
    assert_eq!(from("bob", "198.51.100.60").await.status(), 200);
}

#[tokio::test(flavor = "current_thread")]
async fn a_forged_token_does_not_count_for_its_account() {
    let script = counted(false);
    let api = Api::new(script.clone()).await;
    let forged = unsigned_token(&claims("ana"));
    assert_eq!(api.call("POST", "/auth/login", Some(&forged), None).await.status(), 401);
    let keys: Vec<_> =
        script.bodies("DynamoDB.UpdateItem").iter().map(|body| body["Key"]["pk"]["S"].to_string()).collect();
    assert!(keys.len() == 1 && keys[0].contains("LIMIT#ADDRESS#"), "{keys:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn without_the_counters_users_still_sign_in() {
    let api = Api::new(counted(true)).await;
    for path in ["/auth/login", "/auth/exchange-token"] {
        assert_eq!(api.call_as("ana", "POST", path, None).await.status(), 200, "{path}");
    }
}
