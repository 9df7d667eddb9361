//! Requests of the HTTP API and their responses: fields that are parsed one by one, so that each error names its field, and the
//! envelope of every response.

use std::convert::Infallible;

use axum::{
    Json,
    body::Bytes,
    extract::FromRequestParts,
    http::{HeaderValue, StatusCode, header::CACHE_CONTROL, request::Parts},
    response::{IntoResponse, Response},
};
use lambda_http::request::RequestContext;
use listbackup_contract::limits::BODY_BYTES;
use serde_json::{Map, Value, json};

use crate::shared::{envelope::Problem, time};

/// A successful response.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) data: Value,
}

impl Reply {
    /// A response with status 200.
    pub(crate) fn ok(data: Value) -> Self {
        Self { status: StatusCode::OK, data }
    }
}

/// The gateway's ID of a request; empty if it is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestId(String);

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let id = match parts.extensions.get::<RequestContext>() {
            Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone(),
            _ => None,
        };
        Ok(Self(id.unwrap_or_default()))
    }
}

/// Puts a result into its envelope. The cause of an internal error is logged only.
pub(crate) fn respond(RequestId(id): &RequestId, result: Result<Reply, Problem>) -> Response {
    let (status, mut body) = match result {
        Ok(Reply { status, data }) => (status, json!({ "success": true, "data": data })),
        Err(problem) => {
            if let Some(error) = &problem.cause {
                tracing::error!(error = error.as_ref(), code = problem.code, request_id = id, "a request failed");
            }
            let mut body = Map::from_iter([
                ("success".to_owned(), json!(false)),
                ("error".to_owned(), json!(problem.message)),
                ("code".to_owned(), json!(problem.code)),
            ]);
            body.extend(*problem.fields);
            (problem.status, Value::Object(body))
        }
    };
    body["timestamp"] = json!(time::now());
    body["requestId"] = json!(id);
    let mut response = (status, Json(body)).into_response();
    // Responses contain tokens and figures of one account.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The fields of a JSON object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fields(pub(crate) Map<String, Value>);

impl Fields {
    /// Parses a body.
    pub(crate) fn parse(body: &Bytes) -> Result<Self, Problem> {
        if body.len() > BODY_BYTES {
            let message = format!("the body has more than {BODY_BYTES} bytes");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", message));
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            _ => Err(Problem::new(StatusCode::BAD_REQUEST, "INVALID_JSON", "the body must be a JSON object")),
        }
    }

    /// Checks whether the field exists and is not null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_null())
    }

    /// Returns a required text that is not empty.
    pub(crate) fn text(&self, name: &str) -> Result<&str, Problem> {
        match self.0.get(name) {
            None | Some(Value::Null) => Err(invalid(name, "is missing")),
            Some(Value::String(text)) if !text.is_empty() => Ok(text),
            Some(_) => Err(invalid(name, "must be a text that is not empty")),
        }
    }
}

/// A 400 response that names a field.
pub(crate) fn invalid(field: &str, reason: &str) -> Problem {
    Problem::invalid(field, reason)
}
