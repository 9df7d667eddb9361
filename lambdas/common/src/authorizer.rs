//! Functions that authorize the requests of an HTTP API, with payload format 2.0 and simple responses (API Gateway developer guide,
//! "Control access to HTTP APIs with AWS Lambda authorizers").
//!
//! A denied request is answered by the gateway with status 403; an error of the function with 500.

use std::{collections::HashMap, fmt};

use contract::Function;
use lambda_runtime::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};

use crate::events;

/// The request that an authorizer decides about. Its debug form contains no header and no identity source, which hold tokens.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizerRequest {
    /// The ARN of the route with the request's method and path.
    pub route_arn: String,
    /// The route, for example `GET /notes/{id}`.
    pub route_key: String,
    /// The path.
    pub raw_path: String,
    /// The query, as the client sent it.
    #[serde(default)]
    pub raw_query_string: String,
    /// The values of the authorizer's identity sources, in their order.
    #[serde(default, deserialize_with = "or_default")]
    pub identity_source: Vec<String>,
    /// The headers; names are in lower case.
    #[serde(default, deserialize_with = "or_default")]
    pub headers: HashMap<String, String>,
    /// The values of the path's variables.
    #[serde(default, deserialize_with = "or_default")]
    pub path_parameters: HashMap<String, String>,
    request_context: Context,
}

#[derive(Clone, PartialEq, Eq, Deserialize)]
struct Context {
    http: Http,
}

#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http {
    method: String,
    #[serde(default)]
    source_ip: String,
}

/// Reads a value that the gateway may send as null.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl AuthorizerRequest {
    /// Returns the value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Returns the HTTP method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.request_context.http.method
    }

    /// Returns the client's address.
    #[must_use]
    pub fn source_address(&self) -> &str {
        &self.request_context.http.source_ip
    }
}

impl fmt::Debug for AuthorizerRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AuthorizerRequest").field("route_key", &self.route_key).finish_non_exhaustive()
    }
}

/// The decision about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The request is refused with status 403.
    Deny,
    /// The request reaches the function, which reads these values with [`Authorized`](crate::caller::Authorized).
    Allow(Map<String, Value>),
}

impl Decision {
    /// Allows the request with values of a type that is an object in JSON.
    ///
    /// # Errors
    /// When the value is no object in JSON.
    pub fn allow<T: Serialize>(context: &T) -> Result<Self, Error> {
        match serde_json::to_value(context)? {
            Value::Object(context) => Ok(Self::Allow(context)),
            _ => Err("the context of an authorizer is an object".into()),
        }
    }
}

impl Serialize for Decision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut response = serializer.serialize_map(Some(2))?;
        response.serialize_entry("isAuthorized", &matches!(self, Self::Allow(_)))?;
        if let Self::Allow(context) = self {
            response.serialize_entry("context", context)?;
        }
        response.end()
    }
}

/// Decides about requests until the instance ends. Probes are answered first.
///
/// # Errors
/// When Lambda's runtime interface fails.
pub async fn serve<F: Function>(
    decide: impl AsyncFn(AuthorizerRequest) -> Result<Decision, Error>,
) -> Result<(), Error> {
    events::serve::<F, AuthorizerRequest, Decision>(decide).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event() -> Value {
        json!({
            "version": "2.0", "type": "REQUEST",
            "routeArn": "arn:aws:execute-api:eu-central-1:111122223333:abc/$default/GET/notes/1",
            "identitySource": ["Bearer secret"], "routeKey": "GET /notes/{id}",
            "rawPath": "/notes/1", "rawQueryString": "full=true",
            "headers": { "authorization": "Bearer secret" },
            "queryStringParameters": null, "pathParameters": { "id": "1" }, "stageVariables": null,
            "requestContext": {
                "apiId": "abc", "stage": "$default", "routeKey": "GET /notes/{id}",
                "http": { "method": "GET", "path": "/notes/1", "sourceIp": "192.0.2.7", "userAgent": "curl" },
            },
        })
    }

    #[test]
    fn a_request_has_token_route_and_address() {
        let request: AuthorizerRequest = serde_json::from_value(event()).expect("a request");
        assert_eq!((request.method(), request.source_address()), ("GET", "192.0.2.7"));
        assert_eq!(request.header("authorization"), Some("Bearer secret"));
        assert_eq!(request.identity_source, ["Bearer secret"]);
        assert_eq!(request.path_parameters["id"], "1");
        assert!(!format!("{request:?}").contains("secret"), "{request:?}");
        let mut event = event();
        event["pathParameters"] = json!(null);
        event.as_object_mut().expect("an object").remove("identitySource");
        let request: AuthorizerRequest = serde_json::from_value(event).expect("a request");
        assert!(request.path_parameters.is_empty() && request.identity_source.is_empty());
    }

    #[test]
    fn an_event_of_another_form_is_an_error() {
        for event in [json!({}), json!({ "type": "TOKEN", "authorizationToken": "x", "methodArn": "y" })] {
            assert!(serde_json::from_value::<AuthorizerRequest>(event).is_err());
        }
    }

    #[test]
    fn decisions_have_the_form_of_simple_responses() {
        let json = |decision: &Decision| serde_json::to_value(decision).expect("JSON");
        assert_eq!(json(&Decision::Deny), json!({ "isAuthorized": false }));
        let allowed = Decision::allow(&json!({ "account": "a", "level": 2 })).expect("an object");
        assert_eq!(json(&allowed), json!({ "isAuthorized": true, "context": { "account": "a", "level": 2 } }));
        assert!(Decision::allow(&7).is_err());
    }
}
