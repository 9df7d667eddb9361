//! A secret that nobody knows: Secrets Manager makes it, no template and no person has it.

use super::policy::Statement;
use crate::{
    resources::secrets_manager::{self, secret},
    stage::Stage,
    template::{Part, Reference, RemovalPolicy, Resource, Stack, Text, set},
};

/// A generated secret.
#[derive(Debug, Clone)]
pub struct Secret {
    logical_id: String,
    name: String,
    description: String,
    alphabet: Alphabet,
    removal: RemovalPolicy,
}

/// What a secret is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alphabet {
    /// 64 letters and digits.
    Alphanumeric,
    /// 64 hexadecimal digits: 32 bytes.
    Hexadecimal,
}

/// How long a secret is, in characters.
const LENGTH: i64 = 64;

/// What others need of a secret.
#[derive(Debug, Clone)]
pub struct SecretHandle {
    secret: Reference,
}

impl Secret {
    /// A secret called `name`. It stays when its stack goes, but on the emulator: what was signed with it must still be
    /// verified.
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

    /// What it is for.
    #[must_use]
    pub fn description(mut self, text: &str) -> Self {
        text.clone_into(&mut self.description);
        self
    }

    /// What it is made of: letters and digits unless told.
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
    /// The secret's ARN, with the six characters that Secrets Manager adds.
    #[must_use]
    pub fn arn(&self) -> Text {
        self.secret.id()
    }

    /// Reading it.
    #[must_use]
    pub fn read(&self) -> Vec<Statement> {
        vec![Statement::allow(["secretsmanager:GetSecretValue"], [self.arn()])]
    }
}
