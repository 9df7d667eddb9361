//! An HTTP server as a source: fixed replies by path, and a record of the requests.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, Response},
    routing::any,
};
use futures_util::stream;

/// A reply.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// A body with its media type.
    Content(&'static str, Vec<u8>),
    /// A body with the header `Content-Encoding: gzip`.
    Gzip(Vec<u8>),
    /// A redirect to a URL.
    Redirect(String),
    /// A body of chunks without end.
    Endless,
}

/// A server that replies with 404 to other paths than those it knows.
#[derive(Debug)]
pub(super) struct Stub {
    /// The URL, without a slash at the end.
    pub(super) url: String,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    replies: Mutex<BTreeMap<String, Reply>>,
    requests: Mutex<Vec<(String, HeaderMap)>>,
}

impl Stub {
    /// Starts a server on a port of its own.
    pub(super) async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(any(reply)).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await.expect("served") });
        Self { url, shared }
    }

    /// Sets the reply to a path.
    pub(super) fn set(&self, path: &str, reply: Reply) {
        self.shared.replies.lock().expect("no panic").insert(path.to_owned(), reply);
    }

    /// Serves a text; returns its URL.
    pub(super) fn text(&self, path: &str, text: &str) -> String {
        self.set(path, Reply::Content("text/plain", text.as_bytes().to_vec()));
        format!("{}{path}", self.url)
    }

    /// Returns the paths that were requested, with the headers.
    pub(super) fn requests(&self) -> Vec<(String, HeaderMap)> {
        self.shared.requests.lock().expect("no panic").clone()
    }
}

async fn reply(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let path = request.uri().path().to_owned();
    shared.requests.lock().expect("no panic").push((path.clone(), request.headers().clone()));
    let found = shared.replies.lock().expect("no panic").get(&path).cloned();
    let response = Response::builder();
    let response = match found {
        None => response.status(404).body(Body::empty()),
        Some(Reply::Content(media_type, bytes)) => response.header("content-type", media_type).body(Body::from(bytes)),
        Some(Reply::Gzip(bytes)) => response.header("content-encoding", "gzip").body(Body::from(bytes)),
        Some(Reply::Redirect(to)) => response.status(302).header("location", to).body(Body::empty()),
        Some(Reply::Endless) => {
            let chunk = Bytes::from_static(&[b' '; 1 << 16]);
            response.body(Body::from_stream(stream::repeat_with(move || Ok::<_, Infallible>(chunk.clone()))))
        }
    };
    response.expect("a response")
}
