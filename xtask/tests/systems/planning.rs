//! Planning against what could be deployed.

use std::collections::BTreeMap;

use model::rendered::RenderedSystem;
use plan::{
    Action, Parameter, Plan,
    artifacts::{Artifact, ArtifactKind, Artifacts},
    observed::{Observed, ObservedFunction, ObservedStack},
    plan, preview, required_artifacts,
};
use serde_json::json;

use crate::{STAGES, rendered, stage};

fn systems() -> Vec<RenderedSystem> {
    rendered(&stage("local"))
}

fn artifact(kind: ArtifactKind, system: &str, name: &str, seed: u8) -> Artifact {
    Artifact {
        kind,
        system: system.to_owned(),
        name: name.to_owned(),
        path: "unused".into(),
        sha256: format!("{seed:02x}").repeat(32),
        zipped: 1,
        unzipped: 2,
    }
}

fn artifacts(systems: &[RenderedSystem], seed: u8) -> Artifacts {
    let stacks = || systems.iter().flat_map(|system| &system.stacks);
    Artifacts {
        functions: stacks()
            .flat_map(|stack| &stack.functions)
            .map(|function| {
                let artifact = artifact(ArtifactKind::Function, &function.id.system, function.id.artifact_name(), seed);
                (function.id.binary.clone(), artifact)
            })
            .collect(),
        layers: stacks()
            .flat_map(|stack| &stack.layers)
            .map(|layer| {
                let artifact = artifact(ArtifactKind::Layer, &layer.system, &layer.layer, seed);
                ((layer.system.clone(), layer.layer.clone()), artifact)
            })
            .collect(),
    }
}

/// What is deployed once a plan has been carried out, with every output called like itself.
fn deployed(plan: &Plan, systems: &[RenderedSystem], artifacts: &Artifacts) -> Observed {
    let mut observed = Observed::default();
    for stack in &plan.stacks {
        let outputs: BTreeMap<_, _> = stack.template["Outputs"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| (name.clone(), format!("{}/{name}", stack.name)))
            .collect();
        observed.stacks.insert(
            stack.name.clone(),
            ObservedStack {
                status: "CREATE_COMPLETE".to_owned(),
                reason: None,
                is_express: false,
                template: Some(stack.template.clone()),
                parameters: BTreeMap::new(),
                outputs,
                is_protected: false,
            },
        );
    }
    for stack in &plan.stacks {
        let value = |parameter: &Parameter| match parameter {
            Parameter::Value(value) => value.clone(),
            Parameter::Previous => String::new(),
            Parameter::Output { stack, output } => observed.output(stack, output).expect("the output exists"),
        };
        let parameters = stack.parameters.iter().map(|(name, parameter)| (name.clone(), value(parameter))).collect();
        observed.stacks.get_mut(&stack.name).expect("inserted").parameters = parameters;
    }
    for function in systems.iter().flat_map(|system| &system.stacks).flat_map(|stack| &stack.functions) {
        let code_sha256 = artifacts.functions[&function.id.binary].code_sha256();
        let live = Some("1".to_owned());
        observed
            .functions
            .insert(function.function_name.clone(), ObservedFunction { code_sha256, live, ..Default::default() });
    }
    observed
}

#[test]
fn a_fresh_stage_is_created_and_then_nothing_is_left_to_do() {
    let systems = systems();
    let artifacts = artifacts(&systems, 1);
    let first = plan("local", &systems, &artifacts, &Observed::default());
    assert!(first.stacks.iter().all(|stack| stack.action == Action::Create));
    assert_eq!(first.code, []);
    assert_eq!(required_artifacts(&first, &artifacts).len(), artifacts.functions.len() + artifacts.layers.len());

    let second = plan("local", &systems, &artifacts, &deployed(&first, &systems, &artifacts));
    assert!(second.is_empty(), "{second:?}");
    assert_eq!(required_artifacts(&second, &artifacts), Vec::<&Artifact>::new());
}

#[test]
fn new_code_alone_does_not_ask_cloudformation() {
    let systems = systems();
    let before = artifacts(&systems, 1);
    let observed = deployed(&plan("local", &systems, &before, &Observed::default()), &systems, &before);
    let mut after = before.clone();
    let changed = after.functions.get_mut("media-uploader-upload").expect("built");
    changed.sha256 = "ff".repeat(32);

    let planned = plan("local", &systems, &after, &observed);
    assert!(planned.stacks.iter().all(|stack| stack.action == Action::None), "{planned:?}");
    let [code] = planned.code.as_slice() else { panic!("{planned:?}") };
    assert_eq!(code.function_name, "media-uploader-upload-local");
    assert_eq!(required_artifacts(&planned, &after).len(), 1);
}

