//! Secrets that templates generate: rotating them, and revoking their previous values.
//!
//! A new value is generated as the template describes it, so the engine knows nothing of its meaning. After a rotation, readers
//! get the new value; some of them accept the previous one for a while, until it is revoked. Nothing here reads a value.

use miette::Diagnostic;
use model::rendered::RenderedSystem;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::{
    aws::{
        AwsError,
        secrets::{CURRENT, PREVIOUS, SecretVersion, Secrets},
    },
    render,
};

/// The type of secrets in templates.
const TYPE: &str = "AWS::SecretsManager::Secret";
/// Fields of `GenerateSecretString` that put the generated text into a JSON document, which `GetRandomPassword` lacks.
const DOCUMENT_FIELDS: [&str; 2] = ["GenerateStringKey", "SecretStringTemplate"];
/// Another call with the same token has stored a value (Secrets Manager API reference, `PutSecretValue`).
const TOKEN_USED: &str = "ResourceExistsException";

/// A secret in a template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Secret {
    /// The logical ID in its template.
    pub(crate) logical_id: String,
    /// The name in Secrets Manager.
    pub(crate) name: String,
    /// The system whose stack it belongs to.
    system: String,
    /// The region of its stack; `None` is the stage's.
    pub(crate) region: Option<String>,
    /// The property `GenerateSecretString`.
    recipe: Map<String, Value>,
}

#[derive(Debug, Error, Diagnostic)]
pub(crate) enum SecretError {
    #[error("failed to find secret {wanted}: {}; nothing was changed", known(names))]
    #[diagnostic(help("set --secret to one of these names, or select another stage with --stage"))]
    Unknown { wanted: String, names: Vec<String> },
    #[error("failed to select secret {wanted}: several secrets have this logical ID: {}; nothing was changed", names.join(", "))]
    #[diagnostic(help("set --secret to one of these names"))]
    Ambiguous { wanted: String, names: Vec<String> },
    #[error("failed to rotate {name}: only a part of its value, a JSON document, is generated; nothing was changed")]
    #[diagnostic(help("store a new document in Secrets Manager by hand"))]
    Document { name: String },
    #[error("secret {name} is not deployed; nothing was changed")]
    #[diagnostic(help("deploy its stack first: run `cargo xtask deploy --stage {stage} --system {system}`"))]
    NotDeployed { name: String, stage: String, system: String },
    #[error("failed to rotate {name}: it has no current version; nothing was changed")]
    #[diagnostic(help(
        "store a value in Secrets Manager by hand: a deploy generates one only when it creates the secret"
    ))]
    NoValue { name: String },
    #[error(
        "failed to rotate {name}: another rotation replaced the same version; the secret has the value of that rotation"
    )]
    #[diagnostic(help(
        "check the secret's versions with `cargo xtask secret list --stage {stage}`, then decide whether to rotate again"
    ))]
    Concurrent { name: String, stage: String },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Aws(#[from] AwsError),
}

fn known(names: &[String]) -> String {
    if names.is_empty() {
        return "the stage's templates generate no secret".to_owned();
    }
    format!("the stage's templates generate {}", names.join(", "))
}

/// The result of revoking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Revoked {
    Yes,
    /// There was no previous value.
    Nothing,
}

/// Returns the secrets that templates generate. Others have values that only their owners know.
pub(crate) fn find(systems: &[RenderedSystem]) -> Vec<Secret> {
    let mut secrets = Vec::new();
    for stack in render::stacks_of(systems) {
        for (logical_id, resource) in stack.template["Resources"].as_object().into_iter().flatten() {
            let properties = &resource["Properties"];
            let (name, recipe) = (properties["Name"].as_str(), properties["GenerateSecretString"].as_object());
            if let (true, Some(name), Some(recipe)) = (resource["Type"] == TYPE, name, recipe) {
                let (logical_id, name, recipe) = (logical_id.clone(), name.to_owned(), recipe.clone());
                let (system, region) = (stack.system.clone(), stack.region.clone());
                secrets.push(Secret { logical_id, name, system, region, recipe });
            }
        }
    }
    secrets
}

