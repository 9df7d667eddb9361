//! Items of DynamoDB as plain data, converted by serde.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use common::numbers::PlainNumbers;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Number, Value};

use crate::error::AwsError;

/// An item, or its key.
pub type Item = HashMap<String, AttributeValue>;

/// Converts a struct or a map.
///
/// # Errors
/// When the data is neither.
pub fn to_item(data: &impl Serialize) -> Result<Item, AwsError> {
    const ACTION: &str = "convert to an item";
    let json = serde_json::to_value(data).map_err(|error| AwsError::new(ACTION, &error))?;
    serde_dynamo::to_item(PlainNumbers(&json)).map_err(|error| AwsError::new(ACTION, &error))
}

/// Converts a value.
///
/// # Errors
/// When the value cannot be serialized.
pub fn to_attribute(data: impl Serialize) -> Result<AttributeValue, AwsError> {
    const ACTION: &str = "convert a value of an expression";
    let json = serde_json::to_value(data).map_err(|error| AwsError::new(ACTION, &error))?;
    serde_dynamo::to_attribute_value(PlainNumbers(&json)).map_err(|error| AwsError::new(ACTION, &error))
}

/// Converts a number, such as that of a key.
#[must_use]
pub fn number(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// Builds an item whose attributes are all strings, such as a key.
#[must_use]
pub fn strings<const N: usize>(attributes: [(&str, &str); N]) -> Item {
    attributes.map(|(name, text)| (name.to_owned(), AttributeValue::S(text.to_owned()))).into()
}

/// The maximum depth of foreign JSON that is stored as such. DynamoDB accepts 32 in an item (DynamoDB developer guide, "Quotas").
const MOST_LEVELS: usize = 16;

/// Converts JSON of unknown origin to JSON that DynamoDB can store: a part that it would refuse becomes its text.
#[must_use]
pub fn to_storable(value: Value) -> Value {
    storable(value, MOST_LEVELS)
}

fn storable(value: Value, levels: usize) -> Value {
    match value {
        Value::Array(_) | Value::Object(_) if levels == 0 => Value::String(value.to_string()),
        Value::Number(number) if !is_storable(&number) => Value::String(number.to_string()),
        // Attribute names have at least one character (DynamoDB developer guide, "Naming rules and data types").
        Value::Object(fields) if fields.contains_key("") => Value::String(Value::Object(fields).to_string()),
        Value::Array(items) => items.into_iter().map(|item| storable(item, levels - 1)).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, storable(value, levels - 1))).collect(),
        other => other,
    }
}

/// Checks a number's range (DynamoDB developer guide, "Quotas": numbers).
fn is_storable(number: &Number) -> bool {
    let magnitude = number.as_f64().unwrap_or(f64::INFINITY).abs();
    magnitude == 0.0 || (1e-130..=9.9e125).contains(&magnitude)
}

/// Converts an item to a struct.
///
/// # Errors
/// When the item lacks a field, or when one has another type.
pub fn from_item<T: DeserializeOwned>(item: Item) -> Result<T, AwsError> {
    serde_dynamo::from_item(item).map_err(|error| AwsError::new("parse an item", &error))
}

/// Converts items to structs.
///
/// # Errors
/// When one of them cannot be converted.
pub fn from_items<T: DeserializeOwned>(items: Vec<Item>) -> Result<Vec<T>, AwsError> {
    items.into_iter().map(from_item).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn data_survives_a_round_trip() {
        let data = json!({
            "text": "x", "number": 5_368_709_120_u64, "negative": -1, "fraction": 0.25, "yes": true, "none": null,
            "list": [1, "a", {"b": null}], "map": {"c": [false]},
        });
        let item = to_item(&data).expect("an object");
        assert_eq!(item["number"], AttributeValue::N("5368709120".to_owned()));
        assert_eq!(item["none"], AttributeValue::Null(true));
        assert_eq!(from_item::<Value>(item).expect("the same"), data);
    }

    #[test]
    fn only_objects_are_items() {
        assert!(to_item(&json!([1])).is_err());
        assert!(from_item::<Vec<u8>>(Item::new()).is_err());
    }

    fn levels(value: &Value) -> usize {
        match value {
            Value::Array(items) => 1 + items.iter().map(levels).max().unwrap_or(0),
            Value::Object(fields) => 1 + fields.values().map(levels).max().unwrap_or(0),
            _ => 0,
        }
    }

    #[test]
    fn values_that_dynamodb_refuses_are_stored_as_text() {
        let deep = (0..100).fold(json!(1), |inner, _| json!({"a": [inner]}));
        assert_eq!(levels(&to_storable(deep.clone())), MOST_LEVELS);
        let shallow = (0..8).fold(json!(1), |inner, _| json!({"a": [inner]}));
        assert_eq!(to_storable(shallow.clone()), shallow);
        let odd = json!({"large": 1e300, "small": 1e-200, "unnamed": {"": 1}, "list": [0, -5.5, u64::MAX, null, true]});
        let expected = json!({
            "large": "1e300", "small": "1e-200", "unnamed": r#"{"":1}"#, "list": [0, -5.5, u64::MAX, null, true],
        });
        let text = |value: &Value| value.to_string().replace("1e+300", "1e300");
        assert_eq!(text(&to_storable(odd)), text(&expected));
    }
}
