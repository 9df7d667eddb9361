//! What a deploy of a plan will be like: what runs in parallel, what is known to be slow, which quotas are near.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    changes::{ResourceAction, StackChanges},
    findings::{Finding, FindingKind},
};

/// What a deploy will be like.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Forecast {
    /// Stacks that are deployed at the same time, wave after wave.
    pub waves: Vec<Vec<String>>,
    /// The stacks that make the longest way.
    pub critical_path: Vec<String>,
    /// Resources that are known to take minutes, each with how long, as AWS says.
    pub slow: Vec<String>,
}

/// Types known to take long, in minutes, and where that is said.
const SLOW: &[(&str, u32, &str)] = &[
    ("AWS::CloudFront::Distribution", 5, "CloudFront deploys to every edge location"),
    ("AWS::CertificateManager::Certificate", 10, "ACM waits until DNS shows the validation record"),
    ("AWS::ApiGateway::DomainName", 5, "API Gateway provisions a custom domain"),
    ("AWS::ApiGatewayV2::DomainName", 5, "API Gateway provisions a custom domain"),
    ("AWS::Cognito::UserPoolDomain", 5, "a custom domain of a user pool is a CloudFront distribution"),
    ("AWS::RDS::DBInstance", 15, "RDS starts an instance"),
    ("AWS::OpenSearchService::Domain", 20, "OpenSearch starts a domain"),
];

/// A stack as far as a forecast looks at it.
#[derive(Debug, Clone, Copy)]
pub struct Upcoming<'a> {
    /// Its name.
    pub name: &'a str,
    /// The stacks it waits for.
    pub depends_on: &'a [String],
    /// What happens in it.
    pub changes: &'a StackChanges,
}

