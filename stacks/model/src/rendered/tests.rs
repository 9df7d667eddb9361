//! The JSON of a rendered system.

use contract::Method;
use serde_json::json;

use super::*;

fn system() -> RenderedSystem {
    let id = FunctionId::from(FunctionName::new("notes", "api", "ApiFunction"));
    let stack = RenderedStack {
        parameters: [
            ("ArtifactBucket".to_owned(), ParameterSource::ArtifactBucket),
            ("ApiFunctionCodeKey".to_owned(), ParameterSource::FunctionCode(id)),
            (
                "TableName".to_owned(),
                ParameterSource::Output { stack: "data".to_owned(), output: "TableName".to_owned() },
            ),
        ]
        .into(),
        ..RenderedStack::deployed(
            "notes".to_owned(),
            "api".to_owned(),
            "notes-api-dev".to_owned(),
            None,
            json!({ "Resources": { "Alarm": { "Type": "AWS::CloudWatch::Alarm", "Properties": {
                "Threshold": 0.1, "Period": 300, "ActionsEnabled": true, "Description": "12:30:45", "Unit": null,
            } } } }),
        )
    };
    RenderedSystem {
        version: FormatVersion,
        name: "notes".to_owned(),
        stacks: vec![stack],
        groups: [("all".to_owned(), vec!["api".to_owned()])].into(),
        smoke: Vec::new(),
        live: vec![LiveCheck::preflight("Api", Method::Post, "/notes", "https://example.com")],
        latency: None,
        sign_in: None,
        sites: Vec::new(),
        alarm_topic: None,
    }
}

#[test]
fn a_system_survives_a_round_trip_through_json() {
    let text = serde_json::to_string(&system()).expect("JSON");
    assert_eq!(serde_json::from_str::<RenderedSystem>(&text).expect("a system"), system());
}

#[test]
fn json_starts_with_the_version_and_has_camel_case_names() {
    let text = serde_json::to_string(&system()).expect("JSON");
    assert!(text.starts_with(&format!(r#"{{"version":{VERSION},"name":"notes""#)), "{text}");
    let json: Value = serde_json::from_str(&text).expect("JSON");
    let stack = &json["stacks"][0];
    assert_eq!(stack["parameters"]["ArtifactBucket"], "artifactBucket");
    assert_eq!(stack["parameters"]["TableName"], json!({ "output": { "stack": "data", "output": "TableName" } }));
    assert_eq!(stack["parameters"]["ApiFunctionCodeKey"]["functionCode"]["logicalId"], "ApiFunction");
    assert_eq!(stack["template"], system().stacks[0].template);
    assert_eq!((&json["live"][0]["kind"], &json["live"][0]["method"]), (&json!("cors"), &json!("OPTIONS")));
    assert!(json.as_object().expect("an object").contains_key("alarmTopic"));
}

#[test]
fn another_version_and_unknown_fields_are_refused() {
    let mut json = serde_json::to_value(system()).expect("JSON");
    json["version"] = json!(1);
    let error = RenderedSystem::deserialize(&json).expect_err("another version").to_string();
    assert!(error.contains("format version 1, but version 3 is required"), "{error}");
    json["version"] = json!(VERSION);
    json["colour"] = json!("blue");
    let error = RenderedSystem::deserialize(&json).expect_err("an unknown field").to_string();
    assert!(error.contains("unknown field `colour`"), "{error}");
    let object = json.as_object_mut().expect("an object");
    object.remove("colour");
    object.remove("version");
    let error = RenderedSystem::deserialize(&json).expect_err("no version").to_string();
    assert!(error.contains("missing field `version`"), "{error}");
}
