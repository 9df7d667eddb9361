//! How items are found: partition and sort keys of everything in the table.

use jiff::civil::Date;

use super::item::{Item, text};
use crate::content::Kind;

/// The sort key of content.
const METADATA: &str = "METADATA";
/// The sort key of categories and visitor counters.
const COUNT: &str = "COUNT";
/// The sort key of view counters.
const VIEWS: &str = "VIEWS";
/// The sort key of a session that was counted as a visitor.
const TRACKED: &str = "TRACKED";
/// The partition of the index that holds all categories, and what its sort keys begin with.
pub const CATEGORIES: &str = "BLOG#CATEGORY";
/// The most bytes of an id. The ids made here are UUIDs; DynamoDB would refuse keys above 2048 bytes.
const LONGEST_ID: usize = 128;

/// A primary key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// `PK`.
    pub partition: String,
    /// `SK`.
    pub sort: String,
}

impl Key {
    fn new(partition: String, sort: impl Into<String>) -> Self {
        Self { partition, sort: sort.into() }
    }

    /// As DynamoDB takes it.
    #[must_use]
    pub fn item(&self) -> Item {
        Item::from([("PK".to_owned(), text(&self.partition)), ("SK".to_owned(), text(&self.sort))])
    }
}

/// Can this be the id of anything?
#[must_use]
pub fn is_id(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(allowed)
}

/// A piece of content.
#[must_use]
pub fn content(kind: Kind, id: &str) -> Key {
    Key::new(format!("{}#{id}", kind.prefix()), METADATA)
}

/// How many posts a category has.
#[must_use]
pub fn category(name: &str) -> Key {
    Key::new(format!("{CATEGORIES}#{name}"), COUNT)
}

/// How many visitors a day had.
#[must_use]
pub fn visitors_of_day(day: Date) -> Key {
    Key::new(format!("VISITOR#DAILY#{day}"), COUNT)
}

/// How many visitors a month had: `YYYY-MM`.
#[must_use]
pub fn visitors_of_month(month: &str) -> Key {
    Key::new(format!("VISITOR#MONTHLY#{month}"), COUNT)
}

/// How many visitors there were.
#[must_use]
pub fn visitors() -> Key {
    Key::new("VISITOR#TOTAL".to_owned(), COUNT)
}

/// The last day a session was counted as a visitor.
#[must_use]
pub fn visitor_session(session: &str) -> Key {
    Key::new(format!("VISITOR#SESSION#{session}"), TRACKED)
}

/// How often a piece of content was viewed.
#[must_use]
pub fn views_of(kind: Kind, id: &str) -> Key {
    Key::new(format!("{}#{id}", views_of_kind(kind)), VIEWS)
}

/// The partition of the index that holds the view counters of a kind.
#[must_use]
pub fn views_of_kind(kind: Kind) -> String {
    format!("ANALYTICS#{}", kind.as_str())
}

/// Where the index ranks a number of views. Padded, so that texts sort like numbers.
#[must_use]
pub fn rank(views: u64) -> String {
    format!("ANALYTICS#VIEWS#{views:010}")
}

/// How often anything was viewed.
#[must_use]
pub fn views() -> Key {
    Key::new("ANALYTICS#TOTAL".to_owned(), VIEWS)
}

/// That a session viewed a piece of content.
#[must_use]
pub fn view_session(session: &str, kind: Kind, id: &str) -> Key {
    Key::new(format!("ANALYTICS#SESSION#{session}"), format!("{}#{id}", kind.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(key: &Key) -> (&str, &str) {
        (&key.partition, &key.sort)
    }

    #[test]
    fn keys_are_those_of_the_data_model() {
        let day = jiff::civil::date(2024, 3, 5);
        for (key, expected) in [
            (content(Kind::Blog, "1"), ("BLOG#1", "METADATA")),
            (content(Kind::Project, "1"), ("PROJECT#1", "METADATA")),
            (content(Kind::Certification, "1"), ("CERT#1", "METADATA")),
            (category("Cloud"), ("BLOG#CATEGORY#Cloud", "COUNT")),
            (visitors_of_day(day), ("VISITOR#DAILY#2024-03-05", "COUNT")),
            (visitors_of_month("2024-03"), ("VISITOR#MONTHLY#2024-03", "COUNT")),
            (visitors(), ("VISITOR#TOTAL", "COUNT")),
            (visitor_session("s1"), ("VISITOR#SESSION#s1", "TRACKED")),
            (views_of(Kind::Blog, "1"), ("ANALYTICS#blog#1", "VIEWS")),
            (view_session("s1", Kind::Project, "1"), ("ANALYTICS#SESSION#s1", "project#1")),
            (views(), ("ANALYTICS#TOTAL", "VIEWS")),
        ] {
            assert_eq!(pair(&key), expected);
        }
        assert_eq!(views_of_kind(Kind::Certification), "ANALYTICS#certification");
    }

    #[test]
    fn ten_views_rank_above_nine() {
        assert_eq!(rank(9), "ANALYTICS#VIEWS#0000000009");
        assert!(rank(10) > rank(9) && rank(1_000_000_000) > rank(999_999_999));
    }

    #[test]
    fn ids_cannot_reach_other_items() {
        for good in ["1", "proj-1", "7f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b", "a.b_c"] {
            assert!(is_id(good), "{good}");
        }
        for bad in ["", "CATEGORY#Cloud", "a b", "ä", "a/b", &"a".repeat(129)] {
            assert!(!is_id(bad), "{bad}");
        }
    }
}
