//! Parameters of queries and paths.

use axum::{
    extract::{FromRequestParts, Path, Query as AxumQuery},
    http::request::Parts,
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{
    error::{ApiError, Fault},
    schema::Shape,
};
use crate::domain::names;

/// The parameters of a query, which match the schema of their type. Unknown parameters are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: JsonSchema + DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let fault = || {
            ApiError::invalid(&[Fault {
                loc: vec!["query".to_owned()],
                msg: "is not a valid query string".to_owned(),
                kind: "value_error",
            }])
        };
        let AxumQuery(pairs) = AxumQuery::<Vec<(String, String)>>::try_from_uri(&parts.uri).map_err(|_| fault())?;
        let shape = Shape::of::<T>();
        let mut given = Map::new();
        for (name, text) in pairs {
            if let Some((_, schema)) = shape.properties().find(|(known, _)| **known == name) {
                given.insert(name, typed(text, schema));
            }
        }
        let faults = shape.faults("query", &given);
        if !faults.is_empty() {
            return Err(ApiError::invalid(&faults));
        }
        serde_json::from_value(Value::Object(given)).map(Self).map_err(|_| fault())
    }
}

/// Converts the text of a parameter to its type. A text that is not an integer stays a text, which the schema refuses.
fn typed(text: String, schema: &Value) -> Value {
    let is_number = text.strip_prefix('-').unwrap_or(&text).bytes().all(|byte| byte.is_ascii_digit());
    let number = if schema["type"] == "integer" && is_number { text.parse::<i64>().ok() } else { None };
    number.map_or(Value::String(text), Value::from)
}

/// The user in the path of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserId(pub u64);

impl<S: Send + Sync> FromRequestParts<S> for UserId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let fault = || {
            ApiError::invalid(&[Fault::new(
                "path",
                "user_id",
                "int_parsing",
                "must be the ID of a user: a positive integer",
            )])
        };
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| fault())?;
        names::user_id(&text).map(Self).ok_or_else(fault)
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::Request;
    use serde::Deserialize;

    use super::*;

    fn first() -> u64 {
        1
    }

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    struct List {
        #[serde(default = "first")]
        #[schemars(range(min = 1, max = 1000))]
        page: u64,
        status_filter: Option<String>,
    }

    async fn read(query: &str) -> Result<List, Value> {
        let request = Request::builder().uri(format!("/list?{query}")).body(()).expect("a request");
        let (mut parts, ()) = request.into_parts();
        let read = Query::<List>::from_request_parts(&mut parts, &()).await;
        read.map(|Query(list)| list).map_err(|error| error.detail().clone())
    }

    #[tokio::test(flavor = "current_thread")]
    async fn parameters_have_defaults_and_types() {
        assert_eq!(read("").await, Ok(List { page: 1, status_filter: None }));
        let expected = List { page: 7, status_filter: Some("12".to_owned()) };
        assert_eq!(read("page=7&status_filter=12&unknown=x").await, Ok(expected));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn parameters_that_are_no_integers_in_range_are_refused() {
        for page in ["0", "-1", "1001", "1.5", "x", "", "+1", "%D9%A1", "99999999999999999999", "1e3"] {
            let detail = read(&format!("page={page}")).await.expect_err(page);
            assert_eq!(detail[0]["loc"], serde_json::json!(["query", "page"]), "{page}");
        }
    }
}
