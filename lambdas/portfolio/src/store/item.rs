//! Items, and their conversion from and to plain data.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use common::numbers::PlainNumbers;
use serde::Serialize;

use super::StoreError;

/// An item, or its key.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// Converts plain data.
pub(crate) fn attribute(data: impl Serialize) -> Result<AttributeValue, StoreError> {
    let json = serde_json::to_value(data)?;
    Ok(serde_dynamo::to_attribute_value(PlainNumbers(&json))?)
}

/// Builds a map whose fields are all strings.
pub(crate) fn strings<const N: usize>(fields: [(&str, &str); N]) -> AttributeValue {
    AttributeValue::M(fields.map(|(name, value)| (name.to_owned(), text(value))).into())
}

pub(crate) fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub(crate) fn number(number: impl ToString) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// Returns a string attribute, or an empty string if there is none.
pub(crate) fn text_of<'a>(item: &'a Item, name: &str) -> &'a str {
    item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str)
}

/// Returns a count, or zero if there is none or it is negative.
pub(crate) fn count_of(item: &Item, name: &str) -> u64 {
    item.get(name).and_then(|value| value.as_n().ok()?.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn json_survives_being_stored() {
        let data = json!({
            "text": "", "number": 12, "null": null, "truth": true, "list": ["a", {"b": [1]}], "empty": {},
        });
        let stored = attribute(&data).expect("plain data");
        let expected = AttributeValue::M(
            [
                ("text", text("")),
                ("number", number(12)),
                ("null", AttributeValue::Null(true)),
                ("truth", AttributeValue::Bool(true)),
                (
                    "list",
                    AttributeValue::L(vec![
                        text("a"),
                        AttributeValue::M([("b".to_owned(), AttributeValue::L(vec![number(1)]))].into()),
                    ]),
                ),
                ("empty", strings([])),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        );
        assert_eq!(stored, expected);
        assert_eq!(serde_dynamo::from_attribute_value::<_, Value>(stored).expect("the same"), data);
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
