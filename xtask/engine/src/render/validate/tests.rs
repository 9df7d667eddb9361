//! Sound templates, each kind of mistake, exceptions and requirements.

use std::sync::LazyLock;

use model::template::{Resource, Stack, System};
use serde_json::{Value, json};

use super::*;

mod http_apis;

/// Starting takes most of a second.
static VALIDATOR: LazyLock<Validator> = LazyLock::new(Validator::new);

fn stack(template: Value) -> RenderedStack {
    RenderedStack {
        system: "photos".to_owned(),
        stack: "api".to_owned(),
        name: "photos-api-dev".to_owned(),
        region: None,
        template,
        parameters: BTreeMap::new(),
        depends_on: std::collections::BTreeSet::new(),
        functions: Vec::new(),
        layers: Vec::new(),
        apis: Vec::new(),
        web_sockets: Vec::new(),
    }
}

fn function(properties: Value) -> Value {
    let mut all = json!({
        "Role": "arn:aws:iam::123456789012:role/upload",
        "Code": { "S3Bucket": "artifacts", "S3Key": { "Ref": "UploadCode" } },
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
    });
    for (name, value) in properties.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    json!({
        "Parameters": { "UploadCode": { "Type": "String" } },
        "Resources": { "Upload": { "Type": "AWS::Lambda::Function", "Properties": all } },
    })
}

fn errors(template: Value) -> Vec<Finding> {
    match VALIDATOR.check([&stack(template)]) {
        Ok(()) => Vec::new(),
        Err(ValidateError::Refused { findings }) => findings,
        Err(error) => panic!("the validator failed: {error}"),
    }
}

#[test]
fn the_remembered_templates_passed_this_version() {
    let (schemas, config) = (SchemaValidator::default(), ValidateConfig::default());
    let engine = CelEngine::new_with_schema_validator(EngineConfig::default(), &schemas).expect("an engine");
    let report = validate_bytes_with_path(&engine, &schemas, b"{\"Resources\":{}}", config, String::new());
    assert_eq!(report.expect("a report").version, VERSION);
}

#[test]
fn a_sound_template_passes() {
    assert_eq!(errors(function(json!({}))), []);
}

#[test]
fn a_typo_in_a_nested_property_is_an_error_with_its_path() {
    let found = errors(function(json!({ "Environment": { "Variable": {} } })));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].logical_id.as_deref(), Some("Upload"));
    assert_eq!(found[0].property.as_deref(), Some("Properties.Environment.Variable"));
    let message = ValidateError::Refused { findings: found }.to_string();
    assert!(message.contains("photos-api-dev › Upload › Properties.Environment.Variable: Additional"), "{message}");
}

#[test]
fn each_kind_of_mistake_is_found() {
    for (mistake, template, rule) in [
        ("an unlisted value", function(json!({ "Runtime": "provided.al2024" })), "W3030"),
        ("a wrong type", function(json!({ "Timeout": "long" })), "F3012"),
        ("a value out of range", function(json!({ "MemorySize": 10 })), "F3034"),
        ("a required property missing", function(json!({ "Code": null })), "F3003"),
        ("a reference to nothing", function(json!({ "Role": { "Ref": "Nothing" } })), "F1020"),
        ("an attribute of nothing", function(json!({ "Role": { "Fn::GetAtt": ["Role", "Arn"] } })), "F1020"),
        ("a substitution of nothing", function(json!({ "Role": { "Fn::Sub": "${Role.Arn}" } })), "F1018"),
        ("an unknown type", json!({ "Resources": { "A": { "Type": "AWS::Lambda::Alia" } } }), "F3006"),
        (
            "a dependency on nothing",
            json!({ "Resources": { "A": { "Type": "AWS::S3::Bucket", "DependsOn": "B" } } }),
            "E3005",
        ),
        (
            "an unknown attribute",
            json!({
                "Resources": { "A": { "Type": "AWS::S3::Bucket" } },
                "Outputs": { "B": { "Value": { "Fn::GetAtt": ["A", "Arrn"] } } },
            }),
            "F6101",
        ),
        ("no resources", json!({ "Resources": "none" }), "F0001"),
    ] {
        let found = errors(template);
        assert!(found.iter().any(|finding| finding.rule == rule), "{mistake}: {found:?}");
    }
}