#[test]
fn code_that_cloudformation_would_not_see_is_changed_past_it() {
    let systems = systems();
    let artifacts = artifacts(&systems, 1);
    let mut observed = deployed(&plan("local", &systems, &artifacts, &Observed::default()), &systems, &artifacts);
    // Other code came the fast way, so the stack's parameter still names this one; and the template changes as well.
    let function = "media-uploader-upload-local";
    observed.functions.get_mut(function).expect("deployed").code_sha256 = "another".to_owned();
    let stack = observed.stacks.get_mut("media-uploader-api-local").expect("deployed");
    stack.template.as_mut().expect("a template")["Description"] = json!("older");

    let planned = plan("local", &systems, &artifacts, &observed);
    let update = planned.stacks.iter().find(|stack| stack.name == "media-uploader-api-local").expect("planned");
    assert!(matches!(update.action, Action::Update(_)), "{update:?}");
    let code: Vec<_> = planned.code.iter().map(|code| code.function_name.as_str()).collect();
    assert_eq!(code, [function]);
}

#[test]
fn a_function_whose_users_get_another_version_is_something_to_do() {
    let systems = systems();
    let artifacts = artifacts(&systems, 1);
    let mut observed = deployed(&plan("local", &systems, &artifacts, &Observed::default()), &systems, &artifacts);
    let function = "media-uploader-upload-local";
    observed.functions.get_mut(function).expect("deployed").is_unreleased = true;
    let planned = plan("local", &systems, &artifacts, &observed);
    assert!(!planned.is_empty());
    assert_eq!((planned.unreleased, planned.code), (vec![function.to_owned()], Vec::new()));
}

#[test]
fn a_changed_layer_or_template_updates_its_stack_and_passes_the_current_code_along() {
    let systems = systems();
    let before = artifacts(&systems, 1);
    let observed = deployed(&plan("local", &systems, &before, &Observed::default()), &systems, &before);
    let mut after = before.clone();
    after.layers.values_mut().for_each(|layer| layer.sha256 = "ee".repeat(32));
    let planned = plan("local", &systems, &after, &observed);
    let api = planned.stacks.iter().find(|stack| stack.stack == "api").expect("api");
    assert_eq!(api.action, Action::Update(vec!["parameter AwsUtilsLayerCodeKey".to_owned()]));
    assert_eq!(api.parameters["UploadMediaFunctionLiveVersion"], Parameter::Previous);
    let key = before.functions["media-uploader-upload"].key();
    assert_eq!(api.parameters["UploadMediaFunctionCodeKey"], Parameter::Value(key));
}

#[test]
fn a_changed_alias_is_told_the_version_that_is_really_live() {
    let mut systems = systems();
    let artifacts = artifacts(&systems, 1);
    let mut observed = deployed(&plan("local", &systems, &artifacts, &Observed::default()), &systems, &artifacts);
    observed.functions.get_mut("media-uploader-upload-local").expect("deployed").live = Some("7".to_owned());
    for stack in systems.iter_mut().flat_map(|system| &mut system.stacks).filter(|stack| stack.stack == "api") {
        stack.template["Resources"]["UploadMediaFunctionAlias"]["Properties"]["Description"] = json!("changed");
    }
    let planned = plan("local", &systems, &artifacts, &observed);
    let api = planned.stacks.iter().find(|stack| stack.stack == "api").expect("api");
    assert_eq!(api.parameters["UploadMediaFunctionLiveVersion"], Parameter::Value("7".to_owned()));
    assert_eq!(api.parameters["RetrieveMediaFunctionLiveVersion"], Parameter::Previous);
}

#[test]
fn a_stack_that_never_came_to_be_is_created_again() {
    let systems = systems();
    let artifacts = artifacts(&systems, 1);
    let mut observed = deployed(&plan("local", &systems, &artifacts, &Observed::default()), &systems, &artifacts);
    for status in ["ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"] {
        observed.stacks.get_mut("media-uploader-api-local").expect("deployed").status = status.to_owned();
        let planned = plan("local", &systems, &artifacts, &observed);
        let api = planned.stacks.iter().find(|stack| stack.stack == "api").expect("api");
        assert_eq!(api.action, Action::Create, "{status}");
        assert_eq!(api.parameters["UploadMediaFunctionLiveVersion"], Parameter::Value(String::new()));
    }
}

#[test]
fn a_stage_against_itself_is_empty_for_every_system() {
    for name in STAGES {
        let stage = stage(name);
        let systems = rendered(&stage);
        let stacks = systems.iter().flat_map(|system| &system.stacks).map(|stack| {
            let template = stack.template.clone();
            (stack.name.clone(), preview::BaselineStack { template, ..Default::default() })
        });
        let baseline = preview::Baseline { name: name.to_owned(), stacks: stacks.collect() };
        let preview = preview::preview(&stage, &systems, &baseline, None, Vec::new());
        assert!(preview.is_empty(), "{preview:#?}");
        assert!(preview.findings.iter().all(|finding| !finding.refused), "{:#?}", preview.findings);

        // As deployed, with every parameter known, too.
        let artifacts = artifacts(&systems, 1);
        let first = plan(name, &systems, &artifacts, &Observed::default());
        let observed = deployed(&first, &systems, &artifacts);
        let second = plan(name, &systems, &artifacts, &observed);
        let baseline = preview::Baseline::of(name.to_owned(), &observed);
        let preview = preview::preview(&stage, &systems, &baseline, Some(&second), Vec::new());
        assert!(preview.is_empty(), "{preview:#?}");
    }
}
