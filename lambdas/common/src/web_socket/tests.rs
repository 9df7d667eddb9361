//! API Gateway's own examples of events, and a server in place of its management API.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_smithy_http_client::{
    Builder as HttpClient,
    tls::{self, rustls_provider::CryptoMode},
};

use super::*;

fn event(kind: &str, extra: &Value) -> RawEvent {
    let mut event = json!({
        "requestContext": {
            "routeKey": "$connect", "eventType": kind, "extendedRequestId": "r", "messageDirection": "IN",
            "stage": "dev", "connectedAt": 1_674_162_806_344_u64, "requestTimeEpoch": 1_674_162_806_345_u64,
            "identity": { "sourceIp": "192.0.2.1" }, "requestId": "r", "domainName": "a1b2.execute-api.eu-west-1.amazonaws.com",
            "connectionId": "L0SM9cOFvHcCIhw=", "apiId": "a1b2", "authorizer": { "principalId": "u", "accountId": "a" },
        },
        "isBase64Encoded": false,
    });
    for (key, value) in extra.as_object().into_iter().flatten() {
        event[key] = value.clone();
    }
    serde_json::from_value(event).expect("an event")
}

async fn unexpected_event(_: Event) -> Result<u16, Error> {
    Err("the route's handler was called".into())
}

async fn unexpected_request(_: ConnectRequest) -> Result<Decision, Error> {
    Err("the authorizer was called".into())
}

#[test]
fn an_event_has_the_connection_and_what_the_authorizer_said() {
    let query = json!({ "queryStringParameters": { "token": "secret-token" }, "headers": { "Host": "x" } });
    let event = Event::try_from(event("CONNECT", &query)).expect("an event");
    assert_eq!((event.kind, event.route.as_str()), (Kind::Connect, "$connect"));
    assert_eq!(event.connection_id, "L0SM9cOFvHcCIhw=");
    assert_eq!((event.stage.as_str(), event.domain.as_str()), ("dev", "a1b2.execute-api.eu-west-1.amazonaws.com"));
    assert_eq!(event.authorized("accountId"), Some("a"));
    assert_eq!(event.query["token"], "secret-token");
    assert!(!format!("{event:?}").contains("secret-token"), "{event:?}");
}

#[test]
fn a_message_is_text_also_in_base64() {
    let plain = Event::try_from(event("MESSAGE", &json!({ "body": "{}" }))).expect("an event");
    assert_eq!((plain.kind, plain.body.as_str()), (Kind::Message, "{}"));
    let encoded = json!({ "body": "e30=", "isBase64Encoded": true });
    assert_eq!(Event::try_from(event("MESSAGE", &encoded)).expect("an event").body, "{}");
    // MiniStack sends null for what does not exist.
    let closed = json!({ "body": null, "queryStringParameters": null });
    let closed = Event::try_from(event("DISCONNECT", &closed)).expect("an event");
    assert_eq!((closed.kind, closed.body.as_str(), closed.query.len()), (Kind::Disconnect, "", 0));
    let broken = json!({ "body": "%", "isBase64Encoded": true });
    assert!(Event::try_from(event("MESSAGE", &broken)).is_err());
}

#[tokio::test]
async fn an_authorizer_allows_or_denies_exactly_this_connection() {
    let arn = "arn:aws:execute-api:eu-west-1:111122223333:a1b2/dev/$connect";
    let request = || {
        let query = json!({ "token": "secret-token" });
        event(
            "CONNECT",
            &json!({ "type": "REQUEST", "methodArn": arn, "queryStringParameters": query,
                                  "headers": { "Origin": "https://example.com" } }),
        )
    };
    let allow = async |request: ConnectRequest| {
        assert_eq!(
            (request.query["token"].as_str(), request.headers["origin"].as_str()),
            ("secret-token", "https://example.com")
        );
        assert!(!format!("{request:?}").contains("secret-token"), "{request:?}");
        let context = BTreeMap::from([("accountId".to_owned(), "a".to_owned())]);
        Ok(Decision::Allow { principal: "u".to_owned(), context })
    };
    let allowed = answer(request(), &allow, &unexpected_event).await.expect("a policy");
    let statement = &allowed["policyDocument"]["Statement"][0];
    assert_eq!(statement, &json!({ "Action": "execute-api:Invoke", "Effect": "Allow", "Resource": arn }));
    assert_eq!((&allowed["principalId"], &allowed["context"]), (&json!("u"), &json!({ "accountId": "a" })));
    let deny = async |_: ConnectRequest| Ok(Decision::Deny);
    let denied = answer(request(), &deny, &unexpected_event).await.expect("a policy");
    assert_eq!(denied["policyDocument"]["Statement"][0]["Effect"], "Deny");
}

#[tokio::test]
async fn a_routes_handler_decides_about_the_status() {
    let full = async |_: Event| Ok(429);
    let answer = answer(event("CONNECT", &json!({})), &unexpected_request, &full).await.expect("an answer");
    assert_eq!(answer, json!({ "statusCode": 429 }));
}

/// A management API in which only connection `open=` exists. Returns the configuration for it, and the requests.
async fn management() -> (SdkConfig, Arc<Mutex<Vec<String>>>) {
    let received: Arc<Mutex<Vec<String>>> = Arc::default();
    let requests = Arc::clone(&received);
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            requests.lock().expect("no panic").push(manage(stream.expect("a connection")));
        }
    });
    let http = HttpClient::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https();
    let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .region(Region::new("eu-west-1"))
        .retry_config(RetryConfig::disabled())
        .test_credentials()
        .endpoint_url(url);
    (config.load().await, received)
}

/// Responds to one request; returns its method, path and body.
fn manage(stream: TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        match line.trim() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let length = head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or_default()];
    reader.read_exact(&mut body).expect("the body");
    let mut words = head[0].split(' ');
    let (method, path) = (words.next().expect("a method"), words.next().expect("a path"));
    let status = match path.rsplit('/').next() {
        Some("open%3D") => "200 OK",
        Some("broken") => "403 Forbidden",
        _ => "410 Gone",
    };
    let response = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    reader.get_mut().write_all(response.as_bytes()).expect("written");
    format!("{method} {path} {}", String::from_utf8_lossy(&body))
}

#[tokio::test]
async fn a_message_reaches_a_connection_or_finds_it_gone() {
    let (config, received) = management().await;
    let connections = Connections::new(&config, "/_aws/execute-api/a1b2c3d4/local");
    let message = json!({ "type": "run" });
    assert_eq!(connections.post("open=", &message).await.expect("an answer"), Delivery::Sent);
    assert_eq!(connections.post("closed", &message).await.expect("an answer"), Delivery::Gone);
    assert_eq!(connections.delete("open=").await.expect("an answer"), Delivery::Sent);
    let refused = connections.post("broken", &message).await.expect_err("a refusal");
    assert!(matches!(refused, SendError::Call(_)), "{refused:?}");
    let path = "/_aws/execute-api/a1b2c3d4/local/@connections";
    let received = received.lock().expect("no panic").clone();
    assert_eq!(received[0], format!(r#"POST {path}/open%3D {{"type":"run"}}"#));
    assert_eq!(received[2], format!("DELETE {path}/open%3D "));
}
