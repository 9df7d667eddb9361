//! Test tools: a scripted KMS and Secrets Manager, users, and a stage with tables and a Telegram server.

pub(crate) mod world;

use base64::{Engine, prelude::BASE64_STANDARD};
use common::token::SecretSource;
use serde_json::{Value, json};
pub(crate) use tables::testing::{Reply, Request, Script, error_reply, json_reply};

use crate::domain::user::{Role, User};

/// The secret of access tokens.
pub(crate) const SECRET: &str = "the secret of the tests, which is long enough to sign with it...";

/// A KMS that wraps keys with their encryption context, and refuses another one.
pub(crate) fn kms() -> impl FnMut(&Request) -> Option<Reply> + Send + 'static {
    let mut count = 0_u8;
    move |request| match request.action.as_str() {
        "TrentService.GenerateDataKey" => {
            count += 1;
            let key = BASE64_STANDARD.encode([count; 32]);
            let wrapped = json!([key, request.body["EncryptionContext"]]).to_string();
            json_reply(json!({ "Plaintext": key, "CiphertextBlob": BASE64_STANDARD.encode(wrapped) }))
        }
        "TrentService.Decrypt" => {
            let wrapped = BASE64_STANDARD.decode(request.body["CiphertextBlob"].as_str()?).ok()?;
            let wrapped: Value = serde_json::from_slice(&wrapped).ok()?;
            match wrapped[1] == request.body["EncryptionContext"] {
                true => json_reply(json!({ "Plaintext": wrapped[0] })),
                false => error_reply("InvalidCiphertextException"),
            }
        }
        _ => None,
    }
}

/// Answers reads of a secret that was never rotated.
pub(crate) fn secret_rule(text: &str) -> impl Fn(&Request) -> Option<Reply> + Send + 'static {
    let text = text.to_owned();
    move |request| match (request.action.as_str(), request.body["VersionStage"].as_str()) {
        ("secretsmanager.GetSecretValue", Some("AWSCURRENT")) => json_reply(json!({ "SecretString": text })),
        ("secretsmanager.GetSecretValue", _) => error_reply("ResourceNotFoundException"),
        _ => None,
    }
}

/// A secret that was never rotated.
pub(crate) fn secret(text: &str) -> SecretSource {
    SecretSource::new(Script::new(secret_rule(text)).aws(), "secret".to_owned())
}

/// An active administrator.
pub(crate) fn user(id: u64) -> User {
    User {
        id,
        username: "ana".to_owned(),
        email: "ana@example.com".to_owned(),
        password_hash: "hash".to_owned(),
        role: Role::Admin,
        is_active: true,
        status: "active".to_owned(),
        full_name: None,
        telegram_id: None,
        created_at: "2026-01-31T12:00:00.000Z".to_owned(),
        last_login: None,
    }
}
