//! WebSocket APIs of API Gateway: the events of connections, decisions about new ones, and messages to connected clients.
//!
//! A connection has an ID for as long as it lasts. API Gateway invokes a function for each event, and a function sends to any connection
//! by its ID: [`Connections`].

mod connections;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use contract::Function;
use lambda_runtime::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use self::connections::{Connections, Delivery, SendError};
use crate::events;

/// What happened to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// A client asks for a connection. A status other than 2xx refuses it.
    Connect,
    /// A client sent a message.
    Message,
    /// The connection was closed. The function can no longer send to it.
    Disconnect,
}

/// An event of a connection (API Gateway developer guide, "WebSocket API mapping template reference").
#[derive(Clone, PartialEq)]
pub struct Event {
    /// What happened.
    pub kind: Kind,
    /// The key of the route.
    pub route: String,
    /// The ID of the connection.
    pub connection_id: String,
    /// The host of the API.
    pub domain: String,
    /// The stage of the API.
    pub stage: String,
    /// What the authorizer said about the client when it connected; empty without an authorizer.
    pub authorizer: Map<String, Value>,
    /// The query of a new connection's URL, which may contain a token.
    pub query: BTreeMap<String, String>,
    /// The text of a message.
    pub body: String,
}

/// Without query, context and body, which may contain secrets.
impl fmt::Debug for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, route, connection) = (self.kind, &self.route, &self.connection_id);
        formatter.debug_tuple("Event").field(&(kind, route, connection)).finish_non_exhaustive()
    }
}

impl Event {
    /// Returns a text of the authorizer's context.
    #[must_use]
    pub fn authorized(&self, key: &str) -> Option<&str> {
        self.authorizer.get(key).and_then(Value::as_str)
    }
}

/// A question about a client that asks for a connection.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectRequest {
    /// The ID that the connection would have.
    pub connection_id: String,
    /// The query of the URL.
    pub query: BTreeMap<String, String>,
    /// The headers, by name in lower case.
    pub headers: BTreeMap<String, String>,
}

/// Without query and headers, which contain tokens.
impl fmt::Debug for ConnectRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("ConnectRequest").field(&self.connection_id).finish_non_exhaustive()
    }
}

/// A decision about a client that asks for a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The client may connect. All events of the connection carry this context.
    Allow {
        /// The client.
        principal: String,
        /// Texts that describe it.
        context: BTreeMap<String, String>,
    },
    /// API Gateway refuses the connection with status 403.
    Deny,
}

/// Serves the events of a WebSocket API until the instance ends. `handle` returns the status of its response: for a new connection,
/// 200 accepts it.
///
/// # Errors
///
/// When Lambda's runtime interface fails.
pub async fn serve<F: Function>(handle: impl AsyncFn(Event) -> Result<u16, Error>) -> Result<(), Error> {
    let handle = &handle;
    events::serve::<F, RawEvent, Answer>(async |event| Ok(Answer { status_code: handle(event.try_into()?).await? }))
        .await
}

/// As [`serve`], for a function that is the API's authorizer too: `authorize` decides about new connections first.
///
/// # Errors
///
/// When Lambda's runtime interface fails.
pub async fn serve_with_authorizer<F: Function>(
    authorize: impl AsyncFn(ConnectRequest) -> Result<Decision, Error>,
    handle: impl AsyncFn(Event) -> Result<u16, Error>,
) -> Result<(), Error> {
    let (authorize, handle) = (&authorize, &handle);
    events::serve::<F, RawEvent, Value>(async |event| answer(event, authorize, handle).await).await
}

async fn answer(
    event: RawEvent,
    authorize: &impl AsyncFn(ConnectRequest) -> Result<Decision, Error>,
    handle: &impl AsyncFn(Event) -> Result<u16, Error>,
) -> Result<Value, Error> {
    match event.method_arn.clone() {
        Some(method_arn) => Ok(authorize(event.into_request()).await?.into_policy(&method_arn)),
        None => Ok(serde_json::to_value(Answer { status_code: handle(event.try_into()?).await? })?),
    }
}

/// The response of a route's function. Without a body: API Gateway sends none for routes without a route response.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
}

/// An event of a route or of the authorizer, as API Gateway sends it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawEvent {
    request_context: RawContext,
    /// The authorizer's only.
    method_arn: Option<String>,
    #[serde(default)]
    query_string_parameters: Option<BTreeMap<String, String>>,
    #[serde(default)]
    headers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawContext {
    route_key: String,
    event_type: Kind,
    connection_id: String,
    #[serde(default)]
    domain_name: String,
    #[serde(default)]
    stage: String,
    #[serde(default)]
    authorizer: Option<Map<String, Value>>,
}

impl TryFrom<RawEvent> for Event {
    type Error = Error;

    fn try_from(event: RawEvent) -> Result<Self, Error> {
        let context = event.request_context;
        let body = event.body.unwrap_or_default();
        let body = if event.is_base64_encoded { String::from_utf8(BASE64_STANDARD.decode(body)?)? } else { body };
        Ok(Self {
            kind: context.event_type,
            route: context.route_key,
            connection_id: context.connection_id,
            domain: context.domain_name,
            stage: context.stage,
            authorizer: context.authorizer.unwrap_or_default(),
            query: event.query_string_parameters.unwrap_or_default(),
            body,
        })
    }
}

impl RawEvent {
    fn into_request(self) -> ConnectRequest {
        let headers = self.headers.unwrap_or_default().into_iter();
        ConnectRequest {
            connection_id: self.request_context.connection_id,
            query: self.query_string_parameters.unwrap_or_default(),
            headers: headers.map(|(name, value)| (name.to_lowercase(), value)).collect(),
        }
    }
}

impl Decision {
    /// The response of an authorizer (API Gateway developer guide, "Output from an API Gateway Lambda authorizer").
    fn into_policy(self, method_arn: &str) -> Value {
        let (effect, principal, context) = match self {
            Self::Allow { principal, context } => ("Allow", principal, context),
            Self::Deny => ("Deny", "unknown".to_owned(), BTreeMap::new()),
        };
        let statement = json!({ "Action": "execute-api:Invoke", "Effect": effect, "Resource": method_arn });
        json!({
            "principalId": principal,
            "policyDocument": { "Version": "2012-10-17", "Statement": [statement] },
            "context": context,
        })
    }
}
