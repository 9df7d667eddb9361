//! No token of Telegram is in any output: logs of functions and emulator, responses, or what commands print.

use std::sync::Arc;

use serde_json::{Value, json};

use super::world::World;

pub(super) async fn no_output_contains_a_token_of_telegram(world: Arc<World>) {
    let secrets = world.secrets();
    assert!(secrets.len() >= 10 && secrets.iter().all(|secret| secret.len() >= 35), "{}", secrets.len());
    let mut outputs = vec![("the local cloud's log".to_owned(), world.cloud.log())];
    for (group, lines) in logs(&world).await {
        assert!(!lines.is_empty(), "{group} is empty, so the search proves nothing");
        outputs.push((group, lines));
    }
    let heard = world.anonymous.heard.lock().expect("no panic").join("\n");
    outputs.push(("responses".to_owned(), heard));
    outputs.push(("commands".to_owned(), world.printed.join("\n")));
    for (what, text) in &outputs {
        for secret in &secrets {
            // The message must not repeat it.
            assert!(!text.contains(secret.as_str()), "{what} contain a token of the kind {}", &secret[..5]);
        }
        for password in [super::person::PASSWORD, world.secret.as_str()] {
            assert!(!text.contains(password), "{what} contain a password or the secret of access tokens");
        }
    }
}

/// Returns the logs of the functions that handle tokens or passwords, by log group.
async fn logs(world: &World) -> Vec<(String, String)> {
    let mut logs = Vec::new();
    for function in ["user-bot", "admin-bot", "telegram-stub", "auth", "user-admin"] {
        let group = format!("/aws/lambda/analyticbot-local-{function}");
        let (mut lines, mut token) = (String::new(), Value::Null);
        loop {
            let mut request = json!({ "logGroupName": group });
            if token.is_string() {
                request["nextToken"] = token;
            }
            let page = world.cloud.logs("FilterLogEvents", &request).await;
            for event in page["events"].as_array().into_iter().flatten() {
                lines.push_str(event["message"].as_str().unwrap_or_default());
                lines.push('\n');
            }
            token = page["nextToken"].clone();
            if !token.is_string() {
                break;
            }
        }
        logs.push((group, lines));
    }
    logs
}