/// Selects a secret by its name or its logical ID.
///
/// # Errors
///
/// When there is no such secret, or several.
pub(crate) fn select(secrets: &[Secret], wanted: &str) -> Result<Secret, SecretError> {
    let is_wanted = |secret: &&Secret| secret.name == wanted || secret.logical_id == wanted;
    let found: Vec<_> = secrets.iter().filter(is_wanted).collect();
    let names = |secrets: &[&Secret]| secrets.iter().map(|secret| secret.name.clone()).collect();
    let wanted = wanted.to_owned();
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(SecretError::Unknown { wanted, names: names(&secrets.iter().collect::<Vec<_>>()) }),
        several => Err(SecretError::Ambiguous { wanted, names: names(several) }),
    }
}

/// Generates a new value, which becomes the current one. Returns the ID of the version that it replaces.
///
/// # Errors
///
/// When the secret is not deployed or cannot be generated anew, a call fails, or another rotation runs at the same time.
pub(crate) async fn rotate(secret: &Secret, stage: &str, secrets: &Secrets<'_>) -> Result<String, SecretError> {
    let name = || secret.name.clone();
    if DOCUMENT_FIELDS.iter().any(|field| secret.recipe.contains_key(*field)) {
        return Err(SecretError::Document { name: name() });
    }
    let versions = deployed_versions(secret, stage, secrets).await?;
    let current = labelled(&versions, CURRENT).ok_or_else(|| SecretError::NoValue { name: name() })?;
    let value = secrets.generate(&secret.name, &Value::Object(secret.recipe.clone())).await?;
    match secrets.store(&secret.name, &value, &token(&current.id)).await {
        Err(error) if error.code.as_deref() == Some(TOKEN_USED) => {
            Err(SecretError::Concurrent { name: name(), stage: stage.to_owned() })
        }
        stored => Ok(stored.map(|()| current.id.clone())?),
    }
}

/// Makes the value that a rotation replaced unreadable. The version is given, because a list may not have its new label yet.
///
/// # Errors
///
/// When the call fails.
pub(crate) async fn revoke_replaced(secret: &Secret, version: &str, secrets: &Secrets<'_>) -> Result<(), AwsError> {
    secrets.remove_label(&secret.name, PREVIOUS, version).await
}

/// Makes the previous value unreadable. Safe to repeat.
///
/// # Errors
///
/// When the secret is not deployed, or a call fails.
pub(crate) async fn revoke(secret: &Secret, stage: &str, secrets: &Secrets<'_>) -> Result<Revoked, SecretError> {
    let versions = deployed_versions(secret, stage, secrets).await?;
    let Some(previous) = labelled(&versions, PREVIOUS) else { return Ok(Revoked::Nothing) };
    secrets.remove_label(&secret.name, PREVIOUS, &previous.id).await?;
    Ok(Revoked::Yes)
}

async fn deployed_versions(
    secret: &Secret,
    stage: &str,
    secrets: &Secrets<'_>,
) -> Result<Vec<SecretVersion>, SecretError> {
    let versions = secrets.versions(&secret.name).await?;
    versions.ok_or_else(|| SecretError::NotDeployed {
        name: secret.name.clone(),
        stage: stage.to_owned(),
        system: secret.system.clone(),
    })
}

/// Returns the version with a label.
pub(crate) fn labelled<'a>(versions: &'a [SecretVersion], label: &str) -> Option<&'a SecretVersion> {
    versions.iter().find(|version| version.labels.iter().any(|known| known == label))
}

/// The token of a rotation: equal for all that replace the same version, scheduled ones of functions included. So a rotation
/// that runs twice at the same time does not replace the value that was just stored.
fn token(version: &str) -> String {
    hex::encode(Sha256::digest(version.as_bytes()))
}

#[cfg(test)]
mod tests;
