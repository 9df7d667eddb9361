//! A page that tries to reach the local cloud, in a headless Chromium.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    response::Html,
    routing::{get, post},
};
use serde_json::Value;
use tokio::{
    process::Command,
    sync::{Mutex, mpsc},
};

/// How long the browser may take to start, and the page to try everything.
const PATIENCE: Duration = Duration::from_secs(60);
/// The names of the browser, as packages and runners install it; `XTASK_CHROMIUM` replaces them.
const NAMES: [&str; 5] =
    ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
/// A name that the browser resolves to this machine, as one of an attacker would.
const REBOUND: &str = "rebound.example";

/// A server of the page, and the reports that the page sends back.
pub(super) struct Page {
    address: SocketAddr,
    cloud_port: String,
    reports: Mutex<mpsc::UnboundedReceiver<Value>>,
}

impl Page {
    /// Serves the page on a port of its own. It attacks the cloud, and reads its site and its API.
    pub(super) async fn serve(cloud: &str, site: &str, api: &str) -> Self {
        let cloud_port = cloud.rsplit_once(':').expect("a port").1.to_owned();
        let rebound = format!("http://{REBOUND}:{cloud_port}");
        let mut page = include_str!("page.html").to_owned();
        for (name, value) in [("CLOUD", cloud), ("REBOUND", &rebound), ("SITE", site), ("API", api)] {
            page = page.replace(&format!("\"{name}\""), &format!("\"{value}\""));
        }
        let (sender, reports) = mpsc::unbounded_channel();
        let report = |State(sender): State<mpsc::UnboundedSender<Value>>, body: Bytes| async move {
            sender.send(serde_json::from_slice(&body).expect("JSON")).expect("the test waits");
        };
        let app =
            Router::new().route("/", get(|| async { Html(page) })).route("/report", post(report)).with_state(sender);
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        tokio::spawn(async move { axum::serve(listener, app).await.expect("the page is served") });
        Self { address, cloud_port, reports: Mutex::new(reports) }
    }

    /// The page at an origin that no stage allows.
    pub(super) fn foreign(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The local cloud under the attacker's name.
    pub(super) fn rebound(&self) -> String {
        format!("http://{REBOUND}:{}", self.cloud_port)
    }

    /// Opens the page, and returns what it reports.
    pub(super) async fn open(&self, url: &str) -> Value {
        let profile = tempfile::tempdir().expect("a temporary folder");
        let mut command = self.command(profile.path(), &["--remote-debugging-port=0", url]);
        let mut browser = command.stdout(Stdio::null()).spawn().expect("the browser starts");
        let mut reports = self.reports.lock().await;
        let report = tokio::select! {
            report = reports.recv() => report.expect("the page is served"),
            ended = browser.wait() => panic!("the browser ended before the page reported: {ended:?}"),
            () = tokio::time::sleep(PATIENCE) => panic!("{url} reported nothing in {PATIENCE:?}"),
        };
        browser.kill().await.expect("the browser ends");
        report
    }

    /// Returns what the browser shows at a URL.
    pub(super) async fn dump(&self, url: &str) -> String {
        let profile = tempfile::tempdir().expect("a temporary folder");
        let output = self.command(profile.path(), &["--dump-dom", url]).output();
        let output = tokio::time::timeout(PATIENCE, output).await.expect("the browser ends").expect("it starts");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The browser with a profile of its own. The usual port of front ends leads to the page as well.
    fn command(&self, profile: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(browser());
        command
            // Without its sandbox, it also starts as root in a container; it opens only the pages of this test.
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-proxy-server", "--no-first-run"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(format!("--host-resolver-rules=MAP localhost:3000 {}, MAP {REBOUND} 127.0.0.1", self.address))
            .args(arguments)
            .stderr(Stdio::null())
            .kill_on_drop(true);
        command
    }
}

/// The browser's program.
pub(crate) fn browser() -> PathBuf {
    if let Some(program) = std::env::var_os("XTASK_CHROMIUM") {
        return program.into();
    }
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    let programs = NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let found = programs.into_iter().find(|program| program.is_file());
    found.unwrap_or_else(|| {
        panic!("install Chromium, for example `apt-get install chromium`, or set XTASK_CHROMIUM to its path")
    })
}
