//! The little of GitHub's API that xtask asks, answered as GitHub's REST documentation prints it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    routing::{get, patch},
};
use serde_json::{Value, json};

/// The repository that it has.
pub(crate) const REPOSITORY: &str = "example/backends";
/// The token that it takes.
pub(crate) const TOKEN: &str = "a-token";
const REPOSITORY_ID: u64 = 42;

#[derive(Default)]
struct Kept {
    artifacts: Vec<Value>,
    comments: Vec<Value>,
}

type Shared = Arc<Mutex<Kept>>;

/// A running GitHub; it stops with the test.
pub(crate) struct Github {
    address: SocketAddr,
    kept: Shared,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Github {
    pub(crate) fn start() -> Self {
        let kept = Shared::default();
        let app = Router::new()
            .route("/repos/{owner}/{name}/actions/artifacts", get(artifacts))
            .route("/repos/{owner}/{name}/issues/{number}/comments", get(comments).post(write))
            .route("/repos/{owner}/{name}/issues/comments/{id}", patch(rewrite))
            .with_state(Arc::clone(&kept));
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a listener for tokio");
        let address = listener.local_addr().expect("its address");
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    served = axum::serve(listener, app) => served.expect("it serves"),
                    _ = stopped => {}
                }
            });
        });
        Self { address, kept, stop: Some(stop), thread: Some(thread) }
    }

    /// What a runner sets for a job.
    pub(crate) fn variables(&self) -> [(&'static str, String); 3] {
        [
            ("GITHUB_API_URL", format!("http://{}", self.address)),
            ("GITHUB_REPOSITORY", REPOSITORY.to_owned()),
            ("GITHUB_SERVER_URL", "https://github.example".to_owned()),
        ]
    }

    /// Remembers that a run of a branch, of this repository or of a fork of it, has uploaded an artifact.
    pub(crate) fn upload(&self, name: &str, run: u64, branch: &str, is_fork: bool) {
        let head = if is_fork { REPOSITORY_ID + 1 } else { REPOSITORY_ID };
        self.kept.lock().expect("kept").artifacts.push(json!({
            "id": run * 10, "name": name, "expired": false,
            "workflow_run": { "id": run, "repository_id": REPOSITORY_ID, "head_repository_id": head, "head_branch": branch },
        }));
    }

    /// Every comment's text.
    pub(crate) fn comments(&self) -> Vec<String> {
        let kept = self.kept.lock().expect("kept");
        kept.comments.iter().filter_map(|comment| comment["body"].as_str().map(str::to_owned)).collect()
    }

    /// Somebody else writes a comment.
    pub(crate) fn comment(&self, text: &str) {
        add(&mut self.kept.lock().expect("kept"), &json!({ "body": text }));
    }
}

impl Drop for Github {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _already_gone = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

type Answer = Result<Json<Value>, (StatusCode, Json<Value>)>;

fn check(headers: &HeaderMap, owner: &str, name: &str) -> Result<(), (StatusCode, Json<Value>)> {
    let wanted = format!("Bearer {TOKEN}");
    if headers.get("authorization").is_none_or(|given| given.as_bytes() != wanted.as_bytes()) {
        let message = json!({ "message": "Resource not accessible by integration" });
        return Err((StatusCode::FORBIDDEN, Json(message)));
    }
    if format!("{owner}/{name}") == REPOSITORY {
        Ok(())
    } else {
        Err((StatusCode::NOT_FOUND, Json(json!({ "message": "Not Found" }))))
    }
}

async fn artifacts(
    State(kept): State<Shared>,
    Path((owner, name)): Path<(String, String)>,
    Query(query): Query<std::collections::BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Answer {
    check(&headers, &owner, &name)?;
    let kept = kept.lock().expect("kept");
    let found =
        kept.artifacts.iter().filter(|artifact| artifact["name"].as_str() == query.get("name").map(String::as_str));
    let found: Vec<_> = found.cloned().collect();
    Ok(Json(json!({ "total_count": found.len(), "artifacts": found })))
}

async fn comments(
    State(kept): State<Shared>,
    Path((owner, name, _)): Path<(String, String, u64)>,
    headers: HeaderMap,
) -> Answer {
    check(&headers, &owner, &name)?;
    Ok(Json(kept.lock().expect("kept").comments.clone().into()))
}

async fn write(
    State(kept): State<Shared>,
    Path((owner, name, _)): Path<(String, String, u64)>,
    headers: HeaderMap,
    Json(comment): Json<Value>,
) -> Answer {
    check(&headers, &owner, &name)?;
    Ok(Json(add(&mut kept.lock().expect("kept"), &comment)))
}

async fn rewrite(
    State(kept): State<Shared>,
    Path((owner, name, id)): Path<(String, String, u64)>,
    headers: HeaderMap,
    Json(comment): Json<Value>,
) -> Answer {
    check(&headers, &owner, &name)?;
    let mut kept = kept.lock().expect("kept");
    let found = kept.comments.iter_mut().find(|comment| comment["id"] == id).expect("a comment that is there");
    found["body"] = comment["body"].clone();
    Ok(Json(found.clone()))
}

fn add(kept: &mut Kept, comment: &Value) -> Value {
    let id = kept.comments.len() + 1;
    let address = format!("https://github.example/{REPOSITORY}/pull/7#issuecomment-{id}");
    let comment = json!({ "id": id, "body": comment["body"], "html_url": address });
    kept.comments.push(comment.clone());
    comment
}
