//! Keys of KMS: who administers them, their rotation, and the context in which roles use them.

use serde_json::Value;

use super::{
    Requirement, Subject, Violation,
    access::{IDENTITIES, statements},
};
use crate::{
    parts::key::is_cryptographic,
    statements::{Effect, Patterns, PolicyStatement, list},
};

/// The condition keys of an encryption context: `kms:EncryptionContext:<name>` and `kms:EncryptionContextKeys` (KMS developer guide,
/// "Condition keys for AWS KMS").
const CONTEXT: &str = "kms:encryptioncontext";

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    match subject.resource_type() {
        "AWS::KMS::Key" => {
            principals(subject, found);
            rotation(subject, found);
        }
        kind if IDENTITIES.contains(&kind) => context(subject, found),
        _ => {}
    }
}

/// A statement for every principal would give the key to other accounts.
fn principals(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    for statement in statements(subject.property("KeyPolicy")) {
        let principal = &statement["Principal"];
        let named = [principal].into_iter().chain(principal.as_object().into_iter().flat_map(|kinds| kinds.values()));
        let is_wide = named.flat_map(list).any(|name| name.as_str().is_some_and(|name| name.contains('*')));
        let is_inverted = !statement["NotPrincipal"].is_null();
        if statement["Effect"] == "Allow" && (is_wide || is_inverted) {
            let message =
                "its policy allows every principal; name the account, and allow the use by the policies of roles";
            subject.violates(Requirement::KeyPolicy, "KeyPolicy", message.to_owned(), found);
        }
    }
}

/// Only keys for symmetric encryption are rotated (KMS developer guide, "Rotate AWS KMS keys").
fn rotation(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    let spec = subject.property("KeySpec");
    let is_symmetric = spec.is_null() || spec == "SYMMETRIC_DEFAULT";
    if is_symmetric && subject.property("EnableKeyRotation") != true {
        let message = "its material is never replaced; set EnableKeyRotation".to_owned();
        subject.violates(Requirement::KeyRotation, "EnableKeyRotation", message, found);
    }
}

fn context(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    let Some(properties) = subject.resource["Properties"].as_object() else { return };
    for (name, value) in properties.iter().filter(|(name, _)| *name != "AssumeRolePolicyDocument") {
        for statement in statements(value) {
            let parsed = PolicyStatement::parse(statement);
            let Patterns::Only(actions) = parsed.actions() else { continue };
            if parsed.effect() == Effect::Deny || requires_context(&statement["Condition"]) {
                continue;
            }
            for action in actions.iter().filter(|action| is_cryptographic(action)) {
                let message = format!(
                    "`{action}` is allowed in every encryption context; require one, see `EncryptionContext`, or give the reason with \
                     `except`"
                );
                subject.violates(Requirement::EncryptionContext, name, message, found);
            }
        }
    }
}

/// Does a condition require an encryption context? Requests without one meet `IfExists`, `ForAllValues` and negated operators.
fn requires_context(condition: &Value) -> bool {
    let operators = condition.as_object().into_iter().flatten();
    let mut keys = operators.flat_map(|(operator, keys)| {
        keys.as_object().into_iter().flatten().map(move |(key, values)| (operator.as_str(), key, values))
    });
    keys.any(|(operator, key, values)| {
        let operator = operator.strip_prefix("ForAnyValue:").unwrap_or(operator);
        let is_present = operator == "Null" && list(values).iter().all(|value| *value == "false" || *value == false);
        let is_equal = ["StringEquals", "StringEqualsIgnoreCase", "StringLike"].contains(&operator);
        key.to_ascii_lowercase().starts_with(CONTEXT) && (is_present || is_equal)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::tests::{found_in, found_of},
        *,
    };
    use crate::{
        parts::{
            key::{EncryptionContext, Key},
            policy::{self, Statement},
        },
        stage::Stage,
        template::{Resource, Stack, Text},
    };

    fn key(principal: &Value) -> Value {
        json!({
            "EnableKeyRotation": true,
            "KeyPolicy": { "Statement": [
                { "Effect": "Allow", "Principal": principal, "Action": "kms:*", "Resource": "*" },
            ]},
        })
    }

    #[test]
    fn a_policy_for_every_principal_is_refused() {
        let of = |principal: Value| found_of(Requirement::KeyPolicy, "AWS::KMS::Key", key(&principal));
        for wide in [json!("*"), json!({ "AWS": "*" }), json!({ "AWS": ["arn:aws:iam::111122223333:root", "*"] })] {
            assert_eq!(of(wide.clone()).len(), 1, "{wide}");
        }
        let account = json!({ "AWS": { "Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root" } });
        assert_eq!(of(account), [""; 0]);
    }

    #[test]
    fn a_symmetric_key_is_rotated() {
        let of = |properties: Value| found_of(Requirement::KeyRotation, "AWS::KMS::Key", properties).len();
        assert_eq!(of(json!({})), 1);
        assert_eq!(of(json!({ "EnableKeyRotation": false })), 1);
        assert_eq!(of(json!({ "EnableKeyRotation": true })), 0);
        assert_eq!(of(json!({ "KeySpec": "RSA_2048" })), 0);
    }

    #[test]
    fn the_use_of_a_key_without_an_encryption_context_needs_a_reason() {
        let found = |statement: Statement, reason: Option<&str>| {
            let mut stack = Stack::new("data", "Data.");
            let role = policy::role(&policy::service_trust("lambda.amazonaws.com"), &[statement]);
            stack.resource("A", Resource::of(role));
            if let Some(reason) = reason {
                stack.except("A", Requirement::EncryptionContext, reason);
            }
            found_in("dev", stack)
        };
        let plain = || Statement::allow(["kms:Decrypt", "kms:DescribeKey"], [Text::from("arn:aws:kms:::key/a")]);
        let refused = found(plain(), None);
        assert!(refused[0].starts_with("encryption-context: A: `kms:Decrypt`"), "{refused:?}");
        assert_eq!(found(plain(), Some("The bucket's context is S3's own.")), [""; 0]);
        for (operator, is_enough) in [
            ("StringEquals", true),
            ("ForAnyValue:StringEquals", true),
            ("ForAllValues:StringEquals", false),
            ("StringEqualsIfExists", false),
            ("StringNotEquals", false),
        ] {
            let condition = json!({ operator: { "kms:EncryptionContext:stage": "dev" } });
            assert_eq!(found(plain().when(condition), None).is_empty(), is_enough, "{operator}");
        }
        for (absent, is_enough) in [("false", true), ("true", false)] {
            let condition = json!({ "Null": { "kms:EncryptionContextKeys": absent } });
            assert_eq!(found(plain().when(condition), None).is_empty(), is_enough, "{absent}");
        }
    }

    #[test]
    fn a_key_and_its_grants_fulfil_the_requirements() {
        let mut stack = Stack::new("data", "Data.");
        let key = stack.add(Key::new("NotesKey", "notes-dev", &Stage::example("dev")));
        let context = EncryptionContext::new().pair("stage", "dev").variable("user_id");
        let statements = [key.encrypt_decrypt(&context), key.describe()].concat();
        let role = policy::role(&policy::service_trust("lambda.amazonaws.com"), &statements);
        stack.resource("A", Resource::of(role));
        assert_eq!(found_in("dev", stack), [""; 0]);
    }
}
