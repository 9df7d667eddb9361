//! A test notification to all users.

use std::{collections::BTreeMap, sync::Arc};

use axum::{extract::State, http::StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::shared::{Answer, Shared, ok};
use crate::{app::App, aws::AwsError, body::Payload, error::ApiError, tables::notifications::Stored, time};

struct TestMessage {
    title: &'static str,
    body: String,
    data: BTreeMap<String, Value>,
}

pub(crate) async fn post(State(app): Shared, payload: Payload) -> Answer {
    let fields = payload.optional_fields()?;
    fields.only(&["type"], "is not allowed")?;
    let now = Timestamp::now();
    let text = match fields.text("type")?.unwrap_or("simple") {
        "simple" => simple(now),
        "video_update" => video_update(),
        _ => return Err(failed(StatusCode::BAD_REQUEST, "Unknown test type", now)),
    };
    match send(&app, &text, now).await {
        Ok(message) => ok(json!({
            "message": "Test notification sent",
            "result": {
                "success": true, "title": text.title, "body": text.body, "message": message,
                "timestamp": time::text(now),
            },
        })),
        Err(error) => {
            let failure = failed(StatusCode::INTERNAL_SERVER_ERROR, "Notifications could not be stored", now);
            Err(failure.with_cause(&error))
        }
    }
}

fn failed(status: StatusCode, message: &str, now: Timestamp) -> ApiError {
    let result = json!({"success": false, "message": message, "timestamp": time::text(now)});
    ApiError::new(status, "Failed to send test notification").with("result", result)
}

fn simple(now: Timestamp) -> TestMessage {
    let data = [
        ("test".to_owned(), json!("true")),
        ("timestamp".to_owned(), json!(time::text(now))),
        ("type".to_owned(), json!("simple_test")),
    ];
    TestMessage {
        title: "Test Notification",
        body: format!("This is a test push notification sent at {}", time::time_of_day(now)),
        data: data.into(),
    }
}

fn video_update() -> TestMessage {
    let data = [
        ("test".to_owned(), json!("true")),
        ("video_id".to_owned(), json!("test_video_123")),
        ("status".to_owned(), json!("done")),
        ("type".to_owned(), json!("video_update")),
    ];
    TestMessage {
        title: "Video Processing Update",
        body: "Your video \"test_video.mp4\" is ready".to_owned(),
        data: data.into(),
    }
}

/// Stores the notification for every known user and publishes it. Having no users counts as success.
async fn send(app: &Arc<App>, text: &TestMessage, now: Timestamp) -> Result<String, AwsError> {
    let users = app.users.list().await?;
    let stored = users.iter().map(|user| Stored::new(&user.uid, text.title, &text.body, text.data.clone(), now));
    let stored = stored.collect::<Result<Vec<_>, _>>()?;
    let unwritten = app.notifications.put_all(&stored).await?;
    let sent = stored.len() - unwritten;
    if sent == 0 && unwritten > 0 {
        return Err(AwsError::unexpected("store a test notification", "the table accepted none"));
    }
    if sent > 0 {
        app.notifier.announce(&stored).await;
    }
    Ok(format!("Notification sent to {sent} of {} users", stored.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_contain_the_expected_texts() {
        let now: Timestamp = "2026-01-31T12:34:56.789Z".parse().expect("a time");
        let simple = simple(now);
        assert!(simple.title.contains("Test Notification"));
        assert!(simple.body.contains("test push notification") && simple.body.contains("12:34:56"), "{}", simple.body);
        assert_eq!(
            json!(simple.data),
            json!({"test": "true", "timestamp": "2026-01-31T12:34:56.789Z", "type": "simple_test"})
        );
        let update = video_update();
        assert!(update.title.contains("Video Processing Update"));
        assert_eq!(
            json!(update.data),
            json!({"test": "true", "video_id": "test_video_123", "status": "done", "type": "video_update"})
        );
    }
}
