//! The permissions of the stages that workflows deploy: quotas, and patterns that match no other stage.

use model::{
    foundation::{SYSTEM, pipeline},
    rendered::RenderedStack,
    statements::{Decision, PolicyStatement, Request, decide},
};
use serde_json::Value;

use super::testing::{STAGES, all_rendered};

/// The statements of all policies of a stack.
fn statements(stack: &RenderedStack) -> Vec<Value> {
    let resources = stack.template["Resources"].as_object().expect("resources").values();
    let documents = resources.flat_map(|resource| {
        let properties = &resource["Properties"];
        let inline = properties["Policies"].as_array().into_iter().flatten().map(|policy| &policy["PolicyDocument"]);
        inline.chain([&properties["PolicyDocument"]])
    });
    documents.flat_map(|document| document["Statement"].as_array().into_iter().flatten()).cloned().collect()
}

fn strings(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items.map(|item| item.as_str().or_else(|| item["Fn::Sub"].as_str()).expect("text").to_owned()).collect()
}

/// A document with the values of pseudo parameters in place of `Fn::Sub`.
fn filled(value: &Value) -> Value {
    match value {
        Value::Object(fields) => match fields.get("Fn::Sub").and_then(Value::as_str) {
            Some(text) => {
                let text = text.replace("${AWS::Partition}", "aws").replace("${AWS::Region}", "eu-central-1");
                Value::String(text.replace("${AWS::AccountId}", "111122223333"))
            }
            None => fields.iter().map(|(name, value)| (name.clone(), filled(value))).collect(),
        },
        Value::Array(items) => items.iter().map(filled).collect(),
        scalar => scalar.clone(),
    }
}

/// The stages of this repository that workflows deploy, each with its stack of roles.
fn pipelines() -> Vec<(&'static str, RenderedStack)> {
    let of = |name: &'static str| {
        let systems = all_rendered(name);
        let stacks = systems.into_iter().next().expect("foundation comes first").stacks;
        let stack = stacks.into_iter().find(|stack| stack.stack == pipeline::STACK);
        stack.map(|stack| (name, stack))
    };
    STAGES.into_iter().filter_map(of).collect()
}

#[test]
fn the_policies_of_every_stage_fit_into_iam_s_quotas() {
    // IAM user guide, "IAM and AWS STS quotas": characters without white space, after CloudFormation has filled in values.
    let length = |document: &Value| filled(document).to_string().len();
    let pipelines = pipelines();
    assert_eq!(pipelines.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["staging", "prod"]);
    for (name, stack) in &pipelines {
        for (logical_id, resource) in stack.template["Resources"].as_object().expect("resources") {
            let properties = &resource["Properties"];
            let inline = properties["Policies"].as_array().into_iter().flatten();
            let inline: usize = inline.map(|policy| length(&policy["PolicyDocument"])).sum();
            assert!(inline <= 10_240, "{name}: {logical_id} has {inline}");
            if resource["Type"] == "AWS::IAM::ManagedPolicy" {
                let managed = length(&properties["PolicyDocument"]);
                assert!(managed <= 6_144, "{name}: {logical_id} has {managed}");
            }
            assert!(properties["ManagedPolicyArns"].as_array().is_none_or(|arns| arns.len() <= 10), "{name}");
        }
    }
}

#[test]
fn no_pattern_of_a_stage_matches_the_names_of_another() {
    for (name, stack) in pipelines() {
        for statement in statements(&stack) {
            for resource in strings(&statement["Resource"]) {
                let before = resource.strip_suffix('*').and_then(|prefix| prefix.chars().last());
                assert!(before.is_none_or(|last| "-/:.".contains(last)), "{name}: {resource}");
                let other = ["dev", "staging", "prod"].into_iter().find(|other| {
                    *other != name
                        && resource.split(|letter: char| !letter.is_ascii_alphanumeric()).any(|word| word == *other)
                });
                assert_eq!(other, None, "{name}: {resource}");
            }
        }
    }
}

#[test]
fn the_roles_of_every_system_have_names_that_one_pattern_matches() {
    for name in ["staging", "prod"] {
        for system in all_rendered(name).iter().filter(|system| system.name != SYSTEM) {
            for stack in &system.stacks {
                let resources = stack.template["Resources"].as_object().expect("resources").iter();
                for (logical_id, role) in resources.filter(|(_, resource)| resource["Type"] == "AWS::IAM::Role") {
                    let role_name = role["Properties"]["RoleName"].as_str().unwrap_or_default();
                    let (start, end) = (format!("{}-", system.name), format!("-{name}"));
                    let matches = role_name.starts_with(&start) && role_name.ends_with(&end) && role_name.len() <= 64;
                    assert!(matches, "{logical_id} of {}: {role_name}", stack.name);
                }
            }
        }
    }
}

