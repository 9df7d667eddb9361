//! IAM: statements, and roles made of them.

use serde_json::{Value, json};

use crate::template::{Resource, Text};

/// One statement of a policy that allows something.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    actions: Vec<String>,
    resources: Vec<Text>,
}

impl Statement {
    /// Allows `actions` on `resources`.
    #[must_use]
    pub fn allow<'a>(actions: impl IntoIterator<Item = &'a str>, resources: impl IntoIterator<Item = Text>) -> Self {
        Self { actions: actions.into_iter().map(str::to_owned).collect(), resources: resources.into_iter().collect() }
    }

    fn to_json(&self) -> Value {
        json!({ "Effect": "Allow", "Action": self.actions, "Resource": self.resources })
    }
}

/// A policy document of these statements.
#[must_use]
pub fn document(statements: &[Statement]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements.iter().map(Statement::to_json).collect::<Vec<_>>() })
}

/// Trust in an AWS service.
#[must_use]
pub fn service_trust(service: &str) -> Value {
    trust(json!({ "Service": service }), "sts:AssumeRole", None)
}

/// A trust policy: who may assume the role, how, and on what condition.
#[must_use]
pub fn trust(principal: Value, action: &str, condition: Option<Value>) -> Value {
    let mut statement = json!({ "Effect": "Allow", "Principal": principal, "Action": action });
    if let Some(condition) = condition {
        statement["Condition"] = condition;
    }
    json!({ "Version": "2012-10-17", "Statement": [statement] })
}

/// A role that is trusted as `trust` says and may do what `statements` allow.
#[must_use]
pub fn role(trust: &Value, statements: &[Statement]) -> Resource {
    Resource::new(
        "AWS::IAM::Role",
        json!({
            "AssumeRolePolicyDocument": trust,
            "Policies": [{ "PolicyName": "access", "PolicyDocument": document(statements) }],
        }),
    )
}
