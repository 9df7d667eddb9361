//! Checks of many servers, most of them silent, with short time limits.

use serde_json::json;
use tables::Database;
use tokio::net::TcpListener;

use super::*;
use crate::{
    fixtures::Stub,
    testing::{Script, error_reply, item, json_reply},
};

/// A server that accepts connections and never answers.
async fn silent() -> (String, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    (format!("http://{}", listener.local_addr().expect("bound")), listener)
}

/// A registry of `count` servers with the same address.
fn rows(count: usize, url: &str) -> serde_json::Value {
    let rows = (0..count).map(|number| {
        item(json!({
            "kind": "server", "id": format!("s{number}"), "name": format!("s{number}"), "url": url,
            "type": "processing", "description": "", "status": "active", "health_status": null,
            "created_at": "t", "updated_at": "t", "total_jobs_processed": 0, "current_load": 0,
            "last_health_check": null,
        }))
    });
    json!({"Items": rows.collect::<Vec<_>>(), "Count": count})
}

fn servers(script: &Script) -> Servers {
    Servers::new(Database::new(aws_sdk_dynamodb::Client::new(&script.aws())), "servers".to_owned())
}

#[tokio::test(flavor = "current_thread")]
async fn many_slow_servers_are_recorded_within_the_time_limit() {
    let (url, _listener) = silent().await;
    let listed = rows(100, &url);
    let script = Script::new(move |request| match request.action.as_str() {
        "DynamoDB.Query" => json_reply(listed.clone()),
        _ => json_reply(json!({})),
    })
    .slow(Duration::from_millis(20));
    // Without limits, ten at a time, the calls would take 2 seconds and the writes another 2.
    let limits = TimeLimits {
        server: Duration::from_millis(200),
        calls: Duration::from_millis(500),
        total: Duration::from_millis(1500),
    };
    let started = Instant::now();
    let checked = check_servers_within(limits, &servers(&script), &client(false)).await.expect("a list");
    assert!(started.elapsed() < limits.total, "{:?}", started.elapsed());
    assert_eq!((checked.servers.len(), checked.healthy()), (100, 0));
    assert!(checked.write_error.is_none(), "{:?}", checked.write_error);
    assert!(checked.servers.iter().all(|(_, health)| health.error.as_deref() == Some("Connection timeout")));
    assert_eq!(script.bodies("DynamoDB.UpdateItem").len(), 100);
}

#[tokio::test(flavor = "current_thread")]
async fn a_hanging_table_does_not_delay_the_check() {
    let (url, _listener) = silent().await;
    let listed = rows(20, &url);
    let script = Script::new(move |request| match request.action.as_str() {
        "DynamoDB.Query" => json_reply(listed.clone()),
        _ => json_reply(json!({})),
    })
    .slow(Duration::from_millis(400));
    let limits = TimeLimits {
        server: Duration::from_millis(50),
        calls: Duration::from_millis(600),
        total: Duration::from_millis(700),
    };
    let started = Instant::now();
    let checked = check_servers_within(limits, &servers(&script), &client(false)).await.expect("a list");
    assert!(started.elapsed() < limits.total + Duration::from_millis(200), "{:?}", started.elapsed());
    assert_eq!(checked.servers.len(), 20);
    let error = checked.write_error.expect("a failure").to_string();
    assert!(error.contains("took too long"), "{error}");
}

#[tokio::test(flavor = "current_thread")]
async fn one_failed_write_does_not_affect_the_others() {
    let (url, _listener) = silent().await;
    let listed = rows(3, &url);
    let script = Script::new(move |request| match request.action.as_str() {
        "DynamoDB.Query" => json_reply(listed.clone()),
        _ if request.body["Key"]["id"]["S"] == "s0" => error_reply("InternalServerError"),
        _ => json_reply(json!({})),
    });
    let limits = TimeLimits { server: Duration::from_millis(20), ..TIME_LIMITS };
    let checked = check_servers_within(limits, &servers(&script), &client(false)).await.expect("a list");
    assert!(checked.write_error.expect("a failure").to_string().contains("InternalServerError"));
    assert_eq!(script.bodies("DynamoDB.UpdateItem").len(), 3);
}

#[test]
fn the_check_ends_before_the_api_deadline() {
    let deadline = Duration::from_secs(thakii_contract::limits::DEADLINE_SECONDS);
    assert!(TIME_LIMITS.calls < TIME_LIMITS.total && TIME_LIMITS.total < deadline);
}

#[tokio::test(flavor = "current_thread")]
async fn deeply_nested_answers_do_not_fail_the_check() {
    // DynamoDB refuses more than 32 levels, and serde_json parses no more than 128.
    for (levels, is_kept) in [(8, true), (100, true), (1000, false)] {
        let stub = Stub::start(200, format!("{}1{}", "[".repeat(levels), "]".repeat(levels))).await;
        let listed = rows(1, &stub.url);
        let script = Script::new(move |request| match request.action.as_str() {
            "DynamoDB.Query" => json_reply(listed.clone()),
            _ if request.body.to_string().matches("\"L\":").count() > 30 => error_reply("ValidationException"),
            _ => json_reply(json!({})),
        });
        let checked = check_servers(&servers(&script), &client(false)).await.expect("a list");
        assert_eq!((checked.healthy(), checked.write_error), (1, None), "{levels}");
        assert_eq!(checked.servers[0].1.server_info.is_some(), is_kept, "{levels}");
    }
}
