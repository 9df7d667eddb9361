//! CORS: responses to listed origins carry the headers of a policy, responses to other origins carry none. A gateway may take care of
//! it instead.

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{
            ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
            ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ORIGIN, VARY,
        },
    },
    middleware::Next,
    response::{IntoResponse, Response},
};

/// The listed origins and their policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origins {
    listed: Vec<HeaderValue>,
    policy: Policy,
    /// Whether the gateway answers preflights and adds the headers.
    by_gateway: bool,
}

/// The permissions of pages of a listed origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The allowed methods, comma-separated.
    pub methods: &'static str,
    /// The request headers that pages may set, comma-separated.
    pub headers: &'static str,
    /// The response headers that pages may read, comma-separated.
    pub exposed: &'static str,
    /// How long browsers may cache the response to a preflight request, in seconds.
    pub max_age: u32,
    /// Whether pages may send cookies.
    pub credentials: bool,
    /// The status of the response to a preflight request.
    pub preflight_status: StatusCode,
    /// Whether a request without an origin is answered with the first listed one.
    pub first_without_origin: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            methods: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
            headers: "Authorization, Content-Type",
            exposed: "Retry-After",
            // The same as for buckets.
            max_age: 3000,
            credentials: false,
            preflight_status: StatusCode::NO_CONTENT,
            first_without_origin: false,
        }
    }
}

impl Origins {
    /// Parses a comma-separated list. Origins are written as browsers send them: without path or trailing slash.
    #[must_use]
    pub fn parse(list: &str) -> Self {
        let listed = list.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        let listed = listed.filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
        Self { listed, policy: Policy::default(), by_gateway: false }
    }

    /// Leaves CORS to the gateway: an HTTP API with a CORS configuration. Responses carry no header of it, and `OPTIONS` is a method like
    /// others.
    #[must_use]
    pub fn gateway() -> Self {
        Self { listed: Vec::new(), policy: Policy::default(), by_gateway: true }
    }

    /// Replaces the policy.
    #[must_use]
    pub fn policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// Returns the origin to allow for a request's origin.
    fn allowed(&self, origin: Option<&HeaderValue>) -> Option<&HeaderValue> {
        match origin {
            Some(origin) => self.listed.iter().find(|listed| *listed == origin),
            None if self.policy.first_without_origin => self.listed.first(),
            None => None,
        }
    }

    fn mark(&self, origin: Option<&HeaderValue>, is_preflight: bool, headers: &mut HeaderMap) {
        // Set for other origins too: a cache must not serve their response to a listed one.
        headers.append(VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = self.allowed(origin) else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        let policy = &self.policy;
        if policy.credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if is_preflight {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(policy.methods));
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(policy.headers));
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(policy.max_age));
        } else {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(policy.exposed));
        }
    }
}

/// Middleware that answers preflight requests, which carry no token, on any path. It adds the headers to every other
/// response.
pub async fn layer(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    if origins.by_gateway {
        return next.run(request).await;
    }
    let origin = request.headers().get(ORIGIN).cloned();
    let is_preflight = request.method() == Method::OPTIONS;
    let mut response =
        if is_preflight { origins.policy.preflight_status.into_response() } else { next.run(request).await };
    origins.mark(origin.as_ref(), is_preflight, response.headers_mut());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_compared_whole() {
        let origins = Origins::parse(" https://www.example.com ,,http://localhost:3000");
        for listed in ["https://www.example.com", "http://localhost:3000"] {
            let listed = HeaderValue::from_static(listed);
            assert_eq!(origins.allowed(Some(&listed)), Some(&listed));
        }
        for other in
            ["https://www.example.com.evil.test", "https://example.com", "http://www.example.com", "null", "*", ""]
        {
            assert_eq!(origins.allowed(Some(&HeaderValue::from_static(other))), None, "{other}");
        }
    }

    fn marked(list: &str, origin: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let policy = Policy { credentials: true, first_without_origin: true, ..Policy::default() };
        let origins = Origins::parse(list).policy(policy);
        origins.mark(origin.map(HeaderValue::from_static).as_ref(), true, &mut headers);
        headers
    }

    #[test]
    fn a_request_without_an_origin_may_get_the_first_listed_one() {
        let list = "http://localhost:3000, https://app.example.com";
        for (origin, allowed) in [
            (Some("https://app.example.com"), Some("https://app.example.com")),
            (None, Some("http://localhost:3000")),
            (Some("https://app.example.com.evil.test"), None),
            (Some("https://evil.example.com"), None),
            (Some("null"), None),
        ] {
            let headers = marked(list, origin);
            let actual = headers.get(ACCESS_CONTROL_ALLOW_ORIGIN).map(|value| value.to_str().expect("a text"));
            assert_eq!(actual, allowed, "{origin:?}");
            assert_eq!(headers[VARY], "Origin");
            if allowed.is_none() {
                assert_eq!(headers.len(), 1, "{headers:?}");
            } else {
                assert_eq!(headers[ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
                assert_eq!(headers[ACCESS_CONTROL_MAX_AGE], "3000");
            }
        }
        assert_eq!(Origins::parse(list).allowed(None), None);
    }

    #[test]
    fn an_empty_list_allows_no_origin() {
        assert_eq!(marked("", Some("https://app.example.com")).len(), 1);
        assert_eq!(marked(" , ", None).len(), 1);
    }
}
