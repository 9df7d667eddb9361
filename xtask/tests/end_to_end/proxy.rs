//! A proxy between xtask and the emulator: sees every call, and answers some in AWS's place.
//!
//! What only AWS can show (stuck stacks, throttling, expired credentials) is answered as AWS's documentation prints it;
//! what only a network can do (lost responses, resets) is done.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::Response,
};

/// One call to AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// How many calls came before it.
    pub(crate) number: usize,
    /// The service as requests are signed for it, for example `lambda`.
    pub(crate) service: String,
    /// The operation where the protocol names it, else method and path: `CreateChangeSet`, `PUT /bucket/key`.
    pub(crate) operation: String,
    /// What it is about, where the protocol names that: a stack.
    pub(crate) subject: String,
    /// The access key that signed it.
    pub(crate) key: String,
}

impl Call {
    /// Is it this operation?
    pub(crate) fn is(&self, operation: &str) -> bool {
        self.operation == operation
    }
}

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The emulator answers it.
    Forward,
    /// This is answered, and the emulator never sees the call.
    Answer(u16, String),
    /// The call is carried out, and its answer is lost.
    LoseResponse,
    /// The call is carried out, and then this process is killed.
    ThenKill(u32),
    /// The connection ends without an answer, and the emulator never sees the call.
    Reset,
    /// Nothing comes until the caller gives up, and the emulator never sees the call.
    Silence,
}

/// A call as it came, and how it was answered.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    /// HTTP's method.
    pub(crate) method: &'a Method,
    /// Path and query.
    pub(crate) uri: &'a Uri,
    /// The headers.
    pub(crate) headers: &'a HeaderMap,
    /// The body.
    pub(crate) body: &'a [u8],
    /// The answer's status.
    pub(crate) status: StatusCode,
}

type Judge = Box<dyn Fn(&Call) -> Verdict + Send + Sync>;
type Watcher = Box<dyn Fn(&Seen<'_>) + Send + Sync>;

struct Shared {
    upstream: String,
    judge: Judge,
    watcher: Watcher,
    calls: Mutex<Vec<Call>>,
    client: reqwest::Client,
}

/// A running proxy; it stops with the test.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Proxy {
    /// Starts one in front of `upstream`; `judge` decides about every call.
    pub(crate) fn start(upstream: &str, judge: impl Fn(&Call) -> Verdict + Send + Sync + 'static) -> Self {
        Self::of(upstream, Box::new(judge), Box::new(|_| ()))
    }

    /// Starts one that forwards everything; `watcher` sees every call and its answer's status.
    pub(crate) fn watching(upstream: &str, watcher: impl Fn(&Seen<'_>) + Send + Sync + 'static) -> Self {
        Self::of(upstream, Box::new(|_| Verdict::Forward), Box::new(watcher))
    }

    fn of(upstream: &str, judge: Judge, watcher: Watcher) -> Self {
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            judge,
            watcher,
            calls: Mutex::default(),
            client: reqwest::Client::builder().no_proxy().build().expect("a client"),
        });
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a listener for tokio");
        let address = listener.local_addr().expect("its address");
        let (stop, stopped) = tokio::sync::oneshot::channel();
        // Artifacts are larger than what axum takes by default.
        let app = Router::new().fallback(handle).layer(DefaultBodyLimit::disable()).with_state(Arc::clone(&shared));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                let serving = axum::serve(listener, app);
                tokio::select! {
                    served = serving => served.expect("the proxy serves"),
                    _ = stopped => {}
                }
            });
        });
        Self { address, shared, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every call so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.shared.calls.lock().expect("calls").clone()
    }

    /// How often an operation was called.
    pub(crate) fn count(&self, operation: &str) -> usize {
        self.calls().iter().filter(|call| call.is(operation)).count()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _already_gone = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

/// Answers an operation about a subject with these, one after the other, and forwards everything else.
pub(crate) fn scripted(
    operation: &'static str,
    subject: &'static str,
    answers: impl IntoIterator<Item = (u16, String)>,
) -> impl Fn(&Call) -> Verdict + Send + Sync {
    let answers = Mutex::new(answers.into_iter().collect::<VecDeque<_>>());
    move |call| {
        if !call.is(operation) || !call.subject.contains(subject) {
            return Verdict::Forward;
        }
        let next = answers.lock().expect("answers").pop_front();
        next.map_or(Verdict::Forward, |(status, body)| Verdict::Answer(status, body))
    }
}

async fn handle(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let call = {
        let mut calls = shared.calls.lock().expect("calls");
        let call = understand(calls.len(), &method, &uri, &headers, &body);
        calls.push(call.clone());
        call
    };
    match (shared.judge)(&call) {
        Verdict::Forward => {
            let answer = forward(&shared, method.clone(), &uri, headers.clone(), body.clone()).await;
            let (body, status) = (&*body, answer.status());
            (shared.watcher)(&Seen { method: &method, uri: &uri, headers: &headers, body, status });
            answer
        }
        Verdict::Answer(status, body) => Response::builder()
            .status(status)
            .header("content-type", if body.starts_with('{') { "application/json" } else { "text/xml" })
            .body(body.into())
            .expect("an answer"),
        Verdict::LoseResponse => {
            forward(&shared, method, &uri, headers, body).await;
            broken()
        }
        Verdict::ThenKill(process) => {
            forward(&shared, method, &uri, headers, body).await;
            kill(process);
            broken()
        }
        Verdict::Reset => broken(),
        // Dropped when the caller closes the connection.
        Verdict::Silence => std::future::pending().await,
    }
}

/// Ends a process as a power cut would.
pub(crate) fn kill(process: u32) {
    // One that has just ended by itself is as dead.
    let _ended = std::process::Command::new("kill").args(["-KILL", &process.to_string()]).output();
}

/// An answer whose body ends in an error before its first byte: the connection is cut.
fn broken() -> Response<Body> {
    let cut = futures_util::stream::once(async { Err::<Bytes, _>(std::io::Error::other("cut")) });
    Response::builder().header("content-length", "1000").body(Body::from_stream(cut)).expect("an answer")
}

async fn forward(shared: &Shared, method: Method, uri: &Uri, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let url = format!("{}{}", shared.upstream, uri.path_and_query().map_or("/", |path| path.as_str()));
    let request = shared.client.request(method, url).headers(headers).body(body);
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) => {
            let response = Response::builder().status(StatusCode::BAD_GATEWAY);
            return response.body(error.to_string().into()).expect("an answer");
        }
    };
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if !matches!(name.as_str(), "connection" | "transfer-encoding") {
            response = response.header(name, value);
        }
    }
    let body = answer.bytes().await.unwrap_or_default();
    response.body(body.into()).expect("an answer")
}

fn understand(number: usize, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Call {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Credential=KEY/date/region/service/aws4_request
    let service = header("authorization").split('/').nth(3).unwrap_or_default().to_owned();
    let key = header("authorization").split_once("Credential=").and_then(|(_, scope)| scope.split('/').next());
    let key = key.unwrap_or_default().to_owned();
    let form = std::str::from_utf8(body).unwrap_or_default();
    let field = |name: &str| {
        let pair = form.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        pair.unwrap_or_default().to_owned()
    };
    let target = header("x-amz-target").rsplit('.').next().unwrap_or_default();
    let operation = match (field("Action"), target) {
        (action, _) if !action.is_empty() => action,
        (_, target) if !target.is_empty() => target.to_owned(),
        _ => format!("{method} {}", uri.path()),
    };
    Call { number, service, operation, subject: field("StackName"), key }
}
