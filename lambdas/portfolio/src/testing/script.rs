//! A scripted AWS: each request must match the next step and gets that step's response. The user pool's keys are always
//! served, and the counters of sign-in routes are kept.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

use super::{counters::CounterItems, tokens};

/// An expected request and its response.
#[derive(Debug, Clone)]
struct Step {
    operation: &'static str,
    /// Required parts of the request's body, by JSON pointer.
    expected: Vec<(&'static str, Value)>,
    status: u16,
    answer: Value,
}

#[derive(Debug, Default)]
struct State {
    steps: VecDeque<Step>,
    requests: Vec<(String, Value)>,
    key_requests: usize,
    keys_down: bool,
    counters: CounterItems,
}

/// A script.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script(Arc<Mutex<State>>);

impl Script {
    /// Creates an empty script.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn step(self, operation: &'static str, status: u16, answer: Value) -> Self {
        self.state().steps.push_back(Step { operation, expected: Vec::new(), status, answer });
        self
    }

    /// Expects an operation, which succeeds.
    pub(crate) fn on(self, operation: &'static str, answer: Value) -> Self {
        self.step(operation, 200, answer)
    }

    /// Expects an operation, which fails.
    pub(crate) fn fail(self, operation: &'static str, code: &str, message: &str) -> Self {
        self.step(operation, 400, json!({"__type": code, "message": message}))
    }

    /// Expects a transaction, which is cancelled for these reasons.
    pub(crate) fn cancel(self, codes: &[&str]) -> Self {
        let reasons: Vec<_> = codes.iter().map(|code| json!({"Code": code})).collect();
        let answer = json!({
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "Message": "cancelled", "CancellationReasons": reasons,
        });
        self.step("TransactWriteItems", 400, answer)
    }

    /// Requires a value in the last step's request, by JSON pointer.
    pub(crate) fn with(self, pointer: &'static str, value: impl Into<Value>) -> Self {
        self.state().steps.back_mut().expect("a step").expected.push((pointer, value.into()));
        self
    }

    /// Makes the user pool's keys unavailable.
    pub(crate) fn without_keys(self) -> Self {
        self.state().keys_down = true;
        self
    }

    /// Makes the counters of sign-in routes fail.
    pub(crate) fn without_counters(self) -> Self {
        self.state().counters.is_down = true;
        self
    }

    /// Returns the number of requests for keys.
    pub(crate) fn key_requests(&self) -> usize {
        self.state().key_requests
    }

    /// Returns operation and body of all requests, except those for keys and counters.
    pub(crate) fn requests(&self) -> Vec<(String, Value)> {
        self.state().requests.clone()
    }

    /// Checks that the whole script was used.
    pub(crate) fn assert_played(&self) {
        let state = self.state();
        assert!(state.steps.is_empty(), "these did not come: {:?}", state.steps);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn answer(&self, request: &HttpRequest) -> (u16, Value) {
        let mut state = self.state();
        if request.uri() == tokens::KEYS_URL {
            state.key_requests += 1;
            return if state.keys_down { (503, json!({})) } else { (200, tokens::published()) };
        }
        let target = request.headers().get("x-amz-target").expect("a target");
        let operation = target.rsplit('.').next().expect("an operation").to_owned();
        let body: Value = serde_json::from_slice(request.body().bytes().expect("a body")).expect("JSON");
        if let Some(answer) = state.counters.answer(&operation, &body) {
            return answer;
        }
        state.requests.push((operation.clone(), body.clone()));
        let step = state.steps.pop_front().unwrap_or_else(|| panic!("nobody expected {operation}: {body}"));
        assert_eq!(step.operation, operation, "{body}");
        for (pointer, value) in step.expected {
            assert_eq!(body.pointer(pointer), Some(&value), "{pointer} of {body:#}");
        }
        (step.status, step.answer)
    }
}

impl HttpConnector for Script {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (status, answer) = self.answer(&request);
        let status = StatusCode::try_from(status).expect("a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(answer.to_string()))))
    }
}

impl HttpClient for Script {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// Converts JSON to DynamoDB's form.
pub(crate) fn attribute(value: &Value) -> Value {
    match value {
        Value::Null => json!({"NULL": true}),
        Value::Bool(truth) => json!({"BOOL": truth}),
        Value::Number(number) => json!({"N": number.to_string()}),
        Value::String(text) => json!({"S": text}),
        Value::Array(items) => json!({"L": items.iter().map(attribute).collect::<Vec<_>>()}),
        Value::Object(fields) => {
            json!({"M": fields.iter().map(|(name, value)| (name.clone(), attribute(value))).collect::<serde_json::Map<_, _>>()})
        }
    }
}

/// Converts an item to DynamoDB's form.
pub(crate) fn item(value: &Value) -> Value {
    attribute(value)["M"].clone()
}

/// A response of `GetItem`.
pub(crate) fn found(value: &Value) -> Value {
    json!({"Item": item(value)})
}

/// A response of `Query`.
pub(crate) fn listed(values: &[Value]) -> Value {
    json!({"Items": values.iter().map(item).collect::<Vec<_>>(), "Count": values.len(), "ScannedCount": values.len()})
}
