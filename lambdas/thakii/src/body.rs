//! Request bodies: bytes within the size limit, and JSON objects whose errors name the field.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{StatusCode, header::CONTENT_TYPE},
};
use serde_json::{Map, Value};
use thakii_contract::limits::{DIRECT_BODY_BYTES, DIRECT_BODY_TOO_LARGE};

use crate::error::ApiError;

#[derive(Debug, Clone)]
pub(crate) struct Payload {
    /// The `Content-Type` header.
    pub(crate) content_type: String,
    pub(crate) bytes: Bytes,
}

impl Payload {
    pub(crate) fn is_json(&self) -> bool {
        self.essence() == "application/json"
    }

    pub(crate) fn is_form(&self) -> bool {
        self.essence() == "multipart/form-data"
    }

    fn essence(&self) -> String {
        self.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// Parses the body as a JSON object that is not empty, ignoring its content type.
    pub(crate) fn fields(&self) -> Result<Fields, ApiError> {
        let required = || ApiError::bad_request("Request body is required");
        if self.bytes.trim_ascii().is_empty() {
            return Err(required());
        }
        match serde_json::from_slice(&self.bytes) {
            Ok(Value::Object(fields)) if fields.is_empty() => Err(required()),
            Ok(Value::Object(fields)) => Ok(Fields(fields)),
            Ok(Value::Null) => Err(required()),
            Ok(_) => Err(ApiError::field("body", "an object")),
            Err(_) => Err(ApiError::bad_request("Invalid JSON")),
        }
    }

    /// Like [`Payload::fields`], but an absent body is an empty object.
    pub(crate) fn optional_fields(&self) -> Result<Fields, ApiError> {
        let text = self.bytes.trim_ascii();
        if text.is_empty() || text == b"{}" || text == b"null" {
            return Ok(Fields(Map::new()));
        }
        self.fields()
    }
}

impl<S: Send + Sync> FromRequest<S> for Payload {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_owned();
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|_| ApiError::bad_request("The request body could not be read"))?;
        if bytes.len() as u64 > DIRECT_BODY_BYTES {
            return Err(too_large());
        }
        Ok(Self { content_type, bytes })
    }
}

/// The contract's 413 response, which the gateway returns too.
fn too_large() -> ApiError {
    let body: Map<String, Value> = serde_json::from_str(DIRECT_BODY_TOO_LARGE).unwrap_or_default();
    let error = ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "");
    body.into_iter().fold(error, |error, (name, value)| error.with(&name, value))
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fields(pub(crate) Map<String, Value>);

impl Fields {
    /// Returns a field; null counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, ApiError> {
        self.get(name).map(|value| value.as_str().ok_or_else(|| ApiError::field(name, "a string"))).transpose()
    }

    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, ApiError> {
        self.get(name).map(|value| value.as_bool().ok_or_else(|| ApiError::field(name, "a boolean"))).transpose()
    }

    /// Rejects all fields but `names`.
    pub(crate) fn only(&self, names: &[&str], problem: &str) -> Result<(), ApiError> {
        match self.0.keys().find(|name| !names.contains(&name.as_str())) {
            Some(name) => Err(ApiError::bad_request(format!("Field \"{name}\" {problem}"))),
            None => Ok(()),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        Payload::from_request(request, state).await?.fields()
    }
}

/// Parses a number of digits only: no sign, no spaces.
pub(crate) fn digits(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn payload(text: &str) -> Payload {
        Payload { content_type: "application/json".to_owned(), bytes: Bytes::copy_from_slice(text.as_bytes()) }
    }

    #[test]
    fn empty_bodies_are_rejected_unless_optional() {
        for nothing in ["", "  \n", "{}", "null"] {
            let error = payload(nothing).fields().expect_err(nothing);
            assert_eq!((error.status(), error.text()), (StatusCode::BAD_REQUEST, "Request body is required"));
            assert_eq!(payload(nothing).optional_fields().expect("optional").0.len(), 0);
        }
    }

    #[test]
    fn other_json_than_objects_is_rejected() {
        for (text, expected) in [
            ("{", "Invalid JSON"),
            ("[1]", "Field \"body\" must be an object"),
            ("7", "Field \"body\" must be an object"),
        ] {
            assert_eq!(payload(text).fields().expect_err(text).text(), expected);
            assert_eq!(payload(text).optional_fields().expect_err(text).text(), expected);
        }
    }

    #[test]
    fn fields_have_types() {
        let fields = payload(r#"{"a": 7, "c": null}"#).fields();
        let fields = fields.expect("an object");
        assert_eq!(fields.text("a").expect_err("a number").text(), "Field \"a\" must be a string");
        assert_eq!(fields.boolean("a").expect_err("a number").text(), "Field \"a\" must be a boolean");
        assert_eq!(fields.text("c").expect("absent"), None);
    }

    #[test]
    fn numbers_consist_of_digits() {
        assert_eq!((digits("7"), digits("007")), (Some(7), Some(7)));
        for wrong in ["", "-1", "1.5", "x", "+7", " 7", "99999999999999999999"] {
            assert_eq!(digits(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn unexpected_fields_are_named() {
        let fields = Fields(json!({"email": "x"}).as_object().expect("an object").clone());
        fields.only(&["email"], "cannot be updated").expect("allowed");
        let error = fields.only(&["role"], "cannot be updated").expect_err("another");
        assert_eq!(error.text(), "Field \"email\" cannot be updated");
    }

    #[test]
    fn the_size_limit_has_its_own_error() {
        let error = too_large();
        assert_eq!((error.status().as_u16(), error.text()), (413, "File too large for direct upload"));
    }
}