/// Decides about a request as IAM does, with the statements of the policies whose logical IDs begin with `policies`. A condition key that
/// is not named is absent from the request.
fn may(stack: &RenderedStack, policies: &str, (action, resource): (&str, &str), keys: &[(&str, &str)]) -> bool {
    const KEYS: [&str; 5] = [
        "aws:RequestTag/stage",
        "aws:RequestTag/system",
        "aws:ResourceTag/stage",
        "aws:ResourceTag/system",
        "kms:EncryptionContextKeys",
    ];
    let resources = stack.template["Resources"].as_object().expect("resources").iter();
    let documents = resources
        .filter(|(logical_id, _)| logical_id.starts_with(policies))
        .filter_map(|(_, policy)| policy["Properties"]["PolicyDocument"]["Statement"].as_array());
    let filled = |statement: &Value| {
        let mut statement = statement.clone();
        let arns = strings(&statement["Resource"]).into_iter().map(|arn| {
            let arn = arn.replace("${AWS::Partition}", "aws").replace("${AWS::Region}", "eu-central-1");
            arn.replace("${AWS::AccountId}", "222233334444")
        });
        statement["Resource"] = arns.collect();
        PolicyStatement::parse(&statement)
    };
    let parsed: Vec<_> = documents.flatten().filter(|statement| statement["Resource"].is_array()).map(filled).collect();
    let request = KEYS.iter().fold(Request::new(action, resource), |request, key| request.knowing(key));
    let request = keys.iter().fold(request, |request, (key, value)| request.with(key, *value));
    decide(&parsed, &request) == Decision::Allowed
}

#[test]
fn a_deploy_changes_only_keys_with_the_stage_s_tags_and_never_ends_one_of_a_protected_stage() {
    let key = "arn:aws:kms:eu-central-1:222233334444:key/0a1b";
    let alias = |stage: &str| format!("arn:aws:kms:eu-central-1:222233334444:alias/analyticbot-{stage}-credentials");
    for (name, stack) in pipelines() {
        let execution = |action: &str, resource: &str, keys: &[(&str, &str)]| {
            may(&stack, "ExecutionPolicy", (action, resource), keys)
        };
        let own = [("aws:ResourceTag/stage", name), ("aws:ResourceTag/system", "analyticbot")];
        let foreign = [("aws:ResourceTag/stage", "dev"), ("aws:ResourceTag/system", "analyticbot")];
        let requested = [("aws:RequestTag/stage", name), ("aws:RequestTag/system", "analyticbot")];
        assert!(execution("kms:CreateKey", "*", &requested), "{name}");
        assert!(!execution("kms:CreateKey", "*", &[]), "{name}");
        assert!(
            execution("kms:TagResource", key, &requested) && !execution("kms:TagResource", key, &foreign),
            "{name}"
        );
        for action in ["kms:PutKeyPolicy", "kms:DisableKeyRotation", "kms:UpdateAlias"] {
            assert!(execution(action, key, &own), "{name}: {action}");
            assert!(!execution(action, key, &foreign) && !execution(action, key, &[]), "{name}: {action}");
        }
        for action in ["kms:CreateAlias", "kms:EnableKeyRotation", "kms:DescribeKey"] {
            assert!(execution(action, key, &[]) && !execution(action, key, &foreign), "{name}: {action}");
        }
        assert!(execution("kms:CreateAlias", &alias(name), &[]) && !execution("kms:CreateAlias", &alias("dev"), &[]));
        assert_eq!(execution("kms:ScheduleKeyDeletion", key, &own), name != "prod", "{name}");
        assert!(!execution("kms:ScheduleKeyDeletion", key, &foreign), "{name}");
        // A deploy administers keys, and uses none.
        for action in ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:CreateGrant"] {
            assert!(!execution(action, key, &own), "{name}: {action}");
        }
    }
}

#[test]
fn the_boundary_allows_the_use_of_the_stage_s_keys_within_an_encryption_context_only() {
    let key = "arn:aws:kms:eu-central-1:222233334444:key/0a1b";
    for (name, stack) in pipelines() {
        let boundary = |action: &str, keys: &[(&str, &str)]| may(&stack, "RoleBoundary", (action, key), keys);
        let own = [("aws:ResourceTag/stage", name), ("aws:ResourceTag/system", "analyticbot")];
        let within = [own[0], own[1], ("kms:EncryptionContextKeys", "stage")];
        for action in ["kms:Decrypt", "kms:GenerateDataKey"] {
            assert!(boundary(action, &within), "{name}: {action}");
            assert!(!boundary(action, &own), "{name}: {action} without a context");
            let foreign = [("aws:ResourceTag/stage", "dev"), own[1], ("kms:EncryptionContextKeys", "stage")];
            assert!(!boundary(action, &foreign), "{name}: {action} with another stage's key");
        }
        assert!(boundary("kms:DescribeKey", &own), "{name}");
        for action in ["kms:Encrypt", "kms:ScheduleKeyDeletion", "kms:PutKeyPolicy", "kms:CreateAlias"] {
            assert!(!boundary(action, &within), "{name}: {action}");
        }
    }
}

#[test]
fn a_boundary_allows_by_reference_only_resources_of_the_systems_that_refer_to_them() {
    for (name, stack) in pipelines() {
        let boundary = &stack.template["Resources"]["RoleBoundary"]["Properties"]["PolicyDocument"]["Statement"];
        let on = |action: &str| -> Vec<String> {
            let all = boundary.as_array().expect("statements").iter();
            let own = all.filter(|statement| strings(&statement["Action"]).contains(&action.to_owned()));
            own.flat_map(|statement| strings(&statement["Resource"])).collect()
        };
        let (invoked, buses) = (on("lambda:InvokeFunction"), on("events:PutEvents"));
        assert!(
            !invoked.is_empty() && invoked.iter().all(|arn| arn.contains(":function:media-uploader-")),
            "{name}: {invoked:?}"
        );
        assert!(
            !buses.is_empty() && buses.iter().all(|arn| arn.contains(":event-bus/listbackup-")),
            "{name}: {buses:?}"
        );
    }
}
