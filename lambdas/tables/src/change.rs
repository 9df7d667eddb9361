//! Expressions of DynamoDB. All names and values are placeholders, so that reserved words and arbitrary texts are safe.
//!
//! A name may be a path into maps: `usage.sources` is the attribute `sources` of the map `usage`. Each segment has a
//! placeholder of its own. A name that contains a dot itself cannot be addressed.

use std::collections::HashMap;

use serde::Serialize;

use crate::{
    attributes::{Item, to_attribute},
    error::AwsError,
};

/// The names and values of an expression's placeholders.
#[derive(Debug, Clone, Default)]
pub struct Placeholders {
    pub(crate) names: HashMap<String, String>,
    pub(crate) values: Item,
    /// The first value that could not be converted. The request that uses the placeholders reports it.
    failure: Option<AwsError>,
}

impl Placeholders {
    /// Returns the placeholder of an attribute's name, or the placeholders of a path's segments.
    pub fn name(&mut self, name: &str) -> String {
        name.split('.').map(|segment| self.segment(segment)).collect::<Vec<_>>().join(".")
    }

    /// Placeholders consist of letters, digits and underscores. The placeholder of any other name begins with an
    /// underscore, so that it is not the placeholder of another name:
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ExpressionAttributeNames.html>.
    fn segment(&mut self, segment: &str) -> String {
        let is_plain = segment.starts_with(|first: char| first.is_ascii_alphabetic())
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let known = self.names.iter().find(|(_, name)| *name == segment).map(|(placeholder, _)| placeholder.clone());
        let placeholder = known.unwrap_or_else(|| match is_plain {
            true => format!("#{segment}"),
            false => format!("#_{}", self.names.len()),
        });
        self.names.insert(placeholder.clone(), segment.to_owned());
        placeholder
    }

    /// Returns the placeholder of a value.
    pub fn value(&mut self, value: impl Serialize) -> String {
        let placeholder = format!(":v{}", self.values.len());
        match to_attribute(value) {
            Ok(attribute) => {
                self.values.insert(placeholder.clone(), attribute);
            }
            Err(error) => {
                self.failure.get_or_insert(error);
            }
        }
        placeholder
    }

    /// `name <operator> value`.
    pub fn compare(&mut self, name: &str, operator: &str, value: impl Serialize) -> String {
        format!("{} {operator} {}", self.name(name), self.value(value))
    }

    /// `name IN (values…)`.
    pub fn one_of(&mut self, name: &str, values: impl IntoIterator<Item: Serialize>) -> String {
        let values: Vec<String> = values.into_iter().map(|value| self.value(value)).collect();
        format!("{} IN ({})", self.name(name), values.join(", "))
    }

    /// `attribute_exists(name)`.
    pub fn exists(&mut self, name: &str) -> String {
        format!("attribute_exists({})", self.name(name))
    }

    /// `attribute_not_exists(name)`.
    pub fn absent(&mut self, name: &str) -> String {
        format!("attribute_not_exists({})", self.name(name))
    }

    /// `begins_with(name, prefix)`.
    pub fn starts_with(&mut self, name: &str, prefix: &str) -> String {
        format!("begins_with({}, {})", self.name(name), self.value(prefix))
    }

    /// Takes the names; `None` rather than an empty map, which DynamoDB rejects.
    pub(crate) fn take_names(&mut self) -> Option<HashMap<String, String>> {
        Some(std::mem::take(&mut self.names)).filter(|names| !names.is_empty())
    }

    /// Takes the values; `None` rather than an empty map, which DynamoDB rejects.
    pub(crate) fn take_values(&mut self) -> Result<Option<Item>, AwsError> {
        match self.failure.take() {
            Some(failure) => Err(failure),
            None => Ok(Some(std::mem::take(&mut self.values)).filter(|values| !values.is_empty())),
        }
    }
}

/// Changes of an item, and their conditions.
#[derive(Debug, Clone, Default)]
pub struct Change {
    pub(crate) placeholders: Placeholders,
    set: Vec<String>,
    remove: Vec<String>,
    add: Vec<String>,
    conditions: Vec<String>,
}

