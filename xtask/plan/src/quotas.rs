//! Checks a template against quotas that cannot be raised.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::{
    findings::{Finding, FindingKind},
    sizes::{Length, Sizes},
};

const CLOUDFORMATION: &str = "CloudFormation quotas";
const LAMBDA: &str = "Lambda quotas";
const IAM: &str = "IAM and STS quotas";
const S3: &str = "S3 bucket policy limits";

/// The use of one quota by a resource, or by the template if the logical ID is empty.
struct Usage<'a> {
    logical_id: &'a str,
    what: &'static str,
    used: Length,
    limit: usize,
    /// The page of AWS's documentation.
    page: &'static str,
}

/// Returns the quotas that a template may use up to four fifths or more. A plan that exceeds one for certain is refused.
pub(crate) fn quotas(sizes: &Sizes<'_>) -> Vec<Finding> {
    let template = &sizes.stack.template;
    let resources = template.get("Resources").and_then(Value::as_object).into_iter().flatten();
    let attached = attached(template);
    let of_resources = resources.flat_map(|(id, resource)| of_resource(id, resource, sizes, &attached));
    let usages = of_template(template).into_iter().chain(of_resources);
    usages
        .filter(|usage| usage.used.most * 5 >= usage.limit * 4)
        .map(|usage| finding(&sizes.stack.name, &usage))
        .collect()
}

fn finding(stack: &str, usage: &Usage<'_>) -> Finding {
    let Usage { logical_id, what, used, limit, page } = usage;
    let resource = if logical_id.is_empty() { String::new() } else { format!("{logical_id}: ") };
    let up_to = if used.least == used.most { "" } else { "up to " };
    Finding {
        kind: FindingKind::Quota,
        stack: stack.to_owned(),
        logical_id: (*logical_id).to_owned(),
        message: format!("{resource}{what}: {up_to}{} of {limit} ({page})", used.most),
        parts: Vec::new(),
        refused: used.least > *limit,
    }
}

fn of_template(template: &Value) -> [Usage<'static>; 5] {
    let count = |section: &str| template.get(section).and_then(Value::as_object).map_or(0, Map::len);
    let usage =
        |what, used, limit| Usage { logical_id: "", what, used: Length::exactly(used), limit, page: CLOUDFORMATION };
    [
        usage("parameters", count("Parameters"), 200),
        usage("resources", count("Resources"), 500),
        usage("outputs", count("Outputs"), 200),
        usage("mappings", count("Mappings"), 200),
        usage("bytes of template", template.to_string().len(), 1_048_576),
    ]
}

/// `attached` are the managed policies that roles of the template have.
fn of_resource<'a>(
    logical_id: &'a str,
    resource: &Value,
    sizes: &Sizes<'_>,
    attached: &BTreeSet<&str>,
) -> Vec<Usage<'a>> {
    let properties = &resource["Properties"];
    let usage = |what, used, limit, page| Usage { logical_id, what, used, limit, page };
    let length = |document: &Value| sizes.document(document);
    match resource["Type"].as_str().unwrap_or_default() {
        "AWS::Lambda::Function" => {
            // Lambda measures the variables as JSON, with their values filled in.
            let environment = length(&properties["Environment"]["Variables"]);
            let layers = Length::exactly(properties["Layers"].as_array().map_or(0, Vec::len));
            vec![usage("bytes of environment", environment, 4096, LAMBDA), usage("layers", layers, 5, LAMBDA)]
        }
        "AWS::IAM::Role" => {
            let policies = properties["Policies"].as_array().into_iter().flatten();
            let inline = policies.map(|policy| length(&policy["PolicyDocument"])).sum();
            let trust = length(&properties["AssumeRolePolicyDocument"]);
            let managed = Length::exactly(properties["ManagedPolicyArns"].as_array().map_or(0, Vec::len));
            vec![
                usage("characters of inline policies", inline, 10_240, IAM),
                usage("characters of trust policy", trust, 2048, IAM),
                usage("managed policies", managed, 10, IAM),
            ]
        }
        "AWS::IAM::ManagedPolicy" => {
            let own = usage("characters of policy", length(&properties["PolicyDocument"]), 6144, IAM);
            // The statements of a role fill one policy after the other, so the number of policies counts.
            let is_full = own.used.most <= own.limit && attached.contains(logical_id);
            if is_full { Vec::new() } else { vec![own] }
        }
        "AWS::S3::BucketPolicy" => vec![usage("bytes of policy", length(&properties["PolicyDocument"]), 20_480, S3)],
        _ => Vec::new(),
    }
}

