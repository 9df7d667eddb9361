//! Secrets Manager: versions of secrets and their labels.

use serde_json::{Value, json};

use crate::{
    account::Account,
    bags,
    chance::Chance,
    resources::{Provided, Provider, Wanted},
    time::Moment,
    wire::{Call, Handled, Refusal, Reply},
};

#[cfg(test)]
mod tests;

/// The type.
pub(crate) const TYPE: &str = "AWS::SecretsManager::Secret";
/// Creates, updates and deletes secrets.
pub(crate) const SECRET: Provider = Provider { create, update, delete };

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";
/// The most versions of a page (Secrets Manager API reference, `ListSecretVersionIds`, `MaxResults`).
const PAGE: usize = 100;

/// A secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secret {
    /// The ARN, which ends in six random characters (Secrets Manager user guide, "What's in a secret?").
    pub arn: String,
    /// The versions, oldest first.
    pub versions: Vec<Version>,
}

/// A version of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The ID: the token of the call that stored it.
    pub id: String,
    /// The value.
    pub value: String,
    /// The labels.
    pub labels: Vec<String>,
    /// When it was stored.
    pub created: Moment,
}

impl Secret {
    /// The value that readers get.
    #[must_use]
    pub fn current(&self) -> Option<&str> {
        self.labelled(CURRENT).map(|version| version.value.as_str())
    }

    fn labelled(&self, label: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.labels.iter().any(|known| known == label))
    }

    /// Moves a label to a version. The version that had `AWSCURRENT` is labelled `AWSPREVIOUS` (Secrets Manager API reference, `PutSecretValue`).
    fn label(&mut self, label: &str, id: &str) {
        let had = self.labelled(label).map(|version| version.id.clone());
        self.unlabel(label);
        if let Some(version) = self.versions.iter_mut().find(|version| version.id == id) {
            version.labels.push(label.to_owned());
        }
        if let Some(had) = had.filter(|had| label == CURRENT && had != id) {
            self.label(PREVIOUS, &had);
        }
    }

    fn unlabel(&mut self, label: &str) {
        for version in &mut self.versions {
            version.labels.retain(|known| known != label);
        }
    }

    /// Stores a value under the labels. A version that exists already with this value stays as it is.
    fn store(&mut self, id: &str, value: &str, labels: &[String], now: Moment) -> Result<(), Refusal> {
        if let Some(version) = self.versions.iter().find(|version| version.id == id) {
            let message = "You can't modify an existing version, you can only create a new version.";
            let is_same = version.value == value;
            return if is_same { Ok(()) } else { Err(Refusal::bad_request("ResourceExistsException", message)) };
        }
        let (id, value) = (id.to_owned(), value.to_owned());
        self.versions.push(Version { id: id.clone(), value, labels: Vec::new(), created: now });
        for label in labels {
            self.label(label, &id);
        }
        Ok(())
    }
}

fn create(account: &mut Account, wanted: Wanted<'_>) -> Result<Provided, String> {
    let generated = account.physical_id(wanted.stack, wanted.logical_id);
    let name = wanted.properties["Name"].as_str().unwrap_or(&generated).to_owned();
    let id = account.chance.uuid();
    let value = value(wanted.properties, &mut account.chance);
    let secret = new(account, wanted.region, &name, &id, value.as_deref()).map_err(|refusal| refusal.message)?;
    Ok(bags::provided(&secret, &[("Id", &secret)]))
}

/// Creates a secret, with a first version if it has a value; returns its ARN (Secrets Manager API reference, `CreateSecret`).
fn new(account: &mut Account, region: &str, name: &str, id: &str, value: Option<&str>) -> Result<String, Refusal> {
    let key = (region.to_owned(), name.to_owned());
    if account.secrets.contains_key(&key) {
        let message = format!("The operation failed because the secret {name} already exists.");
        return Err(Refusal::bad_request("ResourceExistsException", message));
    }
    let suffix = account.chance.capitals(6);
    let arn = format!("arn:aws:secretsmanager:{region}:{}:secret:{name}-{suffix}", account.id);
    let mut secret = Secret { arn: arn.clone(), versions: Vec::new() };
    if let Some(value) = value {
        secret.store(id, value, &[CURRENT.to_owned()], account.now())?;
    }
    account.secrets.insert(key, secret);
    account.record_creation(region, TYPE, &arn);
    Ok(arn)
}