impl Change {
    /// Begins without changes and conditions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets an attribute.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Serialize) -> Self {
        let assignment = self.placeholders.compare(name, "=", value);
        self.set.push(assignment);
        self
    }

    /// Sets an attribute if there is a value.
    #[must_use]
    pub fn set_some(self, name: &str, value: Option<impl Serialize>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    /// Sets an attribute that does not exist yet.
    #[must_use]
    pub fn set_once(mut self, name: &str, value: impl Serialize) -> Self {
        let (name, value) = (self.placeholders.name(name), self.placeholders.value(value));
        self.set.push(format!("{name} = if_not_exists({name}, {value})"));
        self
    }

    /// Adds to a number, which counts as 0 if absent.
    ///
    /// The verb `ADD` is documented for top-level attributes only, so a path is set to its sum. The maps on its way must exist:
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html>.
    #[must_use]
    pub fn add(mut self, name: &str, number: impl Serialize) -> Self {
        let is_path = name.contains('.');
        let (name, value) = (self.placeholders.name(name), self.placeholders.value(number));
        if is_path {
            let zero = self.placeholders.value(0);
            self.set.push(format!("{name} = if_not_exists({name}, {zero}) + {value}"));
        } else {
            self.add.push(format!("{name} {value}"));
        }
        self
    }

    /// Removes an attribute.
    #[must_use]
    pub fn remove(mut self, name: &str) -> Self {
        let name = self.placeholders.name(name);
        self.remove.push(name);
        self
    }

    /// Adds a condition. All conditions must hold.
    #[must_use]
    pub fn when(mut self, condition: impl FnOnce(&mut Placeholders) -> String) -> Self {
        let condition = condition(&mut self.placeholders);
        self.conditions.push(format!("({condition})"));
        self
    }

    /// The update expression.
    pub(crate) fn update(&self) -> String {
        let clauses = [("SET", &self.set), ("REMOVE", &self.remove), ("ADD", &self.add)];
        let clauses = clauses.iter().filter(|(_, parts)| !parts.is_empty());
        clauses.map(|(verb, parts)| format!("{verb} {}", parts.join(", "))).collect::<Vec<_>>().join(" ")
    }

    /// The condition expression.
    pub(crate) fn condition(&self) -> Option<String> {
        Some(self.conditions.join(" AND ")).filter(|condition| !condition.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::AttributeValue;

    use super::*;

    #[test]
    fn changes_build_expressions() {
        let change = Change::new()
            .set("status", "done")
            .set_some("error", None::<String>)
            .set_once("first_seen", "now")
            .remove("lease")
            .add("videos", -1)
            .when(|at| at.exists("id"))
            .when(|at| format!("{} OR {}", at.one_of("status", ["open", "late"]), at.compare("until", "<", 7)));
        assert_eq!(
            change.update(),
            "SET #status = :v0, #first_seen = if_not_exists(#first_seen, :v1) REMOVE #lease ADD #videos :v2"
        );
        assert_eq!(
            change.condition().as_deref(),
            Some("(attribute_exists(#id)) AND (#status IN (:v3, :v4) OR #until < :v5)")
        );
        assert_eq!(change.placeholders.values[":v2"], AttributeValue::N("-1".to_owned()));
        assert_eq!(change.placeholders.names["#status"], "status");
    }

    #[test]
    fn paths_have_a_placeholder_per_segment() {
        let change = Change::new()
            .set("families.0b1c-2d.jti", "x")
            .remove("families.0b1c-2d")
            .add("usage.sources", 1)
            .when(|at| at.compare("usage.sources", "<", 3))
            .when(|at| at.exists("families.9-9"));
        assert_eq!(
            change.update(),
            "SET #families.#_1.#jti = :v0, #usage.#sources = if_not_exists(#usage.#sources, :v2) + :v1 \
             REMOVE #families.#_1"
        );
        let condition = "(#usage.#sources < :v3) AND (attribute_exists(#families.#_5))";
        assert_eq!(change.condition().as_deref(), Some(condition));
        let names = &change.placeholders.names;
        assert_eq!(["#_1", "#_5", "#jti"].map(|name| names[name].as_str()), ["0b1c-2d", "9-9", "jti"]);
    }

    #[test]
    fn a_value_without_an_attribute_fails_the_request() {
        struct Unserializable;
        impl Serialize for Unserializable {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("no attribute"))
            }
        }
        let mut change = Change::new().set("a", Unserializable).set("b", 1);
        assert!(change.placeholders.take_values().expect_err("a failure").to_string().contains("no attribute"));
    }

    #[test]
    fn no_condition_is_none() {
        assert_eq!(Change::new().set("a", 1).condition(), None);
    }
}
