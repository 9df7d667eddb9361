//! A Telegram server in the process of the tests: it counts calls and how many are served at once.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::any,
};
use serde_json::{Value, json};
use tokio::sync::Notify;

/// A server of the Bot API, on a port of this machine.
pub(super) struct Server {
    /// The URL, without a slash at the end.
    pub(super) url: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    calls: AtomicUsize,
    now: AtomicUsize,
    most: AtomicUsize,
    /// The calls that must be there before one is answered.
    gathered: AtomicUsize,
    is_revoked: AtomicBool,
    arrived: Notify,
}

impl Server {
    pub(super) async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().route("/{bot}/{method}", any(answer)).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await.expect("served") });
        Self { url, shared }
    }

    /// Rejects every token from now on.
    pub(super) fn revoke(&self) {
        self.shared.is_revoked.store(true, SeqCst);
    }

    /// Accepts every token from now on.
    pub(super) fn serve(&self) {
        self.shared.is_revoked.store(false, SeqCst);
    }

    /// Answers no call before this many are there at once.
    pub(super) fn gather(&self, calls: usize) {
        self.shared.gathered.store(calls, SeqCst);
        self.shared.arrived.notify_waiters();
    }

    /// Returns the number of calls, and the most that were there at once.
    pub(super) fn counted(&self) -> (usize, usize) {
        (self.shared.calls.load(SeqCst), self.shared.most.load(SeqCst))
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    Path((bot, _)): Path<(String, String)>,
) -> (StatusCode, Json<Value>) {
    shared.calls.fetch_add(1, SeqCst);
    let now = shared.now.fetch_add(1, SeqCst) + 1;
    shared.most.fetch_max(now, SeqCst);
    shared.arrived.notify_waiters();
    loop {
        let arrived = shared.arrived.notified();
        if shared.now.load(SeqCst) >= shared.gathered.load(SeqCst) {
            break;
        }
        arrived.await;
    }
    // The others that wait for the same number leave with this call.
    let needed = shared.gathered.swap(0, SeqCst);
    if needed > 0 {
        shared.arrived.notify_waiters();
    }
    shared.now.fetch_sub(1, SeqCst);
    if shared.is_revoked.load(SeqCst) {
        let body = json!({ "ok": false, "error_code": 401, "description": "Unauthorized" });
        return (StatusCode::UNAUTHORIZED, Json(body));
    }
    let id = bot.trim_start_matches("bot").split(':').next().and_then(|id| id.parse::<u64>().ok()).unwrap_or_default();
    let result = json!({ "id": id, "is_bot": true, "first_name": "Stub", "username": format!("stub_{id}_bot") });
    (StatusCode::OK, Json(json!({ "ok": true, "result": result })))
}
