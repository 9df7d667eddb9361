//! Sources: list, create, change, delete. Credentials are secrets of their own and never leave them.

pub(super) mod create;
pub(super) mod delete;
mod input;
pub(super) mod list;
pub(super) mod update;
mod vault;

use std::collections::BTreeMap;

use listbackup_contract::tables::SOURCES;
use serde_json::{Value, json};
use tables::{AwsError, Database, from_item};

use crate::shared::{envelope::Problem, identity::Identity, ids::Kind, rows::Source, store::key};

/// Replaces the value of every credential in responses.
const HIDDEN: &str = "***";

/// Returns a source as clients see it: the value of every credential is hidden.
fn view(source: &Source) -> Result<Value, Problem> {
    let mut view = serde_json::to_value(source)?;
    if let Some(fields) = view.as_object_mut() {
        fields.remove("hasCredentials");
        fields.remove("credentialHeaders");
        if source.has_credentials {
            let headers: BTreeMap<&str, &str> =
                source.credential_headers.iter().map(|name| (name.as_str(), HIDDEN)).collect();
            fields.insert("credentials".to_owned(), json!({ "headers": headers }));
        }
    }
    Ok(view)
}

/// Reads a source by its ID.
pub(super) async fn read(database: &Database, table: &str, source_id: &str) -> Result<Option<Source>, AwsError> {
    database.get(table, key(SOURCES, source_id)).await?.map(from_item).transpose()
}

/// Checks the account of a source whose files or runs are read. They outlive it, so an absent source is no error: the rows themselves
/// name their account.
pub(super) async fn check_source(
    database: &Database,
    table: &str,
    source_id: &str,
    caller: &Identity,
) -> Result<(), Problem> {
    match read(database, table, source_id).await? {
        Some(source) => caller.check_account(&source.account_id),
        None => Ok(()),
    }
}

/// Reads a source of the caller's account.
pub(super) async fn read_own(
    database: &Database,
    table: &str,
    source_id: &str,
    caller: &Identity,
) -> Result<Source, Problem> {
    let source = read(database, table, source_id).await?.ok_or_else(|| Problem::not_found(Kind::Source))?;
    caller.check_account(&source.account_id)?;
    Ok(source)
}
