//! Functions with plain JSON events: parses events and serializes responses.

use contract::Function;
use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::probe;

/// An event that a rule of an EventBridge event bus delivers (EventBridge user guide, "Events": event structure). It can
/// arrive more than once, with the same ID.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BusEvent<D> {
    /// The event's ID.
    pub id: String,
    /// The source, for example `app.jobs`.
    pub source: String,
    /// The type of the detail, for example `Job Completed`.
    pub detail_type: String,
    /// The time of sending.
    pub time: Timestamp,
    /// The detail.
    pub detail: D,
}

/// Serves events until the instance ends. An error makes Lambda retry an asynchronous event.
///
/// # Errors
/// When Lambda's runtime interface fails.
pub async fn serve<F, Event, Answer>(handle: impl AsyncFn(Event) -> Result<Answer, Error>) -> Result<(), Error>
where
    F: Function,
    Event: DeserializeOwned,
    Answer: Serialize,
{
    let handle = &handle;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| answer::<F, _, _>(handle, event.payload).await))
        .await
}

async fn answer<F, Event, Answer>(
    handle: impl AsyncFn(Event) -> Result<Answer, Error>,
    payload: Value,
) -> Result<Value, Error>
where
    F: Function,
    Event: DeserializeOwned,
    Answer: Serialize,
{
    if let Some(ready) = probe::answer::<F>(&payload) {
        return Ok(serde_json::to_value(ready)?);
    }
    // Boxed, because the SDK's futures nest deeper than the compiler follows.
    let answer = Box::pin(handle(serde_json::from_value(payload)?)).await?;
    Ok(serde_json::to_value(answer)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::notes::List;

    async fn double(event: u32) -> Result<u32, Error> {
        Ok(event * 2)
    }

    #[tokio::test(flavor = "current_thread")]
    async fn events_reach_the_handler_and_probes_do_not() {
        let doubled = answer::<List, _, _>(double, json!(21)).await.expect("a number");
        assert_eq!(doubled, json!(42));
        let ready = answer::<List, _, _>(double, json!({"probe": "ready"})).await.expect("a probe");
        assert_eq!(ready, json!({"ready": true, "function": "notes-list"}));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_event_of_a_bus_has_its_detail() {
        let event = json!({
            "version": "0", "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "detail-type": "Job Completed",
            "source": "app.jobs", "account": "111122223333", "time": "2026-01-31T12:00:00Z", "region": "eu-central-1",
            "resources": [], "detail": { "n": 20 },
        });
        let handle = async |event: BusEvent<serde_json::Map<String, Value>>| -> Result<Value, Error> {
            Ok(json!([event.source, event.detail_type, event.time.as_second(), event.detail["n"]]))
        };
        let answer = answer::<List, _, _>(handle, event).await.expect("an answer");
        assert_eq!(answer, json!(["app.jobs", "Job Completed", 1_769_860_800, 20]));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_event_of_another_form_is_an_error() {
        assert!(answer::<List, _, _>(double, json!({"probe": "steady"})).await.is_err());
    }
}
