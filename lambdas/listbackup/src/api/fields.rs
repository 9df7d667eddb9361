//! Fields of requests to the API, with errors that name the field.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    requests::{Fields, invalid},
    shared::{envelope::Problem, ids::Kind},
};

/// The longest description, in characters.
const LONGEST_TEXT: usize = 1024;

impl Fields {
    /// Returns an object, if the field exists.
    pub(super) fn object(&self, name: &str) -> Result<Option<&Map<String, Value>>, Problem> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(invalid(name, "must be an object")),
        }
    }

    /// Returns a required object.
    pub(super) fn required_object(&self, name: &str) -> Result<&Map<String, Value>, Problem> {
        self.object(name)?.ok_or_else(|| invalid(name, "is missing"))
    }

    /// Returns a text that may be empty, if the field exists.
    pub(super) fn optional_text(&self, name: &str) -> Result<Option<&str>, Problem> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.chars().count() <= LONGEST_TEXT => Ok(Some(text)),
            Some(_) => Err(invalid(name, &format!("must be a text of at most {LONGEST_TEXT} characters"))),
        }
    }

    /// Returns a value of a type with its own form, if the field exists. `expected` describes the form.
    pub(super) fn parsed<T: DeserializeOwned>(&self, name: &str, expected: &str) -> Result<Option<T>, Problem> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => serde_json::from_value(value.clone()).map(Some).map_err(|_| invalid(name, expected)),
        }
    }

    /// Returns the ID of an object, if the field exists; `Some(None)` for a text that is no ID.
    pub(super) fn reference(&self, name: &str, kind: Kind) -> Result<Option<Option<String>>, Problem> {
        Ok(self.optional_text(name)?.filter(|text| !text.is_empty()).map(|text| kind.parse(text)))
    }
}
