//! Visitors.

use serde_json::{Value, json};

use super::send;
use crate::testing::{
    Function, Request, environment,
    script::{Script, item},
};

const TRACK: &str = "/v1/visitors/track";
const FAILED: &str = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";

fn counted(count: u64) -> Value {
    json!({"Attributes": item(&json!({"VisitorCount": count}))})
}

/// The counters that were added to, in order.
fn counters(script: &Script) -> Vec<String> {
    let requests = script.requests();
    let keys = requests[1..].iter().filter_map(|(_, body)| body["Key"]["PK"]["S"].as_str().map(str::to_owned));
    keys.collect()
}

/// A session that has not been counted today.
fn counts(session: &str) -> Script {
    Script::new()
        .on("PutItem", json!({}))
        .with("/Item/PK/S", format!("VISITOR#SESSION#{session}"))
        .with("/Item/ExpiresAt/N", "1710633600")
        .with("/ConditionExpression", "attribute_not_exists(PK) OR #data.lastTrackedDate < :today")
        .with("/ExpressionAttributeValues/:today/S", "2024-03-15")
        .on("UpdateItem", counted(3))
        .with("/Key/PK/S", "VISITOR#TOTAL")
        .on("UpdateItem", counted(1))
        .with("/Key/PK/S", "VISITOR#DAILY#2024-03-15")
        .on("UpdateItem", counted(2))
        .with("/Key/PK/S", "VISITOR#MONTHLY#2024-03")
}

