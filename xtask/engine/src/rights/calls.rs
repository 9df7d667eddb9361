//! The requests that IAM judges for a call: actions, resources and condition keys.
//!
//! Actions and resource types are those of the Service Authorization Reference, one page per service:
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>.
//! A call that is not known here is an error, so that no call is overlooked.

mod named;
mod storage;
mod tables;

use std::collections::BTreeMap;

use model::{emulator::API_PATH, statements::Request};
use serde_json::Value;
use url::Url;

/// The operations of a user pool that need no permission: their callers have no AWS identity, and the SDK does not sign them.
const PUBLIC: [&str; 4] = ["InitiateAuth", "RespondToAuthChallenge", "AssociateSoftwareToken", "VerifySoftwareToken"];

/// A call as a client sent it, and the status of its response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Call {
    /// The HTTP method, in capital letters.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The headers, by name in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
    /// The response's status.
    pub status: u16,
}

/// Where calls go: the parts of an ARN that they do not name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
}

impl Place {
    /// Returns the ARN of a resource in this account and region.
    #[must_use]
    pub fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.region, self.account)
    }

    /// Returns an ARN as it is, and that of a resource with this name otherwise.
    fn arn_of(&self, service: &str, kind: &str, name: &str) -> String {
        if name.starts_with("arn:") { name.to_owned() } else { self.arn(service, &format!("{kind}{name}")) }
    }
}

/// Returns the requests that IAM judges for a call; none where it needs no permission.
///
/// # Errors
///
/// The call in words, if it is not known.
pub fn requests(call: &Call, place: &Place) -> Result<Vec<Request>, String> {
    let uri = Url::parse(&format!("http://aws{}", call.target)).map_err(|error| format!("{}: {error}", call.target))?;
    let header = |name: &str| call.headers.get(name).map(String::as_str).unwrap_or_default();
    let target = header("x-amz-target").rsplit('.').next().unwrap_or_default();
    let Some((region, service)) = signed_for(header("authorization"), &uri) else {
        let is_reading = matches!(call.method.as_str(), "GET" | "HEAD" | "OPTIONS");
        // An API of the stage decides itself about its clients, and AWS serves it under a host of its own.
        let is_of_api = uri.path().starts_with(API_PATH) && !uri.path().contains("/@connections");
        let is_public = is_reading || is_of_api || PUBLIC.contains(&target);
        let unsigned = || format!("unsigned {} {} {target}", call.method, uri.path());
        return if is_public { Ok(Vec::new()) } else { Err(unsigned().trim_end().to_owned()) };
    };
    let place = Place { account: place.account.clone(), region };
    let body = content(call);
    // The protocols: JSON, RPC with CBOR, and forms (Smithy, "AWS protocols").
    let of_path = uri.path().rsplit_once("/operation/").map(|(_, name)| name);
    let operation = [Some(target), of_path, body["Action"].as_str()];
    let operation = operation.into_iter().flatten().find(|name| !name.is_empty()).unwrap_or_default();
    let found = match service.as_str() {
        "s3" => storage::requests(call, &uri),
        "dynamodb" => tables::requests(operation, &body, &place),
        "execute-api" => connection(call, &uri, &place),
        "lambda" => invocation(call, &uri, &place),
        _ => named::requests(&service, operation, &body, &place),
    };
    let unknown = || {
        let words = if operation.is_empty() { format!("{} {}", call.method, uri.path()) } else { operation.to_owned() };
        format!("{service} {words}")
    };
    // Functions call AWS over TLS, and the emulator without.
    let context = |request: Request| {
        request.with("aws:SecureTransport", "true").with("aws:RequestedRegion", place.region.as_str())
    };
    Ok(found.ok_or_else(unknown)?.into_iter().map(context).collect())
}

/// Returns the region and the service that a call is signed for, in its header or in its URL
/// (IAM user guide, "Elements of an AWS API request signature").
fn signed_for(authorization: &str, uri: &Url) -> Option<(String, String)> {
    let header = authorization.split_once("Credential=").map(|(_, scope)| scope.to_owned());
    let scope = header.or_else(|| query(uri, "X-Amz-Credential"))?;
    // KEY/date/region/service/aws4_request
    let mut parts = scope.split('/').skip(2).map(str::to_owned);
    Some((parts.next()?, parts.next()?))
}

/// Returns the fields of a JSON body or of a form; null where it is neither.
fn content(call: &Call) -> Value {
    if let Ok(json) = serde_json::from_slice(&call.body) {
        return json;
    }
    let form = std::str::from_utf8(&call.body).ok().filter(|text| text.contains("Action="));
    let form = form.and_then(|form| Url::parse(&format!("http://aws/?{form}")).ok());
    let pairs = form.iter().flat_map(Url::query_pairs);
    let fields: serde_json::Map<_, _> =
        pairs.map(|(name, value)| (name.into_owned(), Value::from(value.into_owned()))).collect();
    if fields.is_empty() { Value::Null } else { Value::Object(fields) }
}

/// Returns the function that a call invokes (Lambda API reference, `Invoke`, `InvokeAsync`, `InvokeWithResponseStream`).
fn invocation(call: &Call, uri: &Url, place: &Place) -> Option<Vec<Request>> {
    let path = decoded(uri.path());
    let words: Vec<&str> = path.trim_matches('/').split('/').collect();
    let name = match (call.method.as_str(), words.as_slice()) {
        ("POST", [_, "functions", name, "invocations" | "response-streaming-invocations" | "invoke-async"]) => name,
        _ => return None,
    };
    let function = match name.split_once(":function:") {
        // `ACCOUNT:function:NAME`
        Some((account, name)) if !account.starts_with("arn:") => {
            format!("arn:aws:lambda:{}:{account}:function:{name}", place.region)
        }
        _ => place.arn_of("lambda", "function:", name),
    };
    let resource = match query(uri, "Qualifier") {
        Some(qualifier) => format!("{function}:{qualifier}"),
        None => function,
    };
    Some(vec![Request::new("lambda:InvokeFunction", resource)])
}

/// Returns the connection of a WebSocket API that a call manages. The emulator's path names the API and its stage; AWS's host does
/// (API Gateway developer guide, "Control access to WebSocket APIs with IAM authorization").
fn connection(call: &Call, uri: &Url, place: &Place) -> Option<Vec<Request>> {
    let path = decoded(uri.path());
    let (stage, id) = path.strip_prefix(API_PATH)?.split_once("/@connections/")?;
    let resource = place.arn("execute-api", &format!("{stage}/{}/@connections/{id}", call.method));
    Some(vec![Request::new("execute-api:ManageConnections", resource)])
}

fn query(uri: &Url, name: &str) -> Option<String> {
    uri.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Decodes the `%` of a path.
fn decoded(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let [byte, after @ ..] = rest {
        let escaped = after.get(..2).filter(|_| *byte == b'%').and_then(|digits| hex::decode(digits).ok());
        match escaped {
            Some(escaped) => {
                bytes.extend(escaped);
                rest = &after[2..];
            }
            None => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests;
