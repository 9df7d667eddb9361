//! Validates requests with the same schemas that the API's description contains.

use regex_lite::Regex;
use schemars::{JsonSchema, Schema, generate::SchemaSettings, transform::RecursiveTransform};
use serde_json::{Map, Value};

use crate::time;

/// A custom keyword: the most bytes of UTF-8 in a string, because the table's items are limited in bytes.
pub(crate) const MAX_BYTES: &str = "x-maxBytes";

/// The settings of all schemas: OpenAPI 3.0, with enumerations as lists of values.
pub(crate) fn settings() -> SchemaSettings {
    SchemaSettings::openapi3().with_transform(RecursiveTransform(list_choices))
}

/// Converts an enumeration with described values from `oneOf`, one schema per value, to one list of values.
fn list_choices(schema: &mut Schema) {
    let Some(choices) = schema.get("oneOf").and_then(Value::as_array) else { return };
    let values: Option<Vec<_>> = choices.iter().map(only_value).collect();
    let Some(values) = values else { return };
    schema.remove("oneOf");
    schema.insert("type".to_owned(), "string".into());
    schema.insert("enum".to_owned(), values.into());
}

/// Returns the only string that a schema allows.
fn only_value(schema: &Value) -> Option<Value> {
    let listed = || schema["enum"].as_array().filter(|values| values.len() == 1).map(|values| &values[0]);
    schema.get("const").or_else(listed).filter(|value| value.is_string()).cloned()
}

/// An invalid field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) field: String,
    /// The rest of a sentence that starts with the field.
    pub(crate) issue: String,
}

/// The schema of an object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shape(Value);

impl Shape {
    /// Returns the schema of `T` with all references inlined.
    pub(crate) fn of<T: JsonSchema>() -> Self {
        let settings = settings().with(|settings| settings.inline_subschemas = true);
        Self(settings.into_generator().into_root_schema_for::<T>().to_value())
    }

    pub(crate) fn properties(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0["properties"].as_object().into_iter().flatten()
    }

    /// Checks whether the field is required.
    pub(crate) fn requires(&self, field: &str) -> bool {
        self.0["required"].as_array().is_some_and(|required| required.iter().any(|name| name == field))
    }

    /// Validates a complete object. Drops unknown fields and fills in defaults.
    pub(crate) fn complete(&self, given: &Map<String, Value>) -> Result<Map<String, Value>, Fault> {
        let mut fields = self.partial(given)?;
        for (name, schema) in self.properties() {
            if fields.contains_key(name) {
                continue;
            }
            match schema.get("default") {
                Some(default) => _ = fields.insert(name.clone(), default.clone()),
                None if self.requires(name) => {
                    return Err(Fault { field: name.clone(), issue: "is required".to_owned() });
                }
                None => {}
            }
        }
        Ok(fields)
    }

    /// Validates an object of which any field may be missing. Drops unknown fields.
    pub(crate) fn partial(&self, given: &Map<String, Value>) -> Result<Map<String, Value>, Fault> {
        let mut fields = Map::new();
        for (name, schema) in self.properties() {
            let Some(value) = given.get(name) else { continue };
            check(value, schema).map_err(|issue| Fault { field: name.clone(), issue })?;
            fields.insert(name.clone(), value.clone());
        }
        Ok(fields)
    }
}

/// Validates a value. The error is the rest of a sentence.
fn check(value: &Value, schema: &Value) -> Result<(), String> {
    if value.is_null() && schema["nullable"] == true {
        return Ok(());
    }
    if let Some(allowed) = schema["enum"].as_array() {
        let texts = || allowed.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
        return if allowed.contains(value) { Ok(()) } else { Err(format!("must be one of: {}", texts())) };
    }
    match (schema["type"].as_str(), value) {
        (Some("string"), Value::String(text)) => check_text(text, schema),
        (Some("integer"), Value::Number(number)) if number.is_i64() || number.is_u64() => check_range(value, schema),
        (Some("array"), Value::Array(items)) => check_items(items, schema),
        (Some("boolean"), Value::Bool(_)) => Ok(()),
        (Some("string"), _) => Err("must be a text".to_owned()),
        (Some("integer"), _) => Err(format!("must be an integer{}", range(schema))),
        (Some("array"), _) => Err("must be a list".to_owned()),
        (Some("boolean"), _) => Err("must be true or false".to_owned()),
        (kind, _) => Err(format!("has a type nobody checks: {kind:?}")),
    }
}

