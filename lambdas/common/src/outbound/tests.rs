//! Calls to local servers through guarded and open clients.

use std::{
    collections::VecDeque,
    io::Write,
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use flate2::{Compression, write::GzEncoder};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

use super::*;

const PATIENCE: Duration = Duration::from_secs(5);

fn open() -> Outbound {
    Outbound::new(Settings::open("test"))
}

fn get(url: &str) -> Get<'_> {
    Get {
        url,
        accept: "*/*",
        credentials: None,
        redirects: 3,
        idle_timeout: PATIENCE,
        max_bytes: 1_000_000,
        decode: false,
    }
}

/// A server that gives its answers in order, the last one forever, and keeps the requests.
struct Server {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(answers: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/health", listener.local_addr().expect("bound"));
        let (requests, connections) = (Arc::default(), Arc::default());
        let task = tokio::spawn(serve(
            listener,
            answers.into_iter().collect(),
            Arc::clone(&requests),
            Arc::clone(&connections),
        ));
        Self { url, requests, connections, task }
    }

    async fn answering(answer: &str) -> Self {
        Self::start([answer.as_bytes().to_vec()]).await
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no panic").clone()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    listener: TcpListener,
    mut answers: VecDeque<Vec<u8>>,
    requests: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
) {
    let mut silent = Vec::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        connections.fetch_add(1, Ordering::SeqCst);
        let mut request = vec![0; 16384];
        let length = stream.read(&mut request).await.unwrap_or(0);
        requests.lock().expect("no panic").push(String::from_utf8_lossy(&request[..length]).into_owned());
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        let answer = answer.unwrap_or_default();
        let _ = stream.write_all(&answer).await;
        if answer.is_empty() {
            // Keep the connection open without an answer.
            silent.push(stream);
        }
    }
}

fn redirect(to: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n").into_bytes()
}

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

/// Gives its answers in order, the last one forever.
#[derive(Debug)]
struct Names(Mutex<VecDeque<IpAddr>>);

impl Names {
    fn new<const N: usize>(answers: [&str; N]) -> Self {
        Self(Mutex::new(answers.map(|answer| answer.parse().expect("an address")).into()))
    }
}

impl Lookup for Names {
    fn lookup<'a>(&'a self, _: &'a str) -> Addresses<'a> {
        let mut answers = self.0.lock().expect("no panic");
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().copied() };
        Box::pin(std::future::ready(Ok(answer.into_iter().collect())))
    }
}

#[tokio::test(flavor = "current_thread")]
async fn guarded_calls_reach_public_addresses_only() {
    let guarded = Outbound::new(Settings::guarded("test"));
    let long = format!("http://example.com/{}", "a".repeat(3000));
    for url in [
        "http://127.0.0.1:9001",
        "http://169.254.169.254",
        "http://[::1]:80/",
        "http://[::ffff:169.254.169.254]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:a9fe:a9fe::]/",
        "http://[fd00:ec2::254]/",
        "http://localhost:9001",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://user@1.1.1.1/",
        "ftp://1.1.1.1",
        "not a url",
        "http://",
        long.as_str(),
    ] {
        assert_eq!(guarded.ensure_allowed(url).await, Err(OutboundError::Forbidden), "{url}");
        assert_eq!(guarded.get(url, PATIENCE, 10).await, Err(OutboundError::Forbidden), "{url}");
    }
    assert_eq!(guarded.ensure_allowed("https://1.1.1.1/").await, Ok(()));
    assert_eq!(guarded.ensure_allowed("https://no-such-name.invalid").await, Ok(()));
}

