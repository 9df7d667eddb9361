//! Conditions on the fields of listed content. `store` turns them into filter expressions.

use serde_json::Value;

/// A condition on a field of `Data`.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    pub(crate) field: &'static str,
    pub(crate) test: Test,
    pub(crate) value: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Test {
    Equal,
    Contains,
}

impl Filter {
    /// Requires the field to equal the value.
    #[must_use]
    pub fn equal(field: &'static str, value: impl Into<Value>) -> Self {
        Self { field, test: Test::Equal, value: value.into() }
    }

    /// Requires the field to be a list that contains the value.
    #[must_use]
    pub fn contains(field: &'static str, value: impl Into<Value>) -> Self {
        Self { field, test: Test::Contains, value: value.into() }
    }
}
