//! Calls against a client that records requests and gives scripted responses.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, retry::RetryConfig};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;
use serde_json::json;

use super::{
    services::{API_CONNECTIONS, CLOUD_FRONT, COGNITO, NOTIFICATIONS, SYSTEMS_MANAGER},
    *,
};

/// Each request gets the next response.
#[derive(Debug, Clone)]
struct Script {
    responses: Arc<Mutex<Vec<(u16, &'static str)>>>,
    requests: Arc<Mutex<Vec<HttpRequest>>>,
}

impl HttpConnector for Script {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.requests.lock().expect("no panic").push(request);
        let (status, body) = self.responses.lock().expect("no panic").remove(0);
        let status = StatusCode::try_from(status).expect("a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
    }
}

impl HttpClient for Script {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl Script {
    fn new(responses: &[(u16, &'static str)]) -> Self {
        Self { responses: Arc::new(Mutex::new(responses.to_vec())), requests: Arc::default() }
    }

    async fn config(&self, region: &'static str, endpoint: Option<&str>) -> SdkConfig {
        let loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(self.clone())
            .region(Region::new(region))
            .retry_config(RetryConfig::standard().with_initial_backoff(Duration::ZERO))
            .test_credentials();
        match endpoint {
            Some(url) => loader.endpoint_url(url).load().await,
            None => loader.load().await,
        }
    }

    fn uris(&self) -> Vec<String> {
        self.requests.lock().expect("no panic").iter().map(|request| request.uri().to_owned()).collect()
    }
}

fn parameter() -> Call {
    Call::json(SYSTEMS_MANAGER, "GetParameter", &json!({ "Name": "/salt" }))
}

fn invalidation() -> Call {
    let path = "/2020-05-31/distribution/E1/invalidation".to_owned();
    Call::xml(CLOUD_FRONT, "CreateInvalidation", path, "<InvalidationBatch/>".to_owned())
}

#[tokio::test]
async fn a_json_call_is_signed_for_its_service_and_region() {
    let script = Script::new(&[(200, r#"{"Parameter":{"Value":"s"}}"#)]);
    let body = parameter().send(&script.config("eu-west-1", None).await).await.expect("a response");
    assert_eq!(serde_json::from_slice::<Value>(&body).expect("JSON")["Parameter"]["Value"], "s");
    let requests = script.requests.lock().expect("no panic");
    let [request] = &requests[..] else { panic!("one request: {requests:?}") };
    assert_eq!(request.uri(), "https://ssm.eu-west-1.amazonaws.com/");
    assert_eq!(request.method(), "POST");
    assert_eq!(request.headers().get("x-amz-target"), Some("AmazonSSM.GetParameter"));
    assert_eq!(request.headers().get("content-type"), Some("application/x-amz-json-1.1"));
    assert_eq!(request.body().bytes(), Some(&br#"{"Name":"/salt"}"#[..]));
    let authorization = request.headers().get("authorization").expect("signed");
    assert!(authorization.contains("/eu-west-1/ssm/aws4_request"), "{authorization}");
}

#[tokio::test]
async fn an_unsigned_call_needs_no_credentials_and_prints_no_password() {
    let script = Script::new(&[(200, r#"{"Session":"s"}"#)]);
    let input = json!({ "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": { "PASSWORD": "hunter2" } });
    let call = Call::json(COGNITO, "InitiateAuth", &input).unsigned();
    assert!(!format!("{call:?}").contains("hunter2"), "{call:?}");
    let mut config = script.config("eu-west-1", None).await.into_builder();
    config.set_credentials_provider(None);
    let config = config.build();
    let answer: Value = call.receive(&config).await.expect("a response");
    assert_eq!(answer["Session"], "s");
    let requests = script.requests.lock().expect("no panic");
    assert_eq!(requests[0].uri(), "https://cognito-idp.eu-west-1.amazonaws.com/");
    let target = requests[0].headers().get("x-amz-target");
    assert_eq!(target, Some("AWSCognitoIdentityProviderService.InitiateAuth"));
    assert_eq!(requests[0].headers().get("authorization"), None);
}

#[tokio::test]
async fn a_query_call_sends_a_form() {
    let script = Script::new(&[(200, "<PublishResponse/>")]);
    let call = Call::query(NOTIFICATIONS, "2010-03-31", "Publish", &[("TopicArn", "arn:t"), ("Message", "a & b")]);
    call.send(&script.config("eu-west-1", None).await).await.expect("a response");
    let requests = script.requests.lock().expect("no panic");
    assert_eq!(requests[0].headers().get("content-type"), Some("application/x-www-form-urlencoded"));
    let body = &b"Action=Publish&Version=2010-03-31&TopicArn=arn%3At&Message=a+%26+b"[..];
    assert_eq!(requests[0].body().bytes(), Some(body));
}

#[tokio::test]
async fn a_response_of_another_type_is_an_error() {
    let script = Script::new(&[(200, "<html>"); 3]);
    let error = parameter().receive::<Value>(&script.config("eu-west-1", None).await).await.expect_err("no JSON");
    assert!(matches!(error, SdkError::ResponseError(_)), "{error:?}");
    assert_eq!(script.uris().len(), 3, "as an SDK client does");
}

#[tokio::test]
async fn global_services_and_partitions_have_their_own_hosts() {
    let cases = [
        ("eu-west-1", "https://cloudfront.amazonaws.com", "/us-east-1/cloudfront/"),
        ("cn-north-1", "https://cloudfront.cn-northwest-1.amazonaws.com.cn", "/cn-northwest-1/cloudfront/"),
    ];
    for (region, host, scope) in cases {
        let script = Script::new(&[(201, "")]);
        invalidation().send(&script.config(region, None).await).await.expect("a response");
        assert_eq!(script.uris(), [format!("{host}/2020-05-31/distribution/E1/invalidation")]);
        let requests = script.requests.lock().expect("no panic");
        assert!(requests[0].headers().get("authorization").is_some_and(|value| value.contains(scope)), "{requests:?}");
    }
    let script = Script::new(&[(200, "{}")]);
    parameter().send(&script.config("cn-north-1", None).await).await.expect("a response");
    assert_eq!(script.uris(), ["https://ssm.cn-north-1.amazonaws.com.cn/"]);
}

#[tokio::test]
async fn a_configured_endpoint_is_used() {
    let script = Script::new(&[(200, "{}"), (201, "")]);
    let config = script.config("eu-west-1", Some("http://127.0.0.1:4566")).await;
    parameter().send(&config).await.expect("a response");
    invalidation().send(&config).await.expect("a response");
    let expected = ["http://127.0.0.1:4566/", "http://127.0.0.1:4566/2020-05-31/distribution/E1/invalidation"];
    assert_eq!(script.uris(), expected);
}

fn connection() -> Call {
    let path = format!("/@connections/{}", encoded("L0SM9cOF/HcCIhw="));
    Call::rest(API_CONNECTIONS, "PostToConnection", "POST", path, r#"{"done":1}"#.to_owned())
}

#[tokio::test]
async fn a_rest_call_is_sent_to_the_endpoint_of_its_resource() {
    let script = Script::new(&[(200, "")]);
    let endpoint = "https://a1b2.execute-api.eu-west-1.amazonaws.com/dev";
    // Not below the endpoint of all services.
    let config = script.config("eu-west-1", Some("http://127.0.0.1:4566")).await;
    connection().at(endpoint).send(&config).await.expect("a response");
    assert_eq!(script.uris(), [format!("{endpoint}/@connections/L0SM9cOF%2FHcCIhw%3D")]);
    let requests = script.requests.lock().expect("no panic");
    assert_eq!((requests[0].method(), requests[0].body().bytes()), ("POST", Some(&br#"{"done":1}"#[..])));
    let authorization = requests[0].headers().get("authorization").expect("signed");
    assert!(authorization.contains("/eu-west-1/execute-api/aws4_request"), "{authorization}");
}

#[tokio::test]
async fn a_path_as_endpoint_is_below_that_of_all_services() {
    let script = Script::new(&[(200, "")]);
    let config = script.config("eu-west-1", Some("http://127.0.0.1:4566/")).await;
    connection().at("/_aws/execute-api/a1b2c3d4/local").send(&config).await.expect("a response");
    let expected = "http://127.0.0.1:4566/_aws/execute-api/a1b2c3d4/local/@connections/L0SM9cOF%2FHcCIhw%3D";
    assert_eq!(script.uris(), [expected]);
}

#[tokio::test]
async fn throttled_and_failed_calls_are_repeated() {
    let throttled = r#"{"__type":"com.amazonaws.ssm#ThrottlingException","message":"Rate exceeded"}"#;
    let script = Script::new(&[(400, throttled), (503, ""), (200, "{}")]);
    parameter().send(&script.config("eu-west-1", None).await).await.expect("a response");
    assert_eq!(script.uris().len(), 3);
}

#[tokio::test]
async fn errors_have_the_code_and_message_of_aws() {
    let json = r#"{"__type":"com.amazonaws.ssm#ParameterNotFound:http://internal","message":"no such parameter"}"#;
    let xml = "<?xml version=\"1.0\"?><ErrorResponse xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\"><Error>\
               <Type>Sender</Type><Code>NoSuchDistribution</Code><Message>The specified distribution does not exist.</Message>\
               </Error><RequestId>r</RequestId></ErrorResponse>";
    for (call, status, body, code, message) in [
        (parameter(), 400, json, "ParameterNotFound", "no such parameter"),
        (invalidation(), 404, xml, "NoSuchDistribution", "The specified distribution does not exist."),
    ] {
        let script = Script::new(&[(status, body)]);
        let error = call.send(&script.config("eu-west-1", None).await).await.expect_err("an error");
        let error = error.as_service_error().expect("the service's error");
        assert_eq!((error.code(), error.message()), (Some(code), Some(message)));
        assert_eq!(script.uris().len(), 1, "{code} is not repeated");
    }
}
