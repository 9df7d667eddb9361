//! A changed API gets a new deployment, a changed API stage does not; routes that API Gateway would refuse are refused.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::{
    example::{HistoryRoute, NotesApi, NotesRoute},
    parts::function::Function,
    template::{RenderError, System},
};

fn function(stack: &mut Stack) -> FunctionHandle {
    let environment = NotesApi::<Text> { table_name: "notes".into(), word: "hello".into() };
    stack.add(Function::new(&Stage::example("dev"), environment))
}

fn with(change: impl FnOnce(RestApi, &FunctionHandle) -> RestApi) -> Stack {
    let mut stack = Stack::new("api", "An API.");
    let function = function(&mut stack);
    let api = RestApi::new("Api", "api".to_owned(), &Stage::example("dev")).routes::<NotesRoute>(&function);
    stack.add(change(api, &function));
    stack
}

/// An API with every kind of resource.
fn complete() -> Stack {
    with(|api, function| {
        let settings = |_: HistoryRoute| RouteSettings {
            body: Some(Model { name: "History".to_owned(), required: vec!["from".to_owned()] }),
            ..RouteSettings::default()
        };
        api.authorizer("Authorizer", "arn:pool".into())
            .routes_with(function, settings)
            .binary("image/png")
            .only_by_domain("api.example.com")
    })
}

fn template_of(stack: Stack) -> Value {
    let system = System::new("test", [stack]).render(&Stage::example("dev")).expect("the system renders");
    system.stacks.into_iter().next().expect("a stack").template
}

fn deployment_in(template: &Value) -> String {
    let mut ids =
        template["Resources"].as_object().expect("resources").keys().filter(|id| id.starts_with("ApiDeployment"));
    let id = ids.next().expect("a deployment").clone();
    assert_eq!(ids.next(), None, "one deployment");
    assert_eq!(template["Resources"]["ApiStageResource"]["Properties"]["DeploymentId"], json!({ "Ref": id }));
    id
}

fn deployment_of(stack: Stack) -> String {
    deployment_in(&template_of(stack))
}

#[test]
fn a_changed_api_is_deployed_again_and_a_changed_stage_is_not() {
    let plain = deployment_of(with(|api, _| api));
    assert_eq!(plain, deployment_of(with(|api, _| api)));
    assert_eq!(plain, deployment_of(with(|api, _| api.throttle(1, 1))));
    for changed in [
        with(|api, function| api.routes::<HistoryRoute>(function)),
        with(|api, _| api.authorizer("Authorizer", "arn:pool".into())),
        with(|api, _| api.origins(&["https://example.com".to_owned()])),
    ] {
        assert_ne!(plain, deployment_of(changed));
    }
}

/// Every value within the properties, as a JSON pointer.
fn pointers(value: &Value, path: &str, found: &mut Vec<String>) {
    let step = |key: &str| format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
    match value {
        Value::Object(object) => object.iter().for_each(|(key, value)| pointers(value, &step(key), found)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| pointers(item, &step(&at.to_string()), found))
        }
        _ => found.push(path.to_owned()),
    }
}

#[test]
fn every_property_in_the_snapshot_is_in_the_hash() {
    let plain = deployment_of(complete());
    let mut kinds = BTreeSet::new();
    for (id, resource) in &complete().resources {
        let kind = resource.resource_type().to_owned();
        let is_in_snapshot = kind.starts_with("AWS::ApiGateway::") && !["Deployment", "Stage"].contains(&&kind[17..]);
        let mut found = Vec::new();
        pointers(resource.properties(), "", &mut found);
        // A reference to the API says which API the resource belongs to.
        found.retain(|pointer| !pointer.starts_with("/RestApiId/") && !pointer.contains("Fn::"));
        for pointer in found {
            let mut changed = complete();
            let resource = changed.resources.get_mut(id).expect("the resource");
            let property = pointer.split('/').nth(1).expect("a property").to_owned();
            let mut value = resource.properties()[&property].clone();
            let below = &pointer[property.len() + 1..];
            *value.pointer_mut(below).expect("the value") = json!("changed");
            resource.set(&property, value).expect("the property");
            let is_name_of_integrated = kind == "AWS::Lambda::Alias" || pointer == "/FunctionName";
            if is_in_snapshot {
                assert_ne!(plain, deployment_of(changed), "{id} ({kind}) {pointer}");
                kinds.insert(kind.clone());
            } else if !is_name_of_integrated {
                assert_eq!(plain, deployment_of(changed), "{id} ({kind}) {pointer}");
            }
        }
    }
    let expected = ["Authorizer", "GatewayResponse", "Method", "Model", "RequestValidator", "Resource", "RestApi"];
    assert_eq!(kinds, expected.map(|kind| format!("AWS::ApiGateway::{kind}")).into());
}

