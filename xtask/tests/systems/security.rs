//! The tables of `xtask/docs/security.md`. `INSTA_UPDATE=always` writes them, as it does snapshots.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use model::{
    rendered::{RenderedStack, RenderedSystem},
    requirements::{Wildcard, wildcards},
    stage::Stage,
};
use serde_json::Value;

use crate::{STAGES, rendered, stage};

/// Types that hold data.
const DATA: [&str; 6] = [
    "AWS::Cognito::UserPool",
    "AWS::DynamoDB::Table",
    "AWS::KMS::Key",
    "AWS::Route53::HostedZone",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
];

fn path(file: &str) -> Utf8PathBuf {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)
}

/// The stages on AWS, with their systems.
fn stages() -> Vec<(Stage, Vec<RenderedSystem>)> {
    let on_aws = STAGES.into_iter().map(stage).filter(|stage| !stage.is_local());
    on_aws.map(|stage| (stage.clone(), rendered(&stage))).collect()
}

fn stacks(systems: &[RenderedSystem]) -> impl Iterator<Item = &RenderedStack> {
    systems.iter().flat_map(|system| &system.stacks)
}

/// Rows by their cells; each row lists the stages that have it.
fn table(heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let heads: Vec<_> = heads.iter().map(|&head| head.to_owned()).collect();
    let rules = vec!["---".to_owned(); heads.len()];
    let escaped = |cells: Vec<String>| cells.into_iter().map(|cell| cell.replace('|', "\\|")).collect::<Vec<_>>();
    let rows = rows.into_iter().map(|cells| line(&escaped(cells)));
    format!("{}{}{}", line(&heads), line(&rules), rows.collect::<String>())
}

/// One row for each statement with a wildcard.
fn permissions(stages: &[(Stage, Vec<RenderedSystem>)]) -> String {
    let mut rows: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
    for (stage, systems) in stages {
        for stack in stacks(systems) {
            for wildcard in wildcards(stack) {
                let names = rows.entry(permission(stack, &wildcard, stage)).or_default();
                if !names.contains(&stage.name) {
                    names.push(stage.name.clone());
                }
            }
        }
    }
    let with_stages = rows.into_iter().map(|(cells, names)| [cells, vec![names.join(", ")]].concat());
    table(&["role or policy", "actions", "resources", "condition", "reason", "stages"], with_stages)
}

fn permission(stack: &RenderedStack, wildcard: &Wildcard, stage: &Stage) -> Vec<String> {
    // However its statements are packed, the execution role's policies are one.
    let holder = wildcard.logical_id.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let without_stage = |text: &str| text.replace(&format!("\"{}\"", stage.name), "\"STAGE\"");
    let condition =
        if wildcard.condition.is_null() { String::new() } else { without_stage(&wildcard.condition.to_string()) };
    let code = |texts: &[String]| texts.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(" ");
    let condition = if condition.is_empty() { condition } else { format!("`{condition}`") };
    let reason = wildcard.reason.clone().unwrap_or_else(|| "The condition limits the resources.".to_owned());
    let holder = format!("{}-{} {holder}", stack.system, stack.stack);
    vec![holder, code(&wildcard.actions), code(&wildcard.resources), condition, reason]
}

/// One row for each resource that holds data, with a cell for each stage.
fn data(stages: &[(Stage, Vec<RenderedSystem>)]) -> String {
    let mut rows: BTreeMap<[String; 3], Vec<String>> = BTreeMap::new();
    for (index, (stage, systems)) in stages.iter().enumerate() {
        for stack in stacks(systems) {
            let resources = stack.template["Resources"].as_object().into_iter().flatten();
            for (logical_id, resource) in
                resources.filter(|(_, resource)| DATA.iter().any(|name| resource["Type"] == *name))
            {
                let kind = resource["Type"].as_str().unwrap_or_default().replace("AWS::", "");
                let key = [stack.system.clone(), format!("{} {logical_id}", stack.stack), kind];
                let cells = rows.entry(key).or_insert_with(|| vec!["none".to_owned(); stages.len()]);
                cells[index] = protection(stage, resource);
            }
        }
    }
    let names = stages.iter().map(|(stage, _)| stage.name.as_str());
    let heads: Vec<_> = ["system", "resource", "type"].into_iter().chain(names).collect();
    table(&heads, rows.into_iter().map(|(key, cells)| key.into_iter().chain(cells).collect()))
}

