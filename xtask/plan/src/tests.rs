//! Plans of the example project against possible states of its stages.

use std::collections::BTreeMap;

use model::{
    example::Example,
    rendered::{ParameterSource, RenderedFunction, RenderedLayer, RenderedStack},
    stage::Stage,
};
use serde_json::json;

use super::*;
use crate::{
    allow::Allowances,
    artifacts::ArtifactKind,
    file::{self, PlanFile},
    observed::{Observed, ObservedFunction, ObservedStack},
    preview::{Baseline, BaselineStack, Preview},
};

const STACK: &str = "notes-api-local";
const FUNCTION: &str = "notes-api-local";
const BINARY: &str = "notes-api";
const LAYER_KEY: &str = "FontsLayerCodeKey";

/// The example's systems; the API's stack has a layer as well.
fn systems(stage: &Stage) -> Vec<RenderedSystem> {
    let mut systems = Example::systems(stage);
    let name = format!("notes-api-{}", stage.name);
    let api = stack_mut(&mut systems, &name);
    let (system, layer) = ("notes".to_owned(), "fonts".to_owned());
    let source = ParameterSource::LayerCode { system: system.clone(), layer: layer.clone() };
    api.parameters.insert(LAYER_KEY.to_owned(), source);
    api.template["Parameters"][LAYER_KEY] = json!({ "Type": "String" });
    api.layers.push(RenderedLayer {
        layer_name: format!("{}-notes-fonts", stage.name),
        logical_id: "FontsLayer".to_owned(),
        source: "fonts".to_owned(),
        system,
        layer,
    });
    systems
}

fn local() -> Vec<RenderedSystem> {
    systems(&Example::stage_named("local"))
}

fn stack_mut<'a>(systems: &'a mut [RenderedSystem], name: &str) -> &'a mut RenderedStack {
    let mut stacks = systems.iter_mut().flat_map(|system| &mut system.stacks);
    stacks.find(|stack| stack.name == name).expect("the stack is rendered")
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
    let function = |function: &RenderedFunction| {
        let artifact = artifact(ArtifactKind::Function, &function.id.system, &function.id.function, seed);
        (function.id.binary.clone(), artifact)
    };
    let layer = |layer: &RenderedLayer| {
        let artifact = artifact(ArtifactKind::Layer, &layer.system, &layer.layer, seed);
        ((layer.system.clone(), layer.layer.clone()), artifact)
    };
    Artifacts {
        functions: stacks().flat_map(|stack| &stack.functions).map(function).collect(),
        layers: stacks().flat_map(|stack| &stack.layers).map(layer).collect(),
    }
}

#[test]
fn a_plan_is_for_certain_zips() {
    let (stage, observed) = (Example::stage_named("local"), Observed::default());
    let systems = systems(&stage);
    let of = |artifacts: &Artifacts| file::inputs(&stage, &systems, artifacts, &observed);
    let approved = PlanFile::new(
        file::Selection::default(),
        Allowances::default(),
        of(&artifacts(&systems, 1)),
        Preview::default(),
    );
    let path = camino::Utf8Path::new("plan.json");
    approved.check(path, &of(&artifacts(&systems, 1))).expect("the same zips");
    for is_function in [true, false] {
        let (mut given, other) = (artifacts(&systems, 1), artifacts(&systems, 2));
        if is_function {
            given.functions.insert(BINARY.to_owned(), other.functions[BINARY].clone());
        } else {
            given.layers.clone_from(&other.layers);
        }
        let refused = approved.check(path, &of(&given)).expect_err("refused").to_string();
        let expected = if is_function {
            format!("have changed: the code of {FUNCTION};")
        } else {
            "the files of layer".to_owned()
        };
        assert!(refused.contains(&expected), "{refused}");
    }
}

