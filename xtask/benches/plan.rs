//! What a plan costs, and how that grows: render to text, validate, compare and show, at 1, 10 and 100 times the resources
//! of a small stack.

use std::collections::{BTreeMap, BTreeSet};

use divan::{Bencher, black_box};
use engine::render::{self, validate::Validator};
use model::{
    foundation,
    project::Project as _,
    rendered::{FormatVersion, RenderedStack, RenderedSystem},
    stage::Stage,
};
use plan::{
    preview::{Baseline, BaselineStack, preview},
    show,
};
use serde_json::{Value, json};

/// Functions of the small stack, each with a role and a table.
const FUNCTIONS: usize = 4;
/// How many times the small stack.
const TIMES: [usize; 3] = [1, 10, 100];

fn main() {
    divan::main();
}

fn stage() -> Stage {
    Stage::parse("prod", include_str!("../../stacks/stages/prod.yaml"), "prod.yaml").expect("a stage")
}

fn system(times: usize, memory: u32) -> RenderedSystem {
    let resources: serde_json::Map<_, _> =
        (0..FUNCTIONS * times).flat_map(|number| resources(number, memory)).collect();
    let stack = RenderedStack {
        system: "bench".to_owned(),
        stack: "functions".to_owned(),
        name: "bench-functions-prod".to_owned(),
        region: None,
        template: json!({ "Resources": resources }),
        parameters: BTreeMap::new(),
        depends_on: BTreeSet::new(),
        functions: Vec::new(),
        layers: Vec::new(),
        apis: Vec::new(),
    };
    RenderedSystem {
        version: FormatVersion,
        name: "bench".to_owned(),
        stacks: vec![stack],
        smoke: Vec::new(),
        live: Vec::new(),
        latency: None,
        sign_in: None,
        sites: Vec::new(),
        alarm_topic: None,
    }
}

fn resources(number: usize, memory: u32) -> [(String, Value); 3] {
    let role = json!({ "Type": "AWS::IAM::Role", "Properties": {
        "AssumeRolePolicyDocument": { "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" }, "Action": "sts:AssumeRole" }
        ] },
        "Policies": [{ "PolicyName": "own", "PolicyDocument": { "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": { "Fn::GetAtt": [format!("Table{number}"), "Arn"] } }
        ] } }],
    } });
    let function = json!({ "Type": "AWS::Lambda::Function", "Properties": {
        "FunctionName": format!("bench-{number}-prod"),
        "Role": { "Fn::GetAtt": [format!("Role{number}"), "Arn"] },
        "Code": { "S3Bucket": "artifacts", "S3Key": "key" },
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "MemorySize": memory,
        "Environment": { "Variables": { "TABLE": { "Ref": format!("Table{number}") } } },
    } });
    let table = json!({ "Type": "AWS::DynamoDB::Table", "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain", "Properties": {
        "TableName": format!("bench-{number}-prod"),
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{ "AttributeName": "pk", "AttributeType": "S" }],
        "KeySchema": [{ "AttributeName": "pk", "KeyType": "HASH" }],
        "PointInTimeRecoverySpecification": { "PointInTimeRecoveryEnabled": true },
    } });
    [(format!("Role{number}"), role), (format!("Function{number}"), function), (format!("Table{number}"), table)]
}

fn baseline(systems: &[RenderedSystem]) -> Baseline {
    let known = |stack: &RenderedStack| {
        let template = stack.template.clone();
        (stack.name.clone(), BaselineStack { template, ..BaselineStack::default() })
    };
    Baseline { name: "a commit".to_owned(), stacks: render::stacks_of(systems).map(known).collect() }
}

#[divan::bench(args = TIMES)]
fn render_to_text(bencher: Bencher, times: usize) {
    let (stage, systems) = (stage(), [system(times, 128)]);
    bencher.bench(|| render::files(black_box(&stage), black_box(&systems)));
}

#[divan::bench(args = TIMES, sample_count = 10)]
fn validate(bencher: Bencher, times: usize) {
    let (validator, system) = (Validator::new(), system(times, 128));
    // More than 500 resources are a finding, which costs the same to find.
    bencher.bench(|| black_box(validator.check(black_box(&system).stacks.iter()).is_ok()));
}

#[divan::bench(args = TIMES)]
fn plan_without_changes(bencher: Bencher, times: usize) {
    let (stage, systems) = (stage(), [system(times, 128)]);
    let baseline = baseline(&systems);
    bencher.bench(|| preview(&stage, black_box(&systems), black_box(&baseline), None, Vec::new()));
}

#[divan::bench(args = TIMES)]
fn plan_where_every_function_changes(bencher: Bencher, times: usize) {
    let (stage, systems) = (stage(), [system(times, 128)]);
    let baseline = baseline(&[system(times, 256)]);
    bencher.bench(|| preview(&stage, black_box(&systems), black_box(&baseline), None, Vec::new()));
}

#[divan::bench(args = TIMES)]
fn show_every_function_s_change(bencher: Bencher, times: usize) {
    let (stage, systems) = (stage(), [system(times, 128)]);
    let preview = preview(&stage, &systems, &baseline(&[system(times, 256)]), None, Vec::new());
    bencher.bench(|| show::text(black_box(&preview)));
}

#[divan::bench]
fn plan_every_system_of_a_stage(bencher: Bencher) {
    let stage = stage();
    bencher.bench(|| {
        let systems = stacks::Project.render(black_box(&stage)).expect("rendered");
        let systems = foundation::complete(&stage, systems, &[]).expect("completed");
        preview(&stage, &systems, &baseline(&systems), None, Vec::new())
    });
}
