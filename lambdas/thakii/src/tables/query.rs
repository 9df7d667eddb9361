//! Queries of a table or an index.

use thakii_contract::tables::Index;

use super::change::Placeholders;

#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(super) table: String,
    pub(super) index: Option<Index>,
    pub(super) key: String,
    pub(super) filter: Option<String>,
    pub(super) placeholders: Placeholders,
    pub(super) forward: bool,
    pub(super) consistent: bool,
}

impl Query {
    /// Selects the items with this partition key.
    pub(crate) fn new(table: &str, partition: &str, value: &str) -> Self {
        let mut placeholders = Placeholders::default();
        let key = placeholders.compare(partition, "=", value);
        Self { table: table.to_owned(), index: None, key, filter: None, placeholders, forward: true, consistent: false }
    }

    /// Selects from an index.
    pub(crate) fn index(table: &str, index: Index, value: &str) -> Self {
        Self { index: Some(index), ..Self::new(table, index.partition, value) }
    }

    /// Compares the sort key, if there is a value.
    pub(crate) fn sorted(mut self, name: &str, operator: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            let condition = self.placeholders.compare(name, operator, value);
            self.key = format!("{} AND {condition}", self.key);
        }
        self
    }

    /// Sorts by descending sort key.
    pub(crate) fn descending(mut self) -> Self {
        self.forward = false;
        self
    }

    /// Reads consistently; not available on indexes.
    pub(crate) fn consistent(mut self) -> Self {
        self.consistent = true;
        self
    }

    /// Drops items that do not match. DynamoDB still reads them.
    pub(crate) fn filter(mut self, condition: impl FnOnce(&mut Placeholders) -> String) -> Self {
        self.filter = Some(condition(&mut self.placeholders));
        self
    }
}
