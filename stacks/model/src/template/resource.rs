//! One resource of a template, and the escape hatch into its properties.

use serde_json::{Map, Value, json};

use super::exception::{Exception, Rule};
use crate::resources::ResourceType;

/// What happens to a resource that is removed from its stack, or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemovalPolicy {
    /// The resource is deleted: CloudFormation's default.
    Delete,
    /// The resource is retained, without a stack.
    Retain,
}

/// One resource of a template.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    resource_type: String,
    properties: Value,
    depends_on: Vec<String>,
    condition: Option<String>,
    removal: RemovalPolicy,
    exceptions: Vec<Exception>,
}

impl Resource {
    /// Creates a resource with typed properties: a property that does not exist does not compile.
    ///
    /// # Panics
    ///
    /// Never: properties are JSON.
    #[must_use]
    pub fn of<P: ResourceType>(properties: P) -> Self {
        Self::new(P::TYPE, serde_json::to_value(properties).expect("properties are JSON"))
    }

    /// Creates a resource of any type, for example `AWS::S3::Bucket`, with properties in CloudFormation's JSON form.
    #[must_use]
    pub fn new(resource_type: &str, properties: Value) -> Self {
        Self {
            resource_type: resource_type.to_owned(),
            properties,
            depends_on: Vec::new(),
            condition: None,
            removal: RemovalPolicy::Delete,
            exceptions: Vec::new(),
        }
    }

    /// Makes the resource wait for another one of the same stack, by logical ID.
    #[must_use]
    pub fn depends_on(mut self, logical_id: &str) -> Self {
        self.depends_on.push(logical_id.to_owned());
        self
    }

    /// Creates the resource only if the condition holds.
    #[must_use]
    pub fn condition(mut self, name: &str) -> Self {
        self.condition = Some(name.to_owned());
        self
    }

    /// Sets what happens when the resource is removed from its stack or replaced.
    #[must_use]
    pub fn removal(mut self, policy: RemovalPolicy) -> Self {
        self.removal = policy;
        self
    }

    /// Accepts that the resource breaks a requirement for all templates, or a rule of the template validator such as `F3002`.
    /// The reason becomes part of the template.
    #[must_use]
    pub fn except(mut self, rule: impl Into<Rule>, reason: &str) -> Self {
        self.add_exception(Exception::new(rule, reason));
        self
    }

    pub(crate) fn add_exception(&mut self, exception: Exception) {
        self.exceptions.push(exception);
    }

    /// Sets any property by its path, for example `VersioningConfiguration.Status` or `Tags.0.Key`: the escape hatch for
    /// properties that a part does not offer. Missing objects on the path are created; list items must exist.
    ///
    /// # Errors
    ///
    /// The step of the path that is not an item of its list.
    pub fn set(&mut self, path: &str, value: Value) -> Result<(), String> {
        let mut place = &mut self.properties;
        for step in path.split('.') {
            place = match place {
                Value::Array(items) => step.parse::<usize>().ok().and_then(|index| items.get_mut(index)).ok_or(step)?,
                Value::Object(object) => object.entry(step).or_insert(Value::Null),
                scalar => {
                    *scalar = Value::Object(Map::new());
                    &mut scalar[step]
                }
            };
        }
        *place = value;
        Ok(())
    }

    /// Returns the resource type.
    pub(crate) fn resource_type(&self) -> &str {
        &self.resource_type
    }

    /// Returns the properties, with references still marked.
    pub(crate) fn properties(&self) -> &Value {
        &self.properties
    }

    pub(crate) fn properties_mut(&mut self) -> &mut Value {
        &mut self.properties
    }

    /// Returns the resource in CloudFormation's JSON form, with references still marked.
    #[must_use]
    pub(crate) fn to_json(&self) -> Value {
        let mut json = json!({ "Type": self.resource_type });
        if let Some(condition) = &self.condition {
            json["Condition"] = json!(condition);
        }
        if self.removal == RemovalPolicy::Retain {
            // A resource of a failed creation holds no data yet and would block the next attempt, so it is deleted
            // (CloudFormation template reference, "DeletionPolicy attribute").
            json["DeletionPolicy"] = json!("RetainExceptOnCreate");
            json["UpdateReplacePolicy"] = json!("Retain");
        }
        if !self.depends_on.is_empty() {
            let mut depends_on = self.depends_on.clone();
            depends_on.sort();
            json["DependsOn"] = json!(depends_on);
        }
        if self.properties.as_object().is_none_or(|properties| !properties.is_empty()) {
            json["Properties"] = self.properties.clone();
        }
        self.exceptions.iter().for_each(|exception| exception.add_to(&mut json));
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_can_be_set_by_path() {
        let mut bucket = Resource::new("AWS::S3::Bucket", json!({ "Tags": [{ "Key": "a", "Value": "1" }] }));
        bucket.set("VersioningConfiguration.Status", json!("Enabled")).expect("the object is created");
        bucket.set("Tags.0.Value", json!("2")).expect("the item exists");
        assert_eq!(bucket.set("Tags.1.Value", json!("3")), Err("1".to_owned()));
        let properties = &bucket.to_json()["Properties"];
        assert_eq!(properties["VersioningConfiguration"]["Status"], "Enabled");
        assert_eq!(properties["Tags"][0]["Value"], "2");
    }
}
