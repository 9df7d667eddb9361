//! The gate in front of a server that records what reaches it.

use std::collections::BTreeMap;

use hyper::header::{CONNECTION, UPGRADE};
use model::stage::Stage;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixListener},
    sync::Notify,
};

use super::*;
use crate::{
    aws::{
        Clients,
        scripted::{Endpoint, Received},
    },
    http::{self, Client},
    local::Emulator,
};

/// A page that no stage allows.
const FOREIGN: &str = "http://127.0.0.1:8000";

/// STS API reference, `GetCallerIdentity`.
const CALLER: &str = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
                      <Arn>arn:aws:iam::000000000000:root</Arn><UserId>u</UserId><Account>000000000000</Account>\
                      </GetCallerIdentityResult></GetCallerIdentityResponse>";

/// What reaches the emulator: method and target, and headers.
type Reached = Arc<Mutex<Vec<(String, BTreeMap<String, String>, Vec<u8>)>>>;

/// A gate, and the emulator behind it.
struct World {
    url: String,
    keys: Keys,
    reached: Reached,
    /// Notified when the emulator's end of a WebSocket is closed.
    closed: Arc<Notify>,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let directory = Utf8Path::from_path(folder.path()).expect("UTF-8");
        let socket = UnixListener::bind(directory.join(SOCKET)).expect("a short path");
        let (reached, closed) = (Reached::default(), Arc::<Notify>::default());
        tokio::spawn(emulate(socket, Arc::clone(&reached), Arc::clone(&closed)));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        // The keys of `scripted::Endpoint`, whose requests are sent again below.
        let keys = Keys::well_known();
        tokio::spawn(Arc::new(Gate::new(directory, keys.clone(), address.port())).serve(listener));
        Self { url: format!("http://{address}"), keys, reached, closed, _folder: folder }
    }

    async fn clients(&self, keys: Keys) -> Clients {
        let stage =
            Stage::parse("local", "account: '000000000000'\nregion: us-east-1\n", "local.yaml").expect("a stage");
        Clients::new(&stage, Some(Emulator { url: self.url.clone(), keys })).await.expect("clients")
    }

    async fn send(&self, method: &'static str, path: &str, headers: &[(&str, &str)], body: &str) -> http::Response {
        let request = http::Request::new(method, format!("{}{path}", self.url)).body(body.as_bytes().to_vec());
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        Client::default().send(request).await.expect("a response")
    }

    /// What has reached the emulator, without the gate's own questions.
    fn reached(&self) -> Vec<String> {
        let reached = self.reached.lock().expect("the requests");
        let is_own = |target: &String| target.ends_with("?policy") || target.ends_with("/distribution");
        reached.iter().map(|(target, ..)| target.clone()).filter(|target| !is_own(target)).collect()
    }
}

/// Responds to everything; only `site-bucket` has a policy. A WebSocket echoes, and one of the stage `short` is closed after a message.
async fn emulate(listener: UnixListener, reached: Reached, closed: Arc<Notify>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (reached, closed) = (Arc::clone(&reached), Arc::clone(&closed));
        tokio::spawn(async move {
            let service = service_fn(|request| emulated(request, Arc::clone(&reached), Arc::clone(&closed)));
            let _closed = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
        });
    }
}

