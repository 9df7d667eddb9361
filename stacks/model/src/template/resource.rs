//! One resource of a template, and the escape hatch into its properties.

use serde_json::{Map, Value, json};

use crate::resources::ResourceType;

/// What happens to a resource that leaves its stack, or is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemovalPolicy {
    /// It is deleted, CloudFormation's default.
    Delete,
    /// It stays, without a stack.
    Retain,
}

/// One resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    kind: String,
    properties: Value,
    depends_on: Vec<String>,
    condition: Option<String>,
    removal: RemovalPolicy,
}

impl Resource {
    /// A resource with typed properties: a property that does not exist does not compile.
    ///
    /// # Panics
    ///
    /// Never: properties are JSON.
    #[must_use]
    pub fn of<P: ResourceType>(properties: P) -> Self {
        Self::new(P::TYPE, serde_json::to_value(properties).expect("properties are JSON"))
    }

    /// A resource of any type, for example `AWS::S3::Bucket`, with `properties` in CloudFormation's own form.
    #[must_use]
    pub fn new(kind: &str, properties: Value) -> Self {
        Self {
            kind: kind.to_owned(),
            properties,
            depends_on: Vec::new(),
            condition: None,
            removal: RemovalPolicy::Delete,
        }
    }

    /// Waits for another resource of the same stack, by logical ID.
    #[must_use]
    pub fn depends_on(mut self, logical_id: &str) -> Self {
        self.depends_on.push(logical_id.to_owned());
        self
    }

    /// Exists only where the condition holds.
    #[must_use]
    pub fn condition(mut self, name: &str) -> Self {
        self.condition = Some(name.to_owned());
        self
    }

    /// What happens when it leaves its stack or is replaced.
    #[must_use]
    pub fn removal(mut self, policy: RemovalPolicy) -> Self {
        self.removal = policy;
        self
    }

    /// Sets any property by its path (`VersioningConfiguration.Status`, `Tags.0.Key`): the way out when a part does
    /// not offer what is needed. Objects on the way are made; list items must exist.
    ///
    /// # Errors
    ///
    /// The step of the path that is not an item of the list it leads into.
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

    /// The properties, references still marked.
    pub(crate) fn properties(&self) -> &Value {
        &self.properties
    }

    /// The resource as it stands in a template, references still marked.
    #[must_use]
    pub(crate) fn to_json(&self) -> Value {
        let mut json = json!({ "Type": self.kind });
        if let Some(condition) = &self.condition {
            json["Condition"] = json!(condition);
        }
        if self.removal == RemovalPolicy::Retain {
            // What a creation that failed has made holds nothing yet, and would be in the next one's way (CloudFormation
            // template reference, "DeletionPolicy attribute").
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
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_property_can_be_set_by_path() {
        let mut bucket = Resource::new("AWS::S3::Bucket", json!({ "Tags": [{ "Key": "a", "Value": "1" }] }));
        bucket.set("VersioningConfiguration.Status", json!("Enabled")).expect("made on the way");
        bucket.set("Tags.0.Value", json!("2")).expect("the item is there");
        assert_eq!(bucket.set("Tags.1.Value", json!("3")), Err("1".to_owned()));
        let properties = &bucket.to_json()["Properties"];
        assert_eq!(properties["VersioningConfiguration"]["Status"], "Enabled");
        assert_eq!(properties["Tags"][0]["Value"], "2");
    }
}
