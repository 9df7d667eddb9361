//! Helpers of the functions' tests: API Gateway's events and a configuration for signing.

pub(crate) mod s3;
pub(crate) mod scripted;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::config::{Credentials, Region, SharedCredentialsProvider};
use axum::Router;
use contract::Function;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::manifest::{Manifest, MediaKind, Status, Variant};

pub(crate) const FILENAME: &str = "7f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b";

/// A configuration with credentials, for signing.
pub(crate) fn aws() -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("AKID", "secret", None, None, "tests")))
        .build()
}

/// A response of API Gateway's proxy integration.
#[derive(Debug)]
pub(crate) struct Answer(Value);

impl Answer {
    pub(crate) fn status(&self) -> u64 {
        self.0["statusCode"].as_u64().expect("a status")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.0["multiValueHeaders"][name][0].as_str()
    }

    pub(crate) fn body(&self) -> Value {
        serde_json::from_str(self.0["body"].as_str().expect("a body")).expect("JSON")
    }

    /// Status, code and field of an error.
    pub(crate) fn error(&self) -> (u64, String, Value) {
        let body = self.body();
        assert_eq!(body["statusCode"], self.status(), "{body}");
        assert!(body["error"].is_string() && body["message"].is_string(), "{body}");
        (self.status(), body["details"]["code"].as_str().expect("a code").to_owned(), body["details"]["field"].clone())
    }
}

/// Calls as the user `ana`; `path` may have a query without escapes.
pub(crate) async fn call<F: Function>(router: &Router, method: &str, path: &str, body: Option<&str>) -> Answer {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parameters: serde_json::Map<String, Value> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), json!([value])))
        .collect();
    let event = json!({
        "resource": path, "path": path, "httpMethod": method,
        "headers": {}, "multiValueHeaders": {"Host": ["api.test"]},
        "multiValueQueryStringParameters": parameters,
        "requestContext": {
            "stage": "dev", "path": format!("/dev{path}"), "httpMethod": method, "identity": {},
            "authorizer": {"claims": {"cognito:username": "ana"}},
        },
        "body": body, "isBase64Encoded": false,
    });
    let event = lambda_runtime::LambdaEvent::new(event, lambda_runtime::Context::default());
    Answer(common::http::answer::<F>(router.clone(), event).await.expect("an answer"))
}

/// A manifest of `ana`.
pub(crate) fn manifest(kind: MediaKind, status: Status, variants: &[(&str, &str)]) -> Manifest {
    let variants = variants.iter().map(|(size, extension)| Variant {
        size: (*size).to_owned(),
        extension: (*extension).to_owned(),
        key: crate::keys::variant(FILENAME, size, extension),
        bytes: 1234,
        width: 640,
        height: 320,
    });
    Manifest {
        filename: FILENAME.to_owned(),
        kind,
        status,
        owner_hash: crate::keys::owner_hash("ana"),
        content_type: "image/jpeg".to_owned(),
        bytes: 99,
        source_etag: "etag".to_owned(),
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::now(),
        variants: variants.collect(),
        image: None,
        video: None,
        poster_source: None,
        error: None,
    }
}
