//! Pages of lists: how many entries, and from where on.

use std::collections::HashMap;

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{body::digits, error::ApiError};

/// A query's parameters; of one given twice, the last.
#[derive(Debug, Clone, Default)]
pub(super) struct Parameters(HashMap<String, String>);

impl Parameters {
    /// A parameter, where it is given and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Is the flag up?
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

/// Which part of a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    /// The most entries.
    limit: usize,
    /// Only entries before this sort key.
    pub(super) before: Option<String>,
}

impl Page {
    /// Reads `limit` and `next_token`.
    pub(super) fn read(parameters: &Parameters, default: usize, most: usize) -> Result<Self, ApiError> {
        let invalid = || ApiError::bad_request("Invalid limit");
        let limit = match parameters.0.get("limit") {
            Some(text) => digits(text).and_then(|limit| usize::try_from(limit).ok()).ok_or_else(invalid)?,
            None => default,
        };
        if limit == 0 || limit > most {
            return Err(invalid());
        }
        let before = parameters.0.get("next_token").map(|token| sort_key(token)).transpose()?;
        Ok(Self { limit, before })
    }

    /// How many entries to read: one more than asked for tells whether there are more.
    pub(super) fn reach(&self) -> usize {
        self.limit + 1
    }

    /// Cuts a list to the page, and names the next one.
    pub(super) fn cut<T>(&self, entries: &mut Vec<T>, key: impl Fn(&T) -> &str) -> Option<String> {
        let more = entries.len() > self.limit;
        entries.truncate(self.limit);
        entries.last().filter(|_| more).map(|last| BASE64_URL_SAFE_NO_PAD.encode(key(last)))
    }
}

/// The sort key a token stands for.
fn sort_key(token: &str) -> Result<String, ApiError> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
    let key = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let plausible = |key: &String| {
        (1..=128).contains(&key.len())
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-:.#".contains(&byte))
    };
    key.filter(plausible).ok_or_else(|| ApiError::bad_request("Invalid next_token"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(pairs: &[(&str, &str)]) -> Parameters {
        Parameters(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    fn read(pairs: &[(&str, &str)]) -> Result<Page, String> {
        Page::read(&parameters(pairs), 500, 1000).map_err(|error| error.text().to_owned())
    }

    #[test]
    fn limits_are_within_their_range() {
        assert_eq!(read(&[]).expect("the default").limit, 500);
        assert_eq!(read(&[("limit", "1")]).expect("the least").limit, 1);
        assert_eq!(read(&[("limit", "1000")]).expect("the most").limit, 1000);
        for wrong in ["0", "5000", "x", "-1", "1.5", "", " 7"] {
            assert_eq!(read(&[("limit", wrong)]), Err("Invalid limit".to_owned()), "{wrong}");
        }
    }

    #[test]
    fn tokens_lead_from_page_to_page() {
        let page = read(&[("limit", "2")]).expect("a page");
        let mut entries =
            vec!["2026-01-03T00:00:00.000Z#c", "2026-01-02T00:00:00.000Z#b", "2026-01-01T00:00:00.000Z#a"];
        let token = page.cut(&mut entries, |entry| entry).expect("there is more");
        assert_eq!(entries.len(), 2);
        let next = read(&[("next_token", &token)]).expect("a page");
        assert_eq!(next.before.as_deref(), Some("2026-01-02T00:00:00.000Z#b"));
        let mut last = vec!["2026-01-01T00:00:00.000Z#a"];
        assert_eq!(page.cut(&mut last, |entry| entry), None);
    }

    #[test]
    fn broken_tokens_are_refused() {
        for wrong in ["", "!", "%%%", "w6Q", &BASE64_URL_SAFE_NO_PAD.encode("a b"), &"A".repeat(400)] {
            assert_eq!(read(&[("next_token", wrong)]), Err("Invalid next_token".to_owned()), "{wrong}");
        }
    }

    #[test]
    fn flags_are_true_or_false() {
        let flag = |value| parameters(&[("unread", value)]).flag("unread").map_err(|error| error.text().to_owned());
        assert_eq!((flag("true"), flag("1"), flag("")), (Ok(true), Ok(true), Ok(true)));
        assert_eq!((flag("false"), parameters(&[]).flag("unread").ok()), (Ok(false), Some(false)));
        assert_eq!(flag("maybe"), Err("Field \"unread\" must be true or false".to_owned()));
    }
}
