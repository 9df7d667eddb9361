//! Items as plain data: whatever serde knows becomes DynamoDB's attributes and back, by way of JSON.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Number, Value};

use crate::aws::AwsError;

/// An item, or its key.
pub type Item = HashMap<String, AttributeValue>;

/// Plain data as an item.
///
/// # Errors
/// When it is no object.
pub fn to_item(data: &impl Serialize) -> Result<Item, AwsError> {
    match serde_json::to_value(data) {
        Ok(Value::Object(fields)) => Ok(fields.into_iter().map(|(name, value)| (name, attribute(value))).collect()),
        Ok(_) => Err(AwsError::odd("write an item", "it is no object")),
        Err(error) => Err(AwsError::new("write an item", &error)),
    }
}

/// An item as plain data.
///
/// # Errors
/// When it is something else.
pub fn from_item<T: DeserializeOwned>(item: Item) -> Result<T, AwsError> {
    let fields: Map<String, Value> = item.into_iter().map(|(name, attribute)| (name, json(attribute))).collect();
    serde_json::from_value(Value::Object(fields)).map_err(|error| AwsError::new("understand an item", &error))
}

/// Values as plain data.
///
/// # Errors
/// When one is something else.
pub fn from_items<T: DeserializeOwned>(items: Vec<Item>) -> Result<Vec<T>, AwsError> {
    items.into_iter().map(from_item).collect()
}

/// A JSON value as an attribute.
#[must_use]
pub fn attribute(value: Value) -> AttributeValue {
    match value {
        Value::Null => AttributeValue::Null(true),
        Value::Bool(truth) => AttributeValue::Bool(truth),
        Value::Number(number) => AttributeValue::N(number.to_string()),
        Value::String(text) => AttributeValue::S(text),
        Value::Array(values) => AttributeValue::L(values.into_iter().map(attribute).collect()),
        Value::Object(fields) => {
            AttributeValue::M(fields.into_iter().map(|(name, value)| (name, attribute(value))).collect())
        }
    }
}

/// An attribute as a JSON value. Sets and bytes, which nothing here writes, are null.
fn json(attribute: AttributeValue) -> Value {
    match attribute {
        AttributeValue::Bool(truth) => Value::Bool(truth),
        AttributeValue::N(number) => self::number(&number).map_or(Value::Null, Value::Number),
        AttributeValue::S(text) => Value::String(text),
        AttributeValue::L(values) => Value::Array(values.into_iter().map(json).collect()),
        AttributeValue::M(fields) => {
            Value::Object(fields.into_iter().map(|(name, attribute)| (name, json(attribute))).collect())
        }
        _ => Value::Null,
    }
}

fn number(text: &str) -> Option<Number> {
    text.parse::<i64>().map(Number::from).ok().or_else(|| Number::from_f64(text.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn data_survives_the_table() {
        let data = json!({
            "text": "x", "number": 5_368_709_120_u64, "negative": -1, "fraction": 0.25, "yes": true, "none": null,
            "list": [1, "a", {"b": null}], "map": {"c": [false]},
        });
        let item = to_item(&data).expect("an object");
        assert_eq!(item["number"], AttributeValue::N("5368709120".to_owned()));
        assert_eq!(from_item::<Value>(item).expect("the same"), data);
    }

    #[test]
    fn only_objects_are_items() {
        assert!(to_item(&json!([1])).is_err());
        assert!(from_item::<Vec<u8>>(Item::new()).is_err());
    }
}
