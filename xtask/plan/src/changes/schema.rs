//! The properties of resource types by AWS's schemas and documentation, for a model of CloudFormation.

use serde_json::Value;

use super::{Certainty, behavior::Behavior, documented, names::table::UNIQUE};

/// Returns the changed properties that replace the resource, and how certain each replacement is. The properties must not contain
/// intrinsic functions.
#[must_use]
pub fn replaced_by(resource_type: &str, old: &Value, new: &Value) -> Vec<(String, Certainty)> {
    let behavior = Behavior::of(resource_type);
    let found = behavior.map(|behavior| behavior.replaced_by(old, new)).unwrap_or_default();
    let cause = |(property, certainty): (&str, Certainty)| super::Cause {
        property: property.to_owned(),
        certainty,
        condition: None,
        follows: None,
    };
    let mut causes: Vec<_> = found.into_iter().map(cause).collect();
    documented::refine(resource_type, old, new, &mut causes);
    causes.into_iter().map(|cause| (cause.property, cause.certainty)).collect()
}

/// Returns the reason why the service refuses to change the properties of a resource in place, or to create it if `old` is `None`.
#[must_use]
pub fn refusal(resource_type: &str, old: Option<&Value>, new: &Value) -> Option<String> {
    documented::refusal(resource_type, old, new)
}

/// Returns the property that alone names a resource of the type: no two resources have the same value.
#[must_use]
pub fn unique_name(resource_type: &str) -> Option<&'static str> {
    let unique = UNIQUE.iter().find(|unique| unique.resource_type == resource_type)?;
    match unique.properties {
        [name] if !name.contains('/') => Some(name),
        _ => None,
    }
}

/// Returns the property that names a resource and whose change replaces it, if the type has one.
#[must_use]
pub fn name_property(resource_type: &str) -> Option<String> {
    if UNIQUE.iter().any(|unique| unique.resource_type == resource_type && unique.properties.len() > 1) {
        return None;
    }
    let behavior = Behavior::of(resource_type)?;
    let last = resource_type.rsplit("::").next()?;
    [format!("{last}Name"), "Name".to_owned()].into_iter().find(|name| behavior.paths().any(|(path, _)| path == name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_schemas_and_the_documented_exceptions_are_combined() {
        let replaced = replaced_by("AWS::S3::Bucket", &json!({ "BucketName": "a" }), &json!({ "BucketName": "b" }));
        assert_eq!(replaced, [("BucketName".to_owned(), Certainty::Certain)]);
        assert!(replaced_by("Custom::Thing", &json!({ "A": 1 }), &json!({ "A": 2 })).is_empty());
    }

    #[test]
    fn names_of_one_property_are_unique() {
        assert_eq!(unique_name("AWS::DynamoDB::Table"), Some("TableName"));
        assert_eq!(unique_name("AWS::Lambda::Alias"), None);
        assert_eq!(unique_name("AWS::ApiGateway::RestApi"), None);
        assert_eq!(name_property("AWS::SNS::Topic").as_deref(), Some("TopicName"));
    }
}
