//! The partition and sort keys of all items in the table.

use jiff::civil::Date;

use super::item::{Item, text};
use crate::content::ContentKind;

/// The sort key of content.
const METADATA: &str = "METADATA";
/// The sort key of categories and visitor counters.
const COUNT: &str = "COUNT";
/// The sort key of view counters.
const VIEWS: &str = "VIEWS";
/// The sort key of a session that was counted as a visitor.
const TRACKED: &str = "TRACKED";
/// The partition of the index with all categories, and the prefix of its sort keys.
pub(crate) const CATEGORIES: &str = "BLOG#CATEGORY";
/// The most bytes of an ID. Generated IDs are UUIDs; DynamoDB rejects keys of more than 2048 bytes.
const LONGEST_ID: usize = 128;

/// A primary key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// `PK`.
    pub(crate) partition: String,
    /// `SK`.
    pub(crate) sort: String,
}

impl Key {
    fn new(partition: String, sort: impl Into<String>) -> Self {
        Self { partition, sort: sort.into() }
    }

    pub(crate) fn item(&self) -> Item {
        Item::from([("PK".to_owned(), text(&self.partition)), ("SK".to_owned(), text(&self.sort))])
    }
}

/// Checks whether an ID has a valid form.
pub(crate) fn is_id(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(allowed)
}

/// The key of content.
pub(crate) fn content(kind: ContentKind, id: &str) -> Key {
    Key::new(format!("{}#{id}", kind.prefix()), METADATA)
}

/// The key of content whose partition key is known.
pub(crate) fn metadata(partition: &str) -> Key {
    Key::new(partition.to_owned(), METADATA)
}

/// The key of a category's count.
pub(crate) fn category(name: &str) -> Key {
    Key::new(format!("{CATEGORIES}#{name}"), COUNT)
}

/// The key of a day's visitors.
pub(crate) fn visitors_of_day(day: Date) -> Key {
    Key::new(format!("VISITOR#DAILY#{day}"), COUNT)
}

/// The key of a month's visitors: `YYYY-MM`.
pub(crate) fn visitors_of_month(month: &str) -> Key {
    Key::new(format!("VISITOR#MONTHLY#{month}"), COUNT)
}

/// The key of all visitors.
pub(crate) fn visitors() -> Key {
    Key::new("VISITOR#TOTAL".to_owned(), COUNT)
}

/// The key of the last day on which a session was counted as a visitor.
pub(crate) fn visitor_session(session: &str) -> Key {
    Key::new(format!("VISITOR#SESSION#{session}"), TRACKED)
}

/// The key of the views of content.
pub(crate) fn views_of(kind: ContentKind, id: &str) -> Key {
    Key::new(format!("{}#{id}", views_of_kind(kind)), VIEWS)
}

/// The partition of the index with the view counters of a kind.
pub(crate) fn views_of_kind(kind: ContentKind) -> String {
    format!("ANALYTICS#{}", kind.as_str())
}

/// The sort key of a number of views, padded so that strings sort like numbers.
pub(crate) fn rank(views: u64) -> String {
    format!("ANALYTICS#VIEWS#{views:010}")
}

/// The key of all views.
pub(crate) fn views() -> Key {
    Key::new("ANALYTICS#TOTAL".to_owned(), VIEWS)
}

/// The key of a session's view of content.
pub(crate) fn view_session(session: &str, kind: ContentKind, id: &str) -> Key {
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
            (content(ContentKind::Blog, "1"), ("BLOG#1", "METADATA")),
            (content(ContentKind::Project, "1"), ("PROJECT#1", "METADATA")),
            (content(ContentKind::Certification, "1"), ("CERT#1", "METADATA")),
            (category("Cloud"), ("BLOG#CATEGORY#Cloud", "COUNT")),
            (visitors_of_day(day), ("VISITOR#DAILY#2024-03-05", "COUNT")),
            (visitors_of_month("2024-03"), ("VISITOR#MONTHLY#2024-03", "COUNT")),
            (visitors(), ("VISITOR#TOTAL", "COUNT")),
            (visitor_session("s1"), ("VISITOR#SESSION#s1", "TRACKED")),
            (views_of(ContentKind::Blog, "1"), ("ANALYTICS#blog#1", "VIEWS")),
            (view_session("s1", ContentKind::Project, "1"), ("ANALYTICS#SESSION#s1", "project#1")),
            (views(), ("ANALYTICS#TOTAL", "VIEWS")),
        ] {
            assert_eq!(pair(&key), expected);
        }
        assert_eq!(views_of_kind(ContentKind::Certification), "ANALYTICS#certification");
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
