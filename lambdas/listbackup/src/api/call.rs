//! A request to a handler: the caller, the parameters and the body; and the router that all functions of the API share.

use std::{collections::HashMap, convert::Infallible};

use aws_config::SdkConfig;
use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::{FromRequest, FromRequestParts, Query, RawPathParams, Request},
    http::StatusCode,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter},
};
use common::{Authorized, cors::Origins, http};
use contract::{Function, Routes};
use lambda_http::request::RequestContext;
use serde_json::Value;
use tables::Database;

use crate::{
    requests::{Fields, Reply, RequestId, respond},
    shared::{envelope::Problem, identity::Identity, ids::Kind},
};

/// The most bytes of a response without an envelope that are read.
const BARE_BYTES: usize = 64 * 1024;

/// A request. Its parts are checked when a handler uses them, so that every error is in the envelope.
#[derive(Debug)]
pub(crate) struct Call {
    id: RequestId,
    caller: Option<Identity>,
    path: HashMap<String, String>,
    query: Option<HashMap<String, String>>,
    body: Bytes,
    domain: Option<String>,
}

/// Why a route that needs a caller has none.
#[derive(Debug, thiserror::Error)]
#[error("the gateway passed no caller on: the route lacks its authorizer")]
struct NoCaller;

/// Why a path lacks a parameter.
#[derive(Debug, thiserror::Error)]
#[error("the route has no parameter {0}")]
struct NoParameter(&'static str);

impl Call {
    /// Puts the result of a handler into its envelope.
    pub(crate) fn respond(&self, result: Result<Reply, Problem>) -> Response {
        match result {
            // A response with this status has no body.
            Ok(Reply { status: StatusCode::NO_CONTENT, .. }) => StatusCode::NO_CONTENT.into_response(),
            result => respond(&self.id, result),
        }
    }

    /// Returns the caller, who may read.
    pub(crate) fn reader(&self) -> Result<&Identity, Problem> {
        self.caller.as_ref().ok_or_else(|| NoCaller.into())
    }

    /// Returns the caller, who may write.
    pub(crate) fn writer(&self) -> Result<&Identity, Problem> {
        let caller = self.reader()?;
        caller.check_write()?;
        Ok(caller)
    }

    /// Returns a parameter of the path.
    pub(crate) fn path(&self, name: &'static str) -> Result<&str, Problem> {
        self.path.get(name).map(String::as_str).ok_or_else(|| NoParameter(name).into())
    }

    /// Returns the ID in the path. Another text than an ID is an unknown object.
    pub(crate) fn object(&self, kind: Kind) -> Result<String, Problem> {
        kind.parse(self.path("id")?).ok_or_else(|| Problem::not_found(kind))
    }

    /// Returns a parameter of the query that is not empty.
    pub(crate) fn query(&self, name: &str) -> Result<Option<&str>, Problem> {
        let query = self.query.as_ref().ok_or_else(|| Problem::invalid("query", "could not be read"))?;
        Ok(query.get(name).map(String::as_str).filter(|value| !value.is_empty()))
    }

    /// Returns the fields of the body.
    pub(crate) fn fields(&self) -> Result<Fields, Problem> {
        Fields::parse(&self.body)
    }

    /// Returns the fields of the body, none if there is no body.
    pub(crate) fn optional_fields(&self) -> Result<Fields, Problem> {
        if self.body.is_empty() { Ok(Fields(serde_json::Map::new())) } else { self.fields() }
    }

    /// Returns the domain name that the client used.
    pub(crate) fn domain(&self) -> Option<&str> {
        self.domain.as_deref()
    }
}

impl<S: Send + Sync> FromRequest<S> for Call {
    type Rejection = Infallible;

    async fn from_request(request: Request, state: &S) -> Result<Self, Infallible> {
        let (mut parts, body) = request.into_parts();
        let id = RequestId::from_request_parts(&mut parts, state).await?;
        let caller = Authorized::from_request_parts(&mut parts, state).await;
        let path = RawPathParams::from_request_parts(&mut parts, state).await;
        let path = path.iter().flatten().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let query = Query::try_from_uri(&parts.uri).ok().map(|Query(query)| query);
        let domain = match parts.extensions.get::<RequestContext>() {
            Some(RequestContext::ApiGatewayV2(context)) => context.domain_name.clone(),
            _ => None,
        };
        // Lambda has already received the whole body.
        let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
        Ok(Self { id, caller: caller.ok().map(|Authorized(caller)| caller), path, query, body, domain })
    }
}

/// Builds the router of a function. CORS is the gateway's.
pub(crate) fn router<F, R, S>(state: S, handler: impl Fn(R, MethodFilter) -> MethodRouter<S>) -> Router
where
    F: Function,
    R: Routes,
    S: Clone + Send + Sync + 'static,
{
    http::router::<F, R, S>(Origins::gateway(), state, handler).layer(from_fn(envelop))
}

/// Puts errors of the router itself, such as unknown routes, into the envelope.
async fn envelop(request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let Ok(id) = RequestId::from_request_parts(&mut parts, &()).await;
    let response = next.run(Request::from_parts(parts, body)).await;
    if response.status().is_success() {
        return response;
    }
    let (head, body) = response.into_parts();
    let bytes = to_bytes(body, BARE_BYTES).await.unwrap_or_default();
    let body = serde_json::from_slice::<Value>(&bytes).unwrap_or_default();
    if body.get("success").is_some() {
        return Response::from_parts(head, bytes.into());
    }
    let problem = match head.status {
        StatusCode::NOT_FOUND => Problem::new(head.status, "ROUTE_NOT_FOUND", "there is no such route"),
        StatusCode::METHOD_NOT_ALLOWED => {
            Problem::new(head.status, "METHOD_NOT_ALLOWED", "the route does not take this method")
        }
        _ => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "something went wrong; please try again"),
    };
    respond(&id, Err(problem))
}

/// Returns the database of a function.
pub(crate) fn database(aws: &SdkConfig) -> Database {
    Database::new(aws_sdk_dynamodb::Client::new(aws))
}
