//! Filters of content as DynamoDB filter expressions.

use aws_sdk_dynamodb::types::AttributeValue;

use super::{StoreError, item::attribute};
use crate::content::filter::{Filter, Test};

/// The placeholder of `Data` in expressions.
pub(super) const DATA: &str = "#data";

impl Filter {
    /// The placeholder of the field's name, and the name.
    pub(super) fn name(&self) -> (String, &'static str) {
        (format!("#{}", self.field), self.field)
    }

    /// The placeholder of the value, and the value.
    pub(super) fn value(&self) -> Result<(String, AttributeValue), StoreError> {
        Ok((format!(":{}", self.field), attribute(&self.value)?))
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
