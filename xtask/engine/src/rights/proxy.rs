//! A proxy in front of the emulator: forwards every call, and passes each with its response's status to a recorder.
//!
//! It listens on 127.0.0.1 and speaks plain HTTP, as the emulator does.

use std::{collections::BTreeMap, convert::Infallible, io, net::Ipv4Addr, sync::Arc};

use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Response, StatusCode, Uri,
    body::{Bytes, Incoming},
    client, server,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use super::calls::Call;
use crate::error::one_line;

/// Headers of one connection, which are not forwarded (RFC 9110, section 7.6.1).
const OF_CONNECTION: [&str; 4] = ["connection", "expect", "keep-alive", "transfer-encoding"];

type Record = Arc<dyn Fn(Call) + Send + Sync>;
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A running proxy. It stops when it is dropped.
#[derive(Debug)]
pub(super) struct Proxy {
    /// Its URL.
    pub(super) endpoint: String,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Starts a proxy in front of `upstream`, an `http` URL. `record` receives every call.
    ///
    /// # Errors
    ///
    /// When the system has no free port.
    pub(super) async fn start(upstream: &str, record: impl Fn(Call) + Send + Sync + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let upstream: Arc<str> = upstream.trim_start_matches("http://").trim_end_matches('/').into();
        Ok(Self { endpoint, task: tokio::spawn(serve(listener, upstream, Arc::new(record))) })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, upstream: Arc<str>, record: Record) {
    // Aborts the connections when the proxy stops.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // An error is the client's: it closed the connection.
                let Ok((stream, _)) = accepted else { continue };
                let (upstream, record) = (Arc::clone(&upstream), Arc::clone(&record));
                connections.spawn(async move {
                    let service = service_fn(|request| {
                        let (upstream, record) = (Arc::clone(&upstream), Arc::clone(&record));
                        async move { Ok::<_, Infallible>(handle(request, &upstream, &record).await) }
                    });
                    let connection = server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    let _closed = connection.await;
                });
            }
            Some(_ended) = connections.join_next() => {}
        }
    }
}

async fn handle(request: hyper::Request<Incoming>, upstream: &str, record: &Record) -> Response<Full<Bytes>> {
    forward(request, upstream, record).await.unwrap_or_else(|error| {
        let mut response = Response::new(Full::new(Bytes::from(one_line(&*error))));
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        response
    })
}

async fn forward(
    request: hyper::Request<Incoming>,
    upstream: &str,
    record: &Record,
) -> Result<Response<Full<Bytes>>, Failure> {
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    parts.uri = target(&parts.uri).parse::<Uri>()?;
    let mut call = Call {
        method: parts.method.to_string(),
        target: parts.uri.to_string(),
        headers: texts(&parts.headers),
        body: body.to_vec(),
        status: 0,
    };
    without_connection(&mut parts.headers);
    let stream = TcpStream::connect(upstream).await?;
    let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(hyper::Request::from_parts(parts, Full::new(body))).await?;
    let (mut parts, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    connection.abort();
    call.status = parts.status.as_u16();
    record(call);
    without_connection(&mut parts.headers);
    Ok(Response::from_parts(parts, Full::new(body)))
}

fn without_connection(headers: &mut HeaderMap) {
    for name in OF_CONNECTION {
        headers.remove(name);
    }
}

/// Path and query of a request, also where the client sends the whole URL.
fn target(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |target| target.as_str())
}

fn texts(headers: &HeaderMap) -> BTreeMap<String, String> {
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::http::Request;

    /// A proxy, and the calls that it recorded.
    async fn recorded(upstream: &str) -> (Proxy, Arc<Mutex<Vec<Call>>>) {
        let calls = Arc::<Mutex<Vec<Call>>>::default();
        let record = Arc::clone(&calls);
        let proxy = Proxy::start(upstream, move |call| record.lock().expect("calls").push(call)).await;
        (proxy.expect("a free port"), calls)
    }

    #[tokio::test]
    async fn a_call_is_forwarded_and_recorded_with_its_status() {
        // The upstream of the first proxy is another proxy without an upstream, which responds with 502.
        let (broken, inner) = recorded("http://127.0.0.1:9").await;
        let (proxy, outer) = recorded(&broken.endpoint).await;
        let url = format!("{}/bucket/a%20b?x=1", proxy.endpoint);
        let response = Request::new("PUT", url).header("x-own", "y").body(b"text".to_vec()).send().await;
        assert_eq!(response.expect("a response").status, 502);
        assert!(inner.lock().expect("calls").is_empty(), "a call without a response is not recorded");
        let calls = outer.lock().expect("calls").clone();
        let [call] = calls.as_slice() else { panic!("{calls:?}") };
        assert_eq!((call.method.as_str(), call.target.as_str(), call.status), ("PUT", "/bucket/a%20b?x=1", 502));
        assert_eq!((call.body.as_slice(), call.headers["x-own"].as_str()), (b"text".as_slice(), "y"));
    }

    #[tokio::test]
    async fn a_dropped_proxy_no_longer_listens() {
        let (proxy, _) = recorded("http://127.0.0.1:9").await;
        let endpoint = proxy.endpoint.clone();
        drop(proxy);
        let is_closed = async || Request::get(&endpoint).send().await.is_err();
        let soon = crate::poll::Schedule::every(std::time::Duration::from_millis(10));
        assert!(soon.within(std::time::Duration::from_secs(5)).until(is_closed).await);
    }
}
