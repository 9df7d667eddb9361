//! An SSM parameter: configuration that other programs look up by name. It must not be a secret, because CloudFormation
//! cannot create a `SecureString`.

use super::policy::Statement;
use crate::{
    resources::ssm,
    template::{Expression, Part, Reference, Resource, Stack, Text, set},
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

/// The values by which other parts refer to a parameter.
#[derive(Debug, Clone)]
pub struct ParameterHandle {
    parameter: Reference,
}

impl ParameterHandle {
    /// Returns the parameter's name.
    #[must_use]
    pub fn name(&self) -> Text {
        self.parameter.id()
    }

    /// Returns the parameter's ARN.
    #[must_use]
    pub fn arn(&self) -> Text {
        // The name starts with a slash.
        let arn = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter${Name}";
        Expression::sub(arn, [("Name", self.name())]).into()
    }

    /// Allows reading the parameter.
    #[must_use]
    pub fn read(&self) -> Vec<Statement> {
        vec![Statement::allow(["ssm:GetParameter"], [self.arn()])]
    }
}

impl Part for Parameter {
    type Handle = ParameterHandle;

    fn add_to(self, stack: &mut Stack) -> ParameterHandle {
        let properties = ssm::Parameter {
            name: set(self.name),
            r#type: set("String"),
            value: Some(self.value),
            ..ssm::Parameter::default()
        };
        ParameterHandle { parameter: stack.resource(&self.logical_id, Resource::of(properties)) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::parts::policy;

    #[test]
    fn a_role_may_read_this_parameter_only() {
        let mut stack = Stack::new("settings", "Settings.");
        let parameter =
            Parameter { logical_id: "Origin".to_owned(), name: "/app/origin".to_owned(), value: Text::from("*") };
        let handle = stack.add(parameter);
        assert_eq!(stack.resources["Origin"].to_json()["Properties"]["Type"], "String");
        let statement = policy::document(&handle.read())["Statement"][0].clone();
        assert_eq!(statement["Action"], json!(["ssm:GetParameter"]));
        let arn = &statement["Resource"][0]["Fn::Sub"];
        assert_eq!(arn[0], "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter${Name}");
        assert_eq!(arn[1]["Name"], handle.name().to_json());
    }
}