#[test]
fn references_in_the_snapshot_are_in_the_hash() {
    let plain = deployment_of(with(|api, _| api));
    let mut renamed = with(|api, _| api);
    // The function's ARN, which the integration contains, changes with its name.
    renamed.set("ApiFunction", "FunctionName", json!("another"));
    assert_ne!(plain, deployment_of(renamed));
    let mut larger = with(|api, _| api);
    larger.set("ApiFunction", "MemorySize", json!(256));
    assert_eq!(plain, deployment_of(larger));
}

#[test]
fn resources_that_a_stack_adds_to_the_api_are_in_its_deployment() {
    let plain = deployment_of(with(|api, _| api));
    let reference = json!({ "Fn::Reference": { "stack": "api", "logicalId": "Api", "attribute": null } });
    for api in [reference, json!({ "Ref": "Api" })] {
        let mut stack = with(|api, _| api);
        let mock = json!({ "RestApiId": api, "HttpMethod": "GET", "AuthorizationType": "NONE" });
        stack.resource("Health", Resource::new("AWS::ApiGateway::Method", mock));
        let template = template_of(stack);
        let id = deployment_in(&template);
        assert_ne!(plain, id);
        let waits_for = template["Resources"][&id]["DependsOn"].as_array().expect("names").clone();
        assert!(waits_for.contains(&json!("Health")), "{waits_for:?}");
    }
}

#[test]
fn a_resource_of_an_api_in_another_stack_is_refused() {
    let other = |owner: &str| {
        let api = json!({ "Fn::Reference": { "stack": owner, "logicalId": "Api", "attribute": null } });
        let response = json!({ "RestApiId": api, "ResponseType": "THROTTLED" });
        let mut stack = Stack::new("more", "More.");
        stack.resource("Throttled", Resource::new("AWS::ApiGateway::GatewayResponse", response));
        stack
    };
    let render = |stacks| System::new("test", stacks).render(&Stage::example("dev"));
    let error = render([with(|api, _| api), other("api")]).expect_err("another stack").to_string();
    assert_eq!(
        error,
        "stack `more` of system `test` adds `Throttled` to API `Api` of stack `api`, which is deployed before it, so clients would \
         not see the change; add `Throttled` to stack `api`"
    );

    // An API of the same name in another stack is another one.
    let mut second = other("more");
    second.resource("Api", Resource::new("AWS::ApiGateway::RestApi", json!({ "Name": "more" })));
    let system = render([with(|api, _| api), second]).expect("two APIs");
    let plain = deployment_of(with(|api, _| api));
    let first = system.stacks.iter().find(|stack| stack.stack == "api").expect("the first stack");
    assert_eq!(deployment_in(&first.template), plain);
}

