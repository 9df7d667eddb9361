//! Why the gate refuses a request, and the response that the caller's SDK understands.

use hyper::{
    HeaderMap, Response, StatusCode,
    body::Bytes,
    header::{CONTENT_TYPE, HeaderValue},
    http::request::Parts,
};

/// The header that names the error in JSON protocols (AWS JSON 1.1 protocol, "Operation error serialization").
const ERROR_TYPE: &str = "x-amzn-errortype";

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// The name that the client used is not the local cloud's.
    #[error("the Host header names neither this machine nor a name of the local cloud")]
    Host,
    /// A page of another origin sent it.
    #[error("the origin is not in `allowed_origins` of the stage")]
    Origin,
    /// A browser sent a call that only programs may send.
    #[error("a browser may call only deployed APIs, sites, Cognito's unsigned operations and presigned S3 URLs")]
    Browser,
    /// It asks for a WebSocket of something else than an API.
    #[error("only deployed WebSocket APIs accept WebSockets")]
    WebSocket,
    /// It has no signature.
    #[error("the call is not signed; sign it with the keys in the local cloud's file `credentials`")]
    Unsigned,
    /// Its signature is by another secret, or it was changed after signing.
    #[error("the signature does not match; sign it with the keys in the local cloud's file `credentials`")]
    Signature,
    /// A presigned URL is used too late.
    #[error("the presigned URL has expired")]
    Expired,
    /// The clocks of the caller and of the gate differ.
    #[error("the signature's time is more than 15 minutes before or after the time of the gate; sign the call again")]
    Time,
    /// The body is not the signed one.
    #[error("the hash of the body differs from the signed hash")]
    Body,
    /// The body is too large for its hash to be verified.
    #[error("the body is too large for its hash to be verified")]
    Large,
    /// The request is ambiguous or incomplete.
    #[error("the request is malformed")]
    Malformed,
}

impl Refusal {
    /// The code of the error, as AWS calls it (AWS general reference, "Common errors"; S3 API reference, "Error responses").
    const fn code(self) -> &'static str {
        match self {
            Self::Host | Self::Origin | Self::Browser | Self::WebSocket => "AccessDenied",
            Self::Unsigned => "MissingAuthenticationToken",
            Self::Signature => "InvalidSignatureException",
            Self::Expired => "RequestExpired",
            Self::Time => "RequestTimeTooSkewed",
            Self::Body => "XAmzContentSHA256Mismatch",
            Self::Large => "EntityTooLarge",
            Self::Malformed => "IncompleteSignature",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::Body | Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Large => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::FORBIDDEN,
        }
    }

    /// The response, in the protocol of the request: JSON, a form's XML, or S3's XML. It allows no origin to read it.
    pub(super) fn response(self, head: &Parts) -> Response<Bytes> {
        let (code, message) = (self.code(), format!("the local cloud's gate refused the call: {self}"));
        let (kind, body) = match Protocol::of(&head.headers) {
            Protocol::Json => ("application/json", format!(r#"{{"__type":"{code}","message":"{message}"}}"#)),
            Protocol::Form => (
                "text/xml",
                format!(
                    "<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
                ),
            ),
            Protocol::S3 => {
                ("application/xml", format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"))
            }
        };
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = self.status();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        response.headers_mut().insert(ERROR_TYPE, HeaderValue::from_static(code));
        response
    }
}

/// The form in which the caller expects an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Json,
    Form,
    S3,
}

impl Protocol {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // The signature names the service: `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
        match text("authorization").split('/').nth(3) {
            Some("s3") => Self::S3,
            _ if text("content-type").starts_with("application/x-www-form-urlencoded") => Self::Form,
            Some(_) => Self::Json,
            None if headers.contains_key("x-amz-target") => Self::Json,
            None => Self::S3,
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn refused(headers: &[(&str, &str)]) -> (StatusCode, String) {
        let request = headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
        let (head, ()) = request.body(()).expect("a request").into_parts();
        let response = Refusal::Signature.response(&head);
        assert!(!response.headers().contains_key("access-control-allow-origin"));
        (response.status(), String::from_utf8(response.into_body().to_vec()).expect("UTF-8"))
    }

    #[test]
    fn a_refusal_is_an_error_of_the_callers_protocol() {
        let of = |service: &str| format!("AWS4-HMAC-SHA256 Credential=1/20260101/us-east-1/{service}/aws4_request");
        let (status, text) = refused(&[("authorization", &of("lambda"))]);
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(
            text.starts_with(r#"{"__type":"InvalidSignatureException","message":"the local cloud's gate "#),
            "{text}"
        );
        let (_, text) = refused(&[("authorization", &of("s3"))]);
        assert!(text.starts_with("<Error><Code>InvalidSignatureException</Code>"), "{text}");
        let form = ("content-type", "application/x-www-form-urlencoded");
        let (_, text) = refused(&[("authorization", &of("cloudformation")), form]);
        assert!(text.starts_with("<ErrorResponse><Error><Code>InvalidSignatureException</Code>"), "{text}");
        assert!(refused(&[("x-amz-target", "X.Y")]).1.starts_with('{'));
        assert!(refused(&[]).1.starts_with("<Error>"));
    }
}
