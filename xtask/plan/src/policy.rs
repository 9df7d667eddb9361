//! IAM statements compared as sets, and what a new one opens.

mod rule;

use std::collections::BTreeSet;

pub use rule::{Call, Rule};
use serde_json::Value;

/// Statements that went and statements that came, in whatever order they stand.
#[must_use]
pub fn difference(old: Option<&Value>, new: Option<&Value>) -> (Vec<Value>, Vec<Value>) {
    let (old, new) = (statements(old), statements(new));
    let without = |all: &[Value], others: &[Value]| all.iter().filter(|one| !others.contains(one)).cloned().collect();
    (without(&old, &new), without(&new, &old))
}

/// The statements of a list, or of one alone, in one spelling.
fn statements(value: Option<&Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(items)) => items.iter().map(canonical).collect(),
        Some(one) => vec![canonical(one)],
        None => Vec::new(),
    }
}

/// Lists of actions, resources and principals sorted, and single ones as lists: their order means nothing.
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
    let mut items = match value {
        Value::Array(items) => items.clone(),
        one => vec![one.clone()],
    };
    items.sort_by_key(Value::to_string);
    Value::Array(items)
}

/// Every list of statements in a resource's properties, by its path.
#[must_use]
pub fn all_statements(properties: &Value) -> Vec<(String, Vec<Value>)> {
    let mut found = Vec::new();
    collect(properties, String::new(), &mut found);
    found
}

fn collect(value: &Value, path: String, found: &mut Vec<(String, Vec<Value>)>) {
    let below = |step: &str| if path.is_empty() { step.to_owned() } else { format!("{path}/{step}") };
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == "Statement" {
                    found.push((below(name), statements(Some(value))));
                } else {
                    collect(value, below(name), found);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, below(&index.to_string()), found);
            }
        }
        _ => {}
    }
}

/// What allowing statements open: wildcards among actions and resources, each with what it is allowed on, and principals.
#[must_use]
pub fn openings(statements: &[Value]) -> BTreeSet<String> {
    let allowing = statements.iter().filter(|statement| statement["Effect"] == "Allow");
    allowing
        .flat_map(|statement| {
            let mut found = wildcards(statement);
            found.extend(
                principals(&statement["Principal"]).into_iter().map(|principal| format!("principal `{principal}`")),
            );
            for negated in ["NotAction", "NotResource", "NotPrincipal"] {
                found.extend(statement.get(negated).map(|value| format!("{negated} {value}")));
            }
            found
        })
        .collect()
}

/// Every action with every resource of a statement, where either is a wildcard. Together, because what is new on `*` opens
/// something, whatever else was allowed on `*` before.
fn wildcards(statement: &Value) -> Vec<String> {
    let (actions, mut resources) = (texts(&statement["Action"]), texts(&statement["Resource"]));
    if resources.is_empty() {
        // The policy of a resource that needs not name itself, or who may take a role.
        resources.push("itself".to_owned());
    }
    let pairs = actions.iter().flat_map(|action| resources.iter().map(move |resource| (action, resource)));
    let wide = pairs.filter(|(action, resource)| action.contains('*') || resource.as_str() == "*");
    wide.map(|(action, resource)| format!("`{action}` on `{resource}`")).collect()
}

/// Is everybody a principal of an allowing statement without conditions?
#[must_use]
pub fn is_public(statements: &[Value]) -> bool {
    statements.iter().any(|statement| {
        statement["Effect"] == "Allow"
            && statement.get("Condition").is_none()
            && principals(&statement["Principal"]).iter().any(|principal| principal == "*" || principal.ends_with(" *"))
    })
}

fn principals(principal: &Value) -> Vec<String> {
    match principal {
        Value::Object(kinds) => kinds
            .iter()
            .flat_map(|(kind, value)| texts(value).into_iter().map(move |text| format!("{kind} {text}")))
            .collect(),
        Value::Null => Vec::new(),
        other => texts(other),
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Null => Vec::new(),
        other => vec![other.to_string()],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn order_means_nothing() {
        let old = json!([{ "Effect": "Allow", "Action": ["a:B", "a:C"], "Resource": "x" }, { "Effect": "Deny" }]);
        let new = json!([{ "Effect": "Deny" }, { "Effect": "Allow", "Action": ["a:C", "a:B"], "Resource": ["x"] }]);
        assert_eq!(difference(Some(&old), Some(&new)), (vec![], vec![]));
    }

    #[test]
    fn what_is_new_on_everything_is_an_opening_whatever_was_allowed_on_everything_before() {
        let traces = json!({ "Effect": "Allow", "Action": "xray:PutTraceSegments", "Resource": "*" });
        let table = |resource: &str| json!({ "Effect": "Allow", "Action": "dynamodb:*", "Resource": resource });
        let before = openings(&[traces.clone(), table("arn:x")]);
        let new = |statement: Value| -> Vec<String> {
            openings(&[traces.clone(), table("arn:x"), statement]).difference(&before).cloned().collect()
        };
        assert_eq!(new(table("*")), ["`dynamodb:*` on `*`"]);
        assert_eq!(
            new(json!({ "Effect": "Allow", "Action": "s3:DeleteObject", "Resource": "*" })),
            ["`s3:DeleteObject` on `*`"]
        );
    }

    #[test]
    fn wildcards_and_principals_are_openings() {
        let statements =
            [json!({ "Effect": "Allow", "Action": "s3:*", "Resource": "*", "Principal": { "AWS": "arn:x" } })];
        let openings = openings(&statements);
        assert!(openings.iter().any(|opening| opening.contains("s3:*")), "{openings:?}");
        assert!(openings.iter().any(|opening| opening.contains("AWS arn:x")), "{openings:?}");
        assert!(!is_public(&statements));
        assert!(is_public(&[json!({ "Effect": "Allow", "Principal": "*" })]));
        assert!(!is_public(&[json!({ "Effect": "Deny", "Principal": "*" })]));
    }
}
