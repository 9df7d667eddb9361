//! The cost of a plan and its growth: renders, compares and prints 1, 10, 100 and 1000 times the resources of a small stack, and
//! validates up to 100 times. Without a filter, it ends with the factors between these times: at most 12 for a plan.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    time::{Duration, Instant},
};

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
    show::{self, TextOptions},
};
use serde_json::{Value, json};

/// Functions of the small stack, each with a role and a table.
const FUNCTIONS: usize = 4;
/// The multiples of the small stack.
const TIMES: [usize; 4] = [1, 10, 100, 1000];
/// The multiples that are validated: CloudFormation allows 500 resources in a stack.
const VALIDATED: [usize; 3] = [1, 10, 100];
/// The shortest time for which each size is measured, and the least number of runs; the fastest run counts.
const MEASURED: (Duration, usize) = (Duration::from_millis(500), 3);

fn main() -> std::io::Result<()> {
    divan::main();
    // A test runner passes other arguments, and a filter asks for something else.
    if std::env::args().skip(1).eq(["--bench"]) { factors() } else { Ok(()) }
}

/// Measures each size in one run, and prints how much longer ten times the resources take.
fn factors() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "\nThe fastest run for each multiple of {} resources, and the factor to the multiple before:",
        3 * FUNCTIONS
    )?;
    for (name, run) in [
        ("render", fastest_rendering as fn(usize) -> Duration),
        ("plan without changes", |times| fastest_plan(times, 128)),
        ("plan where every function changes", |times| fastest_plan(times, 256)),
    ] {
        let mut line = format!("{name}:");
        let mut before: Option<Duration> = None;
        for times in TIMES {
            let time = run(times);
            let factor = before.map(|before| format!(" ({:.1} ×)", time.as_secs_f64() / before.as_secs_f64()));
            line += &format!(" {times}: {time:.2?}{}", factor.unwrap_or_default());
            before = Some(time);
        }
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn fastest_rendering(times: usize) -> Duration {
    let (stage, systems) = (stage(), [system(times, 128)]);
    fastest(&|| drop(render::files(black_box(&stage), black_box(&systems))))
}

fn fastest_plan(times: usize, memory_before: u32) -> Duration {
    let (stage, systems) = (stage(), [system(times, 128)]);
    let baseline = baseline(&[system(times, memory_before)]);
    fastest(&|| drop(preview(&stage, black_box(&systems), black_box(&baseline), None, Vec::new())))
}

fn fastest(run: &dyn Fn()) -> Duration {
    let (shortest, runs) = MEASURED;
    let (mut fastest, mut total, mut count) = (Duration::MAX, Duration::ZERO, 0);
    while total < shortest || count < runs {
        let start = Instant::now();
        run();
        let time = start.elapsed();
        (fastest, total, count) = (fastest.min(time), total + time, count + 1);
    }
    fastest
}

fn stage() -> Stage {
    let text = include_str!("../../stacks/stages/prod.yaml");
    stacks::Project.stage("prod", text, "prod.yaml").expect("the stage file is valid")
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
        web_sockets: Vec::new(),
    };
    RenderedSystem {
        version: FormatVersion,
        name: "bench".to_owned(),
        stacks: vec![stack],
        groups: std::collections::BTreeMap::new(),
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

#[divan::bench(args = TIMES, max_time = 5)]
fn render_to_text(bencher: Bencher, times: usize) {
    let (stage, systems) = (stage(), [system(times, 128)]);
    bencher.bench(|| render::files(black_box(&stage), black_box(&systems)));
}

#[divan::bench(args = VALIDATED, sample_count = 10)]
fn validate(bencher: Bencher, times: usize) {
    let (validator, system) = (Validator::new(), system(times, 128));
    // More than 500 resources are reported as an error, at the same cost.
    bencher.bench(|| black_box(validator.check(black_box(&system).stacks.iter()).is_ok()));
}

#[divan::bench(args = TIMES, max_time = 5)]
fn plan_without_changes(bencher: Bencher, times: usize) {
    let (stage, systems) = (stage(), [system(times, 128)]);
    let baseline = baseline(&systems);
    bencher.bench(|| preview(&stage, black_box(&systems), black_box(&baseline), None, Vec::new()));
}

#[divan::bench(args = TIMES, max_time = 5)]
fn plan_where_every_function_changes(bencher: Bencher, times: usize) {
    let (stage, systems) = (stage(), [system(times, 128)]);
    let baseline = baseline(&[system(times, 256)]);
    bencher.bench(|| preview(&stage, black_box(&systems), black_box(&baseline), None, Vec::new()));
}

#[divan::bench(args = TIMES, max_time = 5)]
fn print_a_change_of_every_function(bencher: Bencher, times: usize) {
    let (stage, systems) = (stage(), [system(times, 128)]);
    let preview = preview(&stage, &systems, &baseline(&[system(times, 256)]), None, Vec::new());
    bencher.bench(|| show::text(black_box(&preview), TextOptions::default()));
}

#[divan::bench]
fn plan_every_system_of_a_stage(bencher: Bencher) {
    let stage = stage();
    bencher.bench(|| {
        let systems = stacks::Project.render(black_box(&stage)).expect("the systems are rendered");
        let systems = foundation::complete(&stage, systems, &[]).expect("foundation is rendered");
        preview(&stage, &systems, &baseline(&systems), None, Vec::new())
    });
}