fn value(properties: &Value, chance: &mut Chance) -> Option<String> {
    let recipe = properties.get("GenerateSecretString");
    recipe.map(|recipe| password(recipe, chance)).or_else(|| properties["SecretString"].as_str().map(str::to_owned))
}

/// A value in the template becomes the current version; a generated one is only generated once (CloudFormation template reference,
/// `AWS::SecretsManager::Secret`).
fn update(account: &mut Account, arn: &str, wanted: Wanted<'_>) -> Result<Provided, String> {
    let (id, now) = (account.chance.uuid(), account.now());
    let secret = find_mut(account, wanted.region, arn).map_err(|refusal| refusal.message)?;
    if let Some(value) = wanted.properties["SecretString"].as_str().filter(|value| secret.current() != Some(value)) {
        secret.store(&id, value, &[CURRENT.to_owned()], now).map_err(|refusal| refusal.message)?;
    }
    Ok(bags::provided(arn, &[("Id", arn)]))
}

fn delete(account: &mut Account, arn: &str, wanted: Wanted<'_>) -> Result<(), String> {
    account.secrets.retain(|_, secret| secret.arn != arn);
    account.record_deletion(wanted.region, TYPE, arn);
    Ok(())
}

/// Finds a secret by its name, its ARN, or its ARN without the random characters.
fn find_mut<'a>(account: &'a mut Account, region: &str, id: &str) -> Result<&'a mut Secret, Refusal> {
    let is_it = |((of, name), secret): &(&(String, String), &mut Secret)| {
        of == region
            && (name == id || secret.arn == id || secret.arn.rsplit_once('-').is_some_and(|(arn, _)| arn == id))
    };
    let found = account.secrets.iter_mut().find(is_it).map(|(_, secret)| secret);
    let missing =
        || Refusal::bad_request("ResourceNotFoundException", "Secrets Manager can't find the specified secret.");
    found.ok_or_else(missing)
}

/// Carries out a call.
pub(crate) fn handle(account: &mut Account, call: &Call) -> Handled {
    let (input, now) = (call.json(), account.now());
    let text = |name: &str| input[name].as_str().unwrap_or_default();
    if call.operation == "GetRandomPassword" {
        return Ok(Reply::json(200, &json!({ "RandomPassword": password(&input, &mut account.chance) })));
    }
    if call.operation == "CreateSecret" {
        let (name, id) = (text("Name"), text("ClientRequestToken"));
        let arn = new(account, &call.region, name, id, input["SecretString"].as_str())?;
        return Ok(Reply::json(200, &json!({ "ARN": arn, "Name": name, "VersionId": id })));
    }
    let secret = find_mut(account, &call.region, text("SecretId"))?;
    match call.operation.as_str() {
        "GetSecretValue" => get(secret, &input),
        "PutSecretValue" => {
            let labels = input["VersionStages"].as_array().into_iter().flatten();
            let labels: Vec<_> = labels.filter_map(Value::as_str).map(str::to_owned).collect();
            let labels = if labels.is_empty() { vec![CURRENT.to_owned()] } else { labels };
            let id = text("ClientRequestToken");
            secret.store(id, text("SecretString"), &labels, now)?;
            Ok(Reply::json(200, &json!({ "ARN": secret.arn, "VersionId": id, "VersionStages": labels })))
        }
        "ListSecretVersionIds" => Ok(list(secret, &input)),
        "UpdateSecretVersionStage" => relabel(secret, &input),
        _ => Err(Refusal::unknown(call)),
    }
}

/// Secrets Manager API reference, `GetSecretValue`: by ID, by label, or the current version.
fn get(secret: &Secret, input: &Value) -> Handled {
    let label = input["VersionStage"].as_str().unwrap_or(CURRENT);
    let version = match input["VersionId"].as_str() {
        Some(id) => secret.versions.iter().find(|version| version.id == id),
        None => secret.labelled(label),
    };
    let Some(version) = version else {
        let message = format!("Secrets Manager can't find the specified secret value for staging label: {label}");
        return Err(Refusal::bad_request("ResourceNotFoundException", message));
    };
    let (id, labels) = (&version.id, &version.labels);
    let body = json!({ "ARN": secret.arn, "VersionId": id, "SecretString": version.value, "VersionStages": labels });
    Ok(Reply::json(200, &body))
}