/// Returns the policies of the template that its roles have, by logical ID.
fn attached(template: &Value) -> BTreeSet<&str> {
    let resources = template.get("Resources").and_then(Value::as_object).into_iter().flatten();
    let policies = resources.filter_map(|(_, resource)| resource["Properties"]["ManagedPolicyArns"].as_array());
    policies.flatten().filter_map(|attached| attached["Ref"].as_str()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use model::rendered::RenderedStack;
    use serde_json::json;

    use super::*;

    fn found(template: &Value) -> Vec<Finding> {
        let name = || "s".to_owned();
        let stack = RenderedStack::deployed(name(), name(), name(), None, template.clone());
        quotas(&Sizes { stack: &stack, stacks: &BTreeMap::new(), region: "eu-central-1" })
    }

    fn function(variables: &Value) -> Value {
        let queue = json!({ "Type": "AWS::SQS::Queue", "Properties": { "QueueName": "tasks" } });
        let properties = json!({ "Environment": { "Variables": variables } });
        let function = json!({ "Type": "AWS::Lambda::Function", "Properties": properties });
        json!({ "Resources": { "Api": function, "Tasks": queue, "Client": { "Type": "AWS::Cognito::UserPoolClient" } } })
    }

    #[test]
    fn a_quota_is_reported_from_four_fifths_and_refused_when_exceeded() {
        let template = |parameters: usize| {
            let parameters: Map<_, _> = (0..parameters).map(|n| (format!("P{n}"), json!({}))).collect();
            json!({ "Parameters": parameters, "Resources": {} })
        };
        assert_eq!(found(&template(100)), []);
        assert!(!found(&template(180))[0].refused);
        assert!(found(&template(201))[0].refused);
    }

    #[test]
    fn a_resource_s_quota_names_the_resource() {
        let found = found(&function(&json!({ "LONG": "x".repeat(4096) })));
        assert_eq!(found[0].message, "Api: bytes of environment: 4107 of 4096 (Lambda quotas)");
        assert_eq!(found[0].logical_id, "Api");
    }

    #[test]
    fn a_role_s_policies_are_counted_and_each_may_be_full() {
        let roles = |policies: usize, padding: usize| {
            let document = json!({ "Statement": [{ "Resource": ["x".repeat(padding)] }] });
            let policy = json!({ "Type": "AWS::IAM::ManagedPolicy", "Properties": { "PolicyDocument": document } });
            let names: Vec<_> = (0..policies).map(|number| format!("Policy{number}")).collect();
            let arns: Vec<_> = names.iter().map(|name| json!({ "Ref": name })).collect();
            let role = json!({ "Type": "AWS::IAM::Role", "Properties": { "ManagedPolicyArns": arns } });
            let all = names.iter().map(|name| (name.clone(), policy.clone())).chain([("Role".to_owned(), role)]);
            json!({ "Resources": all.collect::<Map<_, _>>() })
        };
        assert_eq!(found(&roles(7, 6000)), []);
        let many = found(&roles(8, 6000));
        assert_eq!(many.len(), 1, "{many:?}");
        assert_eq!(many[0].message, "Role: managed policies: 8 of 10 (IAM and STS quotas)");
        assert!(found(&roles(11, 10)).iter().any(|finding| finding.refused));
        assert_eq!(found(&roles(2, 6200)).iter().filter(|finding| finding.refused).count(), 2);
        let mut alone = roles(1, 6000);
        alone["Resources"].as_object_mut().expect("resources").remove("Role");
        assert_eq!(found(&alone).len(), 1, "a boundary is one policy");
    }

    #[test]
    fn an_environment_that_only_fits_before_it_is_filled_in_is_refused() {
        // As text, with `{"Ref":"Tasks"}`, these are 4,0xx bytes; the URL is 57 bytes long.
        let variables = |padding: usize| json!({ "LONG": "x".repeat(padding), "URL": { "Ref": "Tasks" } });
        let fits = 4096 - variables(0).to_string().len();
        assert!(variables(fits).to_string().len() == 4096);
        assert!(found(&function(&variables(fits)))[0].refused);
        let spare = "https://sqs.eu-central-1.amazonaws.com/123456789012/tasks".len() + 2 - r#"{"Ref":"Tasks"}"#.len();
        assert!(!found(&function(&variables(fits - spare)))[0].refused);
    }

    #[test]
    fn an_environment_that_may_not_fit_is_a_warning() {
        let variables = json!({ "LONG": "x".repeat(4000), "CLIENT": { "Ref": "Client" } });
        let found = found(&function(&variables));
        assert!(!found[0].refused && found[0].message.contains("up to 4"), "{found:?}");
    }
}