#[test]
fn a_resource_of_another_stacks_api_of_the_same_name_is_not_in_the_deployment() {
    let plain = deployment_of(with(|api, _| api));
    let mut stack = with(|api, _| api);
    let api = json!({ "Fn::Reference": { "stack": "other", "logicalId": "Api", "attribute": null } });
    let response = json!({ "RestApiId": api, "ResponseType": "THROTTLED" });
    stack.resource("Throttled", Resource::new("AWS::ApiGateway::GatewayResponse", response));
    let mut other = Stack::new("other", "Other.");
    other.resource("Api", Resource::new("AWS::ApiGateway::RestApi", json!({ "Name": "other" })));
    let system = System::new("test", [stack, other]).render(&Stage::example("dev")).expect("rendered");
    let stack = system.stacks.iter().find(|stack| stack.stack == "api").expect("the stack");
    assert_eq!(deployment_in(&stack.template), plain);
}

#[test]
fn an_api_has_outputs_with_its_id_and_its_url() {
    let outputs = template_of(with(|api, _| api))["Outputs"].clone();
    assert_eq!(outputs["ApiId"]["Value"], json!({ "Ref": "Api" }));
    let url = "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/dev";
    assert_eq!(outputs["ApiUrl"]["Value"], json!({ "Fn::Sub": url }));
    assert_eq!(template_of(complete())["Outputs"]["ApiUrl"]["Value"], "https://api.example.com");
}

fn refused(add: impl Fn(RestApi, &FunctionHandle) -> RestApi) -> RefusedRoute {
    let mut stack = Stack::new("api", "An API.");
    let function = function(&mut stack);
    stack.add(add(RestApi::new("Api", "api".to_owned(), &Stage::example("dev")), &function));
    match System::new("test", [stack]).render(&Stage::example("dev")) {
        Err(RenderError::Route { refused, .. }) => *refused,
        other => panic!("{other:?}"),
    }
}

