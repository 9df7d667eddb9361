//! Detects changes that only take permissions away from the roles that deploy.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::statements::{Effect, PolicyStatement, list};

/// Does `rendered`, a template of stack `pipeline`, differ from the `deployed` one by allowing less, and by nothing else?
///
/// Permissions and conditions are compared as they are written: one in another notation counts as more. A
/// permission includes the same one with a condition that is met in fewer cases.
#[must_use]
pub fn only_narrows(deployed: &Value, rendered: &Value) -> bool {
    if deployed == rendered {
        return false;
    }
    let (before, after) = (Policies::of(deployed), Policies::of(rendered));
    let is_narrower = |(holder, grants): (&String, &Vec<Grant>)| {
        let before = before.grants.get(holder).map(Vec::as_slice).unwrap_or_default();
        grants.iter().all(|grant| grant.is_within(before))
    };
    before.rest == after.rest && before.denials == after.denials && after.grants.iter().all(is_narrower)
}

/// The permissions of a statement, as text, each with every condition of which one must be met.
struct Grant {
    statement: PolicyStatement,
    permissions: BTreeSet<String>,
    conditions: BTreeSet<String>,
}

impl Grant {
    fn of(statement: PolicyStatement) -> Self {
        let permissions = statement.permissions().iter().map(ToString::to_string).collect();
        let conditions = statement.condition_alternatives().iter().map(Value::to_string).collect();
        Self { permissions, conditions, statement }
    }

    /// Returns whether these grants include each permission of this one, under a condition that is met whenever its own is.
    fn is_within(&self, wider: &[Self]) -> bool {
        self.permissions.iter().all(|permission| {
            let including: Vec<_> = wider.iter().filter(|grant| grant.permissions.contains(permission)).collect();
            let is_met = |condition| including.iter().any(|grant| grant.conditions.contains(condition));
            including.iter().any(|grant| grant.statement.applies_whenever(&self.statement))
                || self.conditions.iter().all(is_met)
        })
    }
}

/// The permissions of a template's roles, and the template without them.
struct Policies {
    /// By holder: a role, or the boundary. A role's policies count as one, however its statements are packed, inline or managed.
    grants: BTreeMap<String, Vec<Grant>>,
    /// By holder, every statement that does not allow.
    denials: BTreeSet<(String, String)>,
    rest: Value,
}

impl Policies {
    fn of(template: &Value) -> Self {
        let mut policies = Self { grants: BTreeMap::new(), denials: BTreeSet::new(), rest: template.clone() };
        let resources = template["Resources"].as_object().into_iter().flatten();
        for (logical_id, resource) in resources {
            let properties = &resource["Properties"];
            let holder = logical_id.trim_end_matches(|letter: char| letter.is_ascii_digit());
            // A role's numbered policies hold what its inline policies held.
            let holder = holder.strip_suffix("Policy").map_or_else(|| holder.to_owned(), |role| format!("{role}Role"));
            match resource["Type"].as_str() {
                Some("AWS::IAM::ManagedPolicy") => {
                    policies.add(&holder, &properties["PolicyDocument"]);
                    policies.forget(logical_id);
                }
                Some("AWS::IAM::Role") => {
                    for policy in properties["Policies"].as_array().into_iter().flatten() {
                        policies.add(logical_id, &policy["PolicyDocument"]);
                    }
                    let role = &mut policies.rest["Resources"][logical_id];
                    for property in ["Policies", "ManagedPolicyArns"] {
                        role["Properties"].as_object_mut().and_then(|properties| properties.remove(property));
                    }
                    // The reasons of statements allow nothing.
                    role.as_object_mut().and_then(|role| role.remove("Metadata"));
                }
                _ => {}
            }
        }
        policies
    }

    fn forget(&mut self, logical_id: &str) {
        self.rest["Resources"].as_object_mut().and_then(|resources| resources.remove(logical_id));
    }

    fn add(&mut self, holder: &str, document: &Value) {
        for raw in list(&document["Statement"]) {
            let statement = PolicyStatement::parse(raw);
            if statement.effect() != Effect::Allow {
                self.denials.insert((holder.to_owned(), raw.to_string()));
                continue;
            }
            self.grants.entry(holder.to_owned()).or_default().push(Grant::of(statement));
        }
    }
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
    fn a_condition_that_is_met_in_fewer_cases_is_narrower() {
        let on = |operator: &str, systems: &[&str]| {
            let mut statement = allow(&["cognito-idp:AdminCreateUser"], &["*"]);
            statement["Condition"] =
                json!({ operator: { "aws:ResourceTag/stage": "prod", "aws:ResourceTag/system": systems } });
            template(&[&statement], &[])
        };
        for operator in ["StringEquals", "StringEqualsIfExists", "ForAllValues:StringEquals"] {
            let (more, less) = (on(operator, &["a", "b"]), on(operator, &["b"]));
            assert!(only_narrows(&more, &less) && !only_narrows(&less, &more), "{operator}");
        }
        let (more, less) = (on("StringNotEquals", &["a", "b"]), on("StringNotEquals", &["b"]));
        assert!(!only_narrows(&more, &less) && only_narrows(&less, &more));
        // Two statements together allow what one allows.
        let each = [&["a"][..], &["b"]].map(|system| on("StringEquals", system));
        let [one, other] = each.map(|of| of["Resources"]["DeployRole"]["Properties"]["Policies"][0].clone());
        let [one, other] = [one, other].map(|policy| policy["PolicyDocument"]["Statement"][0].clone());
        assert!(only_narrows(
            &template(&[&one, &other, &allow(&["a:B"], &["c"])], &[]),
            &on("StringEquals", &["a", "b"])
        ));
        // Any condition is narrower than none.
        let free = template(&[&allow(&["cognito-idp:AdminCreateUser"], &["*"])], &[]);
        assert!(only_narrows(&free, &on("StringEquals", &["a"])) && !only_narrows(&on("StringEquals", &["a"]), &free));
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
