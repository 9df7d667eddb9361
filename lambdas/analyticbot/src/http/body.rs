//! JSON bodies.

use analyticbot_contract::limits::BODY_BYTES;
use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, header::CONTENT_TYPE},
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Value, error::Category};

use super::{
    error::{ApiError, Code, Fault},
    schema::Shape,
    unique::Unique,
};

/// A JSON body that matches the schema of its type. Unknown fields are ignored, and duplicate ones refused.
///
/// An error never contains a part of the body: it may be a token or a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: JsonSchema + DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let is_json = is_json(request.headers());
        let too_large = || ApiError::new(Code::PayloadTooLarge, "The body is larger than 64 KiB");
        let bytes = Bytes::from_request(request, state).await.map_err(|_| too_large())?;
        if bytes.len() > BODY_BYTES {
            return Err(too_large());
        }
        if !is_json {
            return Err(ApiError::new(Code::UnsupportedMediaType, "The content type must be application/json"));
        }
        parse(&bytes).map(Self)
    }
}

fn parse<T: JsonSchema + DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let fault =
        |kind, msg: &str| ApiError::invalid(&[Fault { loc: vec!["body".to_owned()], msg: msg.to_owned(), kind }]);
    let Unique(body) = serde_json::from_slice(bytes).map_err(|error: serde_json::Error| match error.classify() {
        // JSON that `Unique` refuses.
        Category::Data => fault("duplicate_key", "contains a duplicate key"),
        // JSON that is nested too deeply is among the syntax errors.
        _ => fault("json_invalid", "is not valid JSON"),
    })?;
    let Value::Object(fields) = body else { return Err(fault("object_type", "must be a JSON object")) };
    let faults = Shape::of::<T>().faults("body", &fields);
    if !faults.is_empty() {
        return Err(ApiError::invalid(&faults));
    }
    // The schema has found every fault, so that this error is one of the type itself.
    serde_json::from_value(Value::Object(fields)).map_err(|_| fault("value_error", "does not match the schema"))
}

fn is_json(headers: &HeaderMap) -> bool {
    let declared = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = declared.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    struct Create {
        #[schemars(length(min = 1))]
        bot_token: String,
        #[schemars(range(min = 1, max = 100))]
        rate: Option<u32>,
    }

    async fn read(content_type: &str, body: impl Into<Body>) -> Result<Create, (u16, Value)> {
        let request = Request::builder().header(CONTENT_TYPE, content_type).body(body.into()).expect("a request");
        let read = Json::<Create>::from_request(request, &()).await;
        read.map(|Json(body)| body).map_err(|error| (error.code().status(), error.detail().clone()))
    }

    const SECRET: &str = "1001:VALID-xxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

    #[tokio::test(flavor = "current_thread")]
    async fn a_body_matches_its_schema() {
        let body = format!(r#"{{"bot_token":"{SECRET}","unknown":[]}}"#);
        for content_type in ["application/json", "Application/JSON; charset=utf-8"] {
            let read = read(content_type, body.clone()).await.expect("valid");
            assert_eq!(read, Create { bot_token: SECRET.to_owned(), rate: None });
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_fault_names_the_field_and_never_echoes_the_body() {
        let bodies = [
            (format!(r#"{{"bot_token":"{SECRET}","rate":0}}"#), "greater_than_equal"),
            (format!(r#"{{"bot_token":["{SECRET}"]}}"#), "string_type"),
            (format!(r#"{{"bot_token":"{SECRET}","bot_token":"{SECRET}"}}"#), "duplicate_key"),
            (format!(r#"{{"{SECRET}":1,"{SECRET}":2,"bot_token":"a"}}"#), "duplicate_key"),
            (format!(r#"{{"bot_token":"{SECRET}""#), "json_invalid"),
            (format!(r#""{SECRET}""#), "object_type"),
            (format!(r#"{{"{SECRET}":1}}"#), "missing"),
            (String::new(), "json_invalid"),
            (format!(r#"{{"bot_token":"{SECRET}","unknown":{}{}}}"#, "[".repeat(200), "]".repeat(200)), "json_invalid"),
        ];
        for (body, kind) in bodies {
            let (status, detail) = read("application/json", body.clone()).await.expect_err(&body);
            assert_eq!((status, detail[0]["type"].as_str()), (422, Some(kind)), "{body}");
            assert!(!detail.to_string().contains("VALID"), "{detail}");
            assert_eq!(detail[0]["loc"][0], "body");
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn large_bodies_and_other_types_have_their_own_status() {
        let large = format!(r#"{{"bot_token":"{}"}}"#, "x".repeat(64 * 1024));
        assert_eq!(read("application/json", large).await.expect_err("too large").0, 413);
        let exact = format!(r#"{{"bot_token":"{}"}}"#, "x".repeat(64 * 1024 - 16));
        assert_eq!(exact.len(), BODY_BYTES);
        assert!(read("application/json", exact).await.is_ok());
        for other in ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "multipart/form-data"]
        {
            assert_eq!(read(other, r#"{"bot_token":"a"}"#).await.expect_err("no JSON").0, 415, "{other}");
        }
    }
}