/// The problem of an API with `ANY` on these paths.
fn problem(paths: &[&'static str]) -> RouteProblem {
    let paths = paths.to_vec();
    refused(|api, function| api.catch_all(paths.iter().copied(), function)).problem
}

#[test]
fn routes_that_api_gateway_would_refuse_are_refused_with_their_place() {
    let segment = |segment: &str| segment.to_owned();
    assert_eq!(problem(&["links"]), RouteProblem::Relative);
    for path in ["//", "/links/", "/links//{id}"] {
        assert_eq!(problem(&[path]), RouteProblem::EmptySegment, "{path}");
    }
    for (path, of) in [("/{id", "{id"), ("/id}", "id}"), ("/a{id}", "a{id}"), ("/{}", "{}"), ("/{a}{b}", "{a}{b}")] {
        assert_eq!(problem(&[path]), RouteProblem::Braces { segment: segment(of) }, "{path}");
    }
    for (path, of) in [("/a b", "a b"), ("/ä", "ä"), ("/{a+b}", "{a+b}"), ("/a?b=c", "a?b=c")] {
        assert_eq!(problem(&[path]), RouteProblem::Characters { segment: segment(of) }, "{path}");
    }
    assert_eq!(problem(&["/{all+}/a"]), RouteProblem::GreedyNotLast { segment: segment("{all+}") });
    let refused = refused(|api, function| api.catch_all(["/{id"], function));
    assert_eq!(refused.route, "ANY /{id");
    assert!(refused.place.contains("parts/api/tests.rs:"), "{refused}");
    assert!(refused.to_string().starts_with("route `ANY /{id` of API Api, added at "), "{refused}");
}

#[test]
fn two_variables_below_one_path_are_refused() {
    for (paths, parent, other, own) in [
        (["/{id}", "/{name}/texts"], "/", "{id}", "{name}"),
        (["/notes/{id}", "/notes/{all+}"], "/notes", "{id}", "{all+}"),
    ] {
        match problem(&paths) {
            RouteProblem::SecondVariable { parent: below, segment, route, other: first, place } => {
                assert_eq!((below.as_str(), first.as_str(), segment.as_str()), (parent, other, own));
                assert_eq!(route, format!("ANY {}", paths[0]));
                assert!(place.contains("tests.rs"), "{place}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn routes_of_one_function_with_two_variables_are_both_named() {
    let refused = refused(|api, function| api.routes::<TwoNames>(function));
    assert_eq!(refused.route, "DELETE /notes/{name}");
    assert!(refused.to_string().contains("but route `GET /notes/{id}`, added at "), "{refused}");
}

/// Two routes with different variables in one place.
#[derive(Debug, Clone, Copy)]
enum TwoNames {
    Get,
    Delete,
}

impl Routes for TwoNames {
    const ALL: &'static [Self] = &[Self::Get, Self::Delete];

    fn route(self) -> Route {
        match self {
            Self::Get => Route { method: Method::Get, path: "/notes/{id}" },
            Self::Delete => Route { method: Method::Delete, path: "/notes/{name}" },
        }
    }
}

#[test]
fn a_route_is_added_once() {
    assert!(matches!(problem(&["/notes", "/notes"]), RouteProblem::Duplicate { .. }));
    let twice = refused(|api, function| api.routes::<NotesRoute>(function).routes::<NotesRoute>(function));
    assert_eq!(twice.route, "GET /notes/{id}");
}

#[test]
fn paths_with_one_logical_id_need_another_name() {
    for (paths, logical_id, other) in [
        (vec!["/{id}", "/id"], "ApiIdResource", "path `/{id}`"),
        (vec!["/a/b", "/a-b"], "ApiABResource", "path `/a/b`"),
        (vec!["/stage"], "ApiStageResource", "the API's stage"),
    ] {
        let expected = RouteProblem::SameLogicalId { logical_id: logical_id.to_owned(), other: other.to_owned() };
        assert_eq!(problem(&paths), expected);
    }
    let stack = with(|api, function| {
        api.catch_all(["/notes/id", "/stage"], function)
            .path_name("/notes/id", "NotesOwnId")
            .path_name("/stage", "StagePath")
    });
    let template = template_of(stack);
    for (id, part) in
        [("ApiNotesOwnIdResource", "id"), ("ApiNotesIdResource", "{id}"), ("ApiStagePathResource", "stage")]
    {
        assert_eq!(template["Resources"][id]["Properties"]["PathPart"], part, "{id}");
    }
    let unknown = refused(|api, function| api.routes::<NotesRoute>(function).path_name("/note", "Note"));
    assert!(unknown.to_string().ends_with("no such path; its paths are /notes, /notes/{id}"), "{unknown}");
}

#[test]
fn models_of_one_name_are_the_same_model() {
    let with = |name: &str, fields: &[&str]| {
        let fields: Vec<_> = fields.iter().map(|field| (*field).to_owned()).collect();
        let name = name.to_owned();
        move || RouteSettings {
            body: Some(Model { name: name.clone(), required: fields.clone() }),
            ..RouteSettings::default()
        }
    };
    let two = |one: &dyn Fn() -> RouteSettings, other: &dyn Fn() -> RouteSettings| {
        refused(|api, function| {
            api.routes_with(function, |_: NotesRoute| one()).routes_with(function, |_: HistoryRoute| other())
        })
    };
    let (note, other) = (with("Note", &["text"]), with("Note", &["title"]));
    let refused = two(&note, &other);
    assert!(matches!(refused.problem, RouteProblem::OtherModel { .. }));
    assert!(refused.to_string().contains("of route `GET /notes/{id}`, added at "), "{refused}");
    assert!(matches!(two(&with("a-note", &[]), &note).problem, RouteProblem::ModelName { .. }));
}

#[test]
fn a_declared_options_route_replaces_the_preflight() {
    let stack = with(|api, function| api.routes::<Preflight>(function));
    let template = template_of(stack);
    assert_eq!(template["Resources"]["ApiNotesIdOptions"]["Properties"]["HttpMethod"], "OPTIONS");
}

/// A preflight that the function declares.
#[derive(Debug, Clone, Copy)]
struct Preflight;

impl Routes for Preflight {
    const ALL: &'static [Self] = &[Self];

    fn route(self) -> Route {
        Route { method: Method::Options, path: "/notes/{id}" }
    }
}
