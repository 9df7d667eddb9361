//! Sends events to an EventBridge event bus.

use aws_call::{Call, CallError, services::EVENTS};
use aws_config::SdkConfig;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The largest number of events of one call (EventBridge API reference, `PutEvents`).
const CALL_LIMIT: usize = 10;

/// An event bus.
#[derive(Debug, Clone)]
pub struct Bus {
    aws: SdkConfig,
    name: String,
}

/// An event to send.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    source: String,
    detail_type: String,
    detail: String,
}

/// Why events were not sent.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The detail of an event cannot be written as JSON.
    #[error("failed to serialize the detail of an event")]
    Detail(#[source] serde_json::Error),
    /// The detail of an event is no JSON object (EventBridge API reference, `PutEventsRequestEntry`).
    #[error("the detail of the event `{0}` is no JSON object")]
    Form(String),
    /// The call failed. Boxed, because the SDK's error is large.
    #[error("failed to send events to bus `{bus}`")]
    Call {
        /// The bus.
        bus: String,
        /// The error of the service, the network, or the credentials.
        #[source]
        source: Box<CallError>,
    },
    /// The bus refused events.
    #[error("failed to send {failed} of {sent} events to bus `{bus}`: {reason}")]
    Refused {
        /// The bus.
        bus: String,
        /// The number of events that the bus refused.
        failed: usize,
        /// The number of all events.
        sent: usize,
        /// The reason for the first refusal.
        reason: String,
    },
}

/// The response of `PutEvents`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    failed_entry_count: usize,
    #[serde(default)]
    entries: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    error_code: Option<String>,
    error_message: Option<String>,
}

impl Event {
    /// Creates an event with a source, for example `app.jobs`, a detail type, for example `Job Completed`, and a detail.
    ///
    /// # Errors
    /// When the detail is no JSON object.
    pub fn new<D: Serialize>(source: &str, detail_type: &str, detail: &D) -> Result<Self, BusError> {
        let detail = serde_json::to_value(detail).map_err(BusError::Detail)?;
        if !detail.is_object() {
            return Err(BusError::Form(detail_type.to_owned()));
        }
        Ok(Self { source: source.to_owned(), detail_type: detail_type.to_owned(), detail: detail.to_string() })
    }
}

impl Bus {
    /// Uses the bus called `name`.
    #[must_use]
    pub fn new(aws: &SdkConfig, name: impl Into<String>) -> Self {
        Self { aws: aws.clone(), name: name.into() }
    }

    /// Sends one event.
    ///
    /// # Errors
    /// When the bus did not accept the event.
    pub async fn put<D: Serialize>(&self, source: &str, detail_type: &str, detail: &D) -> Result<(), BusError> {
        self.put_all(&[Event::new(source, detail_type, detail)?]).await
    }

    /// Sends events, ten with each call. All are sent, also after some were refused; a failed call ends it.
    ///
    /// # Errors
    /// When the bus did not accept an event. Others may have been sent, so a repetition may send them twice.
    pub async fn put_all(&self, events: &[Event]) -> Result<(), BusError> {
        let (mut failed, mut reason) = (0, None);
        for events in events.chunks(CALL_LIMIT) {
            let answer = self.send(events).await?;
            failed += answer.failed_entry_count;
            reason = reason.or_else(|| answer.entries.into_iter().find_map(Entry::reason));
        }
        if failed == 0 {
            return Ok(());
        }
        let reason = reason.unwrap_or_else(|| "the service gave no reason".to_owned());
        Err(BusError::Refused { bus: self.name.clone(), failed, sent: events.len(), reason })
    }

    async fn send(&self, events: &[Event]) -> Result<Answer, BusError> {
        let entries: Vec<_> = events.iter().map(|event| self.entry(event)).collect();
        let call = Call::json(EVENTS, "PutEvents", &json!({ "Entries": entries }));
        let answer = call.receive(&self.aws).await;
        answer.map_err(|source| BusError::Call { bus: self.name.clone(), source: Box::new(source) })
    }

    fn entry(&self, event: &Event) -> Value {
        json!({
            "EventBusName": self.name,
            "Source": event.source,
            "DetailType": event.detail_type,
            "Detail": event.detail,
        })
    }
}

impl Entry {
    fn reason(self) -> Option<String> {
        let code = self.error_code?;
        Some(self.error_message.map_or_else(|| code.clone(), |message| format!("{code}: {message}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{script::Script, telemetry};

    fn events(count: u32) -> Vec<Event> {
        (0..count).map(|number| Event::new("app.jobs", "Job Done", &json!({ "n": number })).expect("JSON")).collect()
    }

    fn accepted() -> (u16, Value) {
        (200, json!({ "FailedEntryCount": 0, "Entries": [{ "EventId": "e" }] }))
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_event_names_its_bus_source_and_type() {
        let script = Script::new([accepted()]);
        let bus = Bus::new(&script.config(), "jobs-dev");
        bus.put("app.jobs", "Job Completed", &json!({ "runId": "r1" })).await.expect("accepted");
        let [(target, body)] = &script.requests()[..] else { panic!("one request") };
        assert_eq!(target, "AWSEvents.PutEvents");
        let entry = json!({
            "EventBusName": "jobs-dev", "Source": "app.jobs", "DetailType": "Job Completed", "Detail": r#"{"runId":"r1"}"#,
        });
        assert_eq!(*body, json!({ "Entries": [entry] }));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_call_has_ten_events_at_most() {
        let script = Script::new([accepted(), accepted(), accepted()]);
        Bus::new(&script.config(), "jobs").put_all(&events(21)).await.expect("accepted");
        let sizes: Vec<_> =
            script.requests().iter().map(|(_, body)| body["Entries"].as_array().map_or(0, Vec::len)).collect();
        assert_eq!(sizes, [10, 10, 1]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_refused_event_is_an_error_and_later_ones_are_sent() {
        let refused = json!({ "FailedEntryCount": 1, "Entries": [
            { "EventId": "e" }, { "ErrorCode": "ThrottlingException", "ErrorMessage": "slow down" },
        ] });
        let script = Script::new([(200, refused), accepted()]);
        let error = Bus::new(&script.config(), "jobs").put_all(&events(12)).await.expect_err("one was refused");
        let expected = "failed to send 1 of 12 events to bus `jobs`: ThrottlingException: slow down";
        assert_eq!(telemetry::chain(&error), expected);
        assert_eq!(script.requests().len(), 2);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_failed_call_is_an_error() {
        let script = Script::new([(400, json!({ "__type": "AccessDeniedException", "message": "no" }))]);
        let error = Bus::new(&script.config(), "jobs").put_all(&events(1)).await.expect_err("refused");
        let text = telemetry::chain(&error);
        assert!(text.starts_with("failed to send events to bus `jobs`: ") && text.contains("AccessDenied"), "{text}");
    }

    #[test]
    fn a_detail_is_an_object() {
        let error = Event::new("app", "Job Done", &["a"]).expect_err("a list");
        assert_eq!(error.to_string(), "the detail of the event `Job Done` is no JSON object");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn no_events_are_no_call() {
        let script = Script::new([]);
        Bus::new(&script.config(), "jobs").put_all(&[]).await.expect("nothing to send");
        assert_eq!(script.requests(), []);
    }
}
