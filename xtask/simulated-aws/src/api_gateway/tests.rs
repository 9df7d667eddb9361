//! APIs as templates make them, through the SDK and their endpoints.

use aws_sdk_apigateway::{Client, error::ProvideErrorMetadata};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorSettings},
    orchestrator::HttpRequest,
    runtime_components::RuntimeComponentsBuilder,
};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

use crate::{
    Aws, Settings,
    account::Account,
    resources::{Provided, Wanted, provider},
    testing::config,
};

const ALIAS: &str = "arn:aws:lambda:eu-west-1:123456789012:function:notes-dev-api:live";

/// A response: the status, the headers, and the body.
struct Response(u16, aws_smithy_runtime_api::http::Headers, String);

/// An account in which functions answer with the event's path, and authorizers allow the token `good`.
fn account() -> Aws {
    let aws = Aws::new(Settings::default());
    aws.change(|account| account.invoke = answer);
    aws
}

fn answer(_: &mut Account, function: &str, event: &[u8]) -> Result<Vec<u8>, String> {
    let event: Value = serde_json::from_slice(event).map_err(|error| error.to_string())?;
    let answer = match function {
        ALIAS => json!({ "statusCode": 200, "headers": { "X-Version": "7" }, "body": event.to_string() }),
        "authorizer" => {
            let token = event["authorizationToken"].as_str().or_else(|| event["identitySource"][0].as_str());
            let is_good = token == Some("good");
            let effect = if is_good { "Allow" } else { "Deny" };
            json!({ "isAuthorized": is_good, "policyDocument": { "Statement": [{ "Effect": effect }] } })
        }
        "malformed" => json!({ "ready": true }),
        _ => return Err("the function failed".to_owned()),
    };
    Ok(answer.to_string().into_bytes())
}

fn wanted<'a>(resource_type: &'a str, properties: &'a Value) -> Wanted<'a> {
    Wanted { region: "eu-west-1", stack: "notes-dev", logical_id: "Part", resource_type, properties }
}

fn create(aws: &Aws, resource_type: &str, properties: Value) -> Provided {
    aws.change(|account| (provider(resource_type).create)(account, wanted(resource_type, &properties)))
        .expect("created")
}

fn uri(function: &str) -> String {
    format!("arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{function}/invocations")
}

/// A REST API with `GET /notes/{id}`; returns its ID and that of the resource.
fn rest_api(aws: &Aws) -> (String, String) {
    let api = create(aws, "AWS::ApiGateway::RestApi", json!({ "Name": "notes" }));
    let root = &api.attributes["RootResourceId"];
    let id = api.physical_id;
    let notes = json!({ "RestApiId": id, "ParentId": root, "PathPart": "notes" });
    let notes = create(aws, "AWS::ApiGateway::Resource", notes).physical_id;
    let note = json!({ "RestApiId": id, "ParentId": notes, "PathPart": "{id}" });
    let note = create(aws, "AWS::ApiGateway::Resource", note).physical_id;
    method(
        aws,
        (&id, &note),
        "GET",
        json!({ "AuthorizationType": "NONE", "Integration": { "Type": "AWS_PROXY", "Uri": uri(ALIAS) } }),
    );
    (id, note)
}

fn method(aws: &Aws, (api, resource): (&str, &str), method: &str, settings: Value) -> String {
    let mut properties = settings;
    properties["RestApiId"] = api.into();
    properties["ResourceId"] = resource.into();
    properties["HttpMethod"] = method.into();
    create(aws, "AWS::ApiGateway::Method", properties).physical_id
}

/// Deploys a REST API to its stage, which is created by the first deployment.
fn deploy(aws: &Aws, api: &str) -> String {
    let deployment = create(aws, "AWS::ApiGateway::Deployment", json!({ "RestApiId": api })).physical_id;
    let stage = json!({ "RestApiId": api, "StageName": "dev", "DeploymentId": deployment });
    let (kind, is_new) = ("AWS::ApiGateway::Stage", aws.read(|account| account.apis[api].stages.is_empty()));
    if is_new {
        create(aws, kind, stage);
    } else {
        aws.change(|account| (provider(kind).update)(account, "dev", wanted(kind, &stage))).expect("updated");
    }
    deployment
}

