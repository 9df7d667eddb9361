//! Queries of a table or an index.

use serde::Serialize;

use crate::change::Placeholders;

/// A global secondary index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// The name.
    pub name: &'static str,
    /// The partition key.
    pub partition: &'static str,
    /// The sort key, if the index has one.
    pub sort: Option<&'static str>,
}

/// A selection of items that share a partition key. Keys are strings or numbers.
#[derive(Debug, Clone)]
pub struct Query {
    pub(crate) table: String,
    pub(crate) index: Option<Index>,
    pub(crate) key: String,
    pub(crate) filter: Option<String>,
    pub(crate) placeholders: Placeholders,
    pub(crate) forward: bool,
    pub(crate) consistent: bool,
}

impl Query {
    /// Selects the items with this partition key.
    #[must_use]
    pub fn new(table: &str, partition: &str, value: impl Serialize) -> Self {
        let mut placeholders = Placeholders::default();
        let key = placeholders.compare(partition, "=", value);
        Self { table: table.to_owned(), index: None, key, filter: None, placeholders, forward: true, consistent: false }
    }

    /// Selects from an index.
    #[must_use]
    pub fn index(table: &str, index: Index, value: impl Serialize) -> Self {
        Self { index: Some(index), ..Self::new(table, index.partition, value) }
    }

    /// Compares the sort key, if there is a value. A query has one condition on its sort key.
    #[must_use]
    pub fn sorted(mut self, name: &str, operator: &str, value: Option<impl Serialize>) -> Self {
        if let Some(value) = value {
            let condition = self.placeholders.compare(name, operator, value);
            self.key = format!("{} AND {condition}", self.key);
        }
        self
    }

    /// Selects a range of the sort key, both ends included.
    #[must_use]
    pub fn between(mut self, name: &str, lowest: impl Serialize, highest: impl Serialize) -> Self {
        let name = self.placeholders.name(name);
        let (lowest, highest) = (self.placeholders.value(lowest), self.placeholders.value(highest));
        self.key = format!("{} AND {name} BETWEEN {lowest} AND {highest}", self.key);
        self
    }

    /// Selects the sort keys that begin with a text.
    #[must_use]
    pub fn starting_with(mut self, name: &str, prefix: &str) -> Self {
        let condition = self.placeholders.starts_with(name, prefix);
        self.key = format!("{} AND {condition}", self.key);
        self
    }

    /// Sorts by descending sort key.
    #[must_use]
    pub fn descending(mut self) -> Self {
        self.forward = false;
        self
    }

    /// Reads consistently; not available on indexes.
    #[must_use]
    pub fn consistent(mut self) -> Self {
        self.consistent = true;
        self
    }

    /// Drops items that do not match. DynamoDB still reads them. Several filters must all match.
    #[must_use]
    pub fn filter(mut self, condition: impl FnOnce(&mut Placeholders) -> String) -> Self {
        let condition = condition(&mut self.placeholders);
        self.filter = Some(match self.filter {
            Some(earlier) => format!("{earlier} AND ({condition})"),
            None => format!("({condition})"),
        });
        self
    }
}
