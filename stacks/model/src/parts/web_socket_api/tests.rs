//! A WebSocket API with every kind of route.

use serde_json::{Value, json};

use super::*;
use crate::{
    example::NotesApi, parts::function::Function, rendered::RenderedStack, requirements::violations, template::System,
};

fn rendered(stage: &Stage, build: impl FnOnce(WebSocketApi, &FunctionHandle) -> WebSocketApi) -> RenderedStack {
    let mut stack = Stack::new("live", "Live updates.");
    let environment = NotesApi::<Text> { table_name: "notes".into(), word: "hello".into() };
    let function = stack.add(Function::new(stage, environment));
    let handle = stack.add(build(WebSocketApi::new("Socket", "notes-live".to_owned(), stage), &function));
    stack.output("Endpoint", handle.management_endpoint.clone());
    stack.output("Manages", Expression::raw(crate::parts::policy::document(&handle.manage())));
    let system = System::new("notes", [stack]).render(stage).expect("rendered");
    system.stacks.into_iter().next().expect("a stack")
}

fn complete(stage: &Stage) -> RenderedStack {
    rendered(stage, |api, function| {
        let api = api.connect(function).disconnect(function).message(function).route("sendMessage", function);
        api.authorizer("SocketAuthorizer", function, &["route.request.querystring.token"]).throttle(7, 9)
    })
}

fn properties<'a>(stack: &'a RenderedStack, logical_id: &str) -> &'a Value {
    &stack.template["Resources"][logical_id]["Properties"]
}

#[test]
fn only_new_connections_are_authorized_because_aws_allows_no_other_route() {
    let stack = complete(&Stage::example("dev"));
    for (id, key, kind) in [
        ("SocketConnectRoute", "$connect", "CUSTOM"),
        ("SocketDisconnectRoute", "$disconnect", "NONE"),
        ("SocketDefaultRoute", "$default", "NONE"),
        ("SocketSendMessageRoute", "sendMessage", "NONE"),
    ] {
        let route = properties(&stack, id);
        assert_eq!((&route["RouteKey"], &route["AuthorizationType"]), (&json!(key), &json!(kind)), "{id}");
        assert_eq!(route["Target"], json!({ "Fn::Sub": "integrations/${SocketApiFunctionIntegration}" }), "{id}");
    }
    assert_eq!(properties(&stack, "SocketConnectRoute")["AuthorizerId"], json!({ "Ref": "SocketAuthorizer" }));
    let authorizer = properties(&stack, "SocketAuthorizer");
    assert_eq!(authorizer["IdentitySource"], json!(["route.request.querystring.token"]));
    // The payload format and the lifetime are those of HTTP APIs.
    assert!(
        authorizer["AuthorizerPayloadFormatVersion"].is_null() && authorizer["AuthorizerResultTtlInSeconds"].is_null()
    );
}

#[test]
fn the_stage_deploys_itself_after_all_routes_and_logs_no_token() {
    let stack = complete(&Stage::example("dev"));
    let stage = &stack.template["Resources"]["SocketStageResource"];
    assert_eq!(stage["Properties"]["AutoDeploy"], true);
    let waits_for = stage["DependsOn"].as_array().expect("names");
    for route in ["SocketConnectRoute", "SocketDisconnectRoute", "SocketDefaultRoute", "SocketSendMessageRoute"] {
        assert!(waits_for.contains(&json!(route)), "{waits_for:?}");
    }
    let settings = &stage["Properties"]["DefaultRouteSettings"];
    assert_eq!((&settings["ThrottlingRateLimit"], &settings["ThrottlingBurstLimit"]), (&json!(7), &json!(9)));
    assert_eq!(settings["DataTraceEnabled"], false);
    let format = stage["Properties"]["AccessLogSettings"]["Format"].as_str().expect("a format");
    let fields: Value = serde_json::from_str(format).expect("JSON");
    assert_eq!(fields["route"], "$context.routeKey");
    assert!(!format.to_lowercase().contains("querystring") && !format.contains("header"), "{format}");
}

#[test]
fn functions_may_manage_the_connections_of_this_stage_only() {
    let stack = complete(&Stage::example("dev"));
    let statement = &stack.template["Outputs"]["Manages"]["Value"]["Statement"][0];
    assert_eq!(statement["Action"], json!(["execute-api:ManageConnections"]));
    let resources = statement["Resource"].as_array().expect("resources");
    assert_eq!(resources.len(), 3);
    for resource in resources {
        let arn = resource["Fn::Sub"].as_str().expect("an ARN");
        assert!(arn.contains(":${Socket}/dev/") && arn.ends_with("/@connections/*"), "{arn}");
    }
}

#[test]
fn clients_and_functions_have_their_own_urls_and_the_emulator_serves_paths() {
    let outputs = |stage: &Stage| complete(stage).template["Outputs"].clone();
    let host = "${Socket}.execute-api.${AWS::Region}.${AWS::URLSuffix}/dev";
    let dev = outputs(&Stage::example("dev"));
    assert_eq!(dev["SocketUrl"]["Value"]["Fn::Sub"], format!("wss://{host}"));
    assert_eq!(dev["Endpoint"]["Value"]["Fn::Sub"], format!("https://{host}"));
    let local = outputs(&Stage::example("local"));
    assert_eq!(local["Endpoint"]["Value"]["Fn::Sub"], "/_aws/execute-api/${Socket}/local");
}

#[test]
fn the_rendered_api_names_its_routes_and_outputs() {
    let stack = complete(&Stage::example("dev"));
    let [api] = &stack.web_sockets[..] else { panic!("one API: {:?}", stack.web_sockets) };
    let keys: Vec<_> = api.routes.iter().map(|route| route.key.as_str()).collect();
    assert_eq!(keys, ["$connect", "$default", "$disconnect", "sendMessage"]);
    assert_eq!(api.authorizer.as_deref(), Some("notes-api-dev"));
    assert!(stack.apis.is_empty(), "it is no API with HTTP routes");
}

#[test]
fn an_api_that_everyone_may_use_needs_a_reason() {
    let stage = Stage::example("dev");
    let broken = |build: fn(WebSocketApi, &FunctionHandle) -> WebSocketApi| {
        let mut stack = Stack::new("live", "Live updates.");
        let environment = NotesApi::<Text> { table_name: "notes".into(), word: "hello".into() };
        let function = stack.add(Function::new(&stage, environment));
        stack.add(build(WebSocketApi::new("Socket", "notes-live".to_owned(), &stage), &function));
        let system = System::new("notes", [stack]).render(&stage).expect("rendered");
        let found = violations(&stage, &[system]);
        found.into_iter().find(|found| found.requirement == Requirement::WebSocketAuthorizer)
    };
    let found = broken(|api, function| api.connect(function)).expect("a violation");
    assert!(found.message.contains("`$connect` has no authorizer"), "{}", found.message);
    assert!(broken(|api, function| api.message(function)).is_some(), "without the route, every client may connect");
    assert!(broken(|api, function| api.connect(function).open("A public ticker.")).is_none());
    let authorized = broken(|api, function| {
        api.connect(function).authorizer("Authorizer", function, &["route.request.querystring.token"])
    });
    assert!(authorized.is_none());
}
