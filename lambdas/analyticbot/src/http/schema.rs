//! Validates requests with the same schemas that the API's description contains.

use schemars::{JsonSchema, Schema, generate::SchemaSettings, transform::RecursiveTransform};
use serde_json::{Map, Value};

use super::error::Fault;

/// The settings of all schemas: OpenAPI 3.0, with enumerations as lists of values and options as nullable values.
pub(crate) fn settings() -> SchemaSettings {
    SchemaSettings::openapi3().with_transform(RecursiveTransform(|schema: &mut Schema| {
        mark_nullable(schema);
        list_choices(schema);
    }))
}

/// Converts an option from `anyOf`, of a schema and null, to that schema with `nullable`.
fn mark_nullable(schema: &mut Schema) {
    let Some(choices) = schema.get("anyOf").and_then(Value::as_array) else { return };
    let (nulls, others): (Vec<_>, Vec<_>) = choices.iter().cloned().partition(is_null);
    let ([Value::Object(only)], false) = (&others[..], nulls.is_empty()) else { return };
    schema.remove("anyOf");
    schema.insert("nullable".to_owned(), true.into());
    if only.contains_key("$ref") {
        // OpenAPI 3.0 allows no other keywords beside a reference.
        schema.insert("allOf".to_owned(), Value::Array(others));
        return;
    }
    for (keyword, value) in only {
        // The field's own description comes first.
        if schema.get(keyword).is_none() {
            schema.insert(keyword.clone(), value.clone());
        }
    }
}

