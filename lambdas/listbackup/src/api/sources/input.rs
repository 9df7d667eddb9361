//! The fields of a source in requests.

use serde_json::{Map, Value};

use super::HIDDEN;
use crate::{
    connectors::{
        self, Policy,
        credentials::{StoredCredentials, check_headers},
        policy::Rules,
    },
    requests::{Fields, invalid},
    shared::{envelope::Problem, identity::Identity, rows::source::SourceSettings},
};

/// The most headers of a source.
const HEADERS: usize = 20;

/// Checks a configuration for the caller's account.
pub(super) fn check_config(
    rules: &Rules,
    source_type: &str,
    config: &Map<String, Value>,
    caller: &Identity,
) -> Result<(), Problem> {
    let policy = Policy { rules: rules.clone(), account_id: caller.account_id.clone() };
    connectors::validate(source_type, &Value::Object(config.clone()), &policy).map(drop)
}

/// Returns the settings, if the field exists.
pub(super) fn settings(fields: &Fields) -> Result<Option<SourceSettings>, Problem> {
    let expected = "must have only includeFolders, excludeFolders and fileTypes (lists of texts), maxFileSize (a number of \
                    bytes) and compressionEnabled";
    fields.parsed("settings", expected)
}

/// The change of a source's credentials that a request wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CredentialsChange {
    /// They stay as they are: the field is absent, or its values are hidden ones, as responses show them.
    Keep,
    /// The source has none any more.
    Remove,
    /// These replace all others.
    Replace(StoredCredentials),
}

/// Reads `credentials`. `stored` are the names of the headers that the source has.
///
/// A hidden value is never stored. A request that hides some values and changes others is refused: the stored values are not read here.
pub(super) fn credentials(fields: &Fields, stored: &[String]) -> Result<CredentialsChange, Problem> {
    let Some(value) = fields.0.get("credentials") else { return Ok(CredentialsChange::Keep) };
    let invalid_headers = || invalid("credentials.headers", "must be an object of texts");
    let headers = match value {
        Value::Null => return Ok(CredentialsChange::Remove),
        Value::Object(parts) => match parts.get("headers") {
            _ if parts.keys().any(|name| name != "headers") => {
                return Err(invalid("credentials", "must have only headers"));
            }
            None | Some(Value::Null) => return Ok(CredentialsChange::Remove),
            Some(Value::Object(headers)) if headers.len() <= HEADERS => headers,
            Some(_) => return Err(invalid_headers()),
        },
        _ => return Err(invalid("credentials", "must be an object")),
    };
    if headers.is_empty() {
        return Ok(CredentialsChange::Remove);
    }
    let hidden = headers.iter().filter(|(_, value)| *value == HIDDEN);
    match hidden.count() {
        0 => {}
        count if count == headers.len() && same_names(headers, stored) => return Ok(CredentialsChange::Keep),
        _ => return Err(invalid("credentials.headers", "must have the values of all headers, or only hidden ones")),
    }
    let headers = headers.iter().map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    let headers = headers.collect::<Option<_>>().ok_or_else(invalid_headers)?;
    check_headers(&headers).map_err(|reason| invalid("credentials.headers", &format!("are refused: {reason}")))?;
    Ok(CredentialsChange::Replace(StoredCredentials { headers }))
}

fn same_names(headers: &Map<String, Value>, stored: &[String]) -> bool {
    headers.len() == stored.len() && stored.iter().all(|name| headers.contains_key(name))
}
