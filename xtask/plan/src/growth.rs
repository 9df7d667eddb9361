//! The work of a plan grows in proportion to its input. Each test has an input in which one list is long, and which a search
//! through that list per item would make quadratic.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    growth::assert_linear,
    rendered::{FormatVersion, FunctionId, ParameterSource, RenderedFunction, RenderedStack, RenderedSystem},
    stage::Stage,
};
use serde_json::{Map, Value, json};

use crate::{
    Action, Plan,
    artifacts::{Artifact, ArtifactKind, Artifacts},
    change_set::{ChangeSetEntry, disagreements},
    changes::StackChanges,
    needed::missing_outputs,
    observed::{Observed, ObservedFunction, ObservedStack},
    plan,
    preview::{Baseline, BaselineStack, Preview, add_orphans, preview},
    required_artifacts,
    show::{TextOptions, text},
};

fn stage() -> Stage {
    Stage::parse("dev", "account: '111122223333'\nregion: eu-central-1", "dev.yaml").expect("a stage")
}

fn stack(system: &str, name: &str, resources: Map<String, Value>) -> RenderedStack {
    let template = json!({ "Resources": resources });
    RenderedStack::deployed(system.to_owned(), name.to_owned(), format!("{system}-{name}-dev"), None, template)
}

fn system(name: &str, stacks: Vec<RenderedStack>) -> RenderedSystem {
    RenderedSystem {
        version: FormatVersion,
        name: name.to_owned(),
        stacks,
        groups: BTreeMap::new(),
        smoke: Vec::new(),
        live: Vec::new(),
        latency: None,
        sign_in: None,
        sites: Vec::new(),
        alarm_topic: None,
    }
}

/// One stack of these resources.
fn one_stack(resources: impl Iterator<Item = (String, Value)>) -> [RenderedSystem; 1] {
    [system("shop", vec![stack("shop", "api", resources.collect())])]
}

fn baseline(systems: &[RenderedSystem]) -> Baseline {
    let known = |stack: &RenderedStack| {
        let template = stack.template.clone();
        (stack.name.clone(), BaselineStack { template, ..BaselineStack::default() })
    };
    Baseline { name: "a commit".to_owned(), stacks: systems.iter().flat_map(|s| &s.stacks).map(known).collect() }
}

/// A system after a change, and the state before it.
type Change = ([RenderedSystem; 1], Baseline);

fn preview_of((systems, baseline): &Change) -> Preview {
    preview(&stage(), systems, baseline, None, Vec::new())
}

fn resource(kind: &str, properties: &Value) -> Value {
    json!({ "Type": kind, "Properties": properties })
}

fn reference(target: String) -> Value {
    json!({ "Ref": target })
}

#[test]
fn changes_are_found_by_logical_id() {
    let topics = |count: usize| {
        one_stack((0..count).map(|number| (format!("Topic{number}"), resource("AWS::SNS::Topic", &json!({})))))
    };
    let input = |count| preview_of(&(topics(count), baseline(&one_stack(std::iter::empty())))).stacks.remove(0).changes;
    assert_linear(300, input, |changes: &StackChanges| {
        assert!(changes.resources.iter().all(|change| changes.of(&change.logical_id) == Some(change)));
    });
}

/// The last resource by name is replaced, and each replaced one replaces the one before it by name.
#[test]
fn a_chain_of_replaced_resources() {
    let chain = |count: usize, role: &str| {
        let mapping = |number: usize| {
            let next = if number + 1 == count { json!(role) } else { reference(format!("R{:09}", number + 1)) };
            resource("AWS::Lambda::EventSourceMapping", &json!({ "EventSourceArn": next, "FunctionName": "f" }))
        };
        one_stack((0..count).map(|number| (format!("R{number:09}"), mapping(number))))
    };
    let input = |count| (chain(count, "after"), baseline(&chain(count, "before")));
    assert_linear(200, input, |change| assert!(!preview_of(change).is_empty()));
}

#[test]
fn managed_policies_that_are_attached() {
    let policies = |count: usize| {
        let policy = resource("AWS::IAM::ManagedPolicy", &json!({ "PolicyDocument": {} }));
        let role = |number: usize| {
            resource("AWS::IAM::Role", &json!({ "ManagedPolicyArns": [reference(format!("Policy{number}"))] }))
        };
        let roles = (0..count).map(move |number| (format!("Role{number}"), role(number)));
        one_stack((0..count).map(move |number| (format!("Policy{number}"), policy.clone())).chain(roles))
    };
    let input = |count| (policies(count), baseline(&policies(count)));
    assert_linear(300, input, |change| assert!(preview_of(change).is_empty()));
}

#[test]
fn apis_with_changed_settings() {
    let apis = |count: usize, label: &'static str| {
        let id = |number: usize| json!({ "Ref": format!("Api{number}") });
        let api =
            |number| (format!("Api{number}"), resource("AWS::ApiGatewayV2::Api", &json!({ "ProtocolType": "HTTP" })));
        let route = move |number| {
            let properties = json!({ "ApiId": id(number), "RouteKey": "GET /", "OperationName": label });
            (format!("Route{number}"), resource("AWS::ApiGatewayV2::Route", &properties))
        };
        let stage = move |number| {
            let properties = json!({ "ApiId": id(number), "Description": label });
            (format!("Stage{number}"), resource("AWS::ApiGatewayV2::Stage", &properties))
        };
        one_stack((0..count).flat_map(move |number| [api(number), route(number), stage(number)]))
    };
    let input = |count| (apis(count, "after"), baseline(&apis(count, "before")));
    assert_linear(60, input, |change| assert!(!preview_of(change).findings.is_empty()));
}

