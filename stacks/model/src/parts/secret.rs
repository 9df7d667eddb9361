//! A secret that Secrets Manager generates: neither a template nor a person contains or chooses its value.

use super::policy::Statement;
use crate::{
    resources::secrets_manager::{self, secret},
    stage::Stage,
    template::{Part, Reference, RemovalPolicy, Resource, Stack, Text, set},
};

/// An `AWS::SecretsManager::Secret` with a generated value of 64 characters.
#[derive(Debug, Clone)]
pub struct Secret {
    logical_id: String,
    name: String,
    description: String,
    alphabet: Alphabet,
    removal: RemovalPolicy,
}

/// The characters of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alphabet {
    /// Letters and digits.
    Alphanumeric,
    /// Hexadecimal digits: the value represents 32 bytes.
    Hexadecimal,
}

/// The length of a secret, in characters.
const LENGTH: i64 = 64;

/// The values by which other parts refer to a secret.
#[derive(Debug, Clone)]
pub struct SecretHandle {
    secret: Reference,
}

impl Secret {
    /// Creates a secret of letters and digits called `name`. It is retained when its stack is deleted, except in stage
    /// `local`, so that signatures made with it can still be verified.
    #[must_use]
    pub fn new(logical_id: &str, name: &str, stage: &Stage) -> Self {
        Self {
            logical_id: logical_id.to_owned(),
            name: name.to_owned(),
            description: String::new(),
            alphabet: Alphabet::Alphanumeric,
            removal: if stage.is_local() { RemovalPolicy::Delete } else { RemovalPolicy::Retain },
        }
    }

    /// Sets the description, which says what the secret is used for.
    #[must_use]
    pub fn description(mut self, text: &str) -> Self {
        text.clone_into(&mut self.description);
        self
    }

    /// Sets the characters of the secret.
    #[must_use]
    pub fn alphabet(mut self, alphabet: Alphabet) -> Self {
        self.alphabet = alphabet;
        self
    }
}

impl Part for Secret {
    type Handle = SecretHandle;

    fn add_to(self, stack: &mut Stack) -> SecretHandle {
        let hexadecimal = self.alphabet == Alphabet::Hexadecimal;
        let properties = secrets_manager::Secret {
            name: set(self.name),
            description: set(self.description),
            generate_secret_string: Some(secret::GenerateSecretString {
                password_length: set(LENGTH),
                exclude_punctuation: set(true),
                exclude_uppercase: hexadecimal.then(|| true.into()),
                exclude_characters: hexadecimal.then(|| "ghijklmnopqrstuvwxyz".into()),
                ..secret::GenerateSecretString::default()
            }),
            ..secrets_manager::Secret::default()
        };
        let secret = stack.resource(&self.logical_id, Resource::of(properties).removal(self.removal));
        SecretHandle { secret }
    }
}

impl SecretHandle {
    /// Returns the secret's ARN, which ends with six characters that Secrets Manager adds.
    #[must_use]
    pub fn arn(&self) -> Text {
        self.secret.id()
    }

    /// Allows reading the secret's value.
    #[must_use]
    pub fn read(&self) -> Vec<Statement> {
        vec![Statement::allow(["secretsmanager:GetSecretValue"], [self.arn()])]
    }

    /// Allows replacing the secret's value on a schedule, without reading it: listing its versions, which have no values, and
    /// storing a new one.
    #[must_use]
    pub fn rotate(&self) -> Vec<Statement> {
        let actions = ["secretsmanager:ListSecretVersionIds", "secretsmanager:PutSecretValue"];
        vec![Statement::allow(actions, [self.arn()])]
    }
}
