//! A small AWS in memory, for tests of whole flows: tables, queues, a bus, and objects.
//!
//! Calls fail at random, also after they were carried out, and give way to
//! concurrent calls before that. End-to-end tests repeat the flows against an emulator.

mod objects;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use aws_config::SdkConfig;
use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::{body::SdkBody, retry::RetryConfig};
use serde_json::{Value, json};
use tables::testing::Request;

pub(super) use self::objects::Objects;
use crate::memory::Memory;

/// An AWS in memory. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Cloud(Arc<Mutex<State>>);

/// Everything that the cloud holds.
#[derive(Default)]
pub(super) struct State {
    pub(super) items: Memory,
    pub(super) objects: Objects,
    /// Messages by the queue's URL, in order of sending.
    pub(super) queues: BTreeMap<String, Vec<String>>,
    /// Events: detail type and detail, in order of sending.
    pub(super) events: Vec<(String, Value)>,
    /// Calls that fail, in thousandths.
    pub(super) failing: u64,
    pub(super) random: Random,
    pub(super) calls: usize,
}

/// A linear congruential generator (Knuth, MMIX).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn seeded(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `limit`.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit.max(1)
    }
}

/// A response: status, headers and body.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self { status, headers: Vec::new(), body: body.to_string().into_bytes() }
    }

    pub(super) fn error(code: &str) -> Self {
        Self::json(400, &json!({ "__type": format!("com.amazonaws#{code}"), "message": "no" }))
    }
}

impl std::fmt::Debug for Cloud {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Cloud")
    }
}

impl Cloud {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no panic")
    }

    /// A configuration whose calls reach this cloud, without retries.
    pub(super) fn aws(&self) -> SdkConfig {
        tables::testing::aws()
            .into_builder()
            .endpoint_url("http://aws.test")
            .http_client(self.clone())
            .retry_config(RetryConfig::disabled())
            .build()
    }
}

impl HttpClient for Cloud {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Cloud {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let cloud = self.clone();
        HttpConnectorFuture::new(async move {
            let pauses = cloud.state().random.below(3);
            for _ in 0..pauses {
                tokio::task::yield_now().await;
            }
            let reply = cloud.state().answer(&request);
            let status = StatusCode::try_from(reply.status).expect("a status");
            let mut response = HttpResponse::new(status, SdkBody::from(reply.body));
            for (name, value) in reply.headers {
                response.headers_mut().insert(name, value);
            }
            Ok(response)
        })
    }
}

impl State {
    fn answer(&mut self, request: &HttpRequest) -> Reply {
        self.calls += 1;
        let (fails, is_carried_out) = (self.random.below(1000) < self.failing, self.random.below(2) == 0);
        if fails && !is_carried_out {
            return Reply::error("InternalServerError");
        }
        let reply = match request.headers().get("x-amz-target").map(str::to_owned) {
            Some(target) => {
                let body = serde_json::from_slice(request.body().bytes().unwrap_or_default()).expect("JSON");
                self.operation(target.rsplit('.').next().unwrap_or_default(), &body)
            }
            None => self.objects.answer(request),
        };
        if fails { Reply::error("InternalServerError") } else { reply }
    }

    fn operation(&mut self, operation: &str, body: &Value) -> Reply {
        match operation {
            "SendMessage" => {
                self.send(body, body);
                Reply::json(200, &json!({ "MessageId": "m" }))
            }
            "SendMessageBatch" => {
                for entry in body["Entries"].as_array().expect("entries") {
                    self.send(body, entry);
                }
                Reply::json(200, &json!({ "Successful": [], "Failed": [] }))
            }
            "PutEvents" => {
                for entry in body["Entries"].as_array().expect("entries") {
                    let detail = serde_json::from_str(entry["Detail"].as_str().expect("text")).expect("JSON");
                    self.events.push((entry["DetailType"].as_str().expect("text").to_owned(), detail));
                }
                Reply::json(200, &json!({ "FailedEntryCount": 0, "Entries": [] }))
            }
            _ => {
                let request =
                    Request { action: format!("DynamoDB.{operation}"), path: String::new(), body: body.clone() };
                let (status, body) = self.items.answer(&request).expect("a request of DynamoDB");
                Reply { status, headers: Vec::new(), body: body.into_bytes() }
            }
        }
    }

    fn send(&mut self, request: &Value, entry: &Value) {
        let url = request["QueueUrl"].as_str().expect("text").to_owned();
        self.queues.entry(url).or_default().push(entry["MessageBody"].as_str().expect("text").to_owned());
    }
}