#[test]
fn paths_with_variables() {
    let paths = |count: usize, variable: &'static str| {
        let path = move |number: usize| {
            let parent = json!({ "Fn::GetAtt": [format!("Api{number}"), "RootResourceId"] });
            resource("AWS::ApiGateway::Resource", &json!({ "ParentId": parent, "PathPart": variable }))
        };
        one_stack((0..count).map(move |number| (format!("Path{number}{}", &variable[1..2]), path(number))))
    };
    let input = |count| (paths(count, "{new}"), baseline(&paths(count, "{old}")));
    assert_linear(400, input, |change| assert!(preview_of(change).refused().next().is_some()));
}

/// A system of `count` stacks, of which each second one takes an output of the one before it.
fn stacks(count: usize, name: &str) -> [RenderedSystem; 1] {
    let one = |number: usize| {
        let mut stack = stack("shop", &format!("s{number}"), Map::new());
        stack.template["Description"] = json!(name);
        // Pairs: a chain of all would have more stacks before each stack than there are stacks.
        if number % 2 == 1 {
            let (owner, output) = (format!("s{}", number - 1), "Id".to_owned());
            stack.depends_on.insert(owner.clone());
            stack.parameters.insert("Id".to_owned(), ParameterSource::Output { stack: owner, output });
        }
        stack
    };
    [system("shop", (0..count).map(one).collect())]
}

#[test]
fn stacks_of_a_system() {
    let input = |count| {
        let systems = stacks(count, "after");
        let plan = plan("dev", &systems, &Artifacts::default(), &Observed::default());
        (systems, baseline(&stacks(count, "before")), plan)
    };
    assert_linear(800, input, |(systems, baseline, plan)| {
        let mut preview = preview(&stage(), systems, baseline, Some(plan), Vec::new());
        add_orphans(&mut preview, baseline);
        assert!(!preview.is_empty());
    });
}

#[test]
fn missing_outputs_of_a_system() {
    let input = |count| stacks(count, "new");
    assert_linear(400, input, |systems| assert_eq!(missing_outputs("dev", systems, &Observed::default()), []));
}

/// A change set as CloudFormation would answer, and the prediction.
#[test]
fn change_sets() {
    let topics = |count: usize| {
        one_stack((0..count).map(|number| (format!("Topic{number}"), resource("AWS::SNS::Topic", &json!({})))))
    };
    let input = |count| {
        let mut preview = preview_of(&(topics(count), baseline(&one_stack(std::iter::empty()))));
        let entry = |number| ChangeSetEntry {
            logical_id: format!("Topic{number}"),
            resource_type: "AWS::SNS::Topic".to_owned(),
            action: "Add".to_owned(),
            replacement: None,
        };
        preview.stacks[0].change_set = (0..count).map(entry).collect();
        preview
    };
    assert_linear(300, input, |preview| {
        let stack = &preview.stacks[0];
        assert_eq!(disagreements(&stack.name, &stack.changes, &stack.change_set), [""; 0]);
        assert!(text(preview, TextOptions::default()).contains("change set: Add"));
    });
}

/// A stack of functions that are deployed with other code, and with aliases that change.
fn functions(count: usize) -> (RenderedSystem, Artifacts, Observed) {
    let id = |number: usize| FunctionId {
        system: "shop".to_owned(),
        function: format!("f{number}"),
        binary: format!("f{number}"),
        logical_id: format!("F{number}"),
    };
    let artifact = |number: usize| Artifact {
        kind: ArtifactKind::Function,
        system: "shop".to_owned(),
        name: format!("f{number}"),
        path: "unused".into(),
        sha256: format!("{number:064x}"),
        zipped: 1,
        unzipped: 2,
    };
    let mut stack = stack("shop", "api", Map::new());
    let mut deployed = ObservedStack { status: "UPDATE_COMPLETE".to_owned(), ..ObservedStack::default() };
    for number in 0..count {
        let (code, version) = (format!("Code{number}"), format!("Version{number}"));
        deployed.parameters.insert(code.clone(), artifact(number).key());
        deployed.parameters.insert(version.clone(), "1".to_owned());
        stack.parameters.insert(code, ParameterSource::FunctionCode(id(number)));
        stack.parameters.insert(version, ParameterSource::AliasVersion(id(number)));
        stack.functions.push(RenderedFunction {
            id: id(number),
            function_name: format!("shop-f{number}-dev"),
            alias_logical_id: format!("Alias{number}"),
        });
    }
    let functions = stack.functions.iter().map(|function| {
        let deployed = ObservedFunction { code_sha256: "other".to_owned(), ..ObservedFunction::default() };
        (function.function_name.clone(), deployed)
    });
    let functions = functions.collect();
    let stacks = [(stack.name.clone(), deployed)].into();
    let artifacts = (0..count).map(|number| (format!("f{number}"), artifact(number))).collect();
    let artifacts = Artifacts { functions: artifacts, ..Artifacts::default() };
    (system("shop", vec![stack]), artifacts, Observed { stacks, functions, issuers: BTreeSet::new() })
}

#[test]
fn functions_with_new_code() {
    assert_linear(600, functions, |(system, artifacts, observed)| {
        let plan = plan("dev", std::slice::from_ref(system), artifacts, observed);
        assert!(matches!(plan.stacks[0].action, Action::Update(_)));
        assert_eq!(required_artifacts(&plan, artifacts).len(), artifacts.functions.len());
    });
}

#[test]
fn functions_of_another_system() {
    let input = |count| {
        let (system, artifacts, observed) = functions(count);
        let mut plan: Plan = plan("dev", std::slice::from_ref(&system), &artifacts, &observed);
        plan.stacks.clear();
        plan.code.iter_mut().for_each(|code| code.function_name.push('2'));
        (system, plan)
    };
    assert_linear(300, input, |(system, plan)| assert!(!plan.touches(system)));
}
