//! Pages of lists: their size and their start.

use std::collections::HashMap;

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{body::digits, error::ApiError, ids, time};

/// The parameters of a query. The last of several with one name counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parameters(HashMap<String, String>);

impl Parameters {
    /// Returns a parameter that is present and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.0.get(name).map(String::as_str) {
            None | Some("false" | "0") => Ok(false),
            Some("" | "true" | "1") => Ok(true),
            Some(_) => Err(ApiError::field(name, "true or false")),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Parameters {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Query(parameters) = Query::try_from_uri(&parts.uri).map_err(|_| ApiError::bad_request("Invalid query"))?;
        Ok(Self(parameters))
    }
}

/// The sort key of a list. A page token is valid only for lists with the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SortKey {
    /// `<time>#<id>`.
    Tasks,
    /// A ULID.
    Notifications,
}

impl SortKey {
    /// The prefix of this list's tokens.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Tasks => "task:",
            Self::Notifications => "notification:",
        }
    }

    /// Checks that a key has the form of this list's keys.
    fn is_valid(self, key: &str) -> bool {
        match self {
            Self::Tasks => key.split_once('#').is_some_and(|(time, id)| time::is_text(time) && ids::is_id(id)),
            Self::Notifications => ids::is_ulid(key),
        }
    }

    fn encode(self, key: &str) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(format!("{}{key}", self.prefix()))
    }

    /// Decodes a token to its sort key.
    fn decode(self, token: &str) -> Result<String, ApiError> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let key = text.as_deref().and_then(|text| text.strip_prefix(self.prefix())).filter(|key| self.is_valid(key));
        key.map(str::to_owned).ok_or_else(|| ApiError::bad_request("Invalid next_token"))
    }
}

/// The requested page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    sort_key: SortKey,
    limit: usize,
    /// The page contains only entries before this sort key.
    pub(super) before: Option<String>,
}

impl Page {
    /// Reads `limit` and `next_token`.
    pub(super) fn read(
        parameters: &Parameters,
        sort_key: SortKey,
        default: usize,
        max: usize,
    ) -> Result<Self, ApiError> {
        let invalid = || ApiError::bad_request("Invalid limit");
        let limit = match parameters.0.get("limit") {
            Some(text) => digits(text).and_then(|limit| usize::try_from(limit).ok()).ok_or_else(invalid)?,
            None => default,
        };
        if limit == 0 || limit > max {
            return Err(invalid());
        }
        let before = parameters.0.get("next_token").map(|token| sort_key.decode(token)).transpose()?;
        Ok(Self { sort_key, limit, before })
    }

    /// The number of entries to read: one more than requested, to detect a next page.
    pub(super) fn read_limit(&self) -> usize {
        self.limit + 1
    }

    /// Cuts the entries to the page and returns the token of the next one, if any.
    pub(super) fn cut_to_page<T>(&self, entries: &mut Vec<T>, key: impl Fn(&T) -> &str) -> Option<String> {
        let more = entries.len() > self.limit;
        entries.truncate(self.limit);
        entries.last().filter(|_| more).map(|last| self.sort_key.encode(key(last)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(pairs: &[(&str, &str)]) -> Parameters {
        Parameters(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    fn read(pairs: &[(&str, &str)]) -> Result<Page, String> {
        Page::read(&parameters(pairs), SortKey::Tasks, 500, 1000).map_err(|error| error.text().to_owned())
    }

    #[test]
    fn limits_outside_their_range_are_rejected() {
        assert_eq!(read(&[]).expect("the default").limit, 500);
        assert_eq!(read(&[("limit", "1")]).expect("the least").limit, 1);
        assert_eq!(read(&[("limit", "1000")]).expect("the most").limit, 1000);
        for wrong in ["0", "5000", "x", "-1", "1.5", "", " 7"] {
            assert_eq!(read(&[("limit", wrong)]), Err("Invalid limit".to_owned()), "{wrong}");
        }
    }

    #[test]
    fn tokens_continue_at_the_next_page() {
        let page = read(&[("limit", "2")]).expect("a page");
        let keys = [3, 2, 1].map(|day| format!("2026-01-0{day}T00:00:00.000Z#{}", ids::new_id()));
        let mut entries = keys.to_vec();
        let token = page.cut_to_page(&mut entries, |entry| entry).expect("there is more");
        assert_eq!(entries.len(), 2);
        let next = read(&[("next_token", &token)]).expect("a page");
        assert_eq!(next.before.as_ref(), Some(&keys[1]));
        let mut last = vec![keys[2].clone()];
        assert_eq!(page.cut_to_page(&mut last, |entry| entry), None);
    }

    #[test]
    fn invalid_page_tokens_are_rejected() {
        let id = ids::new_id();
        let task = format!("2026-01-02T00:00:00.000Z#{id}");
        let ulid = "01ARYZ6S410000000000000000";
        assert!(read(&[("next_token", &SortKey::Tasks.encode(&task))]).is_ok());
        assert!(SortKey::Notifications.decode(&SortKey::Notifications.encode(ulid)).is_ok());
        let texts = [
            "task:9999-99-99T00:00:00.000Z#zzz".to_owned(),
            format!("task:9999-99-99T00:00:00.000Z#{id}"),
            format!("task:2026-01-02T00:00:00Z#{id}"),
            format!("task:2026-01-02#{id}"),
            "task:2026".to_owned(),
            "task:".to_owned(),
            "task:2026-01-02T00:00:00.000Z#zzz".to_owned(),
            format!("task:{ulid}"),
            task.clone(),
            format!("{task} "),
            format!("notification:{ulid}"),
            format!("notification:{task}"),
        ];
        let tokens = texts.map(|text| BASE64_URL_SAFE_NO_PAD.encode(text));
        let others = ["", "!", "%%%", "w6Q", &"A".repeat(400)].map(str::to_owned);
        for wrong in tokens.iter().chain(&others) {
            assert_eq!(read(&[("next_token", wrong)]), Err("Invalid next_token".to_owned()), "{wrong}");
        }
        for wrong in
            [SortKey::Tasks.encode(&task), SortKey::Notifications.encode(&task), SortKey::Notifications.encode("x")]
        {
            assert!(SortKey::Notifications.decode(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn flags_are_booleans() {
        let flag = |value| parameters(&[("unread", value)]).flag("unread").map_err(|error| error.text().to_owned());
        assert_eq!((flag("true"), flag("1"), flag("")), (Ok(true), Ok(true), Ok(true)));
        assert_eq!((flag("false"), parameters(&[]).flag("unread").ok()), (Ok(false), Some(false)));
        assert_eq!(flag("maybe"), Err("Field \"unread\" must be true or false".to_owned()));
    }
}
