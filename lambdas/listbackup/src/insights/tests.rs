//! Insights of runs, with and without a model.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tables::testing::{Script, error_reply, json_reply};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::{memory::Memory, runs::tests::run};

const AGGREGATES_TABLE: &str = "listbackup-test-analytics-aggregates";
const RUNS_TABLE: &str = "listbackup-test-runs";

/// A stage whose key of the model is `key`, if it has one.
fn stage(memory: &Memory, key: Option<&'static str>) -> Script {
    let tables = memory.clone();
    Script::new(move |request| match request.action.as_str() {
        "AmazonSSM.GetParameter" => {
            assert_eq!(request.body, json!({ "Name": "/listbackup/test/openai-api-key", "WithDecryption": true }));
            match key {
                Some(key) => json_reply(json!({ "Parameter": { "Value": key } })),
                None => error_reply("ParameterNotFound"),
            }
        }
        _ => tables.answer(request),
    })
}

fn insights(script: &Script, url: Option<&str>) -> Insights {
    let environment = DataInsights {
        runs_table: RUNS_TABLE.to_owned(),
        analytics_aggregates_table: AGGREGATES_TABLE.to_owned(),
        files_table: "listbackup-test-files".to_owned(),
        ssm_prefix: "/listbackup/test".to_owned(),
        llm_url: url.map(str::to_owned),
    };
    Insights::new(environment, &script.aws())
}

/// Stores a completed run.
fn store(memory: &Memory, id: &str, created_at: &str, bytes: i64) {
    let mut run = Run { status: RunStatus::Completed, created_at: created_at.to_owned(), ..run(id) };
    run.bytes_processed = bytes;
    memory.insert(RUNS_TABLE, serde_json::to_value(run).expect("JSON"));
}

fn completed(id: &str) -> BusEvent {
    let detail = json!({
        "eventId": format!("run:{id}:finished"), "accountId": "account:1", "resourceId": format!("run:{id}"), "at": time::now(),
    });
    serde_json::from_value(json!({ "detail-type": "Job Completed", "detail": detail })).expect("an event")
}

fn insight(memory: &Memory, id: &str) -> Value {
    memory.get(AGGREGATES_TABLE, &["account:1", &format!("insight#run:{id}")]).expect("an insight")
}

#[tokio::test(flavor = "current_thread")]
async fn a_run_is_compared_with_the_one_before() {
    let memory = Memory::default();
    store(&memory, "a", "2026-01-01T00:00:00.000Z", 1000);
    store(&memory, "b", "2026-01-02T00:00:00.000Z", 1500);
    let script = stage(&memory, None);
    let insights = insights(&script, None);
    insights.derive(completed("b")).await.expect("derived");
    let found = insight(&memory, "b");
    assert_eq!((&found["growthBytes"], found["growthPercent"].as_f64()), (&json!(500), Some(50.0)));
    assert_eq!((&found["writtenBy"], found["text"].as_str().is_some()), (&json!("rules"), true));
    assert!(found["ttl"].as_i64().is_some_and(|ttl| ttl > time::ttl(89 * 24 * 3600)), "{found}");
    assert!(script.bodies("AmazonSSM.GetParameter").is_empty(), "no model without an endpoint");
}

#[tokio::test(flavor = "current_thread")]
async fn a_repeated_event_and_an_unknown_run_write_nothing() {
    let memory = Memory::default();
    store(&memory, "a", "2026-01-01T00:00:00.000Z", 1000);
    let script = stage(&memory, None);
    let insights = insights(&script, None);
    for id in ["a", "a", "unknown"] {
        insights.derive(completed(id)).await.expect("accepted");
    }
    assert_eq!(script.bodies("DynamoDB.PutItem").len(), 1);
}

/// A model that records keys and bodies, and answers with a status and a text.
async fn model(status: u16, text: &'static str) -> (String, Arc<Mutex<Vec<(String, Value)>>>) {
    let requests: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
    let recorded = Arc::clone(&requests);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/v1/chat/completions", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let (head, body) = receive(&mut stream).await;
        let key = head.lines().find_map(|line| line.strip_prefix("authorization: ")).unwrap_or_default().to_owned();
        recorded.lock().expect("no panic").push((key, body));
        let answer = json!({ "choices": [{ "message": { "content": text } }] }).to_string();
        let head = format!("HTTP/1.1 {status} Status\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", answer.len());
        stream.write_all(format!("{head}{answer}").as_bytes()).await.expect("sent");
    });
    (url, requests)
}

/// Receives a request: its head and its body.
async fn receive(stream: &mut TcpStream) -> (String, Value) {
    let mut received = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let length = stream.read(&mut chunk).await.expect("a chunk");
        assert_ne!(length, 0, "the request ended early");
        received.extend_from_slice(&chunk[..length]);
        let text = String::from_utf8(received.clone()).expect("UTF-8");
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        if let Ok(body) = serde_json::from_str(body) {
            return (head.to_owned(), body);
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_model_writes_the_text_and_receives_figures_only() {
    let memory = Memory::default();
    store(&memory, "a", "2026-01-01T00:00:00.000Z", 1000);
    let (url, requests) = model(200, " Your data\u{7} grew. ").await;
    insights(&stage(&memory, Some("key")), Some(&url)).derive(completed("a")).await.expect("derived");
    let found = insight(&memory, "a");
    assert_eq!((&found["text"], &found["writtenBy"]), (&json!("Your data grew."), &json!("model")));
    let requests = requests.lock().expect("no panic");
    let [(key, body)] = &requests[..] else { panic!("one request: {requests:?}") };
    assert_eq!(key, "Bearer key");
    let figures: Value = serde_json::from_str(body["messages"][1]["content"].as_str().expect("a text")).expect("JSON");
    let mut names: Vec<&String> = figures.as_object().expect("an object").keys().collect();
    names.sort();
    assert_eq!(names, ["bytes", "errorPercent", "growthBytes", "largest"], "no name and no path");
}

#[tokio::test(flavor = "current_thread")]
async fn without_a_key_or_with_a_failing_model_the_rules_write() {
    for (key, status, text, calls) in [(None, 200, "x", 0), (Some("key"), 500, "x", 1), (Some("key"), 200, "", 1)] {
        let memory = Memory::default();
        store(&memory, "a", "2026-01-01T00:00:00.000Z", 1000);
        let (url, requests) = model(status, text).await;
        insights(&stage(&memory, key), Some(&url)).derive(completed("a")).await.expect("derived");
        assert_eq!(insight(&memory, "a")["writtenBy"], "rules", "{key:?} {status} {text}");
        assert_eq!(requests.lock().expect("no panic").len(), calls);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_silent_model_is_not_waited_for() {
    let memory = Memory::default();
    store(&memory, "a", "2026-01-01T00:00:00.000Z", 1000);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let insights = insights(&stage(&memory, Some("key")), Some(&url));
    assert_eq!(insights.model_time, Duration::from_secs(10));
    let impatient = Insights { model_time: Duration::from_millis(50), ..insights };
    impatient.derive(completed("a")).await.expect("derived");
    assert_eq!(insight(&memory, "a")["writtenBy"], "rules");
}
