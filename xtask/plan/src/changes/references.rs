//! Finds the references in a value to resources and parameters.

use serde_json::Value;

/// A reference to a resource or a parameter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reference {
    /// The path of the value that holds the reference, `/` between steps.
    pub(crate) path: String,
    /// The logical ID of a resource, or the name of a parameter.
    pub(crate) target: String,
    /// The attribute, if it is referred to.
    pub(crate) attribute: Option<String>,
}

/// Returns the references in a value: `Ref`, `Fn::GetAtt` and the variables of `Fn::Sub`.
pub(crate) fn references(value: &Value) -> Vec<Reference> {
    let mut found = Vec::new();
    collect(value, &mut String::new(), &mut found);
    found
}

fn collect(value: &Value, path: &mut String, found: &mut Vec<Reference>) {
    match value {
        Value::Object(object) => {
            if let Some((name, argument)) = intrinsic(value)
                && let Some(targets) = targets(name, argument)
            {
                let path = path.as_str();
                found.extend(targets.into_iter().map(|(target, attribute)| Reference {
                    path: path.to_owned(),
                    target,
                    attribute,
                }));
                if let ("Fn::Sub", Value::Array(items)) = (name, argument)
                    && let Some(variables) = items.get(1).and_then(Value::as_object)
                {
                    // The values of its own variables have the path of the text.
                    for value in variables.values() {
                        collect(value, &mut path.to_owned(), found);
                    }
                }
                return;
            }
            let within = intrinsic(value).is_some();
            for (key, value) in object {
                // Arguments of an intrinsic function have no path of their own.
                if within { collect(value, &mut path.clone(), found) } else { step(key, value, path, found) }
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                step(&index.to_string(), value, path, found);
            }
        }
        _ => {}
    }
}

fn step(key: &str, value: &Value, path: &mut String, found: &mut Vec<Reference>) {
    let length = path.len();
    if !path.is_empty() {
        path.push('/');
    }
    path.push_str(key);
    collect(value, path, found);
    path.truncate(length);
}

/// Returns the name and the argument of an intrinsic function.
#[must_use]
pub(crate) fn intrinsic(value: &Value) -> Option<(&str, &Value)> {
    let object = value.as_object()?;
    let (name, argument) = object.iter().next()?;
    let function = name == "Ref" || name == "Condition" || name.starts_with("Fn::");
    (object.len() == 1 && function).then_some((name.as_str(), argument))
}

fn targets(name: &str, argument: &Value) -> Option<Vec<(String, Option<String>)>> {
    match (name, argument) {
        ("Ref", Value::String(target)) => Some(vec![(target.clone(), None)]),
        ("Fn::GetAtt", Value::String(text)) => Some(vec![split(text)]),
        ("Fn::GetAtt", Value::Array(parts)) => {
            let mut parts = parts.iter().filter_map(Value::as_str);
            let target = parts.next()?.to_owned();
            Some(vec![(target, Some(parts.collect::<Vec<_>>().join(".")))])
        }
        ("Fn::Sub", Value::String(text)) => Some(variables(text).map(split).collect()),
        ("Fn::Sub", Value::Array(items)) => {
            let own = items.get(1).and_then(Value::as_object);
            let text = items.first()?.as_str()?;
            let others = variables(text).filter(|name| own.is_none_or(|own| !own.contains_key(*name)));
            Some(others.map(split).collect())
        }
        _ => None,
    }
}

fn split(text: &str) -> (String, Option<String>) {
    match text.split_once('.') {
        Some((target, attribute)) => (target.to_owned(), Some(attribute.to_owned())),
        None => (text.to_owned(), None),
    }
}

/// The variables of a text: `${Name}`, but not `${!Literal}`.
pub(crate) fn variables(text: &str) -> impl Iterator<Item = &str> {
    text.split("${")
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name.trim()))
        .filter(|name| !name.starts_with('!'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_of_reference_is_found_with_its_path() {
        let value = json!({
            "A": { "Ref": "One" },
            "B": [{ "Fn::GetAtt": ["Two", "Arn"] }, { "Fn::Sub": "x-${Three.Name}-${!Four}-${AWS::Region}" }],
            "C": { "Fn::Sub": ["${v}${Five}", { "v": { "Ref": "Six" } }] },
            "D": { "Fn::Join": ["", ["a", { "Ref": "Seven" }]] },
        });
        let found: Vec<_> = references(&value).into_iter().map(|found| (found.path, found.target)).collect();
        for expected in [("A", "One"), ("B/0", "Two"), ("B/1", "Three"), ("C", "Five"), ("C", "Six")] {
            assert!(found.contains(&(expected.0.to_owned(), expected.1.to_owned())), "{expected:?} in {found:?}");
        }
        assert!(found.iter().any(|(path, target)| path.starts_with('D') && target == "Seven"), "{found:?}");
        assert!(found.iter().all(|(_, target)| target != "Four"));
    }
}
