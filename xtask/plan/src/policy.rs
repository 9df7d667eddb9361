//! The IAM policies in a resource's properties.

use std::collections::BTreeSet;

use model::statements::{Effect, ITSELF, Patterns, PolicyStatement, list};
use serde_json::Value;

/// The statements of all policies of a resource, parsed once.
#[derive(Debug, Default)]
pub(crate) struct Policies(Vec<PolicyStatement>);

impl Policies {
    /// Collects the statements of a resource of a template.
    pub(crate) fn of(resource: Option<&Value>) -> Self {
        let mut statements = Vec::new();
        if let Some(resource) = resource {
            collect(&resource["Properties"], &mut statements);
        }
        Self(statements)
    }

    /// The statements with this effect.
    pub(crate) fn with_effect(&self, effect: Effect) -> impl Iterator<Item = &PolicyStatement> {
        self.0.iter().filter(move |statement| statement.effect() == effect)
    }

    /// The statements with this effect that are not in `others`.
    pub(crate) fn missing_from(&self, others: &Self, effect: Effect) -> impl Iterator<Item = &PolicyStatement> {
        self.with_effect(effect).filter(|statement| !others.0.contains(statement))
    }

    /// Do the policies allow anything to everyone, unconditionally?
    pub(crate) fn is_public(&self) -> bool {
        self.with_effect(Effect::Allow).filter(|statement| statement.is_unconditional()).any(|statement| {
            let Patterns::Only(principals) = statement.principals() else { return false };
            principals.iter().any(|principal| principal == "*" || principal.ends_with(" *"))
        })
    }

    /// The allowed wildcards, principals and exceptions, in words that follow "allow".
    ///
    /// A wildcard action or resource is paired with its counterpart: an action that is new on `*` is an opening, whichever other
    /// actions were allowed on `*` before.
    pub(crate) fn openings(&self) -> BTreeSet<String> {
        self.with_effect(Effect::Allow).flat_map(openings).collect()
    }
}

fn collect(value: &Value, found: &mut Vec<PolicyStatement>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == "Statement" {
                    found.extend(list(value).iter().map(PolicyStatement::parse));
                } else {
                    collect(value, found);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}

fn openings(statement: &PolicyStatement) -> Vec<String> {
    let mut found = Vec::new();
    let all_except = |what: &str, excepted: &[String]| format!("all {what} except `{}`", excepted.join("`, `"));
    // A resource's own policy need not name the resource, and a trust policy names none.
    let unnamed = vec![ITSELF.to_owned()];
    let resources = match statement.resources() {
        Patterns::Only(resources) => resources,
        Patterns::AllExcept(excepted) => {
            found.push(all_except("resources", excepted));
            &unnamed
        }
    };
    match statement.actions() {
        Patterns::Only(actions) => {
            let pairs = actions.iter().flat_map(|action| resources.iter().map(move |resource| (action, resource)));
            let wide = pairs.filter(|(action, resource)| action.contains('*') || resource.as_str() == "*");
            found.extend(wide.map(|(action, resource)| format!("`{action}` on `{resource}`")));
        }
        Patterns::AllExcept(excepted) => found.push(all_except("actions", excepted)),
    }
    match statement.principals() {
        Patterns::Only(principals) => {
            let named = principals.iter().filter(|principal| *principal != ITSELF);
            found.extend(named.map(|principal| format!("principal `{principal}`")));
        }
        Patterns::AllExcept(excepted) => found.push(all_except("principals", excepted)),
    }
    found
}

/// Returns the statements that were removed and those that were added, regardless of their order.
pub(crate) fn difference(old: Option<&Value>, new: Option<&Value>) -> (Vec<Value>, Vec<Value>) {
    let canonical = |side: Option<&Value>| side.map(list).unwrap_or_default().iter().map(canonical).collect::<Vec<_>>();
    let (old, new) = (canonical(old), canonical(new));
    let without = |all: &[Value], others: &[Value]| all.iter().filter(|one| !others.contains(one)).cloned().collect();
    (without(&old, &new), without(&new, &old))
}

/// Sorts the lists of actions and resources, and writes single values as lists.
fn canonical(statement: &Value) -> Value {
    let Value::Object(fields) = statement else { return statement.clone() };
    let sets = ["Action", "NotAction", "Resource", "NotResource"];
    let fields = fields.iter().map(|(name, value)| {
        let value = if sets.contains(&name.as_str()) { sorted(value) } else { value.clone() };
        (name.clone(), value)
    });
    Value::Object(fields.collect())
}

fn sorted(value: &Value) -> Value {
    let mut items = list(value).to_vec();
    items.sort_by_key(Value::to_string);
    Value::Array(items)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policies(statements: &[Value]) -> Policies {
        Policies::of(Some(&json!({ "Properties": { "PolicyDocument": { "Statement": statements } } })))
    }

    #[test]
    fn the_order_of_statements_is_irrelevant() {
        let old = json!([{ "Effect": "Allow", "Action": ["a:B", "a:C"], "Resource": "x" }, { "Effect": "Deny" }]);
        let new = json!([{ "Effect": "Deny" }, { "Effect": "Allow", "Action": ["a:C", "a:B"], "Resource": ["x"] }]);
        assert_eq!(difference(Some(&old), Some(&new)), (vec![], vec![]));
    }

    #[test]
    fn an_action_that_is_new_on_every_resource_is_an_opening() {
        let traces = json!({ "Effect": "Allow", "Action": "xray:PutTraceSegments", "Resource": "*" });
        let table = |resource: &str| json!({ "Effect": "Allow", "Action": "dynamodb:*", "Resource": resource });
        let before = policies(&[traces.clone(), table("arn:x")]).openings();
        let new = |statement: Value| -> Vec<String> {
            let after = policies(&[traces.clone(), table("arn:x"), statement]).openings();
            after.difference(&before).cloned().collect()
        };
        assert_eq!(new(table("*")), ["`dynamodb:*` on `*`"]);
        assert_eq!(
            new(json!({ "Effect": "Allow", "Action": "s3:DeleteObject", "Resource": "*" })),
            ["`s3:DeleteObject` on `*`"]
        );
    }

    #[test]
    fn wildcards_principals_and_exceptions_are_openings() {
        let one = policies(&[
            json!({ "Effect": "Allow", "Action": "s3:*", "Resource": "*", "Principal": { "AWS": "arn:x" } }),
        ]);
        assert_eq!(one.openings().into_iter().collect::<Vec<_>>(), ["`s3:*` on `*`", "principal `AWS arn:x`"]);
        let except = policies(&[json!({ "Effect": "Allow", "NotAction": ["iam:*", "sts:*"], "NotResource": "arn:x" })]);
        let expected = ["all actions except `iam:*`, `sts:*`", "all resources except `arn:x`"];
        assert_eq!(except.openings().into_iter().collect::<Vec<_>>(), expected);
        assert!(!one.is_public());
        assert!(policies(&[json!({ "Effect": "Allow", "Principal": "*" })]).is_public());
        assert!(policies(&[json!({ "Effect": "Allow", "Principal": { "AWS": "*" } })]).is_public());
        assert!(!policies(&[json!({ "Effect": "Deny", "Principal": "*" })]).is_public());
        let mut limited = json!({ "Effect": "Allow", "Principal": "*", "Condition": { "Bool": { "a:b": "true" } } });
        assert!(!policies(std::slice::from_ref(&limited)).is_public());
        limited["Condition"] = json!({});
        assert!(policies(&[limited]).is_public());
    }
}