/// What protects the data of a resource, in words.
fn protection(stage: &Stage, resource: &Value) -> String {
    let properties = &resource["Properties"];
    let refuses = properties["DeletionProtectionEnabled"] == true || properties["DeletionProtection"] == "ACTIVE";
    let recovery = &properties["PointInTimeRecoverySpecification"];
    let days = recovery["RecoveryPeriodInDays"].as_u64().filter(|_| recovery["PointInTimeRecoveryEnabled"] == true);
    let is_retained = resource["DeletionPolicy"].as_str().is_some_and(|policy| policy.starts_with("Retain"));
    let found = [
        is_retained.then(|| "kept without its stack".to_owned()),
        stage.protected.then(|| "stack refuses deletion".to_owned()),
        refuses.then(|| "refuses deletion".to_owned()),
        days.map(|days| format!("restorable for {days} days")),
        (properties["VersioningConfiguration"]["Status"] == "Enabled").then(|| "versioned".to_owned()),
    ];
    found.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// One row for each finding that the project accepts.
fn linters() -> String {
    let text = fs_err::read_to_string(path(".github/linter-exceptions.yml")).expect("the exceptions");
    let file: Value = serde_yaml::from_str(&text).expect("YAML");
    let rows = file["exceptions"].as_array().expect("a list").iter().map(|exception| {
        let field = |name: &str| exception[name].as_str().unwrap_or_else(|| panic!("{exception} has no {name}")).trim();
        let places = exception["places"].as_array().expect("places").iter();
        let places: Vec<_> = places.map(|place| format!("`{}`", place.as_str().expect("a place"))).collect();
        vec![field("linter").to_owned(), field("rule").to_owned(), places.join("<br>"), field("reason").to_owned()]
    });
    table(&["linter", "rule", "places", "reason"], rows)
}

/// Replaces the text between the markers of a section.
fn replaced(page: &str, name: &str, table: &str) -> String {
    let (start, end) = (format!("<!-- table: {name} -->\n"), format!("<!-- end: {name} -->"));
    let (before, rest) = page.split_once(&start).unwrap_or_else(|| panic!("no {start}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("no {end}"));
    format!("{before}{start}\n{table}\n{end}{after}")
}

#[test]
fn the_page_has_the_present_tables() {
    let (file, stages) = (path("xtask/docs/security.md"), stages());
    let page = fs_err::read_to_string(&file).expect("the page");
    let present = replaced(&page, "permissions", &permissions(&stages));
    let present = replaced(&present, "data", &data(&stages));
    let present = replaced(&present, "linters", &linters());
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        fs_err::write(&file, &present).expect("written");
        return;
    }
    assert!(page == present, "{file} should have these tables; INSTA_UPDATE=always writes them:\n{present}");
}

#[test]
fn every_wildcard_has_a_condition_or_a_reason() {
    for (stage, systems) in stages() {
        for stack in stacks(&systems) {
            for wildcard in wildcards(stack) {
                let is_explained = wildcard.reason.is_some() || !wildcard.condition.is_null();
                assert!(is_explained, "{} of {}: {wildcard:#?}", stage.name, stack.name);
            }
        }
    }
}

#[test]
fn data_of_protected_stages_is_kept_and_refuses_its_deletion() {
    for (stage, systems) in stages().into_iter().filter(|(stage, _)| stage.protected) {
        for stack in stacks(&systems) {
            let resources = stack.template["Resources"].as_object().into_iter().flatten();
            for (logical_id, resource) in
                resources.filter(|(_, resource)| DATA.iter().any(|name| resource["Type"] == *name))
            {
                let found = protection(&stage, resource);
                assert!(found.contains("kept without its stack"), "{}: {logical_id}: {found}", stack.name);
                let can_refuse =
                    ["AWS::Cognito::UserPool", "AWS::DynamoDB::Table"].iter().any(|name| resource["Type"] == *name);
                assert!(!can_refuse || found.contains(", refuses deletion"), "{}: {logical_id}: {found}", stack.name);
            }
        }
    }
}
