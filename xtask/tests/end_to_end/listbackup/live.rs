//! Live updates: the progress of a backup reaches clients of its account, and no others.

use std::{sync::Arc, time::Duration};

use reqwest::Url;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

use super::{
    person::{PATIENCE, Person},
    stub::Stub,
    world::World,
};

/// A client of a WebSocket API (RFC 6455), which reads texts only.
struct Socket(BufReader<TcpStream>);

impl Socket {
    /// Connects; the error is the status with which the connection was refused.
    async fn connect(url: &str) -> Result<Self, u16> {
        let url = Url::parse(url).expect("a URL");
        let (host, port) = (url.host_str().expect("a host"), url.port_or_known_default().expect("a port"));
        let mut stream = TcpStream::connect((host, port)).await.expect("connected");
        let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut reader = BufReader::new(stream);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(reader.read_u8().await.expect("a response"));
        }
        let head = String::from_utf8(head).expect("a head");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        if status == 101 { Ok(Self(reader)) } else { Err(status) }
    }

    /// Returns the next message.
    async fn message(&mut self) -> Value {
        loop {
            let kind = self.0.read_u8().await.expect("a frame") & 0x0f;
            let length = match self.0.read_u8().await.expect("a length") {
                126 => usize::from(self.0.read_u16().await.expect("a length")),
                127 => usize::try_from(self.0.read_u64().await.expect("a length")).expect("a short frame"),
                short => usize::from(short),
            };
            let mut content = vec![0; length];
            self.0.read_exact(&mut content).await.expect("a whole frame");
            match kind {
                1 => return serde_json::from_slice(&content).expect("JSON"),
                8 => panic!("the connection was closed"),
                _ => {}
            }
        }
    }

    /// Returns the messages up to one that meets a condition.
    async fn messages_until(&mut self, holds: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut messages = Vec::new();
        let waited = tokio::time::timeout(PATIENCE, async {
            while !messages.last().is_some_and(&holds) {
                messages.push(self.message().await);
            }
        });
        assert!(waited.await.is_ok(), "after {PATIENCE:?} there were only {messages:#?}");
        messages
    }
}

fn url_for(world: &World, person: &Person) -> String {
    let token = person.authorization.as_deref().and_then(|value| value.strip_prefix("Bearer ")).unwrap_or("x");
    format!("{}?token={token}", world.live_url)
}

pub(super) async fn progress_reaches_connections_of_the_same_account_only(world: Arc<World>) {
    for url in [world.live_url.clone(), format!("{}?token=x", world.live_url)] {
        let refused = Socket::connect(&url).await.err();
        assert!(refused.is_some_and(|status| [401, 403].contains(&status)), "{url}: {refused:?}");
    }
    let (one, other) = (world.account("quinn@example.com").await, world.account("rosa@example.com").await);
    let signed_out = world.anonymous.signed_in("quinn@example.com").await;
    signed_out.post("/auth/logout", json!({})).await.ok(200);
    assert_eq!(Socket::connect(&url_for(&world, &signed_out)).await.err(), Some(403), "a session that has ended");

    let mut own = Socket::connect(&url_for(&world, &one)).await.map_err(|status| status.to_string()).expect("accepted");
    let mut foreign =
        Socket::connect(&url_for(&world, &other)).await.map_err(|status| status.to_string()).expect("accepted");
    let stub = Stub::start().await;
    let back_up = async |person: &Person| {
        let source =
            person.source("http", json!({ "urls": [stub.text("/one.txt", "1"), stub.text("/two.txt", "2")] })).await;
        let run = person.back_up(&person.job(&source).await).await;
        run["runId"].as_str().expect("an ID").to_owned()
    };
    let ended = |message: &Value| message["event"] == "Job Completed";
    let run = back_up(&one).await;
    let messages = own.messages_until(ended).await;
    assert!(messages.iter().all(|message| message["runId"] == json!(run)), "{messages:#?}");
    assert!(messages.iter().any(|message| message["event"] == "Job Started"), "{messages:#?}");
    let last = messages.last().expect("a message");
    assert_eq!(last["progress"]["totalFiles"], 2, "{last:#}");

    // The first messages of the other connection are about its own account's run.
    let run = back_up(&other).await;
    let messages = foreign.messages_until(ended).await;
    assert!(messages.iter().all(|message| message["runId"] == json!(run)), "{messages:#?}");

    drop((own, foreign));
    let connections = || async {
        let left = world.items("ws-connections").await;
        left.is_empty().then_some(())
    };
    tokio::time::timeout(Duration::from_secs(30), world.until("the end of both connections", connections))
        .await
        .expect("closed connections are forgotten");
}
