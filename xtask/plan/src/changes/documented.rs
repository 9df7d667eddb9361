//! Effects of changes that AWS documents and its schemas do not specify.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Cause, Certainty};

/// The documented effect of a property's change.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Effect {
    /// Replaces the resource.
    Replaces(Certainty, &'static str),
    /// Changes it in place.
    InPlace,
    /// Is refused by the service.
    Refused(&'static str),
}

/// The documented effect of a property's change from one value to another.
struct Rule {
    resource_type: &'static str,
    property: &'static str,
    effect: fn(Option<&Value>, Option<&Value>) -> Effect,
}

const RULES: &[Rule] = &[
    // CloudFormation template reference, AWS::DynamoDB::Table: `KeySchema`, "Update requires: Replacement".
    Rule {
        resource_type: "AWS::DynamoDB::Table",
        property: "KeySchema",
        effect: |_, _| Effect::Replaces(Certainty::Certain, "a table's key schema is fixed at its creation"),
    },
    // Same page: `AttributeDefinitions`, "Replacement if you edit an existing AttributeDefinition".
    Rule {
        resource_type: "AWS::DynamoDB::Table",
        property: "AttributeDefinitions",
        effect: |old, new| {
            if edits_existing(old, new, "AttributeName") {
                Effect::Replaces(Certainty::Certain, "an existing attribute is edited")
            } else {
                Effect::InPlace
            }
        },
    },
    // Same page: `LocalSecondaryIndexes`, "Update requires: Replacement".
    Rule {
        resource_type: "AWS::DynamoDB::Table",
        property: "LocalSecondaryIndexes",
        effect: |_, _| {
            Effect::Replaces(Certainty::Certain, "local secondary indexes are fixed at the table's creation")
        },
    },
    // Cognito developer guide, "Working with user attributes": attributes can be added, not changed or removed. The
    // template reference says "No interruption", which applies to additions.
    Rule {
        resource_type: "AWS::Cognito::UserPool",
        property: "Schema",
        effect: |old, new| {
            if edits_existing(old, new, "Name") || removes_existing(old, new, "Name") {
                Effect::Refused(
                    "Cognito cannot change or remove an existing attribute of a user pool, only add attributes",
                )
            } else {
                Effect::InPlace
            }
        },
    },
    // Cognito developer guide, "Customizing sign-in attributes": "You can't change this setting after creation".
    Rule { resource_type: "AWS::Cognito::UserPool", property: "AliasAttributes", effect: sign_in },
    Rule { resource_type: "AWS::Cognito::UserPool", property: "UsernameAttributes", effect: sign_in },
    Rule { resource_type: "AWS::Cognito::UserPool", property: "UsernameConfiguration", effect: sign_in },
];

fn sign_in(_old: Option<&Value>, _new: Option<&Value>) -> Effect {
    Effect::Refused("Cognito cannot change the sign-in settings of an existing user pool; create another pool")
}

/// Corrects and completes the causes from the schemas; returns the reason if the service would refuse the change.
pub(super) fn refine(resource_type: &str, old: &Value, new: &Value, causes: &mut Vec<Cause>) -> Option<String> {
    let mut refused = None;
    for rule in RULES.iter().filter(|rule| rule.resource_type == resource_type) {
        let (before, after) = (old.get(rule.property), new.get(rule.property));
        if before == after {
            continue;
        }
        match (rule.effect)(before, after) {
            Effect::Replaces(certainty, condition) => {
                causes.retain(|cause| cause.property != rule.property);
                let condition = Some(condition.to_owned());
                causes.push(Cause { property: rule.property.to_owned(), certainty, condition, follows: None });
            }
            Effect::InPlace => causes.retain(|cause| cause.property != rule.property),
            Effect::Refused(why) => refused = Some(why.to_owned()),
        }
    }
    refused
}

/// Returns the items of a list by the field that names them.
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
    fn attributes_of_a_user_pool_can_only_be_added() {
        let of = |old: &Value, new: &Value| refined("AWS::Cognito::UserPool", "Schema", old, new);
        let one = json!([{ "Name": "team", "Mutable": true }]);
        assert_eq!(of(&one, &json!([{ "Name": "team", "Mutable": true }, { "Name": "more" }])), (0, false));
        assert_eq!(of(&one, &json!([{ "Name": "team", "Mutable": false }])), (0, true));
        assert_eq!(of(&one, &json!([])), (0, true));
        assert_eq!(refined("AWS::Cognito::UserPool", "UsernameAttributes", &json!(["email"]), &json!([])), (0, true));
    }
}
