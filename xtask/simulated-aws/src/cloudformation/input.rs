//! The input of calls that create or change stacks: names, templates, parameters, tags and capabilities.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value;

use super::{
    invalid,
    resolve::{Place, conditions},
    state::Stack,
    template::{Template, Version},
};
use crate::{
    account::Account,
    wire::{Form, Refusal},
};

/// The largest template in a request, and in S3, in bytes (CloudFormation user guide, "Understand CloudFormation quotas").
const BODY_LIMIT: usize = 51_200;
const URL_LIMIT: usize = 1_000_000;
/// The largest number of resources in a template (the same page).
const RESOURCE_LIMIT: usize = 500;

/// Reads a required parameter.
pub(super) fn required<'f>(form: &'f Form, key: &str) -> Result<&'f str, Refusal> {
    let member = format!("{}{}", key[..1].to_ascii_lowercase(), &key[1..]);
    form.get(key).filter(|value| !value.is_empty()).ok_or_else(|| {
        invalid(format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
        ))
    })
}

/// Validates a new name (CloudFormation API reference, `CreateChangeSet`: letters, digits and hyphens, first a letter, at most 128).
pub(super) fn valid_name<'n>(member: &str, name: &'n str) -> Result<&'n str, Refusal> {
    let is_valid = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|found| found.is_ascii_alphanumeric() || found == '-');
    if !is_valid {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at '{member}' failed to satisfy constraint: Member must satisfy regular \
             expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )));
    }
    if name.len() > 128 {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at '{member}' failed to satisfy constraint: Member must have length less than \
             or equal to 128"
        )));
    }
    Ok(name)
}

/// Reads the version that a stack is to have.
pub(super) fn version(
    account: &mut Account,
    place: &Place,
    stack: Option<&str>,
    form: &Form,
) -> Result<Version, Refusal> {
    let old = stack.and_then(|id| account.cloudformation.stacks.get(id)).and_then(|stack| stack.version.clone());
    let template = template(account, old.as_ref(), form)?;
    capabilities(&template, form)?;
    let parameters = parameters(&template, old.as_ref(), form)?;
    let tag = |tag: Form| Some((tag.get("Key")?.to_owned(), tag.get("Value").unwrap_or_default().to_owned()));
    let tags: BTreeMap<_, _> = form.items("Tags").into_iter().filter_map(tag).collect();
    // Without a role, CloudFormation uses the one of the stack's last operation (CloudFormation API reference, `RoleARN`).
    let role = form.get("RoleARN").map(Arc::from).or_else(|| old.as_ref().and_then(|old| old.role.clone()));
    let tags = match old {
        // Without tags, those of the stack remain (CloudFormation API reference, `UpdateStack`, `Tags`).
        Some(old) if tags.is_empty() => old.tags,
        _ => Arc::new(tags),
    };
    let mut version = Version { template, parameters: Arc::new(parameters), tags, role, conditions: Arc::default() };
    version.conditions = Arc::new(conditions(&version, place).map_err(invalid)?);
    Ok(version)
}

fn template(account: &mut Account, old: Option<&Version>, form: &Form) -> Result<Arc<Template>, Refusal> {
    let too_large = |limit: usize| {
        invalid(format!(
            "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less than or \
             equal to {limit}"
        ))
    };
    let from_s3;
    let text = match (form.get("TemplateBody"), form.get("TemplateURL"), old) {
        (Some(body), _, _) if body.len() > BODY_LIMIT => return Err(too_large(BODY_LIMIT)),
        (Some(body), _, _) => body,
        (None, Some(url), _) => {
            from_s3 = template_at(account, url)?;
            if from_s3.len() > URL_LIMIT {
                return Err(too_large(URL_LIMIT));
            }
            &from_s3
        }
        (None, None, Some(old)) if form.is_true("UsePreviousTemplate") => return Ok(old.template.clone()),
        (None, None, _) => return Err(invalid("Either Template URL or Template Body must be specified.")),
    };
    let template = account.cloudformation.template(text).map_err(invalid)?;
    if template.needs.len() > RESOURCE_LIMIT {
        let count = template.needs.len();
        return Err(invalid(format!(
            "Template format error: Number of resources, {count}, is greater than maximum allowed, {RESOURCE_LIMIT}"
        )));
    }
    Ok(template)
}

