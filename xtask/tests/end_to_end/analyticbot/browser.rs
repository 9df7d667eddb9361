//! A headless Chromium that a test operates by its keyboard, through the DevTools protocol on pipes.

use std::{path::Path, process::Stdio, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::gate::browser::browser;

/// How long the page may take for one step.
const PATIENCE: Duration = Duration::from_secs(60);
/// The presses of Tab after which a control counts as unreachable.
const MOST_TABS: usize = 120;

/// A page in a browser of its own.
pub(super) struct Browser {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    session: Option<String>,
    sent: u64,
    _profile: TempDir,
}

impl Browser {
    /// Opens a page.
    pub(super) async fn open(url: &str) -> Self {
        let profile = tempfile::tempdir().expect("a temporary folder");
        // The browser reads commands from descriptor 3 and writes answers to descriptor 4.
        let mut command = Command::new("sh");
        command
            .args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null"#])
            .arg(browser())
            // Without its sandbox, it also starts as root in a container; it opens only the pages of this test.
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-proxy-server", "--no-first-run"])
            .args(["--remote-debugging-pipe", "--window-size=1280,1000", "--force-prefers-reduced-motion"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let mut child = command.spawn().expect("the browser starts");
        let input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut browser = Self { child, input, output, session: None, sent: 0, _profile: profile };
        let target = browser.send("Target.createTarget", json!({ "url": "about:blank" })).await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.send("Target.attachToTarget", attach).await;
        browser.session = Some(attached["sessionId"].as_str().expect("a session").to_owned());
        browser.send("Page.enable", json!({})).await;
        browser.send("Page.navigate", json!({ "url": url })).await;
        browser
    }

    /// Sends a command; returns its result.
    async fn send(&mut self, method: &str, parameters: Value) -> Value {
        self.sent += 1;
        let mut command = json!({ "id": self.sent, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        let mut bytes = command.to_string().into_bytes();
        bytes.push(0);
        self.input.write_all(&bytes).await.expect("sent");
        let id = self.sent;
        let answered = tokio::time::timeout(PATIENCE, async {
            loop {
                let mut message = Vec::new();
                self.output.read_until(0, &mut message).await.expect("an answer");
                assert_eq!(message.pop(), Some(0), "the browser ended");
                let message: Value = serde_json::from_slice(&message).expect("JSON");
                if message["id"] == id {
                    return message;
                }
            }
        });
        let answer = answered.await.unwrap_or_else(|_| panic!("{method} was not answered in {PATIENCE:?}"));
        assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
        answer["result"].clone()
    }

    /// Returns the value of an expression in the page.
    pub(super) async fn value(&mut self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.send("Runtime.evaluate", parameters).await;
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub(super) async fn until(&mut self, expression: &str) {
        let started = std::time::Instant::now();
        while self.value(expression).await != true {
            if started.elapsed() > PATIENCE {
                let text = self.value("document.body.innerText").await;
                panic!("`{expression}` is not true after {PATIENCE:?}; the page shows:\n{text}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until a view shows this text.
    pub(super) async fn sees(&mut self, view: &str, text: &str) {
        let (view, text) = (json!(view), json!(text));
        self.until(&format!("!!document.querySelector({view})?.innerText?.includes({text})")).await;
    }

    /// Presses and releases a key.
    pub(super) async fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            " " => (32, " "),
            "ArrowDown" => (40, ""),
            other => panic!("no code of {other}"),
        };
        let name = if key == " " { "Space" } else { key };
        let event =
            |kind: &str| json!({ "type": kind, "key": key, "code": name, "windowsVirtualKeyCode": code, "text": text });
        self.send("Input.dispatchKeyEvent", event(if text.is_empty() { "rawKeyDown" } else { "keyDown" })).await;
        let released = json!({ "type": "keyUp", "key": key, "code": name, "windowsVirtualKeyCode": code });
        self.send("Input.dispatchKeyEvent", released).await;
    }

    /// Moves the focus to a control as people without a mouse do. The focus must be visible there.
    pub(super) async fn reach(&mut self, selector: &str) {
        let quoted = json!(selector);
        self.until(&format!("!!document.querySelector({quoted})?.checkVisibility()")).await;
        for _ in 0..MOST_TABS {
            if self.value(&format!("!!document.activeElement?.matches({quoted})")).await == true {
                let outline = "getComputedStyle(document.activeElement).outlineStyle !== 'none' \
                               || getComputedStyle(document.activeElement).boxShadow !== 'none'";
                assert_eq!(self.value(outline).await, true, "{selector}: the focus is not visible");
                return;
            }
            self.press("Tab").await;
        }
        panic!("{selector} is not reachable by the keyboard");
    }

    /// Reaches a field and replaces its text.
    pub(super) async fn fill(&mut self, selector: &str, text: &str) {
        self.reach(selector).await;
        self.value("document.activeElement.select?.()").await;
        self.send("Input.insertText", json!({ "text": text })).await;
    }

    /// Reaches a control and presses Enter.
    pub(super) async fn activate(&mut self, selector: &str) {
        self.reach(selector).await;
        self.press("Enter").await;
    }

    /// Stores a picture of the whole page.
    pub(super) async fn picture(&mut self, path: &Path) {
        let taken =
            self.send("Page.captureScreenshot", json!({ "format": "png", "captureBeyondViewport": true })).await;
        let bytes = BASE64_STANDARD.decode(taken["data"].as_str().expect("Base64")).expect("Base64");
        assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 5_000, "a picture of {} bytes", bytes.len());
        fs_err::write(path, bytes).expect("written");
    }

    pub(super) async fn close(mut self) {
        self.child.kill().await.expect("the browser ends");
    }
}
