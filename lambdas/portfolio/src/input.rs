//! Extractors of bodies, queries and path parameters. Every error names its field.

use std::marker::PhantomData;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, RawPathParams, Request},
    http::{HeaderMap, header::CONTENT_TYPE, request::Parts},
};
use common::{ApiError, body::Parameters};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::schema::{Fault, Shape};

/// The largest body, in bytes.
pub(crate) const MAX_BODY: usize = 1024 * 1024;

/// A 400 with code `InvalidRequest`.
pub(crate) fn invalid(field: &str, issue: &str) -> ApiError {
    ApiError::bad_request("InvalidRequest", field, format!("{field} {issue}")).detail("issue", issue)
}

fn rejection(fault: &Fault) -> ApiError {
    invalid(&fault.field, &fault.issue)
}

/// A complete body that is valid for the schema of `T`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: JsonSchema + DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        read(Shape::of::<T>().complete(&object(request, state).await?), "body").map(Self)
    }
}

/// A body that may be missing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OptionalBody<T>(pub(crate) T);

impl<T: JsonSchema + DeserializeOwned, S: Send + Sync> FromRequest<S> for OptionalBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        read(Shape::of::<T>().complete(&optional_object(request, state).await?), "body").map(Self)
    }
}

/// The fields of `T` to change: at least one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Changes<T> {
    /// Each valid for `T`.
    pub(crate) fields: Map<String, Value>,
    of: PhantomData<T>,
}

impl<T: JsonSchema, S: Send + Sync> FromRequest<S> for Changes<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let given = object(request, state).await?;
        let fields = Shape::of::<T>().partial(&given).map_err(|fault| rejection(&fault))?;
        if fields.is_empty() {
            let issue = "No fields to update";
            return Err(ApiError::bad_request("InvalidRequest", "body", issue).detail("issue", issue));
        }
        Ok(Self { fields, of: PhantomData })
    }
}

/// A query that is valid for the schema of `T`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: JsonSchema + DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let parameters = Parameters::from_request_parts(parts, state).await?;
        let shape = Shape::of::<T>();
        let given = shape.properties().filter_map(|(name, schema)| {
            let text = parameters.get(name)?;
            Some((name.clone(), typed(text, &schema["type"])))
        });
        read(shape.complete(&given.collect()), "query").map(Self)
    }
}

/// Converts a parameter to the type in its schema. A failed conversion stays a string, which the schema rejects.
fn typed(text: &str, kind: &Value) -> Value {
    match kind.as_str() {
        Some("integer") => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
        Some("boolean") => text.parse::<bool>().map_or_else(|_| text.into(), Value::from),
        _ => text.into(),
    }
}

fn read<T: DeserializeOwned>(fields: Result<Map<String, Value>, Fault>, what: &str) -> Result<T, ApiError> {
    let fields = fields.map_err(|fault| rejection(&fault))?;
    serde_json::from_value(Value::Object(fields)).map_err(|error| invalid(what, &format!("could not be read: {error}")))
}

/// The path parameters by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InPath(Vec<(String, String)>);

impl InPath {
    /// Returns the content's ID, independent of the parameter's name. A missing ID is empty.
    pub(crate) fn id(&self) -> &str {
        let place = |name: &str| matches!(name, "postId" | "projectId" | "certificationId" | "contentId");
        self.0.iter().find(|(name, _)| place(name)).map_or("", |(_, id)| id)
    }

    /// Parses a parameter that must be valid for the schema of `T`.
    pub(crate) fn one_of<T: DeserializeOwned>(&self, place: &str, allowed: &str) -> Result<T, ApiError> {
        let text = self.0.iter().find(|(name, _)| name == place).map_or("", |(_, text)| text);
        serde_json::from_value(Value::from(text)).map_err(|_| invalid(place, &format!("must be one of: {allowed}")))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for InPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let parameters = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::not_found("there is no such route"))?;
        Ok(Self(parameters.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()))
    }
}

async fn object<S: Send + Sync>(request: Request, state: &S) -> Result<Map<String, Value>, ApiError> {
    check_type(request.headers())?;
    parse(&bytes(request, state).await?)
}

async fn optional_object<S: Send + Sync>(request: Request, state: &S) -> Result<Map<String, Value>, ApiError> {
    let checked = check_type(request.headers());
    let bytes = bytes(request, state).await?;
    if bytes.is_empty() {
        return Ok(Map::new());
    }
    checked?;
    parse(&bytes)
}

/// Accepts JSON, or a missing content type.
fn check_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(kind) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(invalid("Content-Type", "must be application/json"))
}

async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    let bytes = Bytes::from_request(request, state).await.map_err(|_| invalid("body", "could not be read"))?;
    if bytes.len() > MAX_BODY {
        return Err(invalid("body", "must have at most 1 MB"));
    }
    Ok(bytes)
}

fn parse(bytes: &[u8]) -> Result<Map<String, Value>, ApiError> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(invalid("body", "must be a JSON object")),
        Err(error) => Err(invalid("body", &format!("is not valid JSON: {error}"))),
    }
}
