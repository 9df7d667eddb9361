//! Which browsers' pages may call: listed origins get CORS headers on every response, others get none.

use axum::{
    extract::{Request, State},
    http::{
        HeaderValue, Method, StatusCode,
        header::{
            ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
            ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ORIGIN, VARY,
        },
    },
    middleware::Next,
    response::{IntoResponse, Response},
};

/// The listed origins, and what their pages may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origins {
    listed: Vec<String>,
    policy: Policy,
}

/// What a listed origin's pages may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The methods they may use, comma-separated.
    pub methods: &'static str,
    /// The request headers they may set, comma-separated.
    pub headers: &'static str,
    /// The response headers they may read, comma-separated.
    pub exposed: &'static str,
    /// How long a browser may keep a preflight's answer, in seconds.
    pub max_age: &'static str,
    /// May they send cookies?
    pub credentials: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            methods: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
            headers: "Authorization, Content-Type",
            exposed: "Retry-After",
            // As long as for a bucket.
            max_age: "3000",
            credentials: false,
        }
    }
}

impl Origins {
    /// Reads a comma-separated list. An origin must be spelled as browsers send it: no path, no final slash.
    #[must_use]
    pub fn parse(list: &str) -> Self {
        let listed = list.split(',').map(str::trim).filter(|origin| !origin.is_empty()).map(str::to_owned).collect();
        Self { listed, policy: Policy::default() }
    }

    /// Replaces what the listed origins' pages may do.
    #[must_use]
    pub fn policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    fn listed(&self, origin: &HeaderValue) -> bool {
        self.listed.iter().any(|listed| listed.as_bytes() == origin.as_bytes())
    }
}

/// Answers preflights, which carry no token, and adds the headers to every other response.
pub(crate) async fn layer(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(ORIGIN).filter(|origin| origins.listed(origin)).cloned();
    let preflight = request.method() == Method::OPTIONS;
    let mut response = if preflight { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    // Also where no origin is allowed: a cache must not give this answer to a listed one.
    headers.append(VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = origin else { return response };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    let Policy { methods, headers: allowed, exposed, max_age, credentials } = origins.policy;
    if credentials {
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    if preflight {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(allowed));
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(max_age));
    } else {
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_compared_whole() {
        let origins = Origins::parse(" https://www.example.com ,,http://localhost:3000");
        for listed in ["https://www.example.com", "http://localhost:3000"] {
            assert!(origins.listed(&HeaderValue::from_static(listed)), "{listed}");
        }
        for other in
            ["https://www.example.com.evil.test", "https://example.com", "http://www.example.com", "null", "*", ""]
        {
            assert!(!origins.listed(&HeaderValue::from_static(other)), "{other}");
        }
    }
}