#[tokio::test(flavor = "current_thread")]
async fn ports_of_other_services_are_refused() {
    let web = Outbound::new(Settings { ports: Ports::Web, ..Settings::guarded("test") });
    for port in [0, 22, 25, 81, 2375, 3306, 5432, 6379, 9001, 9200, 27017] {
        assert_eq!(web.check(&format!("http://1.1.1.1:{port}/")).err(), Some(OutboundError::Forbidden), "{port}");
    }
    for url in ["http://1.1.1.1", "https://1.1.1.1", "http://1.1.1.1:8080", "https://1.1.1.1:8443/a"] {
        assert!(web.check(url).is_ok(), "{url}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_name_that_changes_its_address_is_not_connected_to() {
    let server = Server::answering(HELLO).await;
    let url = server.url.replace("127.0.0.1", "rebound.example");
    let guarded = Outbound::with_lookup(Settings::guarded("test"), Names::new(["93.184.216.34", "127.0.0.1"]));
    assert_eq!(guarded.ensure_allowed(&url).await, Ok(()));
    assert_eq!(guarded.get_stream(&get(&url)).await.err(), Some(OutboundError::Forbidden));
    assert_eq!(server.connections(), 0);
    // The same client without its guard reaches the server.
    let unguarded = Outbound::with_lookup(Settings::open("test"), Names::new(["127.0.0.1"]));
    assert_eq!(unguarded.get(&url, PATIENCE, 10).await.expect("an answer").body, b"hello");
    assert_eq!(server.connections(), 1);
}

#[tokio::test(flavor = "current_thread")]
async fn each_hop_of_a_redirect_is_checked() {
    for target in [
        "http://[::ffff:169.254.169.254]/",
        "http://2130706433/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://127.0.0.1:9001/",
        "http://169.254.169.254/latest/meta-data/",
        "http://inside.example/",
        "file:///etc/passwd",
        "http://user@example.com/",
        "http://10.0.0.1/",
    ] {
        let guarded = Outbound::with_lookup(Settings::guarded("test"), Names::new(["127.0.0.1"]));
        let first = guarded.parse("http://93.184.216.34/a").expect("a public address");
        // A literal is refused before the call, a name by the connection's resolver.
        let next = first.join(target).and_then(|next| guarded.check_rules(next));
        assert_eq!(next.is_err(), target != "http://inside.example/", "{target}");
        assert_eq!(guarded.get_stream(&get(target)).await.err(), Some(OutboundError::Forbidden), "{target}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn redirects_are_followed_up_to_a_limit() {
    let end = Server::answering(HELLO).await;
    let mut next = end.url.clone();
    let mut hops = Vec::new();
    for _ in 0..4 {
        let hop = Server::start([redirect(&next)]).await;
        next.clone_from(&hop.url);
        hops.push(hop);
    }
    let streamed = open().get_stream(&get(&hops[2].url)).await.expect("three redirects");
    assert_eq!((streamed.status, streamed.url.as_str()), (200, end.url.as_str()));
    assert_eq!(streamed.body.collect().await.expect("a body"), b"hello");
    assert_eq!(open().get_stream(&get(&hops[3].url)).await.err(), Some(OutboundError::TooManyRedirects));
    assert_eq!(end.connections(), 1);
    // A guarded client does not follow one to this machine.
    let guarded = Outbound::new(Settings::guarded("test"));
    assert_eq!(guarded.get_stream(&get(&hops[0].url)).await.err(), Some(OutboundError::Forbidden));
    // Without redirects, the redirect itself is the answer.
    assert_eq!(open().get(&hops[0].url, PATIENCE, 10).await.expect("an answer").status, 302);
}

#[tokio::test(flavor = "current_thread")]
async fn credentials_reach_their_origin_only() {
    let other = Server::answering(HELLO).await;
    let own = Server::start([redirect(&other.url)]).await;
    let origin = open().check(&own.url).expect("an origin");
    let credentials = Credentials::new([origin], [("Authorization", "Bearer secret")]).expect("headers");
    assert!(!format!("{credentials:?}").contains("secret"));
    let request = Get { credentials: Some(&credentials), ..get(&own.url) };
    assert_eq!(open().get_stream(&request).await.expect("an answer").status, 200);
    assert!(own.requests()[0].contains("authorization: Bearer secret"));
    assert_eq!(other.requests().len(), 1);
    assert!(!other.requests()[0].to_ascii_lowercase().contains("authorization"));
    // Nor another address that is called directly.
    let request = Get { credentials: Some(&credentials), ..get(&other.url) };
    assert_eq!(open().get_stream(&request).await.expect("an answer").status, 200);
    assert!(!other.requests()[1].contains("secret"));
}

#[test]
fn headers_of_the_connection_are_refused() {
    for (name, value) in [
        ("Host", "inside"),
        ("content-length", "1"),
        ("Transfer-Encoding", "chunked"),
        ("proxy-authorization", "x"),
        ("x y", "z"),
        ("x", "a\r\ny: b"),
    ] {
        assert!(Credentials::new([], [(name, value)]).is_err(), "{name}");
    }
    let many = (0..21).map(|index| (format!("x-{index}"), "y"));
    assert!(Credentials::new([], many).is_err());
    assert!(Credentials::new([], [("x-api-key", "y")]).is_ok());
}

#[tokio::test(flavor = "current_thread")]
async fn answers_are_limited() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nhello world").await;
    assert_eq!(open().get(&server.url, PATIENCE, 10).await, Err(OutboundError::TooLarge));
    assert_eq!(open().get(&server.url, PATIENCE, 11).await.expect("small enough").body, b"hello world");
}

#[tokio::test(flavor = "current_thread")]
async fn endless_chunks_are_cut_off() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        let chunk = [b"4000\r\n".as_slice(), &[b'a'; 0x4000], b"\r\n"].concat();
        while stream.write_all(&chunk).await.is_ok() {}
    });
    let streamed = open().get_stream(&get(&url)).await.expect("a head");
    assert_eq!(streamed.body.collect().await, Err(OutboundError::TooLarge));
    // The connection is closed, so that the server's loop ends.
    tokio::time::timeout(PATIENCE, server).await.expect("an end").expect("no panic");
}

