//! CORS: a listed origin is echoed, a request without an origin gets the first listed one, and any other origin gets no
//! header.

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
use thakii_contract::limits::CORS_MAX_AGE;

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, DELETE, OPTIONS");
const HEADERS: HeaderValue = HeaderValue::from_static("Content-Type, Authorization");
const EXPOSED: HeaderValue = HeaderValue::from_static("X-Next-Token");

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Origins(Vec<HeaderValue>);

impl Origins {
    /// Parses a comma-separated list. Origins are written as browsers send them: without path or trailing slash.
    pub(crate) fn parse(list: &str) -> Self {
        let origins = list.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        Self(origins.filter_map(|origin| HeaderValue::from_str(origin).ok()).collect())
    }

    /// Returns the origin to allow for a request's origin.
    fn allowed(&self, origin: Option<&HeaderValue>) -> Option<&HeaderValue> {
        match origin {
            Some(origin) => self.0.iter().find(|listed| *listed == origin),
            None => self.0.first(),
        }
    }

    fn mark(&self, origin: Option<&HeaderValue>, preflight: bool, headers: &mut HeaderMap) {
        // Set for rejected origins too: a cache must not serve their response to a listed one.
        headers.append(VARY, HeaderValue::from_static("Origin"));
        let Some(allowed) = self.allowed(origin) else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed.clone());
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        if preflight {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(CORS_MAX_AGE));
        }
    }
}

/// Answers preflight requests, which carry no token, on any path. Adds headers to all other responses.
pub(crate) async fn layer(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(ORIGIN).cloned();
    let preflight = request.method() == Method::OPTIONS;
    let mut response = if preflight { StatusCode::OK.into_response() } else { next.run(request).await };
    origins.mark(origin.as_ref(), preflight, response.headers_mut());
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(list: &str, origin: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        Origins::parse(list).mark(origin.map(HeaderValue::from_static).as_ref(), true, &mut headers);
        headers
    }

    #[test]
    fn only_listed_origins_are_echoed() {
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
    }

    #[test]
    fn an_empty_list_allows_no_origin() {
        assert_eq!(marked("", Some("https://app.example.com")).len(), 1);
        assert_eq!(marked(" , ", None).len(), 1);
    }
}