#[test]
fn a_stack_is_awaited_by_those_that_change_and_take_its_values() {
    let stage = Example::stage_named("dev");
    let systems = systems(&stage);
    let mut plan = plan("dev", &systems, &artifacts(&systems, 0), &Observed::default());
    let taker = plan.stacks.iter().position(|stack| !stack.depends_on.is_empty()).expect("a stack that needs another");
    let needed = plan.stacks[taker].depends_on[0].clone();
    let name = plan.stacks[taker].name.clone();
    assert!(plan.is_awaited(&needed));
    assert!(!plan.is_awaited(&name), "no stack takes its values");
    for stack in plan.stacks.iter_mut().filter(|stack| stack.depends_on.contains(&needed)) {
        stack.action = Action::None;
    }
    assert!(!plan.is_awaited(&needed));
}

/// The state after a plan has been executed. The value of every output is derived from its name.
fn deployed(plan: &Plan, systems: &[RenderedSystem], artifacts: &Artifacts) -> Observed {
    let mut observed = Observed::default();
    for stack in &plan.stacks {
        let outputs = stack.template["Outputs"].as_object().into_iter().flatten();
        let outputs = outputs.map(|(name, _)| (name.clone(), format!("{}/{name}", stack.name)));
        let deployed = ObservedStack {
            status: "CREATE_COMPLETE".to_owned(),
            template: Some(stack.template.clone()),
            outputs: outputs.collect(),
            ..ObservedStack::default()
        };
        observed.stacks.insert(stack.name.clone(), deployed);
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
        let deployed = ObservedFunction { code_sha256, live, ..ObservedFunction::default() };
        observed.functions.insert(function.function_name.clone(), deployed);
    }
    observed
}

/// The systems, their artifacts, and the stage after their first deploy.
fn deployed_once() -> (Vec<RenderedSystem>, Artifacts, Observed) {
    let systems = local();
    let artifacts = artifacts(&systems, 1);
    let first = plan("local", &systems, &artifacts, &Observed::default());
    let observed = deployed(&first, &systems, &artifacts);
    (systems, artifacts, observed)
}

fn planned<'a>(plan: &'a Plan, name: &str) -> &'a PlannedStack {
    plan.stacks.iter().find(|stack| stack.name == name).expect("the stack is planned")
}

