//! Items of DynamoDB as plain data, converted by serde.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use common::numbers::PlainNumbers;
use serde::{Serialize, de::DeserializeOwned};

use crate::aws::AwsError;

/// An item, or its key.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// Converts a struct or a map; anything else is an error.
pub(crate) fn to_item(data: &impl Serialize) -> Result<Item, AwsError> {
    const ACTION: &str = "convert to an item";
    let json = serde_json::to_value(data).map_err(|error| AwsError::new(ACTION, &error))?;
    serde_dynamo::to_item(PlainNumbers(&json)).map_err(|error| AwsError::new(ACTION, &error))
}

/// Converts a value.
pub(crate) fn to_attribute(data: impl Serialize) -> Result<AttributeValue, AwsError> {
    const ACTION: &str = "convert a value of an expression";
    let json = serde_json::to_value(data).map_err(|error| AwsError::new(ACTION, &error))?;
    serde_dynamo::to_attribute_value(PlainNumbers(&json)).map_err(|error| AwsError::new(ACTION, &error))
}

/// Builds an item whose attributes are all strings, such as a key.
pub(crate) fn strings<const N: usize>(attributes: [(&str, &str); N]) -> Item {
    attributes.map(|(name, text)| (name.to_owned(), AttributeValue::S(text.to_owned()))).into()
}

pub(crate) fn from_item<T: DeserializeOwned>(item: Item) -> Result<T, AwsError> {
    serde_dynamo::from_item(item).map_err(|error| AwsError::new("parse an item", &error))
}

pub(crate) fn from_items<T: DeserializeOwned>(items: Vec<Item>) -> Result<Vec<T>, AwsError> {
    items.into_iter().map(from_item).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

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
}
