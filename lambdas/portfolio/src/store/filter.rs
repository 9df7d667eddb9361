//! What items of a list must have, beyond being in its partition.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;

use super::item::attribute;

/// A condition on a field of `Data`.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    field: &'static str,
    test: Test,
    value: AttributeValue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    Equal,
    Contains,
}

/// The placeholder of `Data` in expressions.
pub(super) const DATA: &str = "#data";

impl Filter {
    /// The field is this value.
    #[must_use]
    pub fn equal(field: &'static str, value: impl Into<Value>) -> Self {
        Self { field, test: Test::Equal, value: attribute(value.into()) }
    }

    /// The field is a list that holds this value.
    #[must_use]
    pub fn contains(field: &'static str, value: impl Into<Value>) -> Self {
        Self { field, test: Test::Contains, value: attribute(value.into()) }
    }

    /// The placeholder of the field's name, and the name.
    pub(super) fn name(&self) -> (String, &'static str) {
        (format!("#{}", self.field), self.field)
    }

    /// The placeholder of the value, and the value.
    pub(super) fn value(&self) -> (String, AttributeValue) {
        (format!(":{}", self.field), self.value.clone())
    }

    /// The condition, in placeholders.
    pub(super) fn expression(&self) -> String {
        let field = self.field;
        match self.test {
            Test::Equal => format!("{DATA}.#{field} = :{field}"),
            Test::Contains => format!("contains({DATA}.#{field}, :{field})"),
        }
    }
}
