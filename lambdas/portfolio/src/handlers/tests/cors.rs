//! CORS headers.

use serde_json::Value;

use crate::testing::{Function, Request, script::Script};

async fn from(origin: &str, method: &str, path: &str) -> crate::testing::Answer {
    Function::new(Script::new()).send(Request::new(method, path).header("Origin", origin)).await
}

#[tokio::test(flavor = "current_thread")]
async fn a_preflight_of_a_listed_origin_gets_the_permissions() {
    for origin in ["https://example.com", "https://www.example.com"] {
        let answer = from(origin, "OPTIONS", "/v1/blog/posts").await;
        assert_eq!((answer.status(), answer.text()), (204, ""));
        for (name, expected) in [
            ("access-control-allow-origin", origin),
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-methods", "GET, POST, PUT, PATCH, DELETE, OPTIONS"),
            (
                "access-control-allow-headers",
                "Content-Type, Authorization, X-Amz-Date, X-Api-Key, X-Amz-Security-Token, X-Session-Id",
            ),
            ("access-control-max-age", "600"),
            ("vary", "Origin"),
        ] {
            assert_eq!(answer.header(name), Some(expected), "{name}");
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_listed_origin_can_read_responses_and_errors() {
    for (path, status) in [("/health", 200), ("/v1/auth/me", 401), ("/v1/nowhere", 404)] {
        let answer = from("https://example.com", "GET", path).await;
        assert_eq!(answer.status(), status);
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://example.com"));
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn other_origins_get_no_header() {
    for origin in ["https://evil.test", "https://example.com.evil.test", "http://example.com", "null", "*"] {
        for (method, path) in [("OPTIONS", "/v1/blog/posts"), ("GET", "/health")] {
            let answer = from(origin, method, path).await;
            let Value::Object(headers) = answer.headers() else { panic!("no headers") };
            assert!(!headers.keys().any(|name| name.starts_with("access-control-")), "{origin}: {headers:?}");
            assert_eq!(answer.header("vary"), Some("Origin"));
        }
    }
}
