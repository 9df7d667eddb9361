//! An SSM parameter: configuration that other programs look up by name. It must not be a secret, because CloudFormation
//! cannot create a `SecureString`.

use crate::{
    resources::ssm,
    template::{Part, Reference, Resource, Stack, Text, set},
};

/// An `AWS::SSM::Parameter` of type `String`.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// The logical ID.
    pub logical_id: String,
    /// The parameter's name, which starts with a slash.
    pub name: String,
    /// The parameter's value.
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
