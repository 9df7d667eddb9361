use resolve::Known;
use serde_json::json;

use super::*;

fn changes(old: &Value, new: &Value) -> StackChanges {
    let none = BTreeMap::new();
    let side = |template| Some(Known { template, parameters: &none });
    compare(side(old), side(new), &BTreeMap::new())
}

fn template(resources: Value) -> Value {
    json!({ "Resources": resources })
}

fn table(name: &str) -> Value {
    json!({ "Type": "AWS::DynamoDB::Table", "UpdateReplacePolicy": "Retain", "DeletionPolicy": "Retain",
            "Properties": { "TableName": name, "BillingMode": "PAY_PER_REQUEST" } })
}

#[test]
fn a_template_against_itself_is_no_change() {
    let template = template(json!({ "Table": table("a") }));
    assert_eq!(changes(&template, &template), StackChanges::default());
}

#[test]
fn resources_that_refer_to_a_replaced_one_change_with_it() {
    let with = |name: &str| {
        template(json!({
            "Table": table(name),
            "Role": { "Type": "AWS::IAM::Role", "Properties": { "Policies": [
                { "PolicyDocument": { "Statement": [{ "Resource": { "Fn::GetAtt": ["Table", "Arn"] } }] } }
            ] } },
            "Mapping": { "Type": "AWS::Lambda::EventSourceMapping", "Properties": {
                "EventSourceArn": { "Fn::GetAtt": ["Table", "StreamArn"] }, "FunctionName": "f" } },
            "Other": { "Type": "AWS::SNS::Topic" },
        }))
    };
    let changes = changes(&with("a"), &with("b"));
    let table = changes.of("Table").expect("the table changes");
    assert_eq!((table.action, table.certainty), (ResourceAction::Replace, Certainty::Certain));
    assert_eq!(table.causes[0].property, "TableName");
    assert!(table.retained);
    let role = changes.of("Role").expect("the role changes with it");
    assert_eq!(role.action, ResourceAction::Update);
    assert_eq!(role.properties[0].follows.as_deref(), Some("Table"));
    let mapping = changes.of("Mapping").expect("the mapping is replaced with it");
    assert_eq!(mapping.action, ResourceAction::Replace);
    assert!(changes.of("Other").is_none());
}

#[test]
fn another_view_type_is_a_new_stream_for_its_mapping() {
    let with = |view: &str| {
        let mut table = table("a");
        table["Properties"]["StreamSpecification"] = json!({ "StreamViewType": view });
        template(json!({
            "Table": table,
            "Reader": { "Type": "AWS::SSM::Parameter", "Properties": { "Value": { "Fn::GetAtt": ["Table", "Arn"] } } },
            "Mapping": { "Type": "AWS::Lambda::EventSourceMapping", "Properties": {
                "EventSourceArn": { "Fn::GetAtt": ["Table", "StreamArn"] }, "FunctionName": "f" } },
        }))
    };
    let changes = changes(&with("KEYS_ONLY"), &with("NEW_IMAGE"));
    assert_eq!(changes.of("Table").expect("the table changes").action, ResourceAction::Update);
    let mapping = changes.of("Mapping").expect("the mapping is replaced");
    assert_eq!((mapping.action, mapping.certainty), (ResourceAction::Replace, Certainty::Certain));
    assert!(changes.of("Reader").is_none(), "the table keeps its ARN");
}

#[test]
fn a_conditional_replacement_has_conditional_consequences() {
    let with = |bus: &str| {
        template(json!({
            "Rule": { "Type": "AWS::Events::Rule", "Properties": { "EventBusName": bus } },
            "Parameter": { "Type": "AWS::SSM::Parameter", "Properties": { "Value": { "Ref": "Rule" } } },
        }))
    };
    let changes = changes(&with("a"), &with("b"));
    let rule = changes.of("Rule").expect("the rule changes");
    assert_eq!((rule.action, rule.certainty), (ResourceAction::Replace, Certainty::Conditional));
    assert_eq!(changes.of("Parameter").expect("it follows").certainty, Certainty::Conditional);
}

#[test]
fn a_resource_cannot_be_replaced_under_a_fixed_name() {
    let with = |import: &str| {
        let mut table = table("a");
        table["Properties"]["ImportSourceSpecification"] = json!({ "InputFormat": import });
        template(json!({ "Table": table }))
    };
    let changes = changes(&with("CSV"), &with("ION"));
    let why = changes.of("Table").and_then(|table| table.impossible.as_deref()).expect("impossible");
    assert!(why.contains("TableName"), "{why}");
}

#[test]
fn a_type_cannot_change() {
    let old = template(json!({ "A": { "Type": "AWS::SNS::Topic" } }));
    let new = template(json!({ "A": { "Type": "AWS::SQS::Queue" } }));
    let changes = changes(&old, &new);
    assert!(changes.of("A").and_then(|change| change.impossible.as_deref()).is_some_and(|why| why.contains("type")));
}

#[test]
fn a_resource_whose_condition_is_unmet_does_not_exist() {
    let template = json!({
        "Parameters": { "Live": { "Type": "String" } },
        "Conditions": { "First": { "Fn::Equals": [{ "Ref": "Live" }, ""] } },
        "Resources": { "Version": { "Type": "AWS::Lambda::Version", "Condition": "First", "DeletionPolicy": "Retain" } },
    });
    let live = |version: &str| BTreeMap::from([("Live".to_owned(), version.to_owned())]);
    let (first, later) = (live(""), live("1"));
    let changes = compare(
        Some(Known { template: &template, parameters: &first }),
        Some(Known { template: &template, parameters: &later }),
        &BTreeMap::new(),
    );
    let version = changes.of("Version").expect("it is deleted");
    assert_eq!((version.action, version.retained), (ResourceAction::Delete, true));
}

#[test]
fn a_changing_parameter_changes_its_resources_and_outputs() {
    let template = json!({
        "Parameters": { "TableArn": { "Type": "String" } },
        "Resources": { "Mapping": { "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": { "EventSourceArn": { "Ref": "TableArn" } } } },
        "Outputs": { "Arn": { "Value": { "Ref": "TableArn" } }, "Id": { "Value": { "Ref": "Mapping" } } },
    });
    let none = BTreeMap::new();
    let side = Some(Known { template: &template, parameters: &none });
    let moved = BTreeMap::from([("TableArn".to_owned(), Certainty::Certain)]);
    let changes = compare(side, side, &moved);
    assert_eq!(changes.of("Mapping").expect("it follows").action, ResourceAction::Replace);
    assert_eq!(changes.moved_outputs.keys().collect::<Vec<_>>(), ["Arn", "Id"]);
}

#[test]
fn a_type_without_a_schema_has_unknown_changes() {
    let with = |value: u32| template(json!({ "A": { "Type": "Custom::Thing", "Properties": { "Value": value } } }));
    let changes = changes(&with(1), &with(2));
    let change = changes.of("A").expect("it changes");
    assert_eq!((change.action, change.certainty), (ResourceAction::Update, Certainty::Unknown));
}
