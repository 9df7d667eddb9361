//! The checks that a system must pass after a deploy: smoke checks, live checks, sign-in and latency.

use contract::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The header in which a preflight names the method that it asks for.
const REQUESTED_METHOD: &str = "access-control-request-method";

/// A request that a system must answer as described here as soon as it is released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SmokeCheck {
    /// The logical ID of the API.
    pub api: String,
    /// The path below the API's URL, with its slash.
    pub path: String,
    /// The required status.
    pub status: u16,
    /// The required fields of the JSON response. Other fields may have any value.
    pub json: Option<Value>,
}

/// A request from outside that a deployed system must answer as described here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LiveCheck {
    /// The subject of the check.
    pub kind: LiveKind,
    /// The logical ID of the API.
    pub api: String,
    /// The HTTP method.
    pub method: Method,
    /// The path below the API's URL, with its slash.
    pub path: String,
    /// The request's headers: names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The accepted statuses; of no importance to [`LiveKind::Absent`].
    pub statuses: Vec<u16>,
    /// A required header of the response: its name in lower case, and its value.
    pub response_header: Option<(String, String)>,
}

/// The subject of a [`LiveCheck`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LiveKind {
    /// Requests without authorization are rejected.
    Auth,
    /// Browsers of an allowed origin may send requests.
    Cors,
    /// Authorized and public requests are served.
    Served,
    /// The API has no such route.
    Absent,
    /// A WebSocket API refuses connections without a token.
    Connect,
}

impl LiveKind {
    /// Returns the kind in one word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Cors => "cors",
            Self::Served => "served",
            Self::Absent => "absent",
            Self::Connect => "connect",
        }
    }
}

impl LiveCheck {
    /// A request without a token is rejected with status 401.
    #[must_use]
    pub fn requires_token(api: &str, method: Method, path: &str) -> Self {
        Self {
            kind: LiveKind::Auth,
            api: api.to_owned(),
            method,
            path: path.to_owned(),
            headers: Vec::new(),
            statuses: vec![401],
            response_header: None,
        }
    }

    /// A request with an unsigned token is rejected with status 401 or 403.
    #[must_use]
    pub fn rejects_forged_token(api: &str, method: Method, path: &str) -> Self {
        // {"alg":"none"} . {"sub":"nobody"} . an empty signature
        let token = "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJub2JvZHkifQ.";
        let headers = vec![("authorization".to_owned(), token.to_owned())];
        // Authorizers of API Gateway respond with 401 or 403.
        Self { headers, statuses: vec![401, 403], ..Self::requires_token(api, method, path) }
    }

    /// A request is answered with one of these statuses.
    #[must_use]
    pub fn responds(api: &str, method: Method, path: &str, statuses: &[u16]) -> Self {
        Self { statuses: statuses.to_vec(), ..Self::requires_token(api, method, path) }
    }

    /// A `GET` without a token is answered with status 200, which shows that a function and the data it reads are there.
    #[must_use]
    pub fn serves_public(api: &str, path: &str) -> Self {
        Self { kind: LiveKind::Served, ..Self::responds(api, Method::Get, path, &[200]) }
    }

    /// The API has no route for a request: API Gateway itself refuses it, with any status.
    #[must_use]
    pub fn has_no_route(api: &str, method: Method, path: &str) -> Self {
        Self { kind: LiveKind::Absent, ..Self::responds(api, method, path, &[]) }
    }

