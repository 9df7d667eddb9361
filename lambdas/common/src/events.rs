//! Functions whose events are plain JSON: what comes in is parsed, what goes out is written.

use contract::Function;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::probe;

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
    async fn an_event_of_another_shape_is_an_error() {
        assert!(answer::<List, _, _>(double, json!({"probe": "steady"})).await.is_err());
    }
}