#[tokio::test(flavor = "current_thread")]
async fn a_pause_between_chunks_is_limited() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhell").await;
        // Open until the client gives up.
        let _ = stream.read(&mut [0; 1]).await;
    });
    let request = Get { idle_timeout: Duration::from_millis(200), ..get(&url) };
    let mut streamed = open().get_stream(&request).await.expect("a head");
    assert_eq!(streamed.body.next().await.expect("a chunk").as_deref(), Some(b"hell".as_slice()));
    assert_eq!(streamed.body.next().await, Err(OutboundError::Timeout));
    drop(streamed);
    tokio::time::timeout(PATIENCE, server).await.expect("an end").expect("no panic");
}

#[tokio::test(flavor = "current_thread")]
async fn a_wrong_content_length_is_not_a_complete_body() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello").await;
    let streamed = open().get_stream(&get(&server.url)).await.expect("a head");
    assert_eq!(streamed.content_length, Some(50));
    assert_eq!(streamed.body.collect().await, Err(OutboundError::Interrupted));
    // More bytes than announced belong to no response.
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nhello").await;
    let streamed = open().get_stream(&get(&server.url)).await.expect("a head");
    assert_eq!(streamed.body.collect().await.expect("a body"), b"hell");
    let server = Server::answering("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n").await;
    let streamed = open().get_stream(&get(&server.url)).await.expect("a head");
    assert_eq!(streamed.body.collect().await, Err(OutboundError::Interrupted));
}

/// Returns a response with a body of zeros in gzip, of `size` bytes when decoded.
fn bomb(size: usize) -> Vec<u8> {
    encoded(&zeros(size))
}

/// Encodes a number of zeros.
fn zeros(size: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let block = vec![0; 1 << 20];
    for _ in 0..size >> 20 {
        encoder.write_all(&block).expect("memory");
    }
    encoder.finish().expect("memory")
}

fn encoded(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[tokio::test(flavor = "current_thread")]
async fn limits_count_decoded_bytes() {
    let size = 64 << 20;
    let server = Server::start([bomb(size)]).await;
    let decoded = Get { decode: true, max_bytes: 10 << 20, ..get(&server.url) };
    let mut streamed = open().get_stream(&decoded).await.expect("a head");
    let (mut total, mut largest) = (0, 0);
    let end = loop {
        match streamed.body.next().await {
            Ok(Some(chunk)) => (total, largest) = (total + chunk.len(), largest.max(chunk.len())),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    assert_eq!(end, Some(OutboundError::TooLarge));
    assert!(total <= 10 << 20 && largest < 2 << 20, "{total} {largest}");
    // A large limit decodes all of it.
    let decoded = Get { decode: true, max_bytes: size as u64, ..get(&server.url) };
    let streamed = open().get_stream(&decoded).await.expect("a head");
    assert_eq!(streamed.body.collect().await.expect("a body").len(), size);
    // Unasked, the bytes stay as they were sent.
    let streamed = open().get_stream(&get(&server.url)).await.expect("a head");
    let body = streamed.body.collect().await.expect("a body");
    assert!(body.starts_with(&[0x1f, 0x8b]) && body.len() < 1_000_000);
    assert!(server.requests().iter().all(|request| request.contains("accept-encoding: identity")));
}

#[tokio::test(flavor = "current_thread")]
async fn unknown_encodings_and_cut_gzip_are_refused() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 2\r\n\r\nxx").await;
    let decoded = Get { decode: true, ..get(&server.url) };
    assert_eq!(open().get_stream(&decoded).await.err(), Some(OutboundError::Unreadable));
    let server = Server::start([encoded(&zeros(1 << 20)[..500])]).await;
    let decoded = Get { decode: true, ..get(&server.url) };
    let streamed = open().get_stream(&decoded).await.expect("a head");
    assert!(streamed.body.collect().await.is_err());
}

#[tokio::test(flavor = "current_thread")]
async fn timeouts_and_refused_connections_are_distinguished() {
    let server = Server::answering("").await;
    assert_eq!(open().get(&server.url, Duration::from_millis(50), 10).await, Err(OutboundError::Timeout));
    let request = Get { idle_timeout: Duration::from_millis(50), ..get(&server.url) };
    assert_eq!(open().get_stream(&request).await.err(), Some(OutboundError::Timeout));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let closed = format!("http://{}/", listener.local_addr().expect("bound"));
    drop(listener);
    assert_eq!(open().get(&closed, PATIENCE, 10).await, Err(OutboundError::Refused));
}