/// Checks whether a schema allows null and nothing else.
fn is_null(schema: &Value) -> bool {
    let lists_null = schema["enum"].as_array().is_some_and(|values| values.iter().all(Value::is_null));
    let has_type = schema["type"].as_str().is_some_and(|kind| kind != "null");
    schema["nullable"] == true && (lists_null || !has_type) && schema.get("$ref").is_none()
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

/// The schema of an object: a body, or the parameters of a query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shape(Value);

impl Shape {
    /// Returns the schema of `T` with all references inlined.
    pub(crate) fn of<T: JsonSchema>() -> Self {
        let settings = settings().with(|settings| settings.inline_subschemas = true);
        Self(settings.into_generator().into_root_schema_for::<T>().to_value())
    }

    /// Returns the names and schemas of all properties.
    pub(crate) fn properties(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0["properties"].as_object().into_iter().flatten()
    }

    /// Checks whether a property is required.
    pub(crate) fn requires(&self, name: &str) -> bool {
        self.0["required"].as_array().is_some_and(|required| required.iter().any(|one| one == name))
    }

    /// Checks all properties. Other fields are ignored.
    pub(crate) fn faults(&self, part: &str, given: &Map<String, Value>) -> Vec<Fault> {
        let fault = |(name, schema): (&String, &Value)| {
            let Some(value) = given.get(name) else {
                return self.requires(name).then(|| Fault::new(part, name, "missing", "is required"));
            };
            check(value, schema).err().map(|(kind, msg)| Fault::new(part, name, kind, msg))
        };
        self.properties().filter_map(fault).collect()
    }
}

/// Validates a value. The error has a kind, and the rest of a sentence that does not contain the value.
fn check(value: &Value, schema: &Value) -> Result<(), (&'static str, String)> {
    if value.is_null() && schema["nullable"] == true {
        return Ok(());
    }
    if let Some(allowed) = schema["enum"].as_array() {
        let texts = || allowed.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
        return if allowed.contains(value) { Ok(()) } else { Err(("enum", format!("must be one of: {}", texts()))) };
    }
    match (schema["type"].as_str(), value) {
        (Some("string"), Value::String(text)) => check_text(text, schema),
        (Some("integer"), Value::Number(number)) if number.is_i64() || number.is_u64() => check_range(value, schema),
        (Some("boolean"), Value::Bool(_)) => Ok(()),
        (Some("string"), _) => Err(("string_type", "must be a text".to_owned())),
        (Some("integer"), _) => Err(("int_type", format!("must be an integer{}", range(schema)))),
        (Some("boolean"), _) => Err(("bool_type", "must be true or false".to_owned())),
        _ => Err(("unsupported", "has a type that is not checked".to_owned())),
    }
}

fn check_text(text: &str, schema: &Value) -> Result<(), (&'static str, String)> {
    let limit = |keyword: &str| schema[keyword].as_u64().and_then(|limit| usize::try_from(limit).ok());
    let length = text.chars().count();
    if let Some(least) = limit("minLength").filter(|least| length < *least) {
        return Err(("string_too_short", format!("must have at least {least} characters")));
    }
    if let Some(most) = limit("maxLength").filter(|most| length > *most) {
        return Err(("string_too_long", format!("must have at most {most} characters")));
    }
    Ok(())
}

fn check_range(value: &Value, schema: &Value) -> Result<(), (&'static str, String)> {
    // Every limit fits into an `i128`, and every number of JSON that is an integer here.
    let whole = |value: &Value| value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
    let number = whole(value).unwrap_or(i128::MAX);
    if whole(&schema["minimum"]).is_some_and(|least| number < least) {
        return Err(("greater_than_equal", format!("must be an integer{}", range(schema))));
    }
    if whole(&schema["maximum"]).is_some_and(|most| number > most) {
        return Err(("less_than_equal", format!("must be an integer{}", range(schema))));
    }
    Ok(())
}

fn range(schema: &Value) -> String {
    match (&schema["minimum"], &schema["maximum"]) {
        (Value::Number(least), Value::Number(most)) => format!(" from {least} to {most}"),
        (Value::Number(least), _) => format!(" of at least {least}"),
        (_, Value::Number(most)) => format!(" of at most {most}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shape() -> Shape {
        Shape(json!({
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "minLength": 2, "maxLength": 3},
                "rate": {"type": "integer", "minimum": 1, "maximum": 100, "nullable": true},
                "status": {"type": "string", "enum": ["pending", "active"]},
                "test": {"type": "boolean"},
            },
        }))
    }

    fn kinds(given: Value) -> Vec<(String, &'static str)> {
        let faults = shape().faults("body", given.as_object().expect("an object"));
        assert!(faults.iter().all(|fault| fault.loc[0] == "body"));
        faults.into_iter().map(|fault| (fault.loc[1].clone(), fault.kind)).collect()
    }

    #[test]
    fn every_fault_is_reported_with_its_field() {
        let wrong = json!({ "rate": 101, "status": "other", "test": 1 });
        let expected = [("name", "missing"), ("rate", "less_than_equal"), ("status", "enum"), ("test", "bool_type")];
        assert_eq!(kinds(wrong), expected.map(|(name, kind)| (name.to_owned(), kind)));
        assert_eq!(kinds(json!({ "name": "日本語", "rate": null, "unknown": [] })), []);
    }

    #[derive(serde::Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum State {
        /// One.
        Pending,
        /// Another.
        Active,
    }

    #[derive(serde::Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Filter {
        /// Which.
        state: Option<State>,
        /// How many.
        #[schemars(range(min = 1))]
        count: Option<u32>,
    }

    #[test]
    fn an_optional_choice_is_a_nullable_list_of_values() {
        let shape = Shape::of::<Filter>();
        let of = |name: &str| shape.properties().find(|(known, _)| *known == name).map(|(_, schema)| schema.clone());
        let expected =
            json!({ "description": "Which.", "type": "string", "enum": ["pending", "active"], "nullable": true });
        assert_eq!(of("state"), Some(expected));
        assert_eq!(of("count").map(|count| count["nullable"] == true), Some(true));
        let faults = |given: Value| shape.faults("query", given.as_object().expect("an object")).len();
        let states =
            [json!("pending"), json!(null), json!("other"), json!(1)].map(|state| faults(json!({ "state": state })));
        assert_eq!(states, [0, 0, 1, 1]);
    }

    #[test]
    fn values_of_another_type_or_range_are_refused() {
        for (field, value, kind) in [
            ("name", json!("a"), "string_too_short"),
            ("name", json!("abcd"), "string_too_long"),
            ("name", json!(null), "string_type"),
            ("rate", json!(0), "greater_than_equal"),
            ("rate", json!(-1), "greater_than_equal"),
            ("rate", json!(u64::MAX), "less_than_equal"),
            ("rate", json!(1.5), "int_type"),
            ("rate", json!("5"), "int_type"),
            ("rate", json!(true), "int_type"),
        ] {
            let mut given = json!({ "name": "ab" });
            given[field] = value.clone();
            assert_eq!(kinds(given), [(field.to_owned(), kind)], "{value}");
        }
    }
}
