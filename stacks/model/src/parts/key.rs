//! A customer-managed key of KMS with an alias, and the statements that grant its use within an encryption context.

use serde_json::{Map, Value, json};

use super::policy::{self, Statement};
use crate::{
    resources::kms::{self, key},
    stage::Stage,
    template::{Expression, Part, Reference, RemovalPolicy, Resource, Stack, Text, set},
};

/// The days between a request to delete a key and its deletion: the most that KMS accepts (KMS API reference,
/// `ScheduleKeyDeletion`).
const PENDING_DAYS: i64 = 30;

/// A symmetric `AWS::KMS::Key` whose material is rotated every year, and its `AWS::KMS::Alias`.
///
/// The key's policy lets the account's IAM policies decide who uses it (KMS developer guide, "Default key policy"); it names no
/// other principal. Except in stage `local`, the key is retained when its stack is deleted: without it, what it encrypted is lost.
#[derive(Debug, Clone)]
pub struct Key {
    logical_id: String,
    alias: String,
    description: String,
    removal: RemovalPolicy,
}

/// The values by which other parts refer to a key.
#[derive(Debug, Clone)]
pub struct KeyHandle {
    key: Reference,
}

/// The encryption context of a grant: which pairs every request must have, and which further names it may have.
#[derive(Debug, Clone, Default)]
pub struct EncryptionContext {
    pairs: Vec<(String, Text)>,
    variable: Vec<String>,
}

/// The operations that encrypt and decrypt data with an encryption context, or may do so (KMS developer guide, "Encryption context").
const CRYPTOGRAPHIC: [&str; 9] = [
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyPair",
    "kms:GenerateDataKeyPairWithoutPlaintext",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncrypt*",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
];

/// Returns whether an action encrypts or decrypts data with a key.
pub(crate) fn is_cryptographic(action: &str) -> bool {
    CRYPTOGRAPHIC.iter().any(|known| known.eq_ignore_ascii_case(action))
}

impl Key {
    /// Creates a key with the alias `alias/<alias>`.
    #[must_use]
    pub fn new(logical_id: &str, alias: &str, stage: &Stage) -> Self {
        Self {
            logical_id: logical_id.to_owned(),
            alias: format!("alias/{alias}"),
            description: String::new(),
            removal: if stage.is_local() { RemovalPolicy::Delete } else { RemovalPolicy::Retain },
        }
    }

    /// Sets the description, which says what the key encrypts.
    #[must_use]
    pub fn description(mut self, text: &str) -> Self {
        text.clone_into(&mut self.description);
        self
    }
}

impl Part for Key {
    type Handle = KeyHandle;

    fn add_to(self, stack: &mut Stack) -> KeyHandle {
        let account = Expression::sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root", []);
        let administers = json!({
            "Sid": "AccountAdministers",
            "Effect": "Allow",
            "Principal": { "AWS": account },
            "Action": "kms:*",
            "Resource": "*",
        });
        let properties = kms::Key {
            description: set(self.description),
            enable_key_rotation: set(true),
            key_policy: Some(policy::resource_policy(vec![administers])),
            pending_window_in_days: set(PENDING_DAYS),
            tags: Some(vec![key::Tag { key: set("Name"), value: set(self.alias.trim_start_matches("alias/")) }]),
            ..kms::Key::default()
        };
        let key = stack.resource(&self.logical_id, Resource::of(properties).removal(self.removal));
        let alias = kms::Alias { alias_name: set(self.alias), target_key_id: set(key.id()) };
        stack.resource(&format!("{}Alias", self.logical_id), Resource::of(alias));
        KeyHandle { key }
    }
}

impl EncryptionContext {
    /// Creates an empty context.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Requires this pair in every request.
    #[must_use]
    pub fn pair(mut self, name: &str, value: impl Into<Text>) -> Self {
        self.pairs.push((name.to_owned(), value.into()));
        self
    }

    /// Requires this name in every request, with a value that the function chooses.
    #[must_use]
    pub fn variable(mut self, name: &str) -> Self {
        self.variable.push(name.to_owned());
        self
    }