/// Sends a request without a signature, as a client of the API does.
async fn send(aws: &Aws, method: &str, api: &str, path: &str, headers: &[(&'static str, &str)]) -> Response {
    let mut request = HttpRequest::new(SdkBody::empty());
    request.set_method(method).expect("a method");
    request.set_uri(format!("https://{api}.execute-api.eu-west-1.amazonaws.com{path}")).expect("a URL");
    for (name, value) in headers {
        request.headers_mut().insert(*name, (*value).to_owned());
    }
    let components = RuntimeComponentsBuilder::for_tests().build().expect("components");
    let connector = aws.client("client").http_connector(&HttpConnectorSettings::default(), &components);
    let response = connector.call(request).await.expect("a response");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = String::from_utf8_lossy(response.body().bytes().unwrap_or_default()).into_owned();
    Response(status, headers, body)
}

async fn routes(aws: &Aws, api: &str) -> Vec<String> {
    let client = Client::new(&config(aws));
    let stage = client.get_stage().rest_api_id(api).stage_name("dev").send().await.expect("a stage");
    let request = client.get_deployment().rest_api_id(api).deployment_id(stage.deployment_id().expect("an ID"));
    let deployment = request.embed("apisummary").send().await.expect("a deployment");
    let summary = deployment.api_summary().expect("a summary").iter();
    let mut routes: Vec<_> =
        summary.flat_map(|(path, methods)| methods.keys().map(move |method| format!("{method} {path}"))).collect();
    routes.sort();
    routes
}

#[tokio::test(start_paused = true)]
async fn a_deployment_keeps_the_routes_of_its_time() {
    let aws = account();
    let (api, note) = rest_api(&aws);
    let first = deploy(&aws, &api);
    method(&aws, (&api, &note), "PUT", json!({ "AuthorizationType": "NONE" }));
    assert_eq!(routes(&aws, &api).await, ["GET /notes/{id}"]);
    let Response(status, headers, _) = send(&aws, "PUT", &api, "/dev/notes/1", &[]).await;
    assert_eq!((status, headers.get("x-amzn-errortype")), (403, Some("MissingAuthenticationTokenException")));
    let kind = "AWS::ApiGateway::Deployment";
    let remove = || {
        let properties = json!({ "RestApiId": api });
        aws.change(|account| (provider(kind).delete)(account, &first, wanted(kind, &properties)))
    };
    assert!(remove().expect_err("in use").starts_with("Active stages pointing to this deployment"));
    deploy(&aws, &api);
    assert_eq!(routes(&aws, &api).await, ["GET /notes/{id}", "PUT /notes/{id}"]);
    remove().expect("no stage serves it");
}

#[tokio::test(start_paused = true)]
async fn missing_apis_and_stages_are_reported() {
    let aws = account();
    let (api, _) = rest_api(&aws);
    let client = Client::new(&config(&aws));
    for (api, stage) in [("other", "dev"), (api.as_str(), "dev")] {
        let error = client.get_stage().rest_api_id(api).stage_name(stage).send().await.expect_err("missing");
        assert_eq!(error.code(), Some("NotFoundException"));
    }
    let Response(status, headers, _) = send(&aws, "GET", &api, "/dev/notes/1", &[]).await;
    assert_eq!((status, headers.get("x-amzn-errortype")), (403, Some("ForbiddenException")));
}

#[tokio::test(start_paused = true)]
async fn a_route_of_a_rest_api_invokes_the_alias_of_its_function() {
    let aws = account();
    let (api, _) = rest_api(&aws);
    deploy(&aws, &api);
    let Response(status, headers, body) = send(&aws, "GET", &api, "/dev/notes/a%20b?limit=1", &[]).await;
    let event: Value = serde_json::from_str(&body).expect("the event");
    assert_eq!((status, headers.get("x-version")), (200, Some("7")));
    assert_eq!((&event["resource"], &event["path"]), (&json!("/notes/{id}"), &json!("/notes/a%20b")));
    assert_eq!(
        (&event["pathParameters"]["id"], &event["queryStringParameters"]["limit"]),
        (&json!("a b"), &json!("1"))
    );
    assert!(headers.get("x-amzn-requestid").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_route_is_refused_by_the_kind_of_its_token() {
    let aws = account();
    let (api, _) = rest_api(&aws);
    let response = json!({
        "RestApiId": api, "ResponseType": "DEFAULT_4XX", "StatusCode": "404",
        "ResponseParameters": { "gatewayresponse.header.Access-Control-Allow-Origin": "'*'" },
    });
    create(&aws, "AWS::ApiGateway::GatewayResponse", response);
    deploy(&aws, &api);
    for (headers, expected) in [
        (&[][..], "MissingAuthenticationTokenException"),
        (&[("authorization", "Bearer x")][..], "IncompleteSignatureException"),
    ] {
        let Response(status, found, _) = send(&aws, "GET", &api, "/dev/other", headers).await;
        assert_eq!((status, found.get("x-amzn-errortype")), (404, Some(expected)), "the API sets another status");
        assert_eq!(found.get("access-control-allow-origin"), Some("*"));
    }
}

#[tokio::test(start_paused = true)]
async fn failing_functions_are_502() {
    for function in ["failing", "malformed"] {
        let aws = account();
        let (api, note) = rest_api(&aws);
        let integration = json!({ "Type": "AWS_PROXY", "Uri": uri(function) });
        method(&aws, (&api, &note), "PUT", json!({ "AuthorizationType": "NONE", "Integration": integration }));
        deploy(&aws, &api);
        let Response(status, headers, _) = send(&aws, "PUT", &api, "/dev/notes/1", &[]).await;
        assert_eq!(
            (status, headers.get("x-amzn-errortype")),
            (502, Some("InternalServerErrorException")),
            "{function}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn authorizers_of_a_rest_api_decide() {
    let aws = account();
    let (api, note) = rest_api(&aws);
    let authorizer = json!({ "RestApiId": api, "Type": "TOKEN", "AuthorizerUri": uri("authorizer") });
    let authorizer = create(&aws, "AWS::ApiGateway::Authorizer", authorizer).physical_id;
    let integration = json!({ "Type": "AWS_PROXY", "Uri": uri(ALIAS) });
    let custom = json!({ "AuthorizationType": "CUSTOM", "AuthorizerId": authorizer, "Integration": integration });
    method(&aws, (&api, &note), "PUT", custom);
    let pool = json!({ "AuthorizationType": "COGNITO_USER_POOLS", "Integration": integration });
    method(&aws, (&api, &note), "DELETE", pool);
    let mock = json!({ "StatusCode": "204", "ResponseParameters": { "method.response.header.X-A": "'b'" } });
    let mock =
        json!({ "AuthorizationType": "NONE", "Integration": { "Type": "MOCK", "IntegrationResponses": [mock] } });
    method(&aws, (&api, &note), "OPTIONS", mock);
    deploy(&aws, &api);
    for (verb, token, expected) in [
        ("PUT", None, 401),
        ("PUT", Some("bad"), 403),
        ("PUT", Some("good"), 200),
        ("DELETE", None, 401),
        ("DELETE", Some("forged"), 401),
        ("OPTIONS", None, 204),
    ] {
        let headers: Vec<_> = token.map(|token| ("authorization", token)).into_iter().collect();
        let Response(status, found, _) = send(&aws, verb, &api, "/dev/notes/1", &headers).await;
        assert_eq!(status, expected, "{verb} {token:?}");
        assert_eq!(found.get("x-a").is_some(), verb == "OPTIONS");
    }
}

/// An HTTP API with `GET /notes/{id}` and the authorized `PUT /notes/{id}`.
fn http_api(aws: &Aws) -> String {
    let cors = json!({ "AllowOrigins": ["https://example.com"], "AllowMethods": ["GET", "PUT"], "AllowHeaders": ["authorization"] });
    let api = json!({ "Name": "notes", "ProtocolType": "HTTP", "CorsConfiguration": cors });
    let api = create(aws, "AWS::ApiGatewayV2::Api", api);
    let id = api.physical_id;
    assert_eq!(api.attributes["ApiEndpoint"], format!("https://{id}.execute-api.eu-west-1.amazonaws.com"));
    let integration = json!({ "ApiId": id, "IntegrationType": "AWS_PROXY", "IntegrationUri": ALIAS });
    let target = format!("integrations/{}", create(aws, "AWS::ApiGatewayV2::Integration", integration).physical_id);
    let authorizer = json!({ "ApiId": id, "AuthorizerType": "REQUEST", "AuthorizerUri": uri("authorizer") });
    let authorizer = create(aws, "AWS::ApiGatewayV2::Authorizer", authorizer).physical_id;
    create(aws, "AWS::ApiGatewayV2::Route", json!({ "ApiId": id, "RouteKey": "GET /notes/{id}", "Target": target }));
    let put = json!({ "ApiId": id, "RouteKey": "PUT /notes/{id}", "Target": target, "AuthorizationType": "CUSTOM", "AuthorizerId": authorizer });
    create(aws, "AWS::ApiGatewayV2::Route", put);
    create(aws, "AWS::ApiGatewayV2::Stage", json!({ "ApiId": id, "StageName": "$default", "AutoDeploy": true }));
    id
}

#[tokio::test(start_paused = true)]
async fn an_http_api_serves_its_present_routes() {
    let aws = account();
    let api = http_api(&aws);
    let Response(status, headers, body) =
        send(&aws, "GET", &api, "/notes/7?a=b", &[("origin", "https://example.com")]).await;
    let event: Value = serde_json::from_str(&body).expect("the event");
    assert_eq!((status, &event["routeKey"], &event["rawQueryString"]), (200, &json!("GET /notes/{id}"), &json!("a=b")));
    assert_eq!(event["pathParameters"]["id"], "7");
    assert_eq!(headers.get("access-control-allow-origin"), Some("https://example.com"));
    let Response(status, headers, body) = send(&aws, "DELETE", &api, "/notes/7", &[]).await;
    assert_eq!((status, body.as_str()), (404, r#"{"message":"Not Found"}"#));
    assert!(headers.get("apigw-requestid").is_some() && headers.get("x-amzn-requestid").is_none());
    let integration = json!({ "ApiId": api, "IntegrationType": "AWS_PROXY", "IntegrationUri": "failing" });
    let failing = create(&aws, "AWS::ApiGatewayV2::Integration", integration).physical_id;
    let route = json!({ "ApiId": api, "RouteKey": "DELETE /notes/{id}", "Target": format!("integrations/{failing}") });
    create(&aws, "AWS::ApiGatewayV2::Route", route);
    assert_eq!(send(&aws, "DELETE", &api, "/notes/7", &[]).await.0, 500, "the route is deployed by itself");
}

#[tokio::test(start_paused = true)]
async fn an_http_api_asks_its_authorizer_and_answers_preflights() {
    let aws = account();
    let api = http_api(&aws);
    for (token, expected) in [(None, 401), (Some("bad"), 403), (Some("good"), 200)] {
        let headers: Vec<_> = token.map(|token| ("authorization", token)).into_iter().collect();
        assert_eq!(send(&aws, "PUT", &api, "/notes/7", &headers).await.0, expected, "{token:?}");
    }
    let preflight = [("origin", "https://example.com"), ("access-control-request-method", "PUT")];
    let Response(status, headers, _) = send(&aws, "OPTIONS", &api, "/notes/7", &preflight).await;
    assert_eq!((status, headers.get("access-control-allow-methods")), (204, Some("GET,PUT")));
}

#[tokio::test(start_paused = true)]
async fn a_web_socket_api_refuses_connections_without_a_token() {
    let aws = account();
    let api =
        create(&aws, "AWS::ApiGatewayV2::Api", json!({ "Name": "live", "ProtocolType": "WEBSOCKET" })).physical_id;
    let source = json!(["route.request.querystring.token"]);
    let authorizer = json!({ "ApiId": api, "AuthorizerUri": uri("authorizer"), "IdentitySource": source });
    let authorizer = create(&aws, "AWS::ApiGatewayV2::Authorizer", authorizer).physical_id;
    let route =
        json!({ "ApiId": api, "RouteKey": "$connect", "AuthorizationType": "CUSTOM", "AuthorizerId": authorizer });
    create(&aws, "AWS::ApiGatewayV2::Route", route);
    create(&aws, "AWS::ApiGatewayV2::Stage", json!({ "ApiId": api, "StageName": "dev", "AutoDeploy": true }));
    for (path, expected) in [("/dev", 401), ("/dev?token=bad", 403)] {
        assert_eq!(send(&aws, "GET", &api, path, &[]).await.0, expected, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn conflicts_and_empty_deployments_are_refused() {
    let aws = account();
    let empty = create(&aws, "AWS::ApiGateway::RestApi", json!({ "Name": "empty" })).physical_id;
    let refused = |kind: &str, properties: Value| {
        aws.change(|account| (provider(kind).create)(account, wanted(kind, &properties))).expect_err(kind)
    };
    let reason = refused("AWS::ApiGateway::Deployment", json!({ "RestApiId": empty }));
    assert_eq!(reason, "The REST API doesn't contain any methods");
    let (api, note) = rest_api(&aws);
    let method = json!({ "RestApiId": api, "ResourceId": note, "HttpMethod": "GET" });
    assert_eq!(refused("AWS::ApiGateway::Method", method), "Method already exists for this resource");
    let stage = json!({ "RestApiId": api, "StageName": "dev", "DeploymentId": "other" });
    assert_eq!(refused("AWS::ApiGateway::Stage", stage), "Invalid Deployment identifier specified");
    let kind = "AWS::ApiGateway::Resource";
    let properties = json!({ "RestApiId": api });
    let notes = aws.read(|account| account.apis[&api].parts[&(kind.to_owned(), note)]["ParentId"].clone());
    let notes = notes.as_str().expect("an ID");
    aws.change(|account| (provider(kind).delete)(account, notes, wanted(kind, &properties))).expect("deleted");
    assert!(aws.read(|account| account.apis[&api].parts.is_empty()), "all below a resource is deleted with it");
}