async fn emulated(
    mut request: Request<Incoming>,
    reached: Reached,
    closed: Arc<Notify>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let upgrade = request.headers().get(UPGRADE).cloned();
    let is_target = request.headers().contains_key("x-amz-target");
    let upgraded = hyper::upgrade::on(&mut request);
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let text = |value: &hyper::header::HeaderValue| value.to_str().expect("text").to_owned();
    let headers = head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let target = format!("{} {}", head.method, head.uri);
    reached.lock().expect("the requests").push((target.clone(), headers, body.to_vec()));
    let policy = json!({ "Statement": [{
        "Effect": "Allow", "Principal": { "Service": "cloudfront.amazonaws.com" }, "Action": "s3:GetObject",
    }] });
    let credentials = json!({ "Credentials": { "AccessKeyId": "ASIAPOOL", "SecretKey": "secret" } });
    let (status, body) = match target.as_str() {
        "GET /site-bucket?policy" => (200, policy.to_string()),
        "GET /2020-05-31/distribution" => (200, "<DomainName>d111.cloudfront.net</DomainName>".to_owned()),
        target if target.ends_with("?policy") => (404, "{}".to_owned()),
        "POST /" if is_target => (200, credentials.to_string()),
        "POST /" => (200, CALLER.to_owned()),
        _ if upgrade.is_some() => (101, String::new()),
        _ => (200, "{}".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    if let Some(upgrade) = upgrade.filter(|_| status == 101) {
        response.headers_mut().insert(UPGRADE, upgrade);
        response.headers_mut().insert(CONNECTION, hyper::header::HeaderValue::from_static("upgrade"));
        tokio::spawn(async move {
            let (reader, mut writer) = tokio::io::split(TokioIo::new(upgraded.await.expect("upgraded")));
            let length = if target.ends_with("/short") { 7 } else { u64::MAX };
            tokio::io::copy(&mut reader.take(length), &mut writer).await.expect("echoed");
            writer.shutdown().await.expect("closed");
            closed.notify_one();
        });
    }
    Ok(response)
}

/// A request that the SDK signs: for S3 with the hash of its body in a header, for Lambda without.
async fn signed_by_the_sdk() -> [Received; 2] {
    let endpoint = Endpoint::serve(|_| (200, "{}".to_owned())).await;
    let clients = endpoint.clients().await;
    let _response = clients.documents("documents".to_owned()).read("a b/ü").await;
    let _response = clients.lambda().point("arn:aws:lambda:f", "live", "7").await;
    let received = endpoint.received();
    let find = |start: &str| received.iter().find(|request| request.target.starts_with(start)).cloned();
    [find("GET /documents").expect("a call of S3"), find("PUT /2015-03-31").expect("a call of Lambda")]
}

/// Sends a request again, to the gate. Its signature covers the host of the first server, which is this machine as well.
async fn send_again(world: &World, request: &Received) -> http::Response {
    let (method, path) = request.target.split_once(' ').expect("method and path");
    let method = if method == "GET" { "GET" } else { "PUT" };
    let mut again = http::Request::new(method, format!("{}{path}", world.url)).body(request.body.clone().into_bytes());
    for (name, value) in request.headers.iter().filter(|(name, _)| *name != "content-length") {
        again = again.header(name, value);
    }
    Client::default().send(again).await.expect("a response")
}

#[tokio::test]
async fn calls_that_the_sdk_signs_pass_and_changed_ones_do_not() {
    let world = World::new().await;
    for request in signed_by_the_sdk().await {
        let response = send_again(&world, &request).await;
        assert_eq!(response.status, 200, "{} {:?}", request.target, String::from_utf8_lossy(&response.body));
        assert_eq!(world.reached().last(), Some(&request.target), "path and query are unchanged");
        let before = world.reached().len();
        let mut changed = request.clone();
        changed.body.push('x');
        assert_ne!(send_again(&world, &changed).await.status, 200, "{} with another body", request.target);
        let mut changed = request.clone();
        changed.target.push_str("/other");
        assert_eq!(send_again(&world, &changed).await.status, 403, "{} with another path", request.target);
        assert_eq!(world.reached().len(), before);
    }
}

#[tokio::test]
async fn only_the_generated_secret_signs() {
    let world = World::new().await;
    let right = world.clients(world.keys.clone()).await;
    assert_eq!(right.caller().await.expect("a response").account, "000000000000");
    assert_eq!(world.reached(), ["POST /"]);
    let wrong = world.clients(Keys::generate().expect("random numbers")).await;
    let error = wrong.caller().await.expect_err("the signature is by another secret").to_string();
    assert!(error.contains("the local cloud's gate refused the call: the signature does not match"), "{error}");
    assert_eq!(world.reached().len(), 1);
}

#[tokio::test]
async fn what_is_refused_does_not_reach_the_emulator() {
    let world = World::new().await;
    let page = ("origin", FOREIGN);
    let text = ("content-type", "text/plain");
    let function = r#"{"FunctionName":"evil"}"#;
    for (method, path, headers) in [
        ("POST", "/2015-03-31/functions", vec![page, text]),
        ("POST", "/2015-03-31/functions", vec![text]),
        ("POST", "/2015-03-31/functions", vec![("host", "evil.example"), text]),
        ("OPTIONS", "/2015-03-31/functions", vec![page, ("access-control-request-method", "POST")]),
        ("GET", "/other-bucket/key", vec![]),
        ("POST", "/2015-03-31/functions", vec![("host", "d222.cloudfront.localhost")]),
        ("GET", "/x", vec![("host", "d222.cloudfront.net")]),
        ("GET", "/site-bucket/key", vec![page]),
    ] {
        let response = world.send(method, path, &headers, function).await;
        assert_eq!(response.status, 403, "{method} {path} {headers:?}");
        assert!(!response.headers.keys().any(|name| name.starts_with("access-control-")), "{:?}", response.headers);
    }
    assert_eq!(world.reached(), Vec::<String>::new());
}

#[tokio::test]
async fn open_requests_are_forwarded_unchanged() {
    let world = World::new().await;
    let api = "/_aws/execute-api/0a1b2c3d/local/media/a%20b?x=%2F&y";
    let headers = [("origin", FOREIGN), ("authorization", "Bearer token"), ("host", "localhost:1")];
    assert_eq!(world.send("POST", api, &headers, "body").await.status, 200);
    assert_eq!(world.send("GET", "/site-bucket/index.html", &[], "").await.status, 200);
    assert_eq!(world.send("GET", "/site-bucket/index.html", &[], "").await.status, 200);
    assert_eq!(world.send("GET", "/any", &[("host", "d111.cloudfront.net")], "").await.status, 200);
    let site = "GET /site-bucket/index.html".to_owned();
    assert_eq!(world.reached(), [format!("POST {api}"), site.clone(), site, "GET /any".to_owned()]);
    let reached = world.reached.lock().expect("the requests");
    let (_, headers, body) = &reached[0];
    assert_eq!(body, b"body");
    for (name, value) in [("origin", FOREIGN), ("authorization", "Bearer token"), ("host", "localhost:1")] {
        assert_eq!(headers.get(name).map(String::as_str), Some(value), "{name}");
    }
    let policies = reached.iter().filter(|(target, ..)| target.ends_with("?policy"));
    assert_eq!(policies.count(), 1, "a site is remembered");
}

#[tokio::test]
async fn credentials_of_an_identity_pool_sign_reads_of_objects() {
    let world = World::new().await;
    let pool = Keys::of("ASIAPOOL", "secret");
    let read = async || world.clients(pool.clone()).await.documents("documents".to_owned()).read("key").await;
    let _refused = read().await;
    assert_eq!(world.reached(), Vec::<String>::new());
    let target = ("x-amz-target", "AWSCognitoIdentityService.GetCredentialsForIdentity");
    assert_eq!(world.send("POST", "/", &[target], "{}").await.status, 200);
    assert!(read().await.expect("a response").is_some());
    let reached = world.reached();
    assert!(reached.len() == 2 && reached[1].starts_with("GET /documents/key"), "{reached:?}");
    let _refused = world.clients(pool).await.caller().await;
    assert_eq!(world.reached().len(), reached.len());
}

/// Sends a request by hand; returns the first bytes of the response, and the connection.
async fn raw(world: &World, request: &str) -> (String, TcpStream) {
    let address = world.url.strip_prefix("http://").expect("HTTP");
    let mut stream = TcpStream::connect(address).await.expect("the gate listens");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut response = vec![0; 1024];
    let length = stream.read(&mut response).await.expect("a response");
    (String::from_utf8_lossy(&response[..length]).into_owned(), stream)
}

/// A request for an upgrade at the end of a path, with more headers.
fn upgrade(path: &str, to: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: {to}\r\n{headers}\r\n")
}

const SOCKET_PATH: &str = "/_aws/execute-api/0a1b2c3d/local?token=t";

#[tokio::test]
async fn web_sockets_of_an_api_are_forwarded_and_other_upgrades_are_not() {
    let world = World::new().await;
    let (response, mut stream) = raw(&world, &upgrade(SOCKET_PATH, "websocket", "")).await;
    assert!(response.starts_with("HTTP/1.1 101 "), "{response}");
    assert_eq!(world.reached(), [format!("GET {SOCKET_PATH}")], "the query is unchanged");
    stream.write_all(b"message").await.expect("sent");
    let mut echo = [0; 7];
    stream.read_exact(&mut echo).await.expect("an echo");
    assert_eq!(&echo, b"message");

    let (response, _) = raw(&world, &upgrade(SOCKET_PATH, "h2c", "")).await;
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    let reached = world.reached.lock().expect("the requests").last().cloned().expect("a request");
    assert!(!reached.1.contains_key("upgrade"), "{reached:?}");
    let before = world.reached().len();
    for path in ["/x", "/_ministack/health", "/site-bucket/index.html", "/"] {
        let (response, _) = raw(&world, &upgrade(path, "websocket", "")).await;
        assert!(response.starts_with("HTTP/1.1 403 "), "{path}: {response}");
    }
    assert_eq!(world.reached().len(), before);
}

#[tokio::test]
async fn a_page_of_an_unknown_origin_opens_no_web_socket() {
    let world = World::new().await;
    let (response, _) = raw(&world, &upgrade(SOCKET_PATH, "websocket", &format!("origin: {FOREIGN}\r\n"))).await;
    assert!(response.starts_with("HTTP/1.1 403 "), "{response}");
    assert_eq!(world.reached(), Vec::<String>::new());
    let own = format!("origin: {}\r\n", world.url);
    let (response, _) = raw(&world, &upgrade(SOCKET_PATH, "websocket", &own)).await;
    assert!(response.starts_with("HTTP/1.1 101 "), "{response}");
}

#[tokio::test]
async fn a_web_socket_ends_with_either_end() {
    let world = World::new().await;
    let (_, stream) = raw(&world, &upgrade(SOCKET_PATH, "websocket", "")).await;
    drop(stream);
    world.closed.notified().await;

    let short = "/_aws/execute-api/0a1b2c3d/short";
    let (_, mut stream) = raw(&world, &upgrade(short, "websocket", "")).await;
    stream.write_all(b"message").await.expect("sent");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.expect("the emulator's end is closed");
    assert_eq!(rest, b"message");
}

#[tokio::test]
async fn without_an_emulator_the_response_says_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let directory = Utf8Path::from_path(folder.path()).expect("UTF-8");
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let url = format!("http://{}/_ministack/health", listener.local_addr().expect("its address"));
    tokio::spawn(Arc::new(Gate::new(directory, Keys::well_known(), 1)).serve(listener));
    let response = http::Request::get(url).send().await.expect("a response");
    assert_eq!(response.status, 503);
    assert!(String::from_utf8_lossy(&response.body).starts_with("the emulator does not respond: "));
}
