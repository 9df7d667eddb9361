//! Cursors: where the next page of a list continues. A cursor is opaque to clients: base64url of DynamoDB's key, with the account.
//!
//! A cursor is accepted for one account, one index and one partition only, and is checked before anything is read. Its checksum
//! detects accidental changes. It is no signature: a client that forges a cursor only moves within its own partition.

use axum::http::StatusCode;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use listbackup_contract::tables::{Index, Table};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tables::{AwsError, Item, from_item, to_item};

use super::envelope::Problem;

/// The longest accepted cursor, in bytes. Keys have at most 2 KB for each attribute.
const LONGEST: usize = 8192;

/// The list that a cursor belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The account of the caller.
    pub account_id: &'a str,
    /// The table.
    pub table: Table,
    /// The index that the list reads.
    pub index: Index,
    /// The value of the index's partition key: the account, or one of its sources.
    pub partition: &'a str,
}

/// The response to a cursor of another list.
#[must_use]
pub fn invalid_cursor() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "INVALID_CURSOR", "lastKey is not a key of this list")
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    /// The account.
    a: String,
    /// The key.
    k: Map<String, Value>,
    /// The checksum.
    c: String,
}

impl Scope<'_> {
    /// Encodes the key after which the next page starts.
    ///
    /// # Errors
    /// When the key is not plain data.
    pub fn encode(&self, key: Item) -> Result<String, AwsError> {
        let key: Map<String, Value> = from_item(key)?;
        let content = Content { a: self.account_id.to_owned(), c: self.checksum(&key), k: key };
        let json = serde_json::to_vec(&content).map_err(|error| AwsError::new("encode a cursor", &error))?;
        Ok(BASE64_URL_SAFE_NO_PAD.encode(json))
    }

    /// Encodes the key of an item: the page ends with it.
    ///
    /// # Errors
    /// When the item lacks an attribute of the key.
    pub fn after(&self, item: &Item) -> Result<String, AwsError> {
        let missing = |name: &str| AwsError::unexpected("encode a cursor", format!("the item has no {name}"));
        let attribute = |name: &str| item.get(name).cloned().map(|value| (name.to_owned(), value));
        let key = self.attributes().map(|name| attribute(name).ok_or_else(|| missing(name)));
        self.encode(key.collect::<Result<Item, _>>()?)
    }

    /// Decodes a cursor.
    ///
    /// # Errors
    /// When the cursor was altered, or belongs to another account, index or partition.
    pub fn decode(&self, cursor: &str) -> Result<Item, Problem> {
        self.read(cursor).ok_or_else(invalid_cursor)
    }

    fn read(&self, cursor: &str) -> Option<Item> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(Some(cursor).filter(|cursor| cursor.len() <= LONGEST)?).ok()?;
        let Content { a, k, c } = serde_json::from_slice(&bytes).ok()?;
        let is_complete = self.attributes().all(|name| k.contains_key(name)) && k.len() == self.attributes().count();
        let is_of_partition = k.get(self.index.partition).and_then(Value::as_str) == Some(self.partition);
        let is_plain = k.values().all(|value| value.is_i64() || value.as_str().is_some_and(|text| !text.is_empty()));
        let is_valid = a == self.account_id && c == self.checksum(&k) && is_complete && is_of_partition && is_plain;
        if is_valid { to_item(&k).ok() } else { None }
    }

    /// The attributes of a key of the index: those of the table and of the index, each once.
    fn attributes(&self) -> impl Iterator<Item = &'static str> {
        let of_table = [Some(self.table.partition), self.table.sort];
        let of_index = [Some(self.index.partition), self.index.sort];
        let of_index = of_index.into_iter().filter(move |name| !of_table.contains(name));
        of_table.into_iter().chain(of_index).flatten()
    }

    fn checksum(&self, key: &Map<String, Value>) -> String {
        let mut key: Vec<String> = key.iter().map(|(name, value)| format!("{name}={value}")).collect();
        key.sort();
        let parts = [self.account_id, self.table.name, self.index.name, &key.join("\n")];
        hex::encode(&Sha256::digest(parts.join("\n"))[..8])
    }
}

#[cfg(test)]
mod tests {
    use listbackup_contract::tables::{ACTIVITY, ACTIVITY_BY_ACCOUNT, FILES, FILES_BY_ACCOUNT, FILES_BY_SOURCE};
    use serde_json::json;

    use super::*;

    const ANA: &str = "account:1";

    fn files(account_id: &str) -> Scope<'_> {
        Scope { account_id, table: FILES, index: FILES_BY_ACCOUNT, partition: account_id }
    }

    fn item() -> Item {
        let row = json!({
            "fileId": "file:1", "accountId": ANA, "sourceId": "source:1", "createdAt": "2026-01-31T12:00:00.000Z",
            "name": "a.txt",
        });
        to_item(&row).expect("an item")
    }

    #[test]
    fn a_cursor_leads_to_the_key_of_the_last_item() {
        let key = files(ANA).decode(&files(ANA).after(&item()).expect("a cursor")).expect("the key");
        assert_eq!(
            from_item::<Value>(key).expect("plain"),
            json!({
                "fileId": "file:1", "accountId": ANA, "createdAt": "2026-01-31T12:00:00.000Z",
            })
        );
        let activity = Scope { account_id: ANA, table: ACTIVITY, index: ACTIVITY_BY_ACCOUNT, partition: ANA };
        let row = to_item(&json!({"eventId": "e", "accountId": ANA, "timestamp": 1_700_000_000_000_i64}));
        let key = activity.decode(&activity.after(&row.expect("an item")).expect("a cursor")).expect("the key");
        assert_eq!(key["timestamp"].as_n().map(String::as_str), Ok("1700000000000"));
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let cursor = files(ANA).after(&item()).expect("a cursor");
        let of_source = Scope { index: FILES_BY_SOURCE, partition: "source:1", ..files(ANA) };
        let other_source = Scope { partition: "source:2", ..of_source };
        let of_first_source = of_source.after(&item()).expect("a cursor");
        assert!(of_source.decode(&of_first_source).is_ok());
        for (scope, cursor) in [(files("account:2"), &cursor), (of_source, &cursor), (other_source, &of_first_source)] {
            let problem = scope.decode(cursor).expect_err("another list");
            assert_eq!((problem.status.as_u16(), problem.code), (400, "INVALID_CURSOR"));
        }
    }

    #[test]
    fn an_altered_cursor_is_refused() {
        let cursor = files(ANA).after(&item()).expect("a cursor");
        let json = BASE64_URL_SAFE_NO_PAD.decode(&cursor).expect("base64");
        let json = String::from_utf8(json).expect("JSON");
        let altered = [
            json.replace("file:1", "file:2"),
            json.replace(ANA, "account:2"),
            json.replace("\"fileId\"", "\"other\""),
            json.replace("\"file:1\"", "[]"),
            json.replace("{\"a\"", "{\"b\":1,\"a\""),
            "[]".to_owned(),
        ];
        let altered = altered.iter().map(|json| BASE64_URL_SAFE_NO_PAD.encode(json));
        let others = [String::new(), "!".to_owned(), format!("{cursor}="), cursor[1..].to_owned(), "a".repeat(9000)];
        for other in altered.chain(others) {
            assert!(files(ANA).decode(&other).is_err(), "{other}");
        }
    }
}
