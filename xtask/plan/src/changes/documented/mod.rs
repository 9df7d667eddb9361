//! Effects of changes that AWS documents and its schemas do not specify: a table of [`rules`], and its interpreter.
//!
//! A row corrects the effect of a property's change, or names a change that the service refuses. Names that must be unique
//! have a table of their own, [`super::names`].

pub(super) mod rules;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Cause, Certainty};

/// A documented effect of a property's change.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) resource_type: &'static str,
    /// The property's path within `Properties`, with `/` between steps.
    pub(super) property: &'static str,
    /// The values for which the row applies.
    pub(super) when: When,
    /// A property, and the value that it must have before the change for the row to apply.
    pub(super) given: Option<(&'static str, &'static str)>,
    pub(super) effect: Effect,
    /// The page of AWS's documentation.
    #[cfg_attr(not(test), expect(dead_code, reason = "the documentation of a row; tests require it"))]
    pub(super) source: &'static str,
}

/// A condition on the old and the new value of a property.
#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    /// It is added, removed or changed.
    Changes,
    /// It is changed; without it, the service's default applies.
    ChangesFrom { default: &'static str },
    /// It has different values before and after the change.
    Differs,
    /// It had this value, and has another one or none.
    Leaves(&'static str),
    /// It had the first value, and has the second one.
    Moves(&'static str, &'static str),
    /// It is set, and so is this other property. Applies to new resources too.
    Together(&'static str),
    /// An item of the list is changed. `key` is the field that names an item, and the fields of `except` may change.
    EditsItem { key: &'static str, except: &'static [&'static str] },
    /// An item of the list is removed.
    RemovesItem { key: &'static str },
    /// An item is added whose `field` is true.
    AddsItemWith { key: &'static str, field: &'static str },
    /// More than one item of the list is added or removed.
    MovesSeveral { key: &'static str },
}

/// An effect on the resource.
#[derive(Debug, Clone, Copy)]
pub(super) enum Effect {
    /// Replaces the resource, with this certainty and for this reason.
    Replaces(Certainty, &'static str),
    /// Changes it in place.
    InPlace,
    /// Is refused by CloudFormation or the service, for this reason. `{items}` stands for the names of the items that are
    /// concerned, and `{steps}` for the deploys that make the change instead.
    Refused(&'static str),
}

/// Corrects and completes the causes of a replacement from the schemas.
pub(super) fn refine(resource_type: &str, old: &Value, new: &Value, causes: &mut Vec<Cause>) {
    for rule in rules_of(resource_type) {
        if rule.applies(Some(old), new).is_none() {
            continue;
        }
        match rule.effect {
            Effect::Replaces(certainty, condition) => {
                causes.retain(|cause| cause.property != rule.property);
                let condition = Some(condition.to_owned());
                causes.push(Cause { property: rule.property.to_owned(), certainty, condition, follows: None });
            }
            Effect::InPlace => causes.retain(|cause| cause.property != rule.property),
            Effect::Refused(_) => {}
        }
    }
}

/// Returns the reasons why the service would refuse to change a resource in place, or to create it if `old` is `None`.
pub(super) fn refusal(resource_type: &str, old: Option<&Value>, new: &Value) -> Option<String> {
    let reasons = rules_of(resource_type).filter_map(|rule| match rule.effect {
        Effect::Refused(why) => Some(rule.applies(old, new)?.fill(why)),
        Effect::Replaces(..) | Effect::InPlace => None,
    });
    let reasons: Vec<_> = reasons.collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

fn rules_of(resource_type: &str) -> impl Iterator<Item = &'static Rule> {
    rules::RULES.iter().copied().flatten().filter(move |rule| rule.resource_type == resource_type)
}

/// The items of a list that a change concerns.
#[derive(Debug, Default, PartialEq, Eq)]
struct Items {
    removed: Vec<String>,
    added: Vec<String>,
    edited: Vec<String>,
}

impl Items {
    /// Names the items, and the deploys that make the change one by one, in a reason.
    fn fill(&self, why: &str) -> String {
        let quoted = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let all: Vec<_> = [&self.removed, &self.added, &self.edited].into_iter().flatten().cloned().collect();
        let removals = self.removed.iter().map(|name| format!("remove `{name}`"));
        let steps: Vec<_> = removals.chain(self.added.iter().map(|name| format!("add `{name}`"))).collect();
        why.replace("{items}", &quoted(&all)).replace("{steps}", &steps.join(", then "))
    }
}

impl Rule {
    /// Returns the items that are concerned if the row applies; none for a property that is no list.
    fn applies(&self, old: Option<&Value>, new: &Value) -> Option<Items> {
        let after = at(new, self.property);
        if let When::Together(other) = self.when {
            return (after.is_some() && at(new, other).is_some() && self.is_given(new)).then(Items::default);
        }
        let old = old?;
        let before = at(old, self.property);
        if self.comparable(before) == self.comparable(after) || !self.is_given(old) {
            return None;
        }
        let is_plain = match self.when {
            When::Changes => true,
            When::ChangesFrom { default } => {
                let value = |side: Option<&Value>| side.map_or_else(|| default.to_owned(), text);
                value(before) != value(after)
            }
            When::Differs => before.is_some() && after.is_some(),
            When::Leaves(value) => before.is_some_and(|before| text(before) == value),
            When::Moves(from, to) => {
                before.is_some_and(|before| text(before) == from) && after.is_some_and(|after| text(after) == to)
            }
            _ => return self.items(before, after),
        };
        is_plain.then(Items::default)
    }

    /// The property's value, in a form that is the same for equal sets.
    fn comparable(&self, value: Option<&Value>) -> Option<Value> {
        value.map(|value| unordered(&json!({ self.property: value })))
    }

    fn is_given(&self, properties: &Value) -> bool {
        self.given.is_none_or(|(property, value)| at(properties, property).is_some_and(|given| text(given) == value))
    }

    /// Returns the concerned items of a list.
    fn items(&self, before: Option<&Value>, after: Option<&Value>) -> Option<Items> {
        let concerned = match self.when {
            When::EditsItem { key, except } => {
                let (before, after) = (named(before, key), named(after, key));
                let edited = before.into_iter().filter(|(name, item)| {
                    let fixed = |item: &Value| unordered(&without(item, except));
                    after.get(name).is_some_and(|other| fixed(item) != fixed(other))
                });
                Items { edited: edited.map(|(name, _)| name.to_owned()).collect(), ..Items::default() }
            }
            When::RemovesItem { key } => Items { removed: missing(before, after, key, None), ..Items::default() },
            When::AddsItemWith { key, field } => {
                Items { added: missing(after, before, key, Some(field)), ..Items::default() }
            }
            When::MovesSeveral { key } => {
                let moved = Items {
                    removed: missing(before, after, key, None),
                    added: missing(after, before, key, None),
                    ..Items::default()
                };
                return (moved.removed.len() + moved.added.len() > 1).then_some(moved);
            }
            _ => return None,
        };
        (concerned != Items::default()).then_some(concerned)
    }
}

/// Returns the value at a path.
pub(super) fn at<'a>(properties: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('/').try_fold(properties, |value, step| value.get(step))
}

/// The text of a value; templates write booleans and numbers either way.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns the items of a list by the field that names them.
fn named<'a>(list: Option<&'a Value>, field: &str) -> BTreeMap<&'a str, &'a Value> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|item| Some((item[field].as_str()?, item))).collect()
}

/// The names of the items of a list that another one lacks; those whose `field` is true only, if one is given.
fn missing(list: Option<&Value>, other: Option<&Value>, key: &str, field: Option<&str>) -> Vec<String> {
    let other = named(other, key);
    let is_missing = |(name, item): &(&str, &Value)| {
        !other.contains_key(name) && field.is_none_or(|field| item.get(field).is_some_and(|is| text(is) == "true"))
    };
    named(list, key).into_iter().filter(is_missing).map(|(name, _)| name.to_owned()).collect()
}

/// Returns the value with its lists in one order: the services read those of the rows as sets, except for the attributes of a
/// key, of which the first is the partition key (DynamoDB API reference, `KeySchemaElement`).
fn unordered(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<_> = items.iter().map(unordered).collect();
            items.sort_by_key(ToString::to_string);
            Value::Array(items)
        }
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| {
                (
                    name.clone(),
                    if name == "KeySchema" || name.starts_with("Fn::") { value.clone() } else { unordered(value) },
                )
            };
            Value::Object(fields.iter().map(field).collect())
        }
        plain => plain.clone(),
    }
}

fn without(item: &Value, fields: &[&str]) -> Value {
    let mut item = item.clone();
    if let Value::Object(object) = &mut item {
        fields.iter().for_each(|field| drop(object.remove(*field)));
    }
    item
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refined(resource_type: &str, property: &str, old: &Value, new: &Value) -> (usize, bool) {
        let (old, new) = (json!({ property: old }), json!({ property: new }));
        let mut causes = Vec::new();
        refine(resource_type, &old, &new, &mut causes);
        (causes.len(), refusal(resource_type, Some(&old), &new).is_some())
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

    #[test]
    fn several_indexes_are_split_into_deploys_with_one_each() {
        let index = |name: &str, key: &str| json!({ "IndexName": name, "KeySchema": [{ "AttributeName": key }] });
        let of = |old: &Value, new: &Value| {
            let side = |indexes: &Value| json!({ "GlobalSecondaryIndexes": indexes });
            refusal("AWS::DynamoDB::Table", Some(&side(old)), &side(new))
        };
        let (a, b, c) = (index("a", "x"), index("b", "y"), index("c", "z"));
        assert_eq!(of(&json!([a]), &json!([a, b])), None);
        assert_eq!(of(&json!([a, b]), &json!([a])), None);
        let why = of(&json!([a]), &json!([b, c])).expect("refused");
        assert!(why.contains("`a`, `b`, `c`"), "{why}");
        assert!(why.contains("deploy each step separately: remove `a`, then add `b`, then add `c`"), "{why}");
        let why = of(&json!([a]), &json!([index("a", "other")])).expect("refused");
        assert!(why.contains("new name") && why.contains("`a`"), "{why}");
        let mut faster = a.clone();
        faster["ProvisionedThroughput"] = json!({ "ReadCapacityUnits": 5 });
        assert_eq!(of(&json!([a]), &json!([faster])), None);
    }

    #[test]
    fn a_default_and_its_spelled_value_are_the_same() {
        let of = |old: &Value, new: &Value| refusal("AWS::KMS::Key", Some(old), new).is_some();
        assert!(!of(&json!({}), &json!({ "KeySpec": "SYMMETRIC_DEFAULT", "MultiRegion": false })));
        assert!(of(&json!({}), &json!({ "MultiRegion": true })));
        assert!(of(&json!({ "KeySpec": "RSA_2048" }), &json!({ "KeySpec": "RSA_4096" })));
    }

    #[test]
    fn the_order_of_a_set_is_no_change_and_that_of_a_key_is_one() {
        let refused = |kind: &str, property: &str, old: Value, new: Value| refined(kind, property, &old, &new).1;
        for property in ["UsernameAttributes", "AliasAttributes"] {
            let (old, new) = (json!(["email", "phone_number"]), json!(["phone_number", "email"]));
            assert!(!refused("AWS::Cognito::UserPool", property, old.clone(), new), "{property}");
            assert!(refused("AWS::Cognito::UserPool", property, old, json!(["email"])), "{property}");
        }
        let index = |attributes: [&str; 2], keys: [&str; 2]| {
            let keys = keys.map(|name| json!({ "AttributeName": name }));
            json!([{ "IndexName": "a", "KeySchema": keys, "Projection": { "NonKeyAttributes": attributes } }])
        };
        let of =
            |new: Value| refused("AWS::DynamoDB::Table", "GlobalSecondaryIndexes", index(["x", "y"], ["k", "l"]), new);
        assert!(!of(index(["y", "x"], ["k", "l"])));
        assert!(of(index(["y", "z"], ["k", "l"])));
        assert!(of(index(["x", "y"], ["l", "k"])));
        let keys = |names: [&str; 2]| json!(names.map(|name| json!({ "AttributeName": name })));
        assert_eq!(refined("AWS::DynamoDB::Table", "KeySchema", &keys(["k", "l"]), &keys(["l", "k"])), (1, false));
    }

    #[test]
    fn every_row_names_its_source() {
        for rule in rules::RULES.iter().copied().flatten() {
            assert!(rule.source.split(' ').count() > 2, "{} {}", rule.resource_type, rule.property);
        }
    }
}
