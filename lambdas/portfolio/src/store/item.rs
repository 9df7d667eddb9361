//! Items as DynamoDB has them, and as JSON.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Number, Value};

/// An item, or a key.
pub type Item = HashMap<String, AttributeValue>;

/// A JSON value as an attribute.
#[must_use]
pub fn attribute(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(truth) => AttributeValue::Bool(truth),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text),
        Value::Array(items) => AttributeValue::L(items.into_iter().map(attribute).collect()),
        Value::Object(fields) => {
            AttributeValue::M(fields.into_iter().map(|(name, value)| (name, attribute(value))).collect())
        }
    }
}

/// An attribute as a JSON value; sets and binary values, which are never written here, as null.
#[must_use]
pub fn json(attribute: &AttributeValue) -> Value {
    match attribute {
        AttributeValue::Bool(truth) => Value::Bool(*truth),
        AttributeValue::N(number) => number.parse::<Number>().map_or(Value::Null, Value::Number),
        AttributeValue::S(text) => Value::from(text.as_str()),
        AttributeValue::L(items) => items.iter().map(json).collect(),
        AttributeValue::M(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), json(value))).collect::<Map<_, _>>())
        }
        _ => Value::Null,
    }
}

/// A text as an attribute.
#[must_use]
pub fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// A number as an attribute.
#[must_use]
pub fn number(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// An item's text; empty where there is none.
#[must_use]
pub fn text_of<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}

/// An item's count; zero where there is none, or where it is below.
#[must_use]
pub fn count_of(item: &Item, name: &str) -> u64 {
    item.get(name).and_then(|value| value.as_n().ok()?.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json as value;

    use super::*;

    #[test]
    fn json_survives_being_stored() {
        let data = value!({
            "text": "", "number": 12, "null": null, "truth": true, "list": ["a", {"b": [1]}], "empty": {},
        });
        assert_eq!(json(&attribute(data.clone())), data);
    }

    #[test]
    fn counts_are_zero_where_there_are_none() {
        let item = Item::from([
            ("good".to_owned(), number(7)),
            ("below".to_owned(), number(-1)),
            ("text".to_owned(), text("7")),
        ]);
        assert_eq!(["good", "below", "text", "missing"].map(|name| count_of(&item, name)), [7, 0, 0, 0]);
    }
}
