//! What AWS's documentation says of changes and its schemas leave open.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Cause, Certainty};

/// What the documentation adds about a change of one property.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// It replaces the resource.
    Replaces(Certainty, &'static str),
    /// It changes in place, whatever the schema leaves open.
    InPlace,
    /// The service refuses it.
    Refused(&'static str),
}

/// A property, and what its documentation says of a change from one value to another.
struct Rule {
    resource_type: &'static str,
    property: &'static str,
    of: fn(Option<&Value>, Option<&Value>) -> Outcome,
}

const RULES: &[Rule] = &[
    // CloudFormation template reference, AWS::DynamoDB::Table: `KeySchema`, "Update requires: Replacement".
    Rule {
        resource_type: "AWS::DynamoDB::Table",
        property: "KeySchema",
        of: |_, _| Outcome::Replaces(Certainty::Certain, "a table keeps its key for life"),
    },
    // Same page: `AttributeDefinitions`, "Replacement if you edit an existing AttributeDefinition".
    Rule {
        resource_type: "AWS::DynamoDB::Table",
        property: "AttributeDefinitions",
        of: |old, new| {
            if edits_existing(old, new, "AttributeName") {
                Outcome::Replaces(Certainty::Certain, "an attribute that exists is edited")
            } else {
                Outcome::InPlace
            }
        },
    },
    // Same page: `LocalSecondaryIndexes`, "Update requires: Replacement".
    Rule {
        resource_type: "AWS::DynamoDB::Table",
        property: "LocalSecondaryIndexes",
        of: |_, _| Outcome::Replaces(Certainty::Certain, "local indexes are made with their table only"),
    },
    // Cognito developer guide, "Working with user attributes": attributes can be added, not changed or removed. The
    // template reference says "No interruption", which is what becomes of an addition.
    Rule {
        resource_type: "AWS::Cognito::UserPool",
        property: "Schema",
        of: |old, new| {
            if edits_existing(old, new, "Name") || removes_existing(old, new, "Name") {
                Outcome::Refused("Cognito refuses to change or remove an attribute that a pool has; it only adds some")
            } else {
                Outcome::InPlace
            }
        },
    },
    // Cognito developer guide, "Customizing sign-in attributes": "You can't change this setting after creation".
    Rule { resource_type: "AWS::Cognito::UserPool", property: "AliasAttributes", of: sign_in },
    Rule { resource_type: "AWS::Cognito::UserPool", property: "UsernameAttributes", of: sign_in },
    Rule { resource_type: "AWS::Cognito::UserPool", property: "UsernameConfiguration", of: sign_in },
];

fn sign_in(_old: Option<&Value>, _new: Option<&Value>) -> Outcome {
    Outcome::Refused("Cognito refuses to change how users sign in to a pool that exists; make another pool")
}

/// Adds to, and corrects, what the schemas say of a change; returns why the service would refuse it, if it would.
pub(super) fn refine(resource_type: &str, old: &Value, new: &Value, causes: &mut Vec<Cause>) -> Option<String> {
    let mut refused = None;
    for rule in RULES.iter().filter(|rule| rule.resource_type == resource_type) {
        let (before, after) = (old.get(rule.property), new.get(rule.property));
        if before == after {
            continue;
        }
        match (rule.of)(before, after) {
            Outcome::Replaces(certainty, condition) => {
                causes.retain(|cause| cause.property != rule.property);
                let condition = Some(condition.to_owned());
                causes.push(Cause { property: rule.property.to_owned(), certainty, condition, follows: None });
            }
            Outcome::InPlace => causes.retain(|cause| cause.property != rule.property),
            Outcome::Refused(why) => refused = Some(why.to_owned()),
        }
    }
    refused
}

/// The items of a list by the field that names them.
fn named<'a>(list: Option<&'a Value>, field: &str) -> BTreeMap<&'a str, &'a Value> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|item| Some((item[field].as_str()?, item))).collect()
}

fn edits_existing(old: Option<&Value>, new: Option<&Value>, field: &str) -> bool {
    let new = named(new, field);
    named(old, field).into_iter().any(|(name, item)| new.get(name).is_some_and(|other| *other != item))
}

fn removes_existing(old: Option<&Value>, new: Option<&Value>, field: &str) -> bool {
    let new = named(new, field);
    named(old, field).into_keys().any(|name| !new.contains_key(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refined(resource_type: &str, property: &str, old: &Value, new: &Value) -> (usize, bool) {
        let mut causes = Vec::new();
        let refused = refine(resource_type, &json!({ property: old }), &json!({ property: new }), &mut causes);
        (causes.len(), refused.is_some())
    }

    #[test]
    fn a_table_s_attributes_are_added_in_place_and_edited_by_replacement() {
        let attribute = |name: &str, kind: &str| json!({ "AttributeName": name, "AttributeType": kind });
        let of = |old: &Value, new: &Value| refined("AWS::DynamoDB::Table", "AttributeDefinitions", old, new);
        let one = json!([attribute("a", "S")]);
        assert_eq!(of(&one, &json!([attribute("a", "S"), attribute("b", "N")])), (0, false));
        assert_eq!(of(&one, &json!([attribute("a", "N")])), (1, false));
        assert_eq!(of(&one, &one), (0, false));
    }

    #[test]
    fn a_pool_s_attributes_are_only_added() {
        let of = |old: &Value, new: &Value| refined("AWS::Cognito::UserPool", "Schema", old, new);
        let one = json!([{ "Name": "team", "Mutable": true }]);
        assert_eq!(of(&one, &json!([{ "Name": "team", "Mutable": true }, { "Name": "more" }])), (0, false));
        assert_eq!(of(&one, &json!([{ "Name": "team", "Mutable": false }])), (0, true));
        assert_eq!(of(&one, &json!([])), (0, true));
        assert_eq!(refined("AWS::Cognito::UserPool", "UsernameAttributes", &json!(["email"]), &json!([])), (0, true));
    }
}