/// Reads a template from S3, by a virtual-hosted or path-style URL (S3 user guide, "Virtual hosting of buckets").
fn template_at(account: &Account, url: &str) -> Result<String, Refusal> {
    let invalid_url = || invalid("TemplateURL must be a supported URL.");
    let rest = url.split_once("://").ok_or_else(invalid_url)?.1;
    let (host, path) = rest.split_once('/').ok_or_else(invalid_url)?;
    let (bucket, key) = match host.split_once(".s3.").or_else(|| host.split_once(".s3-")) {
        Some((bucket, _)) => (bucket, path),
        None => path.split_once('/').ok_or_else(invalid_url)?,
    };
    let body = crate::s3::object(account, bucket, key);
    let body = body.ok_or_else(|| invalid("S3 error: The specified key does not exist."))?;
    String::from_utf8(body).map_err(|_| invalid("Template format error: the template is not UTF-8"))
}

/// CloudFormation API reference, `CreateChangeSet`, `Capabilities`: `InsufficientCapabilities`.
fn capabilities(template: &Template, form: &Form) -> Result<(), Refusal> {
    let given = form.texts("Capabilities");
    let is_given = |needed: &str| {
        given.iter().any(|given| given == needed || given == "CAPABILITY_NAMED_IAM" && needed == "CAPABILITY_IAM")
    };
    match template.capability().filter(|needed| !is_given(needed)) {
        Some(needed) => Err(Refusal::bad_request(
            "InsufficientCapabilitiesException",
            format!("Requires capabilities : [{needed}]"),
        )),
        None => Ok(()),
    }
}

fn parameters(template: &Template, old: Option<&Version>, form: &Form) -> Result<BTreeMap<String, String>, Refusal> {
    let empty = serde_json::Map::new();
    let declared = template.body["Parameters"].as_object().unwrap_or(&empty);
    let mut values = BTreeMap::new();
    let mut foreign = BTreeSet::new();
    for given in form.items("Parameters") {
        let name = given.get("ParameterKey").unwrap_or_default().to_owned();
        let value = if given.is_true("UsePreviousValue") {
            let previous = old.and_then(|old| old.parameters.get(&name)).cloned();
            previous.ok_or_else(|| {
                invalid(format!(
                    "Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for a parameter key not in the \
                     previous template"
                ))
            })?
        } else {
            given.get("ParameterValue").unwrap_or_default().to_owned()
        };
        if !declared.contains_key(&name) {
            foreign.insert(name.clone());
        }
        values.insert(name, value);
    }
    if !foreign.is_empty() {
        return Err(invalid(format!("Parameters: [{}] do not exist in the template", joined(&foreign))));
    }
    let mut missing = BTreeSet::new();
    for (name, definition) in declared {
        match (values.get(name), definition.get("Default")) {
            (Some(value), _) => allowed(name, value, definition)?,
            (None, Some(default)) => {
                values.insert(name.clone(), default.as_str().map_or_else(|| default.to_string(), str::to_owned));
            }
            (None, None) => drop(missing.insert(name.clone())),
        }
    }
    if missing.is_empty() {
        Ok(values)
    } else {
        Err(invalid(format!("Parameters: [{}] must have values", joined(&missing))))
    }
}

fn joined(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn allowed(name: &str, value: &str, definition: &Value) -> Result<(), Refusal> {
    let Some(allowed) = definition["AllowedValues"].as_array() else { return Ok(()) };
    if allowed.iter().any(|allowed| allowed.as_str().map_or_else(|| allowed.to_string(), str::to_owned) == value) {
        return Ok(());
    }
    let list: Vec<_> =
        allowed.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect();
    Err(invalid(format!("Parameter '{name}' must be one of AllowedValues: [{}]", list.join(", "))))
}

/// Finds the stack that a call names.
pub(super) fn find<'a>(account: &'a Account, region: &str, name: &str) -> Result<&'a Stack, Refusal> {
    account.cloudformation.find(region, name).ok_or_else(|| invalid(format!("Stack [{name}] does not exist")))
}
