//! An SSM parameter: configuration that others look up by name. Never a secret, which CloudFormation cannot make.

use crate::{
    resources::ssm,
    template::{Part, Reference, Resource, Stack, Text, set},
};

/// A parameter of plain text.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// The logical ID.
    pub logical_id: String,
    /// Its name, which starts with a slash.
    pub name: String,
    /// Its value.
    pub value: Text,
}

impl Part for Parameter {
    type Handle = Reference;

    fn add_to(self, stack: &mut Stack) -> Reference {
        let properties = ssm::Parameter {
            name: set(self.name),
            r#type: set("String"),
            value: Some(self.value),
            ..ssm::Parameter::default()
        };
        stack.resource(&self.logical_id, Resource::of(properties))
    }
}
