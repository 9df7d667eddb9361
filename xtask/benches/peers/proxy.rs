//! A proxy in front of a local cloud that delays each call and counts it. It leaves the header `Host` as it is, which is signed.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::Response,
};

use crate::Result;

/// A running proxy. It ends with the program's runtime.
pub(crate) struct Proxy {
    /// Its URL.
    pub(crate) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: String,
    /// In milliseconds.
    delay: AtomicU64,
    calls: Mutex<BTreeMap<String, usize>>,
    client: reqwest::Client,
}

impl Proxy {
    /// Starts one without a delay.
    pub(crate) async fn start(upstream: String) -> Result<Self> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let shared = Arc::new(Shared { upstream, delay: AtomicU64::new(0), calls: Mutex::default(), client });
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        // Zips are larger than the bodies that axum accepts by default.
        let app = Router::new().fallback(forward).layer(DefaultBodyLimit::disable()).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { url, shared })
    }

    /// Delays each call from now on, and forgets the earlier ones.
    pub(crate) fn reset(&self, delay: Duration) {
        self.shared.delay.store(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.shared.calls.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The calls since then, by operation.
    pub(crate) fn calls(&self) -> BTreeMap<String, usize> {
        self.shared.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn forward(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let operation = operation(&method, &uri, &headers, &body);
    *shared.calls.lock().unwrap_or_else(PoisonError::into_inner).entry(operation).or_default() += 1;
    tokio::time::sleep(Duration::from_millis(shared.delay.load(Ordering::Relaxed))).await;
    answer(&shared, method, &uri, headers, body).await.unwrap_or_else(|error| {
        let mut response = Response::new(Body::from(error.to_string()));
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        response
    })
}

async fn answer(
    shared: &Shared,
    method: Method,
    uri: &Uri,
    mut headers: HeaderMap,
    body: Bytes,
) -> std::result::Result<Response, reqwest::Error> {
    let url = format!("{}{}", shared.upstream, uri.path_and_query().map_or("/", |path| path.as_str()));
    // The client has sent its body already.
    headers.remove(header::EXPECT);
    let answer = shared.client.request(method, url).headers(headers).body(body).send().await?;
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    for connection in [header::CONNECTION, header::TRANSFER_ENCODING] {
        headers.remove(connection);
    }
    let mut response = Response::new(Body::from(answer.bytes().await?));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// The operation where the protocol names it; else the service, the method and the path without names.
fn operation(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> String {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Credential=KEY/date/region/service/aws4_request
    let service = header("authorization").split('/').nth(3).unwrap_or("unsigned");
    let form = std::str::from_utf8(body).unwrap_or_default();
    let action = form.split('&').find_map(|pair| pair.strip_prefix("Action="));
    let target = header("x-amz-target").rsplit('.').next().filter(|target| !target.is_empty());
    match action.or(target) {
        Some(operation) => format!("{service} {operation}"),
        None => format!("{service} {method} {}", shape(service, uri.path())),
    }
}

/// A path without the names in it: `bucket`, `object`, or the collections of a REST API, for example `functions/*/aliases/*`.
fn shape(service: &str, path: &str) -> String {
    let steps: Vec<_> = path.split('/').filter(|step| !step.is_empty()).collect();
    match (service, steps.as_slice()) {
        ("s3", []) => "service".to_owned(),
        ("s3", [_]) => "bucket".to_owned(),
        ("s3", _) => "object".to_owned(),
        // The first step is the API's version: `/2015-03-31/functions/NAME`.
        ("lambda", [_, rest @ ..]) => {
            let steps = rest.iter().enumerate().map(|(place, step)| if place % 2 == 0 { *step } else { "*" });
            steps.collect::<Vec<_>>().join("/")
        }
        _ => format!("of {} steps", steps.len()),
    }
}
