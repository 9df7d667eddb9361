//! A secret that is rotated and revoked while it is cached, read through a scripted Secrets Manager.

use std::sync::{
    Mutex as StdMutex,
    atomic::{AtomicUsize, Ordering},
};

use aws_config::{BehaviorVersion, Region, retry::RetryConfig};
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

use super::*;
use crate::token::sign_hs256;

/// Answers the version stage of a read with a status and a body.
type Rule = Box<dyn FnMut(&str) -> (u16, Value) + Send>;

#[derive(Clone)]
struct Script(Arc<StdMutex<Rule>>);

impl std::fmt::Debug for Script {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Script")
    }
}

impl HttpConnector for Script {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let input: Value = serde_json::from_slice(request.body().bytes().unwrap_or_default()).expect("JSON");
        let stage = input["VersionStage"].as_str().expect("a stage");
        let (status, body) = (self.0.lock().expect("no panic"))(stage);
        let status = StatusCode::try_from(status).expect("a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body.to_string()))))
    }
}

impl HttpClient for Script {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

async fn source(rule: impl FnMut(&str) -> (u16, Value) + Send + 'static) -> SecretSource {
    let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(Script(Arc::new(StdMutex::new(Box::new(rule)))))
        .region(Region::new("eu-west-1"))
        .retry_config(RetryConfig::disabled())
        .test_credentials()
        .load()
        .await;
    SecretSource::new(config, "secret".to_owned())
}

fn error(code: &str) -> (u16, Value) {
    (400, json!({"__type": format!("com.amazonaws#{code}"), "message": "no"}))
}

/// A source whose previous version is revoked after the first read, and that fails after the second one.
async fn revoked(reads: &Arc<AtomicUsize>) -> SecretSource {
    let reads = Arc::clone(reads);
    source(move |stage| {
        let is_current = stage == "AWSCURRENT";
        let read = if is_current { reads.fetch_add(1, Ordering::Relaxed) } else { reads.load(Ordering::Relaxed) - 1 };
        match (read, is_current) {
            (0 | 1, true) => (200, json!({"SecretString": "new", "CreatedDate": 1_700_000_000})),
            (0, false) => (200, json!({"SecretString": "old", "CreatedDate": 1_600_000_000})),
            (1, false) => error("ResourceNotFoundException"),
            _ => error("InternalServiceError"),
        }
    })
    .await
}

#[tokio::test(flavor = "current_thread")]
async fn a_revoked_version_ends_with_the_next_read_and_a_failed_read_changes_nothing() {
    let reads = Arc::default();
    let source = revoked(&reads).await;
    for age in [SecretSource::CACHE_TIME, SecretSource::RECHECK_TIME] {
        let secrets = source.get(age).await.expect("read");
        assert_eq!(secrets.previous.as_deref(), Some(b"old".as_slice()));
        assert_eq!(secrets.rotated_at.map(Timestamp::as_second), Some(1_700_000_000));
    }
    assert_eq!(reads.load(Ordering::Relaxed), 1, "the second one is cached");
    for expected in [2, 3] {
        assert_eq!(source.get(Duration::ZERO).await.expect("read or cached").previous, None);
        assert_eq!(reads.load(Ordering::Relaxed), expected);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn without_a_cached_secret_a_failed_read_is_an_error() {
    let reads = Arc::new(AtomicUsize::new(2));
    let error = revoked(&reads).await.get(SecretSource::CACHE_TIME).await.expect_err("no secret");
    assert!(matches!(error, SecretError::Call(_)), "{error:?}");
    assert!(telemetry::chain(&error).contains("InternalServiceError"), "{error:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn an_empty_secret_signs_nothing() {
    let source = source(|_| (200, json!({"SecretString": ""}))).await;
    assert!(matches!(source.get(SecretSource::CACHE_TIME).await, Err(SecretError::NoValue)));
}

#[tokio::test(flavor = "current_thread")]
async fn another_algorithm_is_refused_before_the_secret_is_read() {
    let reads = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&reads);
    let source = source(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        (200, json!({"SecretString": "new"}))
    })
    .await;
    let now = Timestamp::from_second(1_700_000_000).expect("a time");
    // {"alg":"none"} and {"alg":"RS256"}.
    for header in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJSUzI1NiJ9"] {
        let token = format!("{header}.e30.");
        let token = Unverified::parse(&token).expect("a token");
        let refused = source.verify(&token, 3600, now).await.expect_err("another algorithm");
        assert!(matches!(refused, VerifyError::Algorithm), "{refused:?}");
    }
    assert_eq!(reads.load(Ordering::Relaxed), 0);
    let token = sign_hs256(b"new", &json!({"sub": "ana"}));
    let token = Unverified::parse(&token).expect("a token");
    assert_eq!(source.verify(&token, 3600, now).await.expect("signed").text("sub"), Some("ana"));
}