    /// The condition of a grant (KMS developer guide, "Condition keys for AWS KMS": `kms:EncryptionContext:` and
    /// `kms:EncryptionContextKeys`).
    fn condition(&self) -> Value {
        let name = |name: &str| format!("kms:EncryptionContext:{name}");
        let equal: Map<_, _> = self.pairs.iter().map(|(key, value)| (name(key), json!(value))).collect();
        let absent: Map<_, _> = self.variable.iter().map(|key| (name(key), json!("false"))).collect();
        let keys: Vec<_> = self.pairs.iter().map(|(key, _)| key).chain(&self.variable).collect();
        let mut condition = json!({ "ForAllValues:StringEquals": { "kms:EncryptionContextKeys": keys } });
        if !equal.is_empty() {
            condition["StringEquals"] = Value::Object(equal);
        }
        if !absent.is_empty() {
            condition["Null"] = Value::Object(absent);
        }
        condition
    }
}

impl KeyHandle {
    /// Returns the key's ARN.
    #[must_use]
    pub fn arn(&self) -> Text {
        self.key.attribute("Arn")
    }

    /// Returns the key's ID.
    #[must_use]
    pub fn id(&self) -> Text {
        self.key.id()
    }

    /// Allows generating data keys and decrypting them, in requests with this encryption context only.
    #[must_use]
    pub fn encrypt_decrypt(&self, context: &EncryptionContext) -> Vec<Statement> {
        self.within(["kms:GenerateDataKey", "kms:Decrypt"], context)
    }

    /// Allows decrypting data keys, in requests with this encryption context only.
    #[must_use]
    pub fn decrypt(&self, context: &EncryptionContext) -> Vec<Statement> {
        self.within(["kms:Decrypt"], context)
    }

    /// Allows reading the key's state.
    #[must_use]
    pub fn describe(&self) -> Vec<Statement> {
        vec![Statement::allow(["kms:DescribeKey"], [self.arn()])]
    }

    fn within<const N: usize>(&self, actions: [&str; N], context: &EncryptionContext) -> Vec<Statement> {
        vec![Statement::allow(actions, [self.arn()]).when(context.condition())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(stage: &str) -> (Stack, KeyHandle) {
        let mut stack = Stack::new("data", "Data.");
        let handle =
            stack.add(Key::new("NotesKey", "notes-dev", &Stage::example(stage)).description("Encrypts notes."));
        (stack, handle)
    }

    #[test]
    fn a_key_is_rotated_and_retained_and_only_the_account_administers_it() {
        let (stack, _) = key("dev");
        let key = stack.resources["NotesKey"].to_json();
        assert_eq!(key["DeletionPolicy"], "RetainExceptOnCreate");
        assert_eq!(key["UpdateReplacePolicy"], "Retain");
        assert_eq!(key["Properties"]["EnableKeyRotation"], true);
        assert_eq!(key["Properties"]["PendingWindowInDays"], 30);
        let statements = key["Properties"]["KeyPolicy"]["Statement"].as_array().expect("statements");
        assert_eq!(statements.len(), 1);
        assert!(!statements[0]["Principal"].to_string().contains('*'));
        let alias = stack.resources["NotesKeyAlias"].to_json();
        assert_eq!(alias["Properties"]["AliasName"], "alias/notes-dev");
        let (local, _) = self::key("local");
        assert!(local.resources["NotesKey"].to_json()["DeletionPolicy"].is_null());
    }

    #[test]
    fn a_grant_requires_its_encryption_context_and_no_other() {
        let (_, key) = key("dev");
        let context = EncryptionContext::new().pair("stage", "dev").variable("user_id");
        let document = policy::document(&key.encrypt_decrypt(&context));
        let statement = &document["Statement"][0];
        assert_eq!(statement["Action"], json!(["kms:GenerateDataKey", "kms:Decrypt"]));
        let condition = &statement["Condition"];
        assert_eq!(condition["StringEquals"], json!({ "kms:EncryptionContext:stage": "dev" }));
        assert_eq!(condition["Null"], json!({ "kms:EncryptionContext:user_id": "false" }));
        let keys = json!({ "kms:EncryptionContextKeys": ["stage", "user_id"] });
        assert_eq!(condition["ForAllValues:StringEquals"], keys);
        let document = policy::document(&key.decrypt(&context));
        assert_eq!(document["Statement"][0]["Action"], json!(["kms:Decrypt"]));
    }
}