/// Forecasts the deploy of stacks that would change; unchanged ones take no time.
#[must_use]
pub fn forecast(stacks: &[Upcoming<'_>]) -> Forecast {
    let names: Vec<_> = stacks.iter().map(|stack| stack.name).collect();
    let mut waves: Vec<Vec<String>> = Vec::new();
    let mut wave_of: BTreeMap<&str, usize> = BTreeMap::new();
    // Minutes until a stack is done, and the way there.
    let mut ends: BTreeMap<&str, (u32, Vec<String>)> = BTreeMap::new();
    for stack in stacks {
        let needed = stack.depends_on.iter().map(String::as_str).filter(|needed| names.contains(needed));
        let wave = needed.clone().filter_map(|needed| wave_of.get(needed)).map(|wave| wave + 1).max().unwrap_or(0);
        if waves.len() == wave {
            waves.push(Vec::new());
        }
        waves[wave].push(stack.name.to_owned());
        wave_of.insert(stack.name, wave);
        let (before, mut way) = needed
            .filter_map(|needed| ends.get(needed))
            .max_by_key(|(minutes, _)| *minutes)
            .cloned()
            .unwrap_or_default();
        way.push(stack.name.to_owned());
        ends.insert(stack.name, (before + minutes(stack.changes), way));
    }
    let critical_path = ends.into_values().max_by_key(|(minutes, way)| (*minutes, way.len())).map(|(_, way)| way);
    let slow = stacks.iter().flat_map(|stack| {
        touched(stack.changes).map(|(id, minutes, why)| format!("{}/{id}: about {minutes} min: {why}", stack.name))
    });
    Forecast { waves, critical_path: critical_path.unwrap_or_default(), slow: slow.collect() }
}

fn minutes(changes: &StackChanges) -> u32 {
    1 + touched(changes).map(|(_, minutes, _)| minutes).max().unwrap_or(0)
}

fn touched(changes: &StackChanges) -> impl Iterator<Item = (&str, u32, &'static str)> {
    let real = changes.resources.iter().filter(|change| change.action != ResourceAction::Delete || !change.retained);
    real.filter_map(|change| {
        let (_, minutes, why) = SLOW.iter().find(|(kind, _, _)| *kind == change.resource_type)?;
        Some((change.logical_id.as_str(), *minutes, *why))
    })
}

/// What of a template is near, or over, a quota that nobody can have raised.
#[must_use]
pub fn quotas(stack: &str, template: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut check = |logical_id: &str, what: &str, is: usize, limit: usize, page: &str| {
        // Told before it stops a deploy: at four fifths.
        if is * 5 >= limit * 4 {
            let over = is > limit;
            let of = if logical_id.is_empty() { String::new() } else { format!("{logical_id}: ") };
            let message = format!("{of}{what}: {is} of {limit} ({page})");
            let (stack, logical_id, parts) = (stack.to_owned(), logical_id.to_owned(), Vec::new());
            found.push(Finding { kind: FindingKind::Quota, stack, logical_id, message, parts, refused: over });
        }
    };
    let count = |section: &str| template.get(section).and_then(Value::as_object).map_or(0, serde_json::Map::len);
    let page = "CloudFormation quotas";
    check("", "parameters", count("Parameters"), 200, page);
    check("", "resources", count("Resources"), 500, page);
    check("", "outputs", count("Outputs"), 200, page);
    check("", "mappings", count("Mappings"), 200, page);
    check("", "bytes of template", template.to_string().len(), 1_048_576, page);
    for (id, resource) in template.get("Resources").and_then(Value::as_object).into_iter().flatten() {
        let properties = &resource["Properties"];
        match resource["Type"].as_str().unwrap_or_default() {
            "AWS::Lambda::Function" => {
                check(
                    id,
                    "bytes of environment",
                    length(&properties["Environment"]["Variables"]),
                    4096,
                    "Lambda quotas",
                );
                check(id, "layers", properties["Layers"].as_array().map_or(0, Vec::len), 5, "Lambda quotas");
            }
            "AWS::IAM::Role" => {
                let policies = properties["Policies"].as_array().into_iter().flatten();
                let bytes = policies.map(|policy| length(&policy["PolicyDocument"])).sum();
                check(id, "characters of inline policies", bytes, 10_240, "IAM and STS quotas");
                let trust = length(&properties["AssumeRolePolicyDocument"]);
                check(id, "characters of trust policy", trust, 2048, "IAM and STS quotas");
            }
            "AWS::IAM::ManagedPolicy" => {
                check(id, "characters of policy", length(&properties["PolicyDocument"]), 6144, "IAM and STS quotas");
            }
            "AWS::S3::BucketPolicy" => {
                check(id, "bytes of policy", length(&properties["PolicyDocument"]), 20_480, "S3 bucket policy limits");
            }
            _ => {}
        }
    }
    found
}

/// How long a document is once CloudFormation has filled it in: an expression counts as its text, which is no shorter.
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
    fn independent_stacks_share_a_wave() {
        let changes = StackChanges::default();
        let needs = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (none, both) = (needs(&[]), needs(&["a", "b"]));
        let stack = |name, depends_on| Upcoming { name, depends_on, changes: &changes };
        let forecast = forecast(&[stack("a", &none), stack("b", &none), stack("c", &both)]);
        assert_eq!(forecast.waves, [vec!["a".to_owned(), "b".to_owned()], vec!["c".to_owned()]]);
        assert_eq!(forecast.critical_path.len(), 2);
    }

    #[test]
    fn an_expression_is_as_long_as_its_text() {
        assert_eq!(length(&json!({ "Fn::Sub": "${AWS::Region}" })), r#""${AWS::Region}""#.len());
        assert_eq!(length(&json!({ "Fn::Sub": ["${A}", { "A": { "Ref": "B" } }] })), r#""${A}""#.len());
        assert!(length(&json!({ "Resource": ["a", "b"] })) >= r#"{"Resource":["a","b"]}"#.len());
    }

    #[test]
    fn a_quota_is_told_before_it_is_passed_and_refused_after() {
        let template = |parameters: usize| {
            let parameters: serde_json::Map<_, _> = (0..parameters).map(|n| (format!("P{n}"), json!({}))).collect();
            json!({ "Parameters": parameters, "Resources": {} })
        };
        assert_eq!(quotas("s", &template(100)), []);
        assert!(!quotas("s", &template(180))[0].refused);
        assert!(quotas("s", &template(201))[0].refused);
    }
}