/// Secrets Manager API reference, `ListSecretVersionIds`: versions without labels are deprecated, and left out unless they are asked for.
fn list(secret: &Secret, input: &Value) -> Reply {
    let has_all = input["IncludeDeprecated"] == true;
    let from = input["NextToken"].as_str().and_then(|token| token.parse().ok()).unwrap_or(0);
    let most = input["MaxResults"].as_u64().and_then(|most| usize::try_from(most).ok()).unwrap_or(PAGE);
    let listed = secret.versions.iter().filter(|version| has_all || !version.labels.is_empty());
    let mut rest = listed.skip(from).peekable();
    let page = rest.by_ref().take(most).map(|version| {
        let created = version.created.unix_seconds();
        json!({ "VersionId": version.id, "VersionStages": version.labels, "CreatedDate": created })
    });
    let mut body = json!({ "ARN": secret.arn, "Versions": page.collect::<Vec<_>>() });
    if rest.peek().is_some() {
        body["NextToken"] = (from + most).to_string().into();
    }
    Reply::json(200, &body)
}

/// Secrets Manager API reference, `UpdateSecretVersionStage`: a label that another version has is only moved if the request names that version,
/// and `AWSCURRENT` cannot be removed.
fn relabel(secret: &mut Secret, input: &Value) -> Handled {
    let label = input["VersionStage"].as_str().unwrap_or_default();
    let (from, to) = (input["RemoveFromVersionId"].as_str(), input["MoveToVersionId"].as_str());
    let invalid = |message: String| Err(Refusal::bad_request("InvalidParameterException", message));
    let has = secret.labelled(label).map(|version| version.id.as_str());
    let is_named = if has.is_some() { has == from || has == to } else { from.is_none() };
    if !is_named {
        return invalid(format!("The staging label {label} isn't attached to the version in RemoveFromVersionId"));
    }
    match to {
        Some(to) if secret.versions.iter().all(|version| version.id != to) => {
            let message = "Secrets Manager can't find the version in MoveToVersionId";
            return Err(Refusal::bad_request("ResourceNotFoundException", message));
        }
        Some(to) => secret.label(label, to),
        None if label == CURRENT => return invalid(format!("You can only move the staging label {label}")),
        None => secret.unlabel(label),
    }
    Ok(Reply::json(200, &json!({ "ARN": secret.arn })))
}

/// Secrets Manager API reference, `GetRandomPassword`: at least one character of each included type, unless that is not required.
fn password(recipe: &Value, chance: &mut Chance) -> String {
    let types = [
        ("ExcludeLowercase", "abcdefghijklmnopqrstuvwxyz"),
        ("ExcludeUppercase", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        ("ExcludeNumbers", "0123456789"),
        ("ExcludePunctuation", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
    ];
    let excluded = recipe["ExcludeCharacters"].as_str().unwrap_or_default();
    let included = types.iter().filter(|(exclude, _)| recipe[*exclude] != true);
    let included: Vec<Vec<char>> =
        included.map(|(_, all)| all.chars().filter(|found| !excluded.contains(*found)).collect()).collect();
    let any: Vec<char> = included.concat();
    let length = recipe["PasswordLength"].as_u64().and_then(|length| usize::try_from(length).ok()).unwrap_or(32);
    let required = if recipe["RequireEachIncludedType"] == false { Vec::new() } else { included };
    let mut password: Vec<char> = required.iter().filter_map(|kind| chance.choice(kind).copied()).collect();
    while password.len() < length {
        let Some(next) = chance.choice(&any) else { break };
        password.push(*next);
    }
    for at in (1..password.len()).rev() {
        let other = chance.number(0..u64::try_from(at + 1).unwrap_or(1));
        password.swap(at, usize::try_from(other).unwrap_or(0));
    }
    password.into_iter().collect()
}
