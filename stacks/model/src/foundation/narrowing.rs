//! Does a change of what deploying may do only take away?

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::parts::policy::as_list;

/// Does `rendered`, a template of stack `pipeline`, differ from the `deployed` one by allowing less, and by nothing else?
///
/// A call, what it is allowed on and its condition are compared as they are written: what is written in another way counts as
/// more.
#[must_use]
pub fn only_narrows(deployed: &Value, rendered: &Value) -> bool {
    if deployed == rendered {
        return false;
    }
    let (before, after) = (Allowed::of(deployed), Allowed::of(rendered));
    let less = |(holder, calls): (&String, &BTreeSet<Call>)| {
        before.calls.get(holder).is_some_and(|before| calls.is_subset(before)) || calls.is_empty()
    };
    before.rest == after.rest && before.denials == after.denials && after.calls.iter().all(less)
}

/// An action, a resource and a condition.
type Call = (String, String, String);

/// What a template allows, and the template without it.
struct Allowed {
    /// By who may: a role, or the boundary. The execution role's policies are one, however its statements are packed.
    calls: BTreeMap<String, BTreeSet<Call>>,
    /// What is not allowed, by whom.
    denials: BTreeSet<(String, String)>,
    rest: Value,
}

impl Allowed {
    fn of(template: &Value) -> Self {
        let mut allowed = Self { calls: BTreeMap::new(), denials: BTreeSet::new(), rest: template.clone() };
        let resources = template["Resources"].as_object().into_iter().flatten();
        for (logical_id, resource) in resources {
            let properties = &resource["Properties"];
            let holder = logical_id.trim_end_matches(|letter: char| letter.is_ascii_digit()).to_owned();
            match resource["Type"].as_str() {
                Some("AWS::IAM::ManagedPolicy") => {
                    allowed.add(holder, &properties["PolicyDocument"]);
                    allowed.forget(logical_id);
                }
                Some("AWS::IAM::Role") => {
                    for policy in properties["Policies"].as_array().into_iter().flatten() {
                        allowed.add(logical_id.clone(), &policy["PolicyDocument"]);
                    }
                    let role = &mut allowed.rest["Resources"][logical_id]["Properties"];
                    for policies in ["Policies", "ManagedPolicyArns"] {
                        role.as_object_mut().and_then(|role| role.remove(policies));
                    }
                }
                _ => {}
            }
        }
        allowed
    }

    fn forget(&mut self, logical_id: &str) {
        self.rest["Resources"].as_object_mut().and_then(|resources| resources.remove(logical_id));
    }

    fn add(&mut self, holder: String, document: &Value) {
        for statement in document["Statement"].as_array().into_iter().flatten() {
            if statement["Effect"] != "Allow" {
                self.denials.insert((holder.clone(), statement.to_string()));
                continue;
            }
            let calls = self.calls.entry(holder.clone()).or_default();
            // One that names what it does not mean is compared as a whole.
            if statement["Action"].is_null() || statement["Resource"].is_null() {
                calls.insert((statement.to_string(), String::new(), String::new()));
            }
            let conditions = alternatives(&statement["Condition"]);
            for action in as_list(&statement["Action"]) {
                for resource in as_list(&statement["Resource"]) {
                    let on = |condition: &String| (action.to_string(), resource.to_string(), condition.clone());
                    calls.extend(conditions.iter().map(on));
                }
            }
        }
    }
}

/// Operators of which one value of a list is enough (IAM user guide, "Conditions with multiple context keys or values").
const ANY_OF: [&str; 4] = ["ArnEquals", "ArnLike", "StringEquals", "StringLike"];

