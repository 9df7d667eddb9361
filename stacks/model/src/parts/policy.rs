//! IAM statements, policy documents and roles.

use serde_json::{Value, json};

use crate::{
    resources::iam::{Role, role},
    template::{Expression, Text, list, set, value::REASON},
};

/// One statement of a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    effect: &'static str,
    actions: Vec<String>,
    resources: Vec<Text>,
    /// Whether the resources are those that the actions are not allowed on.
    is_inverted: bool,
    condition: Option<Value>,
    reason: Option<String>,
}

impl Statement {
    /// Allows `actions` on `resources`.
    #[must_use]
    pub fn allow<'a>(actions: impl IntoIterator<Item = &'a str>, resources: impl IntoIterator<Item = Text>) -> Self {
        let actions = actions.into_iter().map(str::to_owned).collect();
        let resources = resources.into_iter().collect();
        Self { effect: "Allow", actions, resources, is_inverted: false, condition: None, reason: None }
    }

    /// Denies `actions` on `resources`, even where another statement allows them.
    #[must_use]
    pub fn deny<'a>(actions: impl IntoIterator<Item = &'a str>, resources: impl IntoIterator<Item = Text>) -> Self {
        Self { effect: "Deny", ..Self::allow(actions, resources) }
    }

    /// Allows `actions` on all resources except `resources`.
    #[must_use]
    pub fn allow_except<'a>(
        actions: impl IntoIterator<Item = &'a str>,
        resources: impl IntoIterator<Item = Text>,
    ) -> Self {
        Self { is_inverted: true, ..Self::allow(actions, resources) }
    }

    /// Adds a condition, in IAM's JSON form.
    #[must_use]
    pub fn when(mut self, condition: Value) -> Self {
        self.condition = Some(condition);
        self
    }

    /// Gives the reason why the statement allows its actions on every resource (`*`), which is refused otherwise. The reason
    /// becomes part of the template, as metadata of the role or policy.
    #[must_use]
    pub fn because(mut self, reason: &str) -> Self {
        self.reason = Some(reason.to_owned());
        self
    }

    /// Returns the same statement, limited to the actions of a service such as `s3`; `None` if it has none.
    pub(super) fn of_service(&self, service: &str) -> Option<Self> {
        let is_of = |action: &&String| action.split_once(':').is_some_and(|(prefix, _)| prefix == service);
        let actions: Vec<_> = self.actions.iter().filter(is_of).cloned().collect();
        (!actions.is_empty()).then(|| Self { actions, ..self.clone() })
    }

    pub(super) fn to_json(&self) -> Value {
        let resources = if self.is_inverted { "NotResource" } else { "Resource" };
        let mut statement = json!({ "Effect": self.effect, "Action": self.actions, resources: self.resources });
        if let Some(condition) = &self.condition {
            statement["Condition"] = condition.clone();
        }
        if let Some(reason) = &self.reason {
            statement[REASON] = json!(reason);
        }
        statement
    }
}

/// Returns a policy document of these statements.
#[must_use]
pub fn document(statements: &[Statement]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements.iter().map(Statement::to_json).collect::<Vec<_>>() })
}

/// Returns a statement of a resource's own policy that denies requests without TLS.
#[must_use]
pub fn deny_without_tls(actions: &str, resources: &[Text]) -> Value {
    json!({
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": actions,
        "Resource": resources,
        "Condition": { "Bool": { "aws:SecureTransport": "false" } },
    })
}

/// Returns a resource's own policy, from statements in IAM's JSON form.
#[must_use]
pub fn resource_policy(statements: Vec<Value>) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// Returns a trust policy for an AWS service.
#[must_use]
pub fn service_trust(service: &str) -> Value {
    trust(json!({ "Service": service }), "sts:AssumeRole", None)
}

/// Returns a trust policy: the principal that may assume a role, the action by which it does, and a condition.
#[must_use]
pub fn trust(principal: Value, action: &str, condition: Option<Value>) -> Value {
    let mut statement = json!({ "Effect": "Allow", "Principal": principal, "Action": action });
    if let Some(condition) = condition {
        statement["Condition"] = condition;
    }
    json!({ "Version": "2012-10-17", "Statement": [statement] })
}

/// Returns an `AWS::IAM::Role` with a trust policy and an inline policy of these statements.
#[must_use]
pub fn role(trust: &Value, statements: &[Statement]) -> Role {
    Role {
        assume_role_policy_document: Some(trust.clone()),
        policies: Some(vec![role::Policy { policy_name: set("access"), policy_document: Some(document(statements)) }]),
        ..Role::default()
    }
}

/// Returns an `AWS::IAM::Role` with a trust policy and the AWS managed policy `name`.
#[must_use]
pub fn managed_role(trust: &Value, name: &str) -> Role {
    let arn = Expression::sub(&format!("arn:${{AWS::Partition}}:iam::aws:policy/{name}"), []);
    Role { assume_role_policy_document: Some(trust.clone()), managed_policy_arns: list([arn]), ..Role::default() }
}
