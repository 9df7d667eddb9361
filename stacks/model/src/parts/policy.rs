//! IAM: statements, and roles made of them.

use serde_json::{Value, json};

use crate::{
    resources::iam::{Role, role},
    template::{Expression, Text, list, set},
};

/// One statement of a policy that allows something.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    actions: Vec<String>,
    resources: Vec<Text>,
    /// Is it allowed on all but the resources?
    except: bool,
    condition: Option<Value>,
}

impl Statement {
    /// Allows `actions` on `resources`.
    #[must_use]
    pub fn allow<'a>(actions: impl IntoIterator<Item = &'a str>, resources: impl IntoIterator<Item = Text>) -> Self {
        let actions = actions.into_iter().map(str::to_owned).collect();
        Self { actions, resources: resources.into_iter().collect(), except: false, condition: None }
    }

    /// Allows `actions` on everything that is none of `resources`.
    #[must_use]
    pub fn allow_except<'a>(
        actions: impl IntoIterator<Item = &'a str>,
        resources: impl IntoIterator<Item = Text>,
    ) -> Self {
        Self { except: true, ..Self::allow(actions, resources) }
    }

    /// Allows it only on this condition, in IAM's own form.
    #[must_use]
    pub fn when(mut self, condition: Value) -> Self {
        self.condition = Some(condition);
        self
    }

    fn to_json(&self) -> Value {
        let on = if self.except { "NotResource" } else { "Resource" };
        let mut statement = json!({ "Effect": "Allow", "Action": self.actions, on: self.resources });
        if let Some(condition) = &self.condition {
            statement["Condition"] = condition.clone();
        }
        statement
    }
}

/// One value or several, as policies write them.
pub(crate) fn each(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

/// A policy document of these statements.
#[must_use]
pub fn document(statements: &[Statement]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements.iter().map(Statement::to_json).collect::<Vec<_>>() })
}

/// Statement of a resource's own policy that denies `actions` on `resources` to whoever comes without TLS.
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

/// A resource's own policy of statements in IAM's own form.
#[must_use]
pub fn resource_policy(statements: Vec<Value>) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
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
pub fn role(trust: &Value, statements: &[Statement]) -> Role {
    Role {
        assume_role_policy_document: Some(trust.clone()),
        policies: Some(vec![role::Policy { policy_name: set("access"), policy_document: Some(document(statements)) }]),
        ..Role::default()
    }
}

/// A role that is trusted as `trust` says and may do what AWS's own policy `name` allows.
#[must_use]
pub fn managed_role(trust: &Value, name: &str) -> Role {
    let arn = Expression::sub(&format!("arn:${{AWS::Partition}}:iam::aws:policy/{name}"), []);
    Role { assume_role_policy_document: Some(trust.clone()), managed_policy_arns: list([arn]), ..Role::default() }
}