#[test]
fn advice_is_ignored_and_warnings_are_only_reported() {
    let bucket = json!({ "Resources": { "A": { "Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain" } } });
    let found = VALIDATOR.validate(&stack(bucket.clone())).expect("the validator works");
    assert!(found.iter().any(|finding| finding.rule == "W3011"), "{found:?}");
    assert!(found.iter().all(|finding| finding.severity == Severity::Warning), "{found:?}");
    assert_eq!(errors(bucket), []);
}

#[test]
fn a_finding_is_only_accepted_where_its_resource_has_an_exception() {
    let with = |rule: &str, logical_id: &str| {
        let mut template = function(json!({ "Timeout": "long" }));
        let exception = json!({ "Exceptions": [{ "Rule": rule, "Reason": "a test" }] });
        template["Resources"][logical_id] = template["Resources"]["Upload"].take();
        template["Resources"][logical_id]["Metadata"] = exception;
        if logical_id != "Upload" {
            template["Resources"]["Upload"] = function(json!({ "Timeout": "long" }))["Resources"]["Upload"].take();
        }
        errors(template).len()
    };
    assert_eq!(errors(function(json!({ "Timeout": "long" }))).len(), 1);
    assert_eq!(with("F3012", "Upload"), 0);
    assert_eq!(with("F3003", "Upload"), 1);
    assert_eq!(with("F3012", "Download"), 1);
}

#[test]
fn broken_requirements_refuse_a_system_with_the_templates_mistakes() {
    let text = "account: '111122223333'\nregion: eu-central-1";
    let stage = Stage::parse("dev", text, "stages/dev.yaml").expect("a stage");
    let mut data = Stack::new("data", "Data.");
    let properties = json!({ "VisibilityTimeout": "long", "SqsManagedSseEnabled": false });
    data.resource("Tasks", Resource::new("AWS::SQS::Queue", properties));
    let systems = [System::new("shop", [data]).render(&stage).expect("rendered")];
    let rules = |result: Result<(), ValidateError>| match result {
        Err(ValidateError::Refused { findings }) => findings.into_iter().map(|finding| finding.rule).collect(),
        other => panic!("{other:?}"),
    };
    let all: Vec<_> = rules(VALIDATOR.check_systems(&stage, &systems));
    assert_eq!(all, ["encryption", "tls", "F3012"]);
    let required: Vec<_> = rules(require(&stage, &systems));
    assert_eq!(required, ["encryption", "tls"]);
}

#[test]
fn every_refusal_has_a_reason() {
    assert!(REFUSED.iter().all(|refused| refused.reason.split(' ').count() > 3));
}

#[test]
fn only_valid_templates_are_recorded() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let directory = Utf8PathBuf::from_path_buf(folder.path().join("validated")).expect("UTF-8");
    let (good, bad) = (stack(function(json!({}))), stack(function(json!({ "Timeout": "long" }))));
    Validator::remembering(directory.clone()).check([&bad, &good]).expect_err("one of them is bad");
    assert!(directory.join(fingerprint(&good)).exists());
    assert!(!directory.join(fingerprint(&bad)).exists());

    let again = Validator::remembering(directory);
    again.check([&good]).expect("it is remembered");
    assert!(again.engine.get().is_none(), "an unchanged template must not start the validator");
    again.check([&bad]).expect_err("still bad");
}

#[test]
fn a_misspelt_action_is_refused_with_the_closest_one() {
    let policy = |action: &str, metadata: Value| {
        let table = "arn:aws:dynamodb:eu-central-1:111122223333:table/notes";
        let statement = json!({ "Effect": "Allow", "Action": [action], "Resource": [table] });
        let document = json!({ "Version": "2012-10-17", "Statement": [statement] });
        let properties = json!({ "PolicyDocument": document });
        json!({ "Resources": { "Policy": { "Type": "AWS::IAM::ManagedPolicy", "Properties": properties, "Metadata": metadata } } })
    };
    let unknown = |action: &str, metadata: Value| {
        let found = errors(policy(action, metadata)).into_iter().filter(|found| found.rule == actions::RULE);
        found.map(|found| found.message).collect::<Vec<_>>()
    };
    assert_eq!(
        unknown("dynamodb:Querry", json!({})),
        ["`dynamodb:Querry` is no action that has resources, so it allows nothing; did you mean `dynamodb:query`?"]
    );
    for right in ["dynamodb:Query", "dynamodb:query", "other-service:Querry"] {
        assert_eq!(unknown(right, json!({})), [""; 0], "{right}");
    }
    let exception =
        json!({ "Exceptions": [{ "Rule": actions::RULE, "Reason": "The action is newer than the list." }] });
    assert_eq!(unknown("dynamodb:Querry", exception), [""; 0]);
}