#[test]
fn a_new_stage_is_created_and_then_unchanged() {
    let systems = local();
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
fn new_code_alone_does_not_update_a_stack() {
    let (systems, mut artifacts, observed) = deployed_once();
    artifacts.functions.get_mut(BINARY).expect("built").sha256 = "ff".repeat(32);

    let planned = plan("local", &systems, &artifacts, &observed);
    assert!(planned.stacks.iter().all(|stack| stack.action == Action::None), "{planned:?}");
    let [code] = planned.code.as_slice() else { panic!("{planned:?}") };
    assert_eq!(code.function_name, FUNCTION);
    assert_eq!(required_artifacts(&planned, &artifacts).len(), 1);
    let touched: Vec<_> = systems.iter().filter(|system| planned.touches(system)).map(|system| &system.name).collect();
    assert_eq!(touched, ["notes"]);
}

#[test]
fn code_whose_parameter_is_unchanged_is_updated_besides_its_stack() {
    let (systems, artifacts, mut observed) = deployed_once();
    // The code was changed without CloudFormation, so the stack's parameter still has the built key; the template changes too.
    observed.functions.get_mut(FUNCTION).expect("deployed").code_sha256 = "another".to_owned();
    let stack = observed.stacks.get_mut(STACK).expect("deployed");
    stack.template.as_mut().expect("a template")["Description"] = json!("older");

    let plan = plan("local", &systems, &artifacts, &observed);
    assert_eq!(planned(&plan, STACK).action, Action::Update(vec!["template".to_owned()]));
    let code: Vec<_> = plan.code.iter().map(|code| code.function_name.as_str()).collect();
    assert_eq!(code, [FUNCTION]);
}

#[test]
fn an_unreleased_function_is_a_change() {
    let (systems, artifacts, mut observed) = deployed_once();
    observed.functions.get_mut(FUNCTION).expect("deployed").is_unreleased = true;
    let planned = plan("local", &systems, &artifacts, &observed);
    assert!(!planned.is_empty());
    assert!(systems.iter().all(|system| planned.touches(system) == (system.name == "notes")));
    assert_eq!((planned.unreleased, planned.code), (vec![FUNCTION.to_owned()], Vec::new()));
}

#[test]
fn a_changed_layer_updates_its_stack_with_the_current_code() {
    let (systems, before, observed) = deployed_once();
    let mut after = before.clone();
    after.layers.values_mut().for_each(|layer| layer.sha256 = "ee".repeat(32));
    let plan = plan("local", &systems, &after, &observed);
    let api = planned(&plan, STACK);
    assert_eq!(api.action, Action::Update(vec![format!("parameter {LAYER_KEY}")]));
    assert_eq!(api.parameters["ApiFunctionLiveVersion"], Parameter::Previous);
    assert_eq!(api.parameters["ApiFunctionCodeKey"], Parameter::Value(before.functions[BINARY].key()));
}

#[test]
fn a_changed_alias_keeps_the_live_version() {
    let (mut systems, artifacts, mut observed) = deployed_once();
    observed.functions.get_mut(FUNCTION).expect("deployed").live = Some("7".to_owned());
    let api = stack_mut(&mut systems, STACK);
    api.template["Resources"]["ApiFunctionAlias"]["Properties"]["Description"] = json!("changed");
    let plan = plan("local", &systems, &artifacts, &observed);
    assert_eq!(planned(&plan, STACK).parameters["ApiFunctionLiveVersion"], Parameter::Value("7".to_owned()));
    let feeds = planned(&plan, "feeds-api-local");
    assert_eq!(feeds.parameters["FetchFunctionLiveVersion"], Parameter::Previous);
}

#[test]
fn a_stack_whose_creation_failed_is_created_again() {
    let (systems, artifacts, mut observed) = deployed_once();
    for status in ["ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"] {
        observed.stacks.get_mut(STACK).expect("deployed").status = status.to_owned();
        let plan = plan("local", &systems, &artifacts, &observed);
        let api = planned(&plan, STACK);
        assert_eq!(api.action, Action::Create, "{status}");
        assert_eq!(api.parameters["ApiFunctionLiveVersion"], Parameter::Value(String::new()));
    }
}

#[test]
fn a_stage_against_itself_is_unchanged() {
    for name in ["local", "prod"] {
        let stage = Example::stage_named(name);
        let systems = systems(&stage);
        let stacks = systems.iter().flat_map(|system| &system.stacks).map(|stack| {
            let template = stack.template.clone();
            (stack.name.clone(), BaselineStack { template, ..BaselineStack::default() })
        });
        let baseline = Baseline { name: name.to_owned(), stacks: stacks.collect() };
        let preview = preview::preview(&stage, &systems, &baseline, None, Vec::new());
        assert!(preview.is_empty(), "{preview:#?}");
        assert!(preview.findings.iter().all(|finding| !finding.refused), "{:#?}", preview.findings);

        // The same online, where every parameter is known.
        let artifacts = artifacts(&systems, 1);
        let first = plan(name, &systems, &artifacts, &Observed::default());
        let observed = deployed(&first, &systems, &artifacts);
        let second = plan(name, &systems, &artifacts, &observed);
        let baseline = Baseline::of(name.to_owned(), &observed);
        let preview = preview::preview(&stage, &systems, &baseline, Some(&second), preview::code(&second));
        assert!(preview.is_empty(), "{preview:#?}");
    }
}

#[test]
fn a_new_stage_is_previewed_in_deploy_order_and_by_system() {
    let stage = Example::stage_named("prod");
    let systems = systems(&stage);
    let preview = preview::preview(&stage, &systems, &Baseline::default(), None, Vec::new());
    assert!(preview.stacks.iter().all(|stack| stack.action == preview::StackAction::Create));
    let of: Vec<_> = preview.stacks.iter().filter_map(|stack| stack.system.as_deref()).collect();
    assert!(
        of.is_sorted_by_key(|system| ["foundation", "notes", "feeds"].iter().position(|name| name == system)),
        "{of:?}"
    );
    // Every system waits for foundation's bucket.
    let first = &preview.forecast.waves[0];
    assert!(first.iter().all(|stack| stack.starts_with("foundation-")), "{first:?}");
}

/// A protected stage that refuses every kind of change.
fn strict_stage() -> Stage {
    let refuse = "refuse: [widens-iam, opens-to-public, drops-alarm, breaks-clients]\n";
    let text = format!("{refuse}{}", model::example::PROD);
    Stage::parse("prod", &text, "prod.yaml").expect("a stage")
}

#[test]
fn a_strict_stage_accepts_new_bounded_roles_and_foundation_and_refuses_a_wider_role() {
    let stage = strict_stage();
    let systems = systems(&stage);
    let first = preview::preview(&stage, &systems, &Baseline::default(), None, Vec::new());
    assert_eq!(first.refused().map(|finding| finding.message.as_str()).collect::<Vec<_>>(), [""; 0]);
    let widened = first.findings.iter().filter(|finding| finding.kind == crate::findings::FindingKind::WidensIam);
    assert!(widened.count() > 0, "they are shown all the same");

    let widen = |template: &mut Value, logical_id: &str| {
        let policy = &mut template["Resources"][logical_id]["Properties"]["Policies"][0]["PolicyDocument"];
        for statement in policy["Statement"].as_array_mut().expect("statements") {
            statement["Resource"] = json!(["arn:aws:s3:::narrow/*"]);
        }
    };
    let stacks = systems.iter().flat_map(|system| &system.stacks).map(|stack| {
        let mut template = stack.template.clone();
        match stack.name.as_str() {
            "notes-api-prod" => widen(&mut template, "ApiFunctionRole"),
            "foundation-pipeline-prod" => widen(&mut template, "DeployRole"),
            _ => {}
        }
        (stack.name.clone(), BaselineStack { template, ..BaselineStack::default() })
    });
    let baseline = Baseline { name: "prod".to_owned(), stacks: stacks.collect() };
    let later = preview::preview(&stage, &systems, &baseline, None, Vec::new());
    let refused: Vec<_> = later.refused().map(|finding| finding.logical_id.as_str()).collect();
    assert_eq!(refused, ["ApiFunctionRole"]);
}

#[test]
fn stacks_of_the_baseline_that_are_not_defined_are_orphaned() {
    let stage = Example::stage_named("local");
    let systems = systems(&stage);
    let old = BaselineStack { template: json!({ "Resources": {} }), ..BaselineStack::default() };
    let stacks = BTreeMap::from([("notes-old-local".to_owned(), old)]);
    let baseline = Baseline { name: "main".to_owned(), stacks };
    let mut preview = preview::preview(&stage, &systems, &baseline, None, Vec::new());
    preview::add_orphans(&mut preview, &baseline);
    let orphans: Vec<_> = preview.orphans().map(|stack| stack.name.as_str()).collect();
    assert_eq!(orphans, ["notes-old-local"]);
    let text = console::strip_ansi_codes(&show::text(&preview, show::TextOptions::default())).into_owned();
    let (_, warnings) = text.split_once("\nWarnings\n").expect("warnings");
    assert!(warnings.contains("Stacks that are no longer defined (orphaned)"), "{text}");
    assert!(warnings.contains("! notes-old-local: no system of the stage defines it"), "{text}");
    let comment = show::markdown(&preview);
    assert_eq!(comment.matches("**notes-old-local**").count(), 1, "{comment}");
}

#[test]
fn an_orphan_may_be_in_another_region_and_takes_only_global_names() {
    let stage = Example::stage_named("prod");
    let systems = systems(&stage);
    let refused = |taken: &str| {
        let all = systems.iter().flat_map(|system| &system.stacks);
        let resources = all.flat_map(|stack| stack.template["Resources"].as_object().expect("resources").clone());
        let resources: serde_json::Map<_, _> = resources.filter(|(_, resource)| resource["Type"] == taken).collect();
        assert!(!resources.is_empty(), "{taken}");
        let template = json!({ "Resources": resources });
        let old = BaselineStack { template, ..BaselineStack::default() };
        let stacks = BTreeMap::from([("notes-old-prod".to_owned(), old)]);
        let baseline = Baseline { name: "main".to_owned(), stacks };
        refusals(&preview::preview(&stage, &systems, &baseline, None, Vec::new()))
    };
    assert_eq!(refused("AWS::DynamoDB::Table"), [""; 0]);
    assert!(!refused("AWS::S3::Bucket").is_empty());
}

/// The preview of the example's local stage, after `change` has changed the resources of the baseline's stacks.
fn preview_against(change: impl Fn(&str, &mut serde_json::Map<String, Value>)) -> preview::Preview {
    let stage = Example::stage_named("local");
    let systems = systems(&stage);
    let stacks = systems.iter().flat_map(|system| &system.stacks).map(|stack| {
        let mut template = stack.template.clone();
        change(&stack.name, template["Resources"].as_object_mut().expect("resources"));
        (stack.name.clone(), BaselineStack { template, ..BaselineStack::default() })
    });
    let baseline = Baseline { name: "main".to_owned(), stacks: stacks.collect() };
    preview::preview(&stage, &systems, &baseline, None, Vec::new())
}

fn refusals(preview: &preview::Preview) -> Vec<String> {
    let impossible = |finding: &&crate::findings::Finding| finding.kind == crate::findings::FindingKind::Impossible;
    preview.refused().filter(impossible).map(|finding| format!("{}: {}", finding.stack, finding.message)).collect()
}

#[test]
fn a_logical_id_that_is_renamed_without_its_name_is_refused() {
    let preview = preview_against(|_, resources| {
        if let Some(table) = resources.remove("NotesTable") {
            resources.insert("FormerTable".to_owned(), table);
        }
    });
    let found = refusals(&preview);
    let [why] = found.as_slice() else { panic!("{found:?}") };
    assert!(why.contains("NotesTable cannot be created: its TableName") && why.contains("FormerTable has it"), "{why}");
    assert!(preview.findings.iter().any(|finding| finding.logical_id == "FormerTable"), "{:?}", preview.findings);
}

#[test]
fn a_resource_that_moves_between_stacks_is_refused() {
    let table = std::cell::RefCell::new(None);
    // The stacks come in deploy order: the table was in a later stack than it is now.
    let preview = preview_against(|name, resources| match resources.remove("NotesTable") {
        Some(moved) => drop(table.replace(Some(moved))),
        None if name == "feeds-api-local" => {
            resources.insert("NotesTable".to_owned(), table.take().expect("removed from the earlier stack"));
        }
        None => {}
    });
    let found = refusals(&preview);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("feeds-api-local/NotesTable has it, and its stack is not deployed first"), "{found:?}");
}

#[test]
fn several_new_indexes_are_refused_with_the_steps() {
    let preview = preview_against(|_, _| {});
    assert_eq!(refusals(&preview), [""; 0]);
    let preview = preview_against(|_, resources| {
        if let Some(table) = resources.get_mut("NotesTable") {
            let index = |name: &str| json!({ "IndexName": name, "KeySchema": [], "Projection": {} });
            table["Properties"]["GlobalSecondaryIndexes"] = json!([index("a"), index("b")]);
        }
    });
    let found = refusals(&preview);
    assert!(found[0].contains("deploy each step separately: remove `a`, then remove `b`"), "{found:?}");
}
