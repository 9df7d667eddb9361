//! Normalizes the JSON of templates, so that one definition always gives the same, readable bytes.
//!
//! Normalizing does not change the meaning of a template.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Returns `text` in camel case with letters and digits only, as logical IDs require: `api-gateway` becomes `ApiGateway`,
/// `/media/{filename}` becomes `MediaFilename`.
pub fn camel(text: &str) -> String {
    text.split(|character: char| !character.is_ascii_alphanumeric())
        .filter_map(|word| {
            let mut characters = word.chars();
            characters.next().map(|first| first.to_ascii_uppercase().to_string() + characters.as_str())
        })
        .collect()
}

/// Inlines the variables of a `Fn::Sub` that are plain `Ref`s or `Fn::GetAtt`s into its text, which is easier to read.
pub(crate) fn inlined(sub: Value) -> Value {
    let Value::Array(parts) = &sub else { return sub };
    let [Value::String(text), Value::Object(variables)] = parts.as_slice() else { return sub };
    let mut inline = BTreeMap::new();
    let mut remaining = Map::new();
    for (name, value) in variables {
        match (value["Ref"].as_str(), value["Fn::GetAtt"].as_array()) {
            (Some(reference), _) => {
                inline.insert(name.as_str(), reference.to_owned());
            }
            (_, Some(path)) => {
                let path: Vec<_> = path.iter().filter_map(Value::as_str).collect();
                inline.insert(name.as_str(), path.join("."));
            }
            _ => {
                remaining.insert(name.clone(), value.clone());
            }
        }
    }
    let text = rename_variables(text, &inline);
    if remaining.is_empty() { json!(text) } else { json!([text, remaining]) }
}

/// Replaces the names in `${…}`, all at once: a new name is not replaced again.
fn rename_variables(text: &str, names: &BTreeMap<&str, String>) -> String {
    let mut pieces = text.split("${");
    let mut renamed = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (variable, rest) =
            piece.split_once('}').map_or((piece, ""), |(variable, _)| (variable, &piece[variable.len()..]));
        let name = names.get(variable).map_or(variable, String::as_str);
        renamed.push_str("${");
        renamed.push_str(name);
        renamed.push_str(rest);
    }
    renamed
}

/// Sorts the keys of every object, with and without serde_json's `preserve_order`, and writes whole numbers without a
/// fraction.
pub fn sorted(json: Value) -> Value {
    match json {
        Value::Object(object) => {
            let ordered: BTreeMap<_, _> = object.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            Value::Object(ordered.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        Value::Number(number) => to_whole(&number).map_or(Value::Number(number), Value::from),
        scalar => scalar,
    }
}

/// Returns `50` for `50.0`, as people write it.
fn to_whole(number: &serde_json::Number) -> Option<i64> {
    let text = number.is_f64().then(|| number.to_string())?;
    text.strip_suffix(".0")?.parse().ok()
}
