//! JSON whose numbers serialize as numbers, independent of the features of `serde_json`.

use serde::{Serialize, Serializer};
use serde_json::Value;

/// JSON for serializers other than `serde_json`'s.
///
/// With `serde_json`'s feature `arbitrary_precision`, which any crate of a build can switch on, a [`serde_json::Number`]
/// serializes as a map with a private key. `serde_dynamo` would store that map.
#[derive(Debug, Clone, Copy)]
pub struct PlainNumbers<'a>(pub &'a Value);

impl Serialize for PlainNumbers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(natural), _, _) => serializer.serialize_u64(natural),
                (_, Some(integer), _) => serializer.serialize_i64(integer),
                (_, _, Some(fraction)) => serializer.serialize_f64(fraction),
                _ => Err(serde::ser::Error::custom(format!("{number} is out of range"))),
            },
            Value::Array(items) => serializer.collect_seq(items.iter().map(PlainNumbers)),
            Value::Object(fields) => {
                serializer.collect_map(fields.iter().map(|(name, value)| (name, PlainNumbers(value))))
            }
            other => other.serialize(serializer),
        }
    }
}