/// The conditions, each with one value where a list means any of its values, of which one must be met.
fn alternatives(condition: &Value) -> Vec<String> {
    let mut met = vec![condition.clone()];
    for (operator, keys) in condition.as_object().into_iter().flatten() {
        if !ANY_OF.contains(&operator.as_str()) {
            continue;
        }
        for (key, values) in keys.as_object().into_iter().flatten() {
            let with = |value: &Value| {
                let mut met = met.clone();
                met.iter_mut().for_each(|condition| condition[operator][key] = value.clone());
                met
            };
            met = as_list(values).iter().flat_map(with).collect();
        }
    }
    met.iter().map(Value::to_string).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template(role: &[&Value], policies: &[&[&Value]]) -> Value {
        let mut resources = json!({
            "DeployRole": { "Type": "AWS::IAM::Role", "Properties": {
                "RoleName": "deploy", "Policies": [{ "PolicyDocument": { "Statement": role } }],
            }},
            "ExecutionRole": { "Type": "AWS::IAM::Role", "Properties": {
                "RoleName": "execution", "ManagedPolicyArns": [],
            }},
        });
        for (number, statements) in (1u32..).zip(policies) {
            let id = format!("ExecutionPolicy{number}");
            resources[&id] = json!({ "Type": "AWS::IAM::ManagedPolicy", "Properties": {
                "ManagedPolicyName": id, "PolicyDocument": { "Statement": statements },
            }});
            let arns = resources["ExecutionRole"]["Properties"]["ManagedPolicyArns"].as_array_mut().expect("a list");
            arns.push(json!({ "Ref": id }));
        }
        json!({ "Resources": resources })
    }

    fn allow(actions: &[&str], resources: &[&str]) -> Value {
        json!({ "Effect": "Allow", "Action": actions, "Resource": resources })
    }

    #[test]
    fn a_call_or_a_resource_less_is_narrower_however_the_policies_are_packed() {
        let (s3, sqs) = (allow(&["s3:GetObject", "s3:PutObject"], &["a", "b"]), allow(&["sqs:SendMessage"], &["q"]));
        let before = template(&[&s3], &[&[&s3], &[&sqs]]);
        for after in [
            template(&[&allow(&["s3:GetObject"], &["a", "b"])], &[&[&s3], &[&sqs]]),
            template(&[&allow(&["s3:PutObject"], &["b"])], &[&[&sqs, &s3]]),
            template(&[&s3], &[&[&sqs]]),
            template(&[], &[]),
        ] {
            assert!(only_narrows(&before, &after), "{after:#}");
            assert!(!only_narrows(&after, &before), "{after:#}");
        }
        assert!(!only_narrows(&before, &before), "nothing is no change");
    }

    #[test]
    fn one_of_several_values_less_is_narrower_unless_none_of_them_may_be() {
        let on = |operator: &str, systems: &[&str]| {
            let mut statement = allow(&["cognito-idp:AdminCreateUser"], &["*"]);
            statement["Condition"] =
                json!({ operator: { "aws:ResourceTag/stage": "prod", "aws:ResourceTag/system": systems } });
            template(&[&statement], &[])
        };
        let (more, less) = (on("StringEquals", &["a", "b"]), on("StringEquals", &["b"]));
        assert!(only_narrows(&more, &less) && !only_narrows(&less, &more));
        let (more, less) = (on("StringNotEquals", &["a", "b"]), on("StringNotEquals", &["b"]));
        assert!(!only_narrows(&more, &less) && !only_narrows(&less, &more));
    }

    #[test]
    fn everything_else_is_more_than_narrower() {
        let s3 = allow(&["s3:GetObject"], &["a"]);
        let mut tagged = s3.clone();
        tagged["Condition"] = json!({ "StringEquals": { "aws:ResourceTag/stage": "prod" } });
        let denial = json!({ "Effect": "Deny", "Action": ["s3:PutObject"], "Resource": ["a"] });
        let before = template(&[&tagged], &[&[&s3, &denial]]);
        let with_denial = || template(&[], &[&[&denial]]);
        assert!(only_narrows(&before, &with_denial()));
        let mut renamed = with_denial();
        renamed["Resources"]["DeployRole"]["Properties"]["RoleName"] = json!("other");
        let mut trusting = with_denial();
        trusting["Resources"]["PlanRole"] = json!({ "Type": "AWS::IAM::Role", "Properties": {} });
        let not_resource = json!({ "Effect": "Allow", "Action": ["s3:GetObject"], "NotResource": ["a"] });
        for (why, after) in [
            ("the condition is lost", template(&[&s3], &[&[&denial]])),
            ("another role may", template(&[&tagged, &allow(&["s3:GetObject"], &["b"])], &[&[&denial]])),
            ("a resource more", template(&[], &[&[&allow(&["s3:GetObject"], &["a", "c"]), &denial]])),
            ("a call more", template(&[], &[&[&allow(&["s3:GetObject", "s3:PutObject"], &["a"]), &denial]])),
            ("all but one", template(&[], &[&[&not_resource, &denial]])),
            ("a denial less", template(&[&tagged], &[&[&s3]])),
            ("another name", renamed),
            ("a role more", trusting),
        ] {
            assert!(!only_narrows(&before, &after), "{why}: {after:#}");
        }
    }
}