fn check_text(text: &str, schema: &Value) -> Result<(), String> {
    let length = text.chars().count();
    let (least, most) = (limit(schema, "minLength"), limit(schema, "maxLength"));
    if least.is_some_and(|least| length < least) || most.is_some_and(|most| length > most) {
        return Err(match (least, most) {
            (Some(least), Some(most)) => format!("must have {least} to {most} characters"),
            (Some(1), None) => "must not be empty".to_owned(),
            (Some(least), None) => format!("must have at least {least} characters"),
            _ => format!("must have at most {} characters", most.unwrap_or_default()),
        });
    }
    if let Some(most) = limit(schema, MAX_BYTES).filter(|most| text.len() > *most) {
        return Err(format!("must have at most {most} bytes"));
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        let matches = Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text));
        return if matches { Ok(()) } else { Err(format!("must match {pattern}")) };
    }
    match schema["format"].as_str() {
        Some("uri") if !is_web_address(text) => Err("must be a URL that starts with http:// or https://".to_owned()),
        Some("date") if !time::is_date(text) => Err("must be a date: YYYY-MM-DD".to_owned()),
        Some("email") if !is_email(text) => Err("must be an email address".to_owned()),
        _ => Ok(()),
    }
}

fn check_range(value: &Value, schema: &Value) -> Result<(), String> {
    // A number beyond `i64` exceeds every limit.
    let number = value.as_i64().unwrap_or(i64::MAX);
    let (least, most) = (schema["minimum"].as_i64(), schema["maximum"].as_i64());
    if least.is_some_and(|least| number < least) || most.is_some_and(|most| number > most) {
        return Err(format!("must be an integer{}", range(schema)));
    }
    Ok(())
}

fn range(schema: &Value) -> String {
    match (schema["minimum"].as_i64(), schema["maximum"].as_i64()) {
        (Some(least), Some(most)) => format!(" from {least} to {most}"),
        (Some(least), None) => format!(" of at least {least}"),
        _ => String::new(),
    }
}

fn check_items(items: &[Value], schema: &Value) -> Result<(), String> {
    let (least, most) = (limit(schema, "minItems"), limit(schema, "maxItems"));
    if least.is_some_and(|least| items.len() < least) || most.is_some_and(|most| items.len() > most) {
        return Err(match most {
            Some(most) => format!("must have {} to {most} items", least.unwrap_or_default()),
            None => format!("must have at least {} items", least.unwrap_or_default()),
        });
    }
    for (index, item) in items.iter().enumerate() {
        check(item, &schema["items"]).map_err(|issue| format!("has a wrong item at {index}: it {issue}"))?;
    }
    Ok(())
}

fn limit(schema: &Value, keyword: &str) -> Option<usize> {
    schema[keyword].as_u64().and_then(|limit| usize::try_from(limit).ok())
}

/// Checks that a browser can be sent to a URL: not `javascript:`, and not relative.
fn is_web_address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        !host.is_empty() && !text.chars().any(|character| character.is_whitespace() || character.is_control())
    })
}

fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, domain)| {
        !name.is_empty()
            && !domain.is_empty()
            && !domain.contains('@')
            && !text.chars().any(|character| character.is_whitespace() || character.is_control())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn issue(schema: Value, value: Value) -> Option<String> {
        check(&value, &schema).err()
    }

    fn shape() -> Shape {
        Shape(json!({
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "minLength": 1, "maxLength": 3},
                "featured": {"type": "boolean", "default": false},
                "link": {"type": "string", "nullable": true},
            },
        }))
    }

    fn fields(value: Value) -> Map<String, Value> {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn unknown_fields_are_dropped_and_defaults_filled_in() {
        let complete = shape().complete(&fields(json!({"name": "abc", "other": 1})));
        assert_eq!(complete, Ok(fields(json!({"name": "abc", "featured": false}))));
        let partial = shape().partial(&fields(json!({"link": null, "other": 1})));
        assert_eq!(partial, Ok(fields(json!({"link": null}))));
    }

    #[test]
    fn the_first_fault_names_its_field() {
        let fault = |field: &str, issue: &str| Err(Fault { field: field.to_owned(), issue: issue.to_owned() });
        assert_eq!(shape().complete(&fields(json!({}))), fault("name", "is required"));
        let null = fault("name", "must be a text");
        assert_eq!(shape().complete(&fields(json!({"name": null}))), null);
        assert_eq!(shape().partial(&fields(json!({"name": null}))), null);
        let wrong = fault("featured", "must be true or false");
        assert_eq!(shape().partial(&fields(json!({"featured": "yes"}))), wrong);
    }

    #[test]
    fn lengths_are_counted_in_characters_and_sizes_in_bytes() {
        let schema = json!({"type": "string", "minLength": 1, "maxLength": 3});
        assert_eq!(issue(schema.clone(), json!("日本語")), None);
        for wrong in ["", "abcd"] {
            assert_eq!(issue(schema.clone(), json!(wrong)).as_deref(), Some("must have 1 to 3 characters"));
        }
        let schema = json!({"type": "string", MAX_BYTES: 8});
        assert_eq!(issue(schema.clone(), json!("12345678")), None);
        assert_eq!(issue(schema, json!("日本語")).as_deref(), Some("must have at most 8 bytes"));
    }

    #[test]
    fn integers_are_whole_and_in_range() {
        let schema = json!({"type": "integer", "minimum": 1, "maximum": 100});
        for good in [json!(1), json!(100)] {
            assert_eq!(issue(schema.clone(), good), None);
        }
        for wrong in [json!(0), json!(101), json!(-1), json!(1.5), json!("1"), json!(u64::MAX), json!(null)] {
            let issue = issue(schema.clone(), wrong.clone());
            assert_eq!(issue.as_deref(), Some("must be an integer from 1 to 100"), "{wrong}");
        }
        assert!(issue(json!({"type": "integer", "minimum": 0}), json!(-1)).is_some());
    }

    #[test]
    fn lists_are_checked_item_by_item() {
        let schema =
            json!({"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "string", "minLength": 1}});
        assert_eq!(issue(schema.clone(), json!(["a", "b"])), None);
        for wrong in [json!([]), json!(["a", "b", "c"]), json!("a"), json!(["a", ""]), json!([1])] {
            assert!(issue(schema.clone(), wrong.clone()).is_some(), "{wrong}");
        }
    }

    #[test]
    fn urls_are_web_addresses() {
        let schema = json!({"type": "string", "format": "uri"});
        for good in ["https://example.com", "http://localhost:3000/a?b#c", "https://example.com/日本"] {
            assert_eq!(issue(schema.clone(), json!(good)), None, "{good}");
        }
        for wrong in ["javascript:alert(1)", "https://", "https:///path", "//example.com", "https://a b", "ftp://a", ""]
        {
            assert!(issue(schema.clone(), json!(wrong)).is_some(), "{wrong}");
        }
    }

    #[test]
    fn choices_are_listed() {
        let schema = json!({"type": "string", "enum": ["draft", "published"]});
        assert_eq!(issue(schema.clone(), json!("draft")), None);
        assert_eq!(issue(schema, json!("Draft")).as_deref(), Some("must be one of: draft, published"));
    }

    #[test]
    fn emails_have_a_name_and_a_domain() {
        let schema = json!({"type": "string", "format": "email"});
        assert_eq!(issue(schema.clone(), json!("owner@example.com")), None);
        for wrong in ["owner", "@example.com", "owner@", "a@b@c", "a b@c"] {
            assert!(issue(schema.clone(), json!(wrong)).is_some(), "{wrong}");
        }
    }
}
