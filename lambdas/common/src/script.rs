//! A scripted AWS for tests: records requests in JSON protocols, and gives each the next response.

use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, Region, SharedCredentialsProvider, retry::RetryConfig};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use serde_json::Value;

/// The target and the body of a request.
type Recorded = (String, Value);

#[derive(Debug, Clone)]
pub(crate) struct Script {
    responses: Arc<Mutex<Vec<(u16, Value)>>>,
    requests: Arc<Mutex<Vec<Recorded>>>,
}

impl Script {
    pub(crate) fn new(responses: impl IntoIterator<Item = (u16, Value)>) -> Self {
        Self { responses: Arc::new(Mutex::new(responses.into_iter().collect())), requests: Arc::default() }
    }

    pub(crate) fn config(&self) -> SdkConfig {
        let credentials = Credentials::new("AKID", "secret", None, None, "tests");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-central-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(RetryConfig::disabled())
            .http_client(self.clone())
            .build()
    }

    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.requests.lock().expect("no panic").clone()
    }
}

impl HttpConnector for Script {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
        let body = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap_or_default();
        self.requests.lock().expect("no panic").push((target, body));
        let (status, body) = self.responses.lock().expect("no panic").remove(0);
        let status = StatusCode::try_from(status).expect("a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body.to_string()))))
    }
}

impl HttpClient for Script {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
