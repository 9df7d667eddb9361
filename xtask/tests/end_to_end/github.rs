//! The little of GitHub's API that xtask asks, answered as GitHub's REST documentation prints it.

mod actions;
mod attestations;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::{get, patch},
};
use serde_json::{Value, json};

pub(crate) use self::actions::commit;
use self::{actions::Actions, attestations::Attestations};

/// The repository that it has.
pub(crate) const REPOSITORY: &str = "example/backends";
/// The token that it takes.
pub(crate) const TOKEN: &str = "a-token";
/// Its server.
const SERVER: &str = "https://github.example";

#[derive(Default)]
struct Kept {
    actions: Actions,
    comments: Vec<Value>,
}

type Shared = Arc<Mutex<Kept>>;

/// A running GitHub; it stops with the test.
pub(crate) struct Github {
    address: SocketAddr,
    kept: Shared,
    attestations: Attestations,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Github {
    pub(crate) fn start() -> Self {
        let kept = Shared::default();
        let app = Router::new()
            .route("/repos/{owner}/{name}/actions/artifacts", get(actions::artifacts))
            .route("/repos/{owner}/{name}/actions/artifacts/{id}/zip", get(actions::link))
            .route("/repos/{owner}/{name}/actions/runs/{id}", get(actions::run))
            .route("/repos/{owner}/{name}/branches/{branch}", get(actions::branch))
            .route("/repos/{owner}/{name}/activity", get(actions::activity))
            .route("/repos/{owner}/{name}/compare/{pair}", get(actions::compare))
            .route("/repos/{owner}/{name}/git/trees/{commit}", get(actions::tree))
            .route("/repos/{owner}/{name}/environments/{environment}", get(actions::environment))
            .route(
                "/repos/{owner}/{name}/environments/{environment}/deployment-branch-policies",
                get(actions::patterns),
            )
            .route("/storage/{id}", get(actions::storage))
            .route("/repos/{owner}/{name}/issues/{number}/comments", get(comments).post(write))
            .route("/repos/{owner}/{name}/issues/comments/{id}", patch(rewrite))
            .with_state(Arc::clone(&kept));
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a listener for tokio");
        let address = listener.local_addr().expect("its address");
        kept.lock().expect("kept").actions.address = address.to_string();
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
        let attestations = Attestations::new();
        Self { address, kept, attestations, stop: Some(stop), thread: Some(thread) }
    }

    /// What a runner sets for a job, with `gh` on its path.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            ("GITHUB_API_URL", format!("http://{}", self.address)),
            ("GITHUB_REPOSITORY", REPOSITORY.to_owned()),
            ("GITHUB_SERVER_URL", SERVER.to_owned()),
        ];
        variables.extend(self.attestations.variables());
        variables
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

type Refusal = (StatusCode, Json<Value>);
type Answer = Result<Json<Value>, Refusal>;

fn check(headers: &HeaderMap, owner: &str, name: &str) -> Result<(), Refusal> {
    let wanted = format!("Bearer {TOKEN}");
    if headers.get("authorization").is_none_or(|given| given.as_bytes() != wanted.as_bytes()) {
        let message = json!({ "message": "Resource not accessible by integration" });
        return Err((StatusCode::FORBIDDEN, Json(message)));
    }
    if format!("{owner}/{name}") == REPOSITORY { Ok(()) } else { Err(missing()) }
}

fn missing() -> Refusal {
    (StatusCode::NOT_FOUND, Json(json!({ "message": "Not Found" })))
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
    let address = format!("{SERVER}/{REPOSITORY}/pull/7#issuecomment-{id}");
    let comment = json!({ "id": id, "body": comment["body"], "html_url": address });
    kept.comments.push(comment.clone());
    comment
}