#[tokio::test(flavor = "current_thread")]
async fn a_new_session_counts_for_its_day_its_month_and_altogether() {
    let body = json!({"sessionId": "s1", "pagePath": "/", "referrer": "https://example.org"});
    let script = counts("s1");
    let answer = send(script.clone(), Request::new("POST", TRACK).json(body)).await;
    assert_eq!(answer.ok(200), json!({"count": 3, "tracked": true, "sessionId": "s1"}));
    assert_eq!(answer.header("set-cookie"), None);
    for (_, body) in &script.requests()[1..] {
        assert!(body["UpdateExpression"].as_str().expect("an expression").starts_with("ADD VisitorCount :one SET "));
        assert_eq!(body["ExpressionAttributeValues"][":one"], json!({"N": "1"}));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_session_that_was_counted_today_is_not_counted_again() {
    let script = Script::new()
        .fail("PutItem", FAILED, "The conditional request failed")
        .on("GetItem", json!({"Item": item(&json!({"PK": "VISITOR#TOTAL", "VisitorCount": 7}))}));
    let answer = send(script, Request::new("POST", TRACK).json(json!({"sessionId": "s1"}))).await;
    assert_eq!(answer.ok(200), json!({"count": 7, "tracked": false, "sessionId": "s1"}));
}

#[tokio::test(flavor = "current_thread")]
async fn a_session_may_be_named_by_header_or_cookie() {
    let header = Request::new("POST", TRACK).header("X-Session-Id", "from-header");
    assert_eq!(send(counts("from-header"), header).await.ok(200)["sessionId"], "from-header");
    let cookie = Request::new("POST", TRACK).header("Cookie", "a=b; session_id=from-cookie");
    assert_eq!(send(counts("from-cookie"), cookie).await.ok(200)["sessionId"], "from-cookie");
}

#[tokio::test(flavor = "current_thread")]
async fn without_a_session_one_is_made_and_remembered_and_the_address_is_not_stored() {
    let salt = json!({"Parameter": {"Name": "visitor-salt", "Value": "00ff", "Type": "SecureString"}});
    let script = Script::new()
        .on("GetParameter", salt)
        .with("/Name", "/portfolio/dev/visitor-salt")
        .with("/WithDecryption", true)
        .on("PutItem", json!({}))
        .on("UpdateItem", counted(1))
        .on("UpdateItem", counted(1))
        .on("UpdateItem", counted(1));
    let answer = send(script.clone(), Request::new("POST", TRACK).header("User-Agent", "tests")).await;
    let session = answer.ok(200)["sessionId"].as_str().expect("a session").to_owned();
    assert!(session.starts_with("ip-") && session.len() == 35, "{session}");
    let cookie = answer.header("set-cookie").expect("a cookie");
    assert!(cookie.starts_with(&format!("session_id={session}; ")), "{cookie}");
    for (_, body) in script.requests() {
        assert!(!body.to_string().contains("192.0.2.1"), "{body}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_salt_of_the_environments_own_asks_nobody() {
    let environment = portfolio_contract::Api { visitor_salt: Some("00ff".to_owned()), ..environment() };
    let script = Script::new()
        .on("PutItem", json!({}))
        .on("UpdateItem", counted(1))
        .on("UpdateItem", counted(1))
        .on("UpdateItem", counted(1));
    let answer = Function::with(environment, script).send(Request::new("POST", TRACK)).await;
    assert_eq!(answer.status(), 200);
}

#[tokio::test(flavor = "current_thread")]
async fn without_a_salt_nothing_is_counted() {
    let script = Script::new().fail("GetParameter", "ParameterNotFound", "no such parameter");
    let answer = send(script, Request::new("POST", TRACK)).await;
    assert_eq!(answer.error(), (500, "InternalError".to_owned(), Value::Null));
}

#[tokio::test(flavor = "current_thread")]
async fn odd_sessions_are_refused_where_they_are_named() {
    let body = |body| Request::new("POST", TRACK).json(body);
    for (request, field) in [
        (body(json!({"sessionId": ""})), "sessionId"),
        (body(json!({"sessionId": "a b"})), "sessionId"),
        (body(json!({"sessionId": "a".repeat(129)})), "sessionId"),
        (body(json!({"sessionId": 7})), "sessionId"),
        (body(json!({"pagePath": 7})), "pagePath"),
        (body(json!({"referrer": "a".repeat(2049)})), "referrer"),
        (body(json!([])), "body"),
        (Request::new("POST", TRACK).text("{"), "body"),
        (Request::new("POST", TRACK).header("X-Session-Id", "a#b"), "X-Session-Id"),
        (Request::new("POST", TRACK).header("Cookie", "session_id=a#b"), "session_id"),
    ] {
        let answer = send(Script::new(), request).await;
        assert_eq!(answer.error(), (400, "InvalidRequest".to_owned(), json!(field)));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_count_that_dynamodb_did_not_take_is_sent_again() {
    let throttled = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException";
    let script = Script::new()
        .on("PutItem", json!({}))
        .fail("UpdateItem", throttled, "slow down")
        .on("UpdateItem", counted(5))
        .on("UpdateItem", counted(6))
        .on("UpdateItem", counted(4));
    let answer = send(script.clone(), Request::new("POST", TRACK).json(json!({"sessionId": "s1"}))).await;
    assert_eq!(answer.ok(200)["count"], 5);
    assert_eq!(
        counters(&script),
        ["VISITOR#TOTAL", "VISITOR#TOTAL", "VISITOR#DAILY#2024-03-15", "VISITOR#MONTHLY#2024-03"]
    );
}

#[tokio::test(flavor = "current_thread")]
async fn a_count_whose_answer_was_lost_is_not_sent_again() {
    let script = Script::new()
        .on("PutItem", json!({}))
        .fail("UpdateItem", "InternalServerError", "lost")
        .on("UpdateItem", counted(5))
        .on("UpdateItem", counted(6));
    let function = Function::new(script.clone());
    let answer = function.attempt(Request::new("POST", TRACK).json(json!({"sessionId": "s1"}))).await;
    assert_eq!(answer.error().0, 500);
    // Nor does it keep the others from being counted.
    assert_eq!(counters(&script), ["VISITOR#TOTAL", "VISITOR#DAILY#2024-03-15", "VISITOR#MONTHLY#2024-03"]);
}

#[tokio::test(flavor = "current_thread")]
async fn the_count_says_when_it_last_grew() {
    let total = item(&json!({"PK": "VISITOR#TOTAL", "VisitorCount": 7, "UpdatedAt": "2024-03-15T10:30:00.000Z"}));
    let script = Script::new().on("GetItem", json!({"Item": total})).with("/Key/PK/S", "VISITOR#TOTAL");
    let count = send(script, Request::new("GET", "/v1/visitors/count")).await.ok(200);
    assert_eq!(count, json!({"count": 7, "lastUpdated": "2024-03-15T10:30:00.000Z"}));
    let count = send(Script::new().on("GetItem", json!({})), Request::new("GET", "/v1/visitors/count")).await.ok(200);
    assert_eq!(count, json!({"count": 0, "lastUpdated": null}));
}

/// An answer of `BatchGetItem`.
fn batch(items: &[Value]) -> Value {
    json!({"Responses": {"portfolio": items.iter().map(item).collect::<Vec<_>>()}, "UnprocessedKeys": {}})
}

#[tokio::test(flavor = "current_thread")]
async fn daily_trends_end_today_and_have_no_gaps() {
    let script = Script::new()
        .on("BatchGetItem", batch(&[json!({"PK": "VISITOR#DAILY#2024-03-14", "VisitorCount": 4})]))
        .with("/RequestItems/portfolio/Keys/0/PK/S", "VISITOR#DAILY#2024-03-13");
    let trends = send(script, Request::new("GET", "/v1/visitors/trends/daily?days=3").owner()).await.ok(200);
    assert_eq!(
        trends,
        json!({"trends": [
            {"date": "Mar 13", "visitors": 0, "isoDate": "2024-03-13"},
            {"date": "Mar 14", "visitors": 4, "isoDate": "2024-03-14"},
            {"date": "Mar 15", "visitors": 0, "isoDate": "2024-03-15"},
        ]})
    );
    let thirty =
        send(Script::new().on("BatchGetItem", batch(&[])), Request::new("GET", "/v1/visitors/trends/daily").owner());
    assert_eq!(thirty.await.ok(200)["trends"].as_array().map(Vec::len), Some(30));
}

#[tokio::test(flavor = "current_thread")]
async fn monthly_trends_end_this_month() {
    let script =
        Script::new().on("BatchGetItem", batch(&[json!({"PK": "VISITOR#MONTHLY#2024-02", "VisitorCount": 9})]));
    let trends = send(script, Request::new("GET", "/v1/visitors/trends/monthly?months=2").owner()).await.ok(200);
    assert_eq!(
        trends,
        json!({"trends": [
            {"month": "Feb", "visitors": 9, "isoMonth": "2024-02"},
            {"month": "Mar", "visitors": 0, "isoMonth": "2024-03"},
        ]})
    );
    let six =
        send(Script::new().on("BatchGetItem", batch(&[])), Request::new("GET", "/v1/visitors/trends/monthly").owner());
    assert_eq!(six.await.ok(200)["trends"].as_array().map(Vec::len), Some(6));
}

#[tokio::test(flavor = "current_thread")]
async fn keys_left_unread_are_asked_for_again() {
    let unread = json!({"Responses": {"portfolio": []}, "UnprocessedKeys": {"portfolio": {"Keys": [
        {"PK": {"S": "VISITOR#DAILY#2024-03-15"}, "SK": {"S": "COUNT"}},
    ]}}});
    let script = Script::new()
        .on("BatchGetItem", unread)
        .on("BatchGetItem", batch(&[json!({"PK": "VISITOR#DAILY#2024-03-15", "VisitorCount": 2})]));
    let trends = send(script.clone(), Request::new("GET", "/v1/visitors/trends/daily?days=2").owner()).await.ok(200);
    assert_eq!(trends["trends"][1]["visitors"], 2);
    assert_eq!(script.requests()[1].1["RequestItems"]["portfolio"]["Keys"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "current_thread")]
async fn trends_have_limits() {
    for (path, field) in [
        ("/v1/visitors/trends/daily?days=0", "days"),
        ("/v1/visitors/trends/daily?days=91", "days"),
        ("/v1/visitors/trends/daily?days=abc", "days"),
        ("/v1/visitors/trends/monthly?months=0", "months"),
        ("/v1/visitors/trends/monthly?months=13", "months"),
    ] {
        let answer = send(Script::new(), Request::new("GET", path).owner()).await;
        assert_eq!(answer.error(), (400, "InvalidRequest".to_owned(), json!(field)), "{path}");
    }
}
