//! Request bodies and queries, parsed field by field so that each error names its field.

use std::collections::HashMap;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Query, Request},
    http::request::Parts,
};
use serde_json::{Map, Value};

use crate::ApiError;

/// A JSON object.
#[derive(Debug, Clone, PartialEq)]
pub struct Fields(pub Map<String, Value>);

impl Fields {
    /// Checks whether the field exists and is not null.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_null())
    }

    /// Returns a required field.
    ///
    /// # Errors
    /// Responds with 400 and the field's name if it is missing.
    pub fn required(&self, name: &str) -> Result<&Value, ApiError> {
        self.0
            .get(name)
            .filter(|value| !value.is_null())
            .ok_or_else(|| ApiError::bad_request("MissingField", name, format!("{name} is missing")))
    }

    /// Returns a required string that is not empty.
    ///
    /// # Errors
    /// Responds with 400 and the field's name if it is missing or invalid.
    pub fn text(&self, name: &str) -> Result<&str, ApiError> {
        let invalid =
            || ApiError::bad_request("InvalidField", name, format!("{name} must be a text that is not empty"));
        self.required(name)?.as_str().filter(|text| !text.is_empty()).ok_or_else(invalid)
    }

    /// Returns a required integer above zero.
    ///
    /// # Errors
    /// Responds with 400 and the field's name if it is missing or invalid.
    pub fn positive(&self, name: &str) -> Result<u64, ApiError> {
        let invalid = || ApiError::bad_request("InvalidField", name, format!("{name} must be an integer above 0"));
        self.required(name)?.as_u64().filter(|number| *number > 0).ok_or_else(invalid)
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            ApiError::bad_request("UnreadableBody", "body", format!("the body could not be read: {rejection}"))
        })?;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(ApiError::bad_request("MalformedJson", "body", "the body must be a JSON object")),
            Err(error) => {
                Err(ApiError::bad_request("MalformedJson", "body", format!("the body is not valid JSON: {error}")))
            }
        }
    }
}

/// The parameters of a query; the last one of duplicates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters(pub HashMap<String, String>);

impl Parameters {
    /// Returns a parameter, if it exists.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns a required parameter that is not empty.
    ///
    /// # Errors
    /// Responds with 400 and the parameter's name if it is missing.
    pub fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| ApiError::bad_request("MissingParameter", name, format!("the query lacks {name}")))
    }
}

impl<S: Sync> FromRequestParts<S> for Parameters {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Query(parameters) = Query::try_from_uri(&parts.uri)
            .map_err(|_| ApiError::bad_request("MalformedQuery", "query", "the query could not be read"))?;
        Ok(Self(parameters))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Fields {
        Fields(value.as_object().expect("an object").clone())
    }

    #[test]
    fn numbers_are_integers_above_zero() {
        assert_eq!(fields(json!({"n": 7})).positive("n"), Ok(7));
        for wrong in [json!(0), json!(-1), json!(1.5), json!("7"), json!(true), json!([7]), json!(1e30)] {
            let error = fields(json!({"n": wrong})).positive("n").expect_err("no such integer");
            assert_eq!(error, ApiError::bad_request("InvalidField", "n", "n must be an integer above 0"));
        }
    }

    #[test]
    fn null_is_missing() {
        let missing = ApiError::bad_request("MissingField", "n", "n is missing");
        assert_eq!(fields(json!({"n": null})).positive("n"), Err(missing.clone()));
        assert_eq!(fields(json!({})).text("n"), Err(missing));
        assert!(!fields(json!({"n": null})).has("n"));
    }
}
