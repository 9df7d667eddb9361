//! Computes values as CloudFormation does, as far as they are known before a deploy. Unknown values remain expressions.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::references::{intrinsic, variables};

/// A template, with the known values of its parameters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    /// The template.
    pub(crate) template: &'a Value,
    /// The known values.
    pub(crate) parameters: &'a BTreeMap<String, String>,
}

impl Known<'_> {
    /// A parameter's known value, or its default.
    fn parameter(&self, name: &str) -> Option<Value> {
        if let Some(value) = self.parameters.get(name) {
            return Some(json!(value));
        }
        self.template.get("Parameters")?.get(name)?.get("Default").cloned()
    }

    /// Is a condition met? `None` if unknown.
    pub(crate) fn condition(&self, name: &str) -> Option<bool> {
        self.is_met(self.template.get("Conditions")?.get(name)?)
    }

    fn is_met(&self, condition: &Value) -> Option<bool> {
        let (function, argument) = intrinsic(condition)?;
        let all = || argument.as_array().map(|items| items.iter().map(|item| self.is_met(item)).collect::<Vec<_>>());
        match function {
            "Condition" => self.condition(argument.as_str()?),
            "Fn::Equals" => {
                let [left, right] = argument.as_array()?.as_slice() else { return None };
                let (left, right) = (self.resolve(left), self.resolve(right));
                (is_plain(&left) && is_plain(&right)).then(|| text(&left) == text(&right))
            }
            "Fn::Not" => self.is_met(argument.as_array()?.first()?).map(|met| !met),
            "Fn::And" if all()?.contains(&Some(false)) => Some(false),
            "Fn::And" => all()?.into_iter().collect::<Option<Vec<_>>>().map(|_| true),
            "Fn::Or" if all()?.contains(&Some(true)) => Some(true),
            "Fn::Or" => all()?.into_iter().collect::<Option<Vec<_>>>().map(|_| false),
            _ => None,
        }
    }

    /// Returns the value with known values filled in.
    pub(crate) fn resolve(&self, value: &Value) -> Value {
        if let Some((function, argument)) = intrinsic(value) {
            // Arguments keep their positions: `AWS::NoValue` is not removed from them.
            let whole = |items: &Vec<Value>| items.iter().map(|item| self.resolve(item)).collect();
            return self.call(function, argument).unwrap_or_else(|| {
                let argument = argument.as_array().map_or_else(|| self.resolve(argument), whole);
                json!({ function: argument })
            });
        }
        match value {
            Value::Array(items) => items.iter().map(|item| self.resolve(item)).filter(|item| !no_value(item)).collect(),
            Value::Object(object) => {
                let pairs = object.iter().map(|(key, value)| (key.clone(), self.resolve(value)));
                Value::Object(pairs.filter(|(_, value)| !no_value(value)).collect())
            }
            plain => plain.clone(),
        }
    }

    fn call(&self, function: &str, argument: &Value) -> Option<Value> {
        match function {
            "Ref" => self.parameter(argument.as_str()?),
            "Fn::If" => {
                let [condition, then, otherwise] = argument.as_array()?.as_slice() else { return None };
                let chosen = if self.condition(condition.as_str()?)? { then } else { otherwise };
                Some(self.resolve(chosen))
            }
            "Fn::FindInMap" => {
                let [map, first, second] = argument.as_array()?.as_slice() else { return None };
                let step = |value: &Value, key: &Value| value.get(text(&self.resolve(key))?).cloned();
                let map = self.template.get("Mappings")?.get(map.as_str()?)?;
                step(&step(map, first)?, second)
            }
            "Fn::Sub" => self.substitute(argument),
            _ => None,
        }
    }

    /// Returns the text with known variables filled in; a plain string if all are known.
    fn substitute(&self, argument: &Value) -> Option<Value> {
        let (text_with_variables, own) = match argument {
            Value::String(text) => (text.as_str(), None),
            Value::Array(items) => (items.first()?.as_str()?, items.get(1).and_then(Value::as_object)),
            _ => return None,
        };
        let mut filled = text_with_variables.to_owned();
        let mut unknown = serde_json::Map::new();
        for name in variables(text_with_variables) {
            let value = match own.and_then(|own| own.get(name)) {
                Some(value) => self.resolve(value),
                None => self.parameter(name).unwrap_or(Value::Null),
            };
            match text(&value) {
                Some(value) => filled = filled.replace(&format!("${{{name}}}"), value),
                None if own.is_some_and(|own| own.contains_key(name)) => drop(unknown.insert(name.to_owned(), value)),
                None => {}
            }
        }
        if variables(&filled).next().is_none() {
            return Some(json!(filled.replace("${!", "${")));
        }
        Some(if unknown.is_empty() { json!({ "Fn::Sub": filled }) } else { json!({ "Fn::Sub": [filled, unknown] }) })
    }
}

fn is_plain(value: &Value) -> bool {
    value.is_string() || value.is_number() || value.is_boolean()
}

fn text(value: &Value) -> Option<&str> {
    value.as_str()
}

fn no_value(value: &Value) -> bool {
    intrinsic(value).is_some_and(|(function, argument)| function == "Ref" && argument == "AWS::NoValue")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(value: &Value, parameters: &[(&str, &str)]) -> Value {
        let template = json!({
            "Parameters": { "Size": { "Type": "String", "Default": "small" }, "Other": { "Type": "String" } },
            "Conditions": { "First": { "Fn::Equals": [{ "Ref": "Other" }, ""] } },
            "Mappings": { "Sizes": { "small": { "memory": 128 } } },
        });
        let parameters = parameters.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Known { template: &template, parameters: &parameters }.resolve(value)
    }

    #[test]
    fn known_values_are_filled_in_and_expressions_remain() {
        assert_eq!(resolved(&json!({ "Ref": "Size" }), &[]), json!("small"));
        assert_eq!(resolved(&json!({ "Ref": "Size" }), &[("Size", "large")]), json!("large"));
        assert_eq!(resolved(&json!({ "Ref": "Other" }), &[]), json!({ "Ref": "Other" }));
        let memory = json!({ "Fn::FindInMap": ["Sizes", { "Ref": "Size" }, "memory"] });
        assert_eq!(resolved(&memory, &[]), json!(128));
        let chosen = json!({ "Fn::If": ["First", "yes", { "Ref": "AWS::NoValue" }] });
        assert_eq!(resolved(&json!({ "A": chosen }), &[("Other", "")]), json!({ "A": "yes" }));
        assert_eq!(resolved(&json!({ "A": chosen }), &[("Other", "1")]), json!({}));
        assert_eq!(resolved(&json!({ "A": chosen }), &[]), json!({ "A": chosen }));
    }

    #[test]
    fn known_variables_are_substituted() {
        let value = json!({ "Fn::Sub": "${Size}-${AWS::AccountId}-${!literal}" });
        assert_eq!(resolved(&value, &[]), json!({ "Fn::Sub": "small-${AWS::AccountId}-${!literal}" }));
        assert_eq!(resolved(&json!({ "Fn::Sub": "x-${Size}" }), &[]), json!("x-small"));
        let value = json!({ "Fn::Sub": ["${a}/${b}", { "a": { "Ref": "Size" }, "b": { "Ref": "Bucket" } }] });
        assert_eq!(resolved(&value, &[]), json!({ "Fn::Sub": ["small/${b}", { "b": { "Ref": "Bucket" } }] }));
    }
}
