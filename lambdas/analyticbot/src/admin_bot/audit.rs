//! Lists the recorded actions on a user's bot. They remain after the bot is removed, so the user needs no bot.
//!
//! A cursor is opaque to clients: base64url of the user and the sort key of the last action. It is accepted for the same user only.

use analyticbot_contract::tables::{ACTION_SK, TARGET_USER_ID};
use axum::{Json as Answer, extract::State};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use tables::{AwsError, Item, number, strings};

use super::App;
use crate::{
    http::{Admin, ApiError, Fault, Query, UserId},
    store::actions::Selection,
    wire::{ActionList, ListActions},
};

/// The maximum length of a sort key, in characters: a time, a separator and a ULID have 51.
const MOST_CHARACTERS: usize = 64;

pub(super) async fn list(
    State(app): State<App>,
    Admin(_): Admin,
    UserId(user_id): UserId,
    Query(wanted): Query<ListActions>,
) -> Result<Answer<ActionList>, ApiError> {
    let start = wanted.cursor.map(|cursor| decode(user_id, &cursor).ok_or_else(invalid)).transpose()?;
    let size = usize::try_from(wanted.page_size).unwrap_or(usize::MAX);
    let (actions, next) = app.actions.page(&Selection::Target(user_id), size, start).await?;
    let next_cursor = next.map(|key| encode(user_id, &key)).transpose()?;
    Ok(Answer(ActionList { actions, next_cursor }))
}

fn encode(user_id: u64, key: &Item) -> Result<String, AwsError> {
    let sort = key.get(ACTION_SK).and_then(|value| value.as_s().ok());
    let sort = sort.ok_or_else(|| AwsError::unexpected("encode a cursor", "the key has no sort key"))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(format!("{user_id} {sort}")))
}

fn decode(user_id: u64, cursor: &str) -> Option<Item> {
    let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (user, sort) = text.split_once(' ')?;
    let is_sort =
        sort.contains('#') && sort.len() <= MOST_CHARACTERS && sort.bytes().all(|byte| byte.is_ascii_graphic());
    let id = i64::try_from(user_id).ok().filter(|id| id.to_string() == user && is_sort)?;
    let mut key = strings([(ACTION_SK, sort)]);
    key.insert(TARGET_USER_ID.to_owned(), number(id));
    Some(key)
}

fn invalid() -> ApiError {
    ApiError::invalid(&[Fault::new(
        "query",
        "cursor",
        "value_error",
        "is not a cursor of this list; omit it to start with the newest action",
    )])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_belongs_to_one_list() {
        let mut key = strings([(ACTION_SK, "2026-01-31T12:00:00.000Z#01ARZ3NDEKTSV4RRFFQ69G5FAV")]);
        key.insert(TARGET_USER_ID.to_owned(), number(7));
        let cursor = encode(7, &key).expect("a cursor");
        assert_eq!(decode(7, &cursor), Some(key));
        assert_eq!(decode(8, &cursor), None);
        let forged = ["7 x", "7", "+7 a#b", "07 a#b", "7 a#\u{e9}", &format!("7 {}#", "a".repeat(100))];
        let forged = forged.map(|text| BASE64_URL_SAFE_NO_PAD.encode(text));
        for wrong in forged.iter().map(String::as_str).chain(["", "!", "7 a#b"]) {
            assert_eq!(decode(7, wrong), None, "{wrong}");
        }
    }
}
