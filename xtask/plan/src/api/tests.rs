//! Changes of an API between two rendered templates.

use std::collections::BTreeMap;

use model::{
    example::{Example, FeedsFetch, HistoryRoute, NotesApi, NotesRoute},
    parts::{
        api::RestApi,
        function::Function,
        http_api::{Cors, HttpApi, HttpRouteSettings, HttpRoutes},
    },
    template::{Stack, System, Text},
};
use serde_json::json;

use super::*;
use crate::{
    changes::{Certainty, compare, resolve::Known},
    findings::FindingKind,
};

/// A template with an API of these paths, and `GET` on each.
fn template(paths: &[&'static str], change: impl FnOnce(RestApi) -> RestApi) -> Value {
    let stage = Example::stage_named("local");
    let mut stack = Stack::new("api", "An API.");
    let environment = NotesApi::<Text> { table_name: "notes".into(), word: "hello".into() };
    let function = stack.add(Function::new(&stage, environment));
    let api = RestApi::new("Api", "api".to_owned(), &stage).catch_all(paths.iter().copied(), &function);
    stack.add(change(api));
    let system = System::new("notes", [stack]).render(&stage).expect("the system renders");
    system.stacks.into_iter().next().expect("a stack").template
}

fn found(old: &Value, new: &Value, moved: &BTreeMap<String, Certainty>) -> Vec<Finding> {
    let none = BTreeMap::new();
    let side = |template| Some(Known { template, parameters: &none });
    findings("notes-api-local", Some(old), new, &compare(side(old), side(new), moved))
}

fn messages(old: &Value, new: &Value) -> Vec<String> {
    found(old, new, &BTreeMap::new()).into_iter().map(|finding| finding.message).collect()
}

fn plain(paths: &[&'static str]) -> Value {
    template(paths, |api| api)
}

#[test]
fn a_renamed_variable_is_refused_with_both_names() {
    let (old, new) = (plain(&["/notes/{id}", "/notes/{id}/texts"]), plain(&["/notes/{key}", "/notes/{key}/texts"]));
    let found = found(&old, &new, &BTreeMap::new());
    let [finding] = found.as_slice() else { panic!("{found:#?}") };
    assert_eq!((finding.kind, finding.refused), (FindingKind::Impossible, true));
    assert_eq!(finding.logical_id, "ApiNotesKeyResource");
    assert!(
        finding.message.contains("`/notes/{id}` exists until CloudFormation has created `/notes/{key}`"),
        "{finding:?}"
    );
    assert!(finding.message.contains("keep the name `{id}` instead of `{key}`"), "{finding:?}");
}

#[test]
fn a_renamed_variable_with_the_same_logical_id_is_refused_too() {
    // Both names are `NoteId` in logical IDs, so the resource is replaced.
    let messages = messages(&plain(&["/{note_id}"]), &plain(&["/{noteId}"]));
    assert_eq!(messages.len(), 1, "{messages:#?}");
    assert!(messages[0].contains("`/{note_id}` exists until"), "{messages:?}");
}

#[test]
fn a_variable_below_another_parent_and_one_that_is_added_are_possible() {
    for (old, new) in [
        (&["/notes/{id}"][..], &["/texts/{key}"][..]),
        (&["/notes"], &["/notes/{id}"]),
        (&["/notes/{id}"], &["/notes"]),
        (&["/notes/{id}"], &["/notes/id"]),
        (&["/notes/{id}/texts/{number}"], &["/notes/{id}/images/{name}"]),
    ] {
        let found = found(&plain(old), &plain(new), &BTreeMap::new());
        assert!(found.iter().all(|finding| !finding.refused), "{old:?} → {new:?}: {found:#?}");
    }
}

#[test]
fn the_two_steps_of_a_renaming_are_possible() {
    let (old, between, new) = (plain(&["/notes/{id}"]), plain(&[]), plain(&["/notes/{key}"]));
    for (old, new) in [(&old, &between), (&between, &new)] {
        assert!(found(old, new, &BTreeMap::new()).iter().all(|finding| !finding.refused));
    }
}

#[test]
fn a_variable_below_a_path_of_a_parameter_may_be_another_one() {
    for parent in [json!({ "Ref": "RootId" }), json!({ "Fn::Sub": "${RootId}" })] {
        let side = |name: &str| {
            let properties = json!({ "RestApiId": { "Ref": "ApiId" }, "ParentId": parent, "PathPart": name });
            json!({ "Parameters": { "ApiId": {}, "RootId": {} }, "Resources": {
                "Path": { "Type": "AWS::ApiGateway::Resource", "Properties": properties } } })
        };
        assert_eq!(messages(&side("{id}"), &side("{key}")), [""; 0]);
    }
}

#[test]
fn the_same_variable_under_another_logical_id_is_left_to_the_names() {
    let new = template(&["/{id}"], |api| api.path_name("/{id}", "Other"));
    let refused = found(&plain(&["/{id}"]), &new, &BTreeMap::new()).into_iter().filter(|finding| finding.refused);
    assert_eq!(refused.collect::<Vec<_>>(), []);
}

#[test]
fn a_refused_update_has_no_effects_for_clients() {
    let (old, new) = (plain(&["/notes"]), plain(&["/notes", "/texts"]));
    let none = BTreeMap::new();
    let side = |template| Some(Known { template, parameters: &none });
    let mut changes = compare(side(&old), side(&new), &BTreeMap::new());
    assert_eq!(findings("s", Some(&old), &new, &changes).len(), 1);
    changes.resources[0].impossible = Some("its name is taken".to_owned());
    assert_eq!(findings("s", Some(&old), &new, &changes), []);
}

#[test]
fn changed_routes_are_listed_with_the_time_of_their_change() {
    let old = plain(&["/notes", "/texts"]);
    let found = found(&old, &plain(&["/notes", "/images"]), &BTreeMap::new());
    let [finding] = found.as_slice() else { panic!("{found:#?}") };
    assert_eq!((finding.kind, finding.refused, finding.logical_id.as_str()), (FindingKind::Api, false, "Api"));
    assert_eq!(finding.parts, ["adds ANY /images", "serves, until its next deployment, the removed ANY /texts"]);
    assert!(finding.message.contains("before new versions are probed"), "{finding:?}");
    assert_eq!(messages(&old, &old), [""; 0]);
    let other_origin = template(&["/notes", "/texts"], |api| api.origin("https://example.com"));
    let settings = messages(&old, &other_origin);
    assert!(settings.len() == 1 && settings[0].contains("ApiThrottledResponse is updated"), "{settings:?}");
    // A new stack has no clients.
    assert_eq!(findings("s", None, &old, &StackChanges::default()), []);
}

#[test]
fn a_changed_authorizer_without_a_deployment_is_named() {
    let pool = json!({ "Ref": "UsersArn" });
    let template = |deployment: &str| {
        json!({ "Parameters": { "UsersArn": { "Type": "String" } }, "Resources": {
            "Api": { "Type": "AWS::ApiGateway::RestApi", "Properties": { "Name": "api" } },
            "Users": { "Type": "AWS::ApiGateway::Authorizer", "Properties": {
                "RestApiId": { "Ref": "Api" }, "Name": "users", "ProviderARNs": [pool] } },
            deployment: { "Type": "AWS::ApiGateway::Deployment", "Properties": { "RestApiId": { "Ref": "Api" } } },
        } })
    };
    let moved = BTreeMap::from([("UsersArn".to_owned(), Certainty::Certain)]);
    let stale = found(&template("One"), &template("One"), &moved);
    assert_eq!(stale.len(), 1, "{stale:#?}");
    assert!(stale[0].message.contains("clients of Api would not get these changes"), "{stale:?}");
    assert!(stale[0].message.ends_with("Users is updated, with UsersArn"), "{stale:?}");
    let deployed = found(&template("One"), &template("Two"), &moved);
    assert!(deployed.len() == 1 && deployed[0].message.starts_with("Api changes with its stack"), "{deployed:?}");
}

/// The templates of an API's stack and of a stack that adds routes to it.
fn http(open: bool, more: bool, change: impl FnOnce(HttpApi) -> HttpApi) -> [Value; 2] {
    let stage = Example::stage_named("prod");
    let mut stack = Stack::new("api", "An API.");
    let environment = NotesApi::<Text> { table_name: "notes".into(), word: "hello".into() };
    let function = stack.add(Function::new(&stage, environment));
    let settings = |route: NotesRoute| HttpRouteSettings {
        open: open && route == NotesRoute::Get,
        ..HttpRouteSettings::default()
    };
    let api = HttpApi::new("Api", "api".to_owned(), &stage).jwt_authorizer("Users", "https://a".into(), vec![]);
    let handle = stack.add(change(api).routes_with(&function, settings));
    let mut second = Stack::new("more", "More routes.");
    let function = second.add(Function::new(&stage, FeedsFetch { stage: Text::from("prod") }));
    let routes = HttpRoutes::new(&handle);
    second.add(if more { routes.routes::<HistoryRoute>(&function) } else { routes });
    let system = System::new("notes", [stack, second]).render(&stage).expect("the system renders");
    let mut templates = system.stacks.into_iter().map(|stack| stack.template);
    [(); 2].map(|()| templates.next().unwrap_or_default())
}

#[test]
fn changes_of_an_http_api_are_seen_while_the_stack_is_updated() {
    let [old, _] = http(false, true, |api| api);
    let [new, _] = http(true, true, |api| api.throttle(1, 1));
    let found = found(&old, &new, &BTreeMap::new());
    let [finding] = found.as_slice() else { panic!("{found:#?}") };
    assert_eq!((finding.kind, finding.refused, finding.logical_id.as_str()), (FindingKind::Api, false, "Api"));
    assert!(finding.message.contains("while its stack is updated"), "{finding:?}");
    assert_eq!(finding.parts, ["changes GET /notes/{id}", "ApiStage is updated"]);
    let origins = |origin: &'static str| {
        let (methods, headers) = (Vec::new(), Vec::new());
        let cors = Cors { origins: vec![origin.into()], methods, headers, credentials: false, max_age: 1 };
        move |api: HttpApi| api.cors(cors)
    };
    let [old, _] = http(false, true, origins("https://a.example.com"));
    let [new, _] = http(false, true, origins("https://b.example.com"));
    let messages = messages(&old, &new);
    assert!(messages.len() == 1 && messages[0].contains("browsers of other origins"), "{messages:?}");
}

#[test]
fn routes_of_another_stacks_api_are_compared_by_its_parameter() {
    let ([_, with], [_, without]) = (http(false, true, |api| api), http(false, false, |api| api));
    let added = route_changes(&without, &with, "ApiId");
    assert_eq!(added.added, ["GET /notes/{id}/history"]);
    let mut changed = with.clone();
    changed["Resources"]["ApiNotesIdHistoryGet"]["Properties"]["AuthorizationType"] = json!("NONE");
    let found = found(&with, &changed, &BTreeMap::new());
    let [finding] = found.as_slice() else { panic!("{found:#?}") };
    assert_eq!(finding.parts, ["changes GET /notes/{id}/history"]);
    let (before, after) = (deployments("s", &with), deployments("s", &changed));
    assert_eq!(before.keys().collect::<Vec<_>>(), ["s/ApiId"]);
    assert_ne!(before, after);
    assert_eq!(before, deployments("s", &with));
}
