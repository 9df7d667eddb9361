//! Checks a template against quotas that cannot be raised.

use serde_json::{Map, Value};

use crate::findings::{Finding, FindingKind};

const CLOUDFORMATION: &str = "CloudFormation quotas";
const LAMBDA: &str = "Lambda quotas";
const IAM: &str = "IAM and STS quotas";
const S3: &str = "S3 bucket policy limits";

/// The use of one quota by a resource, or by the template if the logical ID is empty.
struct Usage<'a> {
    logical_id: &'a str,
    what: &'static str,
    used: usize,
    limit: usize,
    /// The page of AWS's documentation.
    page: &'static str,
}

/// Returns the quotas that a template has used up to four fifths or more. A plan that exceeds one is refused.
pub(crate) fn quotas(stack: &str, template: &Value) -> Vec<Finding> {
    let resources = template.get("Resources").and_then(Value::as_object).into_iter().flatten();
    let usages =
        of_template(template).into_iter().chain(resources.flat_map(|(id, resource)| of_resource(id, resource)));
    usages.filter(|usage| usage.used * 5 >= usage.limit * 4).map(|usage| finding(stack, &usage)).collect()
}

fn finding(stack: &str, usage: &Usage<'_>) -> Finding {
    let Usage { logical_id, what, used, limit, page } = usage;
    let resource = if logical_id.is_empty() { String::new() } else { format!("{logical_id}: ") };
    Finding {
        kind: FindingKind::Quota,
        stack: stack.to_owned(),
        logical_id: (*logical_id).to_owned(),
        message: format!("{resource}{what}: {used} of {limit} ({page})"),
        parts: Vec::new(),
        refused: used > limit,
    }
}

fn of_template(template: &Value) -> [Usage<'static>; 5] {
    let count = |section: &str| template.get(section).and_then(Value::as_object).map_or(0, Map::len);
    let usage = |what, used, limit| Usage { logical_id: "", what, used, limit, page: CLOUDFORMATION };
    [
        usage("parameters", count("Parameters"), 200),
        usage("resources", count("Resources"), 500),
        usage("outputs", count("Outputs"), 200),
        usage("mappings", count("Mappings"), 200),
        usage("bytes of template", template.to_string().len(), 1_048_576),
    ]
}

fn of_resource<'a>(logical_id: &'a str, resource: &Value) -> Vec<Usage<'a>> {
    let properties = &resource["Properties"];
    let usage = |what, used, limit, page| Usage { logical_id, what, used, limit, page };
    match resource["Type"].as_str().unwrap_or_default() {
        "AWS::Lambda::Function" => {
            let environment = length(&properties["Environment"]["Variables"]);
            let layers = properties["Layers"].as_array().map_or(0, Vec::len);
            vec![usage("bytes of environment", environment, 4096, LAMBDA), usage("layers", layers, 5, LAMBDA)]
        }
        "AWS::IAM::Role" => {
            let policies = properties["Policies"].as_array().into_iter().flatten();
            let inline = policies.map(|policy| length(&policy["PolicyDocument"])).sum();
            let trust = length(&properties["AssumeRolePolicyDocument"]);
            vec![
                usage("characters of inline policies", inline, 10_240, IAM),
                usage("characters of trust policy", trust, 2048, IAM),
            ]
        }
        "AWS::IAM::ManagedPolicy" => {
            vec![usage("characters of policy", length(&properties["PolicyDocument"]), 6144, IAM)]
        }
        "AWS::S3::BucketPolicy" => vec![usage("bytes of policy", length(&properties["PolicyDocument"]), 20_480, S3)],
        _ => Vec::new(),
    }
}

/// The approximate length of a document in which CloudFormation has filled in expressions: each counts as its text.
fn length(document: &Value) -> usize {
    match document {
        Value::Null => 0,
        Value::Object(object) => match object.get("Fn::Sub") {
            Some(text) => length(text.get(0).unwrap_or(text)),
            None => object.iter().map(|(key, value)| key.len() + 4 + length(value)).sum::<usize>() + 2,
        },
        Value::Array(items) => items.iter().map(|item| length(item) + 1).sum::<usize>() + 2,
        scalar => scalar.to_string().len(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_expression_is_as_long_as_its_text() {
        assert_eq!(length(&json!({ "Fn::Sub": "${AWS::Region}" })), r#""${AWS::Region}""#.len());
        assert_eq!(length(&json!({ "Fn::Sub": ["${A}", { "A": { "Ref": "B" } }] })), r#""${A}""#.len());
        assert!(length(&json!({ "Resource": ["a", "b"] })) >= r#"{"Resource":["a","b"]}"#.len());
    }

    #[test]
    fn a_quota_is_reported_from_four_fifths_and_refused_when_exceeded() {
        let template = |parameters: usize| {
            let parameters: Map<_, _> = (0..parameters).map(|n| (format!("P{n}"), json!({}))).collect();
            json!({ "Parameters": parameters, "Resources": {} })
        };
        assert_eq!(quotas("s", &template(100)), []);
        assert!(!quotas("s", &template(180))[0].refused);
        assert!(quotas("s", &template(201))[0].refused);
    }

    #[test]
    fn a_resource_s_quota_names_the_resource() {
        let variables = json!({ "LONG": "x".repeat(4096) });
        let function =
            json!({ "Type": "AWS::Lambda::Function", "Properties": { "Environment": { "Variables": variables } } });
        let found = quotas("s", &json!({ "Resources": { "Api": function } }));
        assert!(found[0].message.starts_with("Api: bytes of environment: 4"), "{found:?}");
        assert_eq!(found[0].logical_id, "Api");
    }
}
