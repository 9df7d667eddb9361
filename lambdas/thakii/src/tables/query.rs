//! Queries: which items of a table or an index, in which order.

use contract::thakii::tables::Index;

use super::change::Placeholders;

/// A query.
#[derive(Debug, Clone)]
pub struct Query {
    pub(super) table: String,
    pub(super) index: Option<Index>,
    pub(super) key: String,
    pub(super) filter: Option<String>,
    pub(super) placeholders: Placeholders,
    pub(super) forward: bool,
    pub(super) consistent: bool,
}

impl Query {
    /// The items with this partition key.
    #[must_use]
    pub fn new(table: &str, partition: &str, value: &str) -> Self {
        let mut placeholders = Placeholders::default();
        let key = placeholders.compare(partition, "=", value);
        Self { table: table.to_owned(), index: None, key, filter: None, placeholders, forward: true, consistent: false }
    }

    /// Of an index.
    #[must_use]
    pub fn index(table: &str, index: Index, value: &str) -> Self {
        Self { index: Some(index), ..Self::new(table, index.partition, value) }
    }

    /// Only those whose sort key compares like this.
    #[must_use]
    pub fn sorted(mut self, name: &str, operator: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            let condition = self.placeholders.compare(name, operator, value);
            self.key = format!("{} AND {condition}", self.key);
        }
        self
    }

    /// The largest sort key first.
    #[must_use]
    pub fn descending(mut self) -> Self {
        self.forward = false;
        self
    }

    /// Everything written so far, not only what has spread; not for indexes.
    #[must_use]
    pub fn consistent(mut self) -> Self {
        self.consistent = true;
        self
    }

    /// Only those for which this holds; the others are read all the same.
    #[must_use]
    pub fn filter(mut self, condition: impl FnOnce(&mut Placeholders) -> String) -> Self {
        self.filter = Some(condition(&mut self.placeholders));
        self
    }
}
