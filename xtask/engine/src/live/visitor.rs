//! A client of a deployed system: makes the request of a check and compares the response.

use std::{collections::BTreeMap, time::Duration};

use contract::Method;
use model::rendered::{LiveCheck, LiveKind, SignIn};
use tokio::time::Instant;

use super::patiently;
use crate::{
    http::{Client, Request},
    release::smoke::{missing_route, no_route},
};

/// A client of a deployed system.
pub(super) struct Visitor<'a> {
    client: Client,
    urls: &'a BTreeMap<String, String>,
}

/// A response as expected.
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) elapsed: Duration,
    json: Option<serde_json::Value>,
}

/// Why a check failed.
pub(super) enum CheckFailure {
    /// No response came within this time.
    NoResponse(Duration, String),
    /// The response was not as expected, or the API is not deployed.
    Unexpected(String),
}

impl From<CheckFailure> for String {
    fn from(failure: CheckFailure) -> Self {
        match failure {
            CheckFailure::NoResponse(_, reason) | CheckFailure::Unexpected(reason) => reason,
        }
    }
}

impl<'a> Visitor<'a> {
    /// A client of the APIs at these URLs, by logical ID.
    pub(super) fn new(urls: &'a BTreeMap<String, String>) -> Self {
        Self { client: Client::default(), urls }
    }

    /// Makes the request of a check once.
    pub(super) async fn request(&self, check: &LiveCheck) -> Result<Response, CheckFailure> {
        let not_deployed = || CheckFailure::Unexpected(format!("{} is not deployed", check.api));
        let base = self.urls.get(&check.api).ok_or_else(not_deployed)?;
        // A WebSocket begins with a request over HTTP.
        let base = base.strip_prefix("ws").map_or_else(|| base.clone(), |rest| format!("http{rest}"));
        let url = format!("{}{}", base.trim_end_matches('/'), check.path);
        let request = Request::new(check.method.as_str(), &url);
        let request = check.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        // API Gateway rejects a POST without a body.
        let request = if check.method == Method::Post { request.json(&serde_json::json!({})) } else { request };
        let started = Instant::now();
        let response = self.client.send(request).await;
        let elapsed = started.elapsed();
        let response = response.map_err(|error| CheckFailure::NoResponse(elapsed, error.to_string()))?;
        // An authorizer refuses with the same status.
        let has_token = check.headers.iter().any(|(name, _)| name == "authorization");
        let (method, status) = (check.method.as_str(), response.status);
        match (check.kind == LiveKind::Absent, missing_route(&response, has_token)) {
            (true, Some(_)) => return Ok(Response { status, elapsed, json: None }),
            (true, None) => {
                let reason = format!("{url} has a route for {method}, which responds with {status}");
                return Err(CheckFailure::Unexpected(reason));
            }
            (false, Some(error_type)) => {
                return Err(CheckFailure::Unexpected(no_route(method, &url, status, error_type)));
            }
            (false, None) => {}
        }
        if !check.statuses.contains(&response.status) {
            let expected: Vec<_> = check.statuses.iter().map(u16::to_string).collect();
            let (status, expected) = (response.status, expected.join(" or "));
            return Err(CheckFailure::Unexpected(format!("{url} responds with {status} instead of {expected}")));
        }
        match &check.response_header {
            Some((name, value)) if response.headers.get(name) != Some(value) => {
                let actual = response.headers.get(name).map_or("nothing", String::as_str);
                Err(CheckFailure::Unexpected(format!("{url} responds with {name}: {actual} instead of {value}")))
            }
            _ => Ok(Response { status: response.status, elapsed, json: response.json() }),
        }
    }

    /// Makes the request of a check, several times if it fails.
    pub(super) async fn patiently(&self, check: &LiveCheck) -> Result<Response, String> {
        patiently(async || self.request(check).await.map_err(String::from)).await
    }

