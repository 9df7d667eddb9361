//! Patterns of events: EventBridge and Lambda refuse some, and accept others that match nothing.

use serde_json::Value;

use crate::stage::closest;

/// The fields that an event has at the top.
pub(super) type Fields = &'static [&'static str];

/// Alternatives, each a pattern (EventBridge user guide, "Comparison operators for use in event patterns").
const OR: &str = "$or";

/// Returns why a pattern for events with these fields is refused or matches nothing; `None` for a valid pattern, or an expression.
pub(super) fn refused(pattern: &Value, fields: Fields) -> Option<String> {
    let Some(object) = pattern.as_object() else {
        return Some("is no JSON object; write fields with values".to_owned());
    };
    if object.keys().any(|key| key == "Ref" || key.starts_with("Fn::")) {
        return None;
    }
    if object.is_empty() {
        return Some("is empty, which is refused; name the values of a field".to_owned());
    }
    for (name, value) in object {
        if name == OR {
            let alternatives = value.as_array().into_iter().flatten();
            if let Some(reason) = alternatives.filter_map(|pattern| refused(pattern, fields)).next() {
                return Some(reason);
            }
            continue;
        }
        if !fields.contains(&name.as_str()) {
            let suggestion = closest(name, fields.iter().copied());
            let suggestion = suggestion.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
            return Some(format!("names `{name}`, which no event has, so it matches nothing{suggestion}"));
        }
        if let Some(reason) = values(name, value) {
            return Some(reason);
        }
    }
    None
}

/// Returns why the values of a field are refused.
fn values(name: &str, value: &Value) -> Option<String> {
    match value {
        Value::Array(values) if values.is_empty() => {
            Some(format!("has an empty list `{name}`, which is refused; name its values"))
        }
        Value::Array(_) => None,
        Value::Object(fields) if fields.keys().any(|key| key == "Ref" || key.starts_with("Fn::")) => None,
        Value::Object(fields) if fields.is_empty() => {
            Some(format!("has an empty object `{name}`, which is refused; name its fields"))
        }
        Value::Object(fields) => fields.iter().find_map(|(name, value)| values(name, value)),
        _ => Some(format!("has a plain value `{name}`, which is refused; write a list")),
    }
}