    /// A WebSocket API refuses a connection without a token: with status 401 if an identity source of the authorizer is missing, or
    /// with 403 (API Gateway developer guide, "The `$connect` route").
    #[must_use]
    pub fn refuses_connection(api: &str) -> Self {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = vec![
            header("connection", "Upgrade"),
            header("upgrade", "websocket"),
            header("sec-websocket-version", "13"),
            // RFC 6455, section 4.1: 16 bytes in base64. No connection is opened, so they need not be random.
            header("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
        ];
        let refused = Self { kind: LiveKind::Connect, ..Self::responds(api, Method::Get, "", &[401, 403]) };
        Self { headers, ..refused }
    }

    /// A preflight of a browser at `origin` is answered with permission to use the method.
    #[must_use]
    pub fn preflight(api: &str, method: Method, path: &str, origin: &str) -> Self {
        Self {
            kind: LiveKind::Cors,
            api: api.to_owned(),
            method: Method::Options,
            path: path.to_owned(),
            headers: vec![
                ("origin".to_owned(), origin.to_owned()),
                (REQUESTED_METHOD.to_owned(), method.as_str().to_owned()),
                ("access-control-request-headers".to_owned(), "authorization,content-type".to_owned()),
            ],
            statuses: vec![200, 204],
            response_header: Some(("access-control-allow-origin".to_owned(), origin.to_owned())),
        }
    }

    /// Returns the method that a preflight asks for; `None` for other checks.
    pub(super) fn preflighted(&self) -> Option<Method> {
        let requested = self.headers.iter().find(|(name, _)| name == REQUESTED_METHOD)?;
        Method::ALL.into_iter().find(|method| method.as_str() == requested.1)
    }

    /// Returns the method and path, and whether the token is forged or no route is expected.
    #[must_use]
    pub fn title(&self) -> String {
        let is_forged = self.headers.iter().any(|(name, _)| name == "authorization");
        if self.kind == LiveKind::Connect {
            return format!("connect to {} without a token", self.api);
        }
        let remark = match self.kind {
            LiveKind::Absent => ", no route",
            _ if is_forged => ", token forged",
            _ => "",
        };
        format!("{} {}{remark}", self.method.as_str(), self.path)
    }
}

/// How a user signs in to a system with SRP, and the requests that must succeed then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignIn {
    /// The stack of the user pool, by [`RenderedStack::stack`](super::RenderedStack::stack).
    pub stack: String,
    /// The stack's output with the pool's ID.
    pub pool_output: String,
    /// The stack's output with the client's ID.
    pub client_output: String,
    /// The name of the test user, who is created for the check and deleted after it: an e-mail address, a phone number in
    /// E.164 form or another name, as the pool requires.
    pub user: String,
    /// The attributes that the user pool requires of a user.
    pub attributes: Vec<(String, String)>,
    /// The request that exchanges the ID token for a token of the system's own, which all checks then carry.
    pub exchange: Option<Exchange>,
    /// The requests, in order.
    pub checks: Vec<LiveCheck>,
}

impl SignIn {
    /// Returns the same sign-in for another user. Attributes that hold the name, such as `email`, change with it.
    #[must_use]
    pub fn of_user(&self, user: &str) -> Self {
        let mut other = self.clone();
        for (_, value) in other.attributes.iter_mut().filter(|(_, value)| *value == self.user) {
            user.clone_into(value);
        }
        user.clone_into(&mut other.user);
        other
    }

    /// Returns the same sign-in for a user whom no check deletes, for requests by hand: `check@example.com` becomes
    /// `check+hand@example.com`, and a phone number gets another last digit.
    #[must_use]
    pub fn by_hand(&self) -> Self {
        let user =
            match (self.user.split_once('@'), self.user.strip_prefix('+').and_then(|digits| digits.chars().last())) {
                (Some((name, domain)), _) => format!("{name}+hand@{domain}"),
                (None, Some(last)) => {
                    let other = if last == '8' { '7' } else { '8' };
                    format!("{}{other}", &self.user[..self.user.len() - last.len_utf8()])
                }
                (None, None) => format!("{}-hand", self.user),
            };
        self.of_user(&user)
    }
}

/// A request that carries one token and returns another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Exchange {
    /// The request, without a token.
    pub check: LiveCheck,
    /// The field of the JSON response that holds the new token.
    pub token: String,
}

/// The limits of a system's latency, measured with a request that reaches a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Latency {
    /// The request.
    pub check: LiveCheck,
    /// The expected 95th percentile in milliseconds. A higher one is a warning.
    pub expected: u32,
    /// The highest 95th percentile in milliseconds. A higher one is a failure.
    pub p95: u32,
    /// The longest response time in milliseconds. A longer one is a failure.
    pub longest: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign_in(user: &str) -> SignIn {
        SignIn {
            stack: "data".to_owned(),
            pool_output: "PoolId".to_owned(),
            client_output: "ClientId".to_owned(),
            user: user.to_owned(),
            attributes: vec![("email".to_owned(), user.to_owned()), ("name".to_owned(), "Check".to_owned())],
            exchange: None,
            checks: Vec::new(),
        }
    }

    #[test]
    fn requests_by_hand_have_a_user_of_their_own() {
        for (user, expected) in [
            ("check@example.com", "check+hand@example.com"),
            ("+15555550199", "+15555550198"),
            ("+15555550198", "+15555550197"),
            ("checker", "checker-hand"),
        ] {
            let other = sign_in(user).by_hand();
            assert_eq!((other.user.as_str(), other.attributes[0].1.as_str()), (expected, expected));
            assert_eq!(other.attributes[1].1, "Check");
        }
    }

    #[test]
    fn a_preflight_asks_for_a_method() {
        let preflight = LiveCheck::preflight("Api", Method::Delete, "/", "https://example.com");
        assert_eq!(preflight.preflighted(), Some(Method::Delete));
        assert_eq!(LiveCheck::requires_token("Api", Method::Get, "/").preflighted(), None);
    }
}