    /// Makes every check of the signed-in test user; each with its title.
    pub(super) async fn signed_in(
        &self,
        sign_in: &SignIn,
        token: Result<String, String>,
    ) -> Vec<(String, Result<String, String>)> {
        let title = |check: &LiveCheck| format!("{}, signed in", check.title());
        let mut token = match token {
            Ok(token) => token,
            Err(reason) => return vec![("sign in".to_owned(), Err(reason))],
        };
        let mut results = Vec::new();
        if let Some(exchange) = &sign_in.exchange {
            let response = self.patiently(&authorized(&exchange.check, &token)).await;
            let exchanged = response.and_then(|response| {
                let exchanged = response.json.as_ref().and_then(|json| json[&exchange.token].as_str());
                let exchanged = exchanged.map(|other| (response.status, other.to_owned()));
                exchanged.ok_or_else(|| format!("{} responds without `{}`", exchange.check.path, exchange.token))
            });
            results.push((title(&exchange.check), exchanged.clone().map(|(status, _)| status.to_string())));
            match exchanged {
                Ok((_, other)) => token = other,
                // The other checks need the exchanged token.
                Err(_) => return results,
            }
        }
        for check in &sign_in.checks {
            let result = self.patiently(&authorized(check, &token)).await;
            results.push((title(check), result.map(|response| response.status.to_string())));
        }
        results
    }
}

/// Returns the check with a user's token.
fn authorized(check: &LiveCheck, token: &str) -> LiveCheck {
    let mut check = check.clone();
    check.headers.push(("authorization".to_owned(), format!("Bearer {token}")));
    check
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    /// Starts a server that answers one request with status 403 and this error type.
    fn refusing(error_type: &'static str) -> BTreeMap<String, String> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        std::thread::spawn(move || {
            let (mut connection, _) = listener.accept().expect("a connection");
            let _request = connection.read(&mut [0; 4096]).expect("a request");
            let response = format!(
                "HTTP/1.1 403 Forbidden\r\nx-amzn-ErrorType: {error_type}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            connection.write_all(response.as_bytes()).expect("written");
        });
        BTreeMap::from([("Api".to_owned(), format!("http://{address}"))])
    }

    #[tokio::test]
    async fn a_refusal_by_the_authorizer_passes_and_a_missing_route_does_not() {
        let check = LiveCheck::rejects_forged_token("Api", Method::Get, "/links");
        let outcome = async |error_type| {
            let urls = refusing(error_type);
            Visitor::new(&urls).request(&check).await.map(|response| response.status).map_err(String::from)
        };
        assert_eq!(outcome("AccessDeniedException").await, Ok(403));
        for error_type in ["MissingAuthenticationTokenException", "IncompleteSignatureException"] {
            let failure = outcome(error_type).await.expect_err("there is no route");
            assert!(failure.contains("/links has no route for GET"), "{failure}");
            assert!(failure.ends_with(error_type), "{failure}");
        }
    }

    #[tokio::test]
    async fn a_check_of_an_absent_route_passes_only_without_the_route() {
        let check = LiveCheck::has_no_route("Api", Method::Get, "/admin");
        let outcome = async |error_type| {
            let urls = refusing(error_type);
            Visitor::new(&urls).request(&check).await.map(|response| response.status).map_err(String::from)
        };
        assert_eq!(outcome("MissingAuthenticationTokenException").await, Ok(403));
        let failure = outcome("AccessDeniedException").await.expect_err("there is a route");
        assert!(failure.contains("/admin has a route for GET, which responds with 403"), "{failure}");
    }

    #[tokio::test]
    async fn an_api_that_is_not_deployed_fails() {
        let check = LiveCheck::requires_token("Api", Method::Get, "/");
        let urls = BTreeMap::new();
        let failure = Visitor::new(&urls).request(&check).await.map(|response| response.status).map_err(String::from);
        assert_eq!(failure.expect_err("there is no API"), "Api is not deployed");
    }
}
