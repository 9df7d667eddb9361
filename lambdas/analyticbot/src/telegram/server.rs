//! HTTP servers for tests, on this machine only: the fake Telegram server, and servers with one response.

use std::{
    net::{Ipv4Addr, TcpListener},
    sync::{Arc, Mutex},
    time::Duration,
};

use analyticbot_contract::TelegramStub;
use axum::Router;
use lambda_runtime::LambdaEvent;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::LocalSet,
};

use crate::stub;

/// A server that ends with this value.
pub(crate) struct Server {
    /// The address of the Bot API.
    pub(crate) base: String,
    requests: Arc<Mutex<Vec<String>>>,
    /// Ends the server when it is dropped.
    _end: oneshot::Sender<()>,
}

#[derive(Clone)]
enum Behaviour {
    Stub(Router),
    Fixed(String),
}

impl Server {
    /// Starts the fake Telegram server, whose slow tokens wait for `pause`.
    pub(crate) fn stub(pause: Duration) -> Self {
        let environment = TelegramStub { stage: "local".to_owned() };
        let router = stub::router(&environment, pause).expect("a local stage");
        Self::start(Behaviour::Stub(router))
    }

    /// Starts a server that sends these bytes to each client. They may contain the path as `{path}`.
    pub(crate) fn fixed(response: &str) -> Self {
        Self::start(Behaviour::Fixed(response.to_owned()))
    }

    /// The methods of the Bot API that were called, in order.
    pub(crate) fn calls(&self) -> Vec<String> {
        let requests = self.requests.lock().expect("no panic");
        requests.iter().map(|path| path.rsplit('/').next().unwrap_or_default().to_owned()).collect()
    }

    /// Serves on a thread of its own, because responses of the router are bound to one.
    fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("an option");
        let address = listener.local_addr().expect("an address");
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&requests);
        let (end, ended) = oneshot::channel::<()>();
        // The log lines of the server belong to the test that started it.
        let subscriber = tracing::dispatcher::get_default(Clone::clone);
        std::thread::spawn(move || {
            let _guard = tracing::dispatcher::set_default(&subscriber);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let local = LocalSet::new();
            let serving = local.run_until(async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::task::spawn_local(serve(stream, behaviour.clone(), Arc::clone(&seen)));
                }
            });
            runtime.block_on(async {
                tokio::select! { () = serving => {}, _ = ended => {} }
            });
        });
        Self { base: format!("http://{address}/telegram-stub"), requests, _end: end }
    }
}

async fn serve(mut stream: TcpStream, behaviour: Behaviour, seen: Arc<Mutex<Vec<String>>>) {
    let Some((method, path, body)) = read(&mut stream).await else { return };
    seen.lock().expect("no panic").push(path.clone());
    let response = match behaviour {
        Behaviour::Fixed(response) => response.replace("{path}", &path),
        Behaviour::Stub(router) => through_gateway(router, &method, &path, &body).await,
    };
    // A client that gave up has closed the connection.
    let _ = stream.write_all(response.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// Reads a request: its method, path and body.
async fn read(stream: &mut TcpStream) -> Option<(String, String, String)> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                let mut words = head.split(' ');
                return Some((words.next()?.to_owned(), words.next()?.to_owned(), body.to_owned()));
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// Calls the function as API Gateway does.
async fn through_gateway(router: Router, method: &str, path: &str, body: &str) -> String {
    let event = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
        "headers": { "host": "api.example.com", "content-type": "application/json" },
        "requestContext": {
            "accountId": "0", "apiId": "abc", "stage": "$default", "routeKey": "$default",
            "domainName": "api.example.com", "requestId": "request-1",
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7", "userAgent": "t" },
            "time": "12/Mar/2020:19:03:58 +0000", "timeEpoch": 1_583_348_638_390_u64,
        },
        "body": body, "isBase64Encoded": false,
    });
    let event = LambdaEvent::new(event, lambda_runtime::Context::default());
    let answer = common::http::answer::<TelegramStub>(router, event).await.expect("an answer");
    let body = answer["body"].as_str().unwrap_or_default();
    let mut head =
        format!("HTTP/1.1 {} X\r\nconnection: close\r\ncontent-length: {}\r\n", answer["statusCode"], body.len());
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        if let Value::String(value) = value
            && name != "content-length"
        {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    format!("{head}\r\n{body}")
}
