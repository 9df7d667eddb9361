//! The cost of templates in a deploy without changes: rendering, starting the validator, and validating or recognizing a template.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8PathBuf;
use divan::{Bencher, black_box};
use engine::render::validate::Validator;
use model::{foundation, project::Project as _, rendered::RenderedStack};
use serde_json::{Value, json};

fn main() {
    divan::main();
}

/// A stack of functions, each with its own role.
fn stack(functions: usize) -> RenderedStack {
    let mut resources = serde_json::Map::new();
    for number in 0..functions {
        resources.insert(format!("Role{number}"), role());
        resources.insert(format!("Function{number}"), function(number));
    }
    RenderedStack {
        system: "bench".to_owned(),
        stack: "functions".to_owned(),
        name: "bench-functions-dev".to_owned(),
        region: None,
        template: json!({ "Parameters": { "Code": { "Type": "String" } }, "Resources": resources }),
        parameters: BTreeMap::new(),
        depends_on: BTreeSet::new(),
        functions: Vec::new(),
        layers: Vec::new(),
        apis: Vec::new(),
        web_sockets: Vec::new(),
    }
}

fn role() -> Value {
    json!({ "Type": "AWS::IAM::Role", "Properties": { "AssumeRolePolicyDocument": {
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": "lambda.amazonaws.com" },
            "Action": "sts:AssumeRole",
        }],
    }}})
}

fn function(number: usize) -> Value {
    json!({ "Type": "AWS::Lambda::Function", "Properties": {
        "FunctionName": format!("bench-{number}-dev"),
        "Role": { "Fn::GetAtt": [format!("Role{number}"), "Arn"] },
        "Code": { "S3Bucket": "artifacts", "S3Key": { "Ref": "Code" } },
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Environment": { "Variables": { "STAGE": "dev" } },
    }})
}

#[divan::bench(sample_count = 10)]
fn start_the_validator_and_validate_a_template(bencher: Bencher) {
    let stack = stack(1);
    bencher.bench(|| Validator::new().check([black_box(&stack)]).expect("the template is valid"));
}

#[divan::bench(args = [1, 5, 20])]
fn validate_a_template(bencher: Bencher, functions: usize) {
    let (validator, stack) = (Validator::new(), stack(functions));
    validator.check([&stack]).expect("the template is valid");
    bencher.bench(|| validator.check([black_box(&stack)]).expect("the template is valid"));
}

#[divan::bench]
fn recognize_a_valid_template(bencher: Bencher) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let directory = Utf8PathBuf::from_path_buf(folder.path().to_owned()).expect("UTF-8");
    let (validator, stack) = (Validator::remembering(directory), stack(5));
    validator.check([&stack]).expect("the template is valid");
    bencher.bench(|| validator.check([black_box(&stack)]).expect("the template is valid"));
}

#[divan::bench]
fn render_every_system_of_a_stage(bencher: Bencher) {
    let text = include_str!("../../stacks/stages/prod.yaml");
    let stage = stacks::Project.stage("prod", text, "prod.yaml").expect("the stage file is valid");
    bencher.bench(|| {
        let systems = stacks::Project.render(black_box(&stage)).expect("the systems are rendered");
        foundation::complete(&stage, systems, &[]).expect("foundation is rendered")
    });
}
