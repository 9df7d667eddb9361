//! What the gateway answers itself, when a request never reaches a function.

use crate::{
    resources::api_gateway::GatewayResponse,
    template::{Reference, Resource, Stack, Text, json::camel, set},
};

/// An error of the gateway's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayError {
    /// The type, for example `THROTTLED` (API Gateway developer guide, "Gateway response types for API Gateway").
    pub kind: &'static str,
    /// The status; `None` keeps the error's own, which the two defaults must, since they stand for many errors.
    pub status: Option<u16>,
    /// The JSON body, in which the gateway's variables `$context.…` are filled in.
    pub body: String,
    /// Further headers, by name.
    pub headers: Vec<(&'static str, String)>,
}

impl GatewayError {
    /// An error with this body and no further headers.
    #[must_use]
    pub fn new(kind: &'static str, status: Option<u16>, body: impl Into<String>) -> Self {
        Self { kind, status, body: body.into(), headers: Vec::new() }
    }

    /// Also with this header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Adds the response to an API; browsers of `origin` may read it.
    pub(super) fn add_to(&self, stack: &mut Stack, id: &str, api: &Reference, origin: &str) -> Reference {
        let parameter =
            |(name, value): (&str, &str)| (format!("gatewayresponse.header.{name}"), Text::from(format!("'{value}'")));
        let headers = self.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let headers = std::iter::once(("Access-Control-Allow-Origin", origin)).chain(headers);
        let response = GatewayResponse {
            rest_api_id: set(api.id()),
            response_type: set(self.kind),
            status_code: self.status.map(|status| Text::from(status.to_string())),
            response_parameters: Some(headers.map(parameter).collect()),
            response_templates: Some([("application/json".to_owned(), Text::from(&self.body))].into()),
        };
        let logical_id = format!("{id}{}Response", camel(&self.kind.to_lowercase()));
        stack.resource(&logical_id, Resource::of(response))
    }
}

/// The gateway's own errors that get the functions' body, each with its status: templates of gateway responses know
/// the error's type, but not its status.
const PLAIN: &[(&str, u16)] = &[
    ("DEFAULT_4XX", 400),
    ("DEFAULT_5XX", 500),
    ("ACCESS_DENIED", 403),
    ("MISSING_AUTHENTICATION_TOKEN", 403),
    ("REQUEST_TOO_LARGE", 413),
    ("THROTTLED", 429),
    ("UNAUTHORIZED", 401),
];

/// The errors of an API that does not say otherwise, in the body that `common`'s errors have.
pub(super) fn plain() -> Vec<GatewayError> {
    let error = |(kind, status): &(&'static str, u16)| {
        let body = format!(
            r#"{{"error":"$context.error.responseType","message":$context.error.messageString,"statusCode":{status}}}"#
        );
        GatewayError::new(kind, (!kind.starts_with("DEFAULT")).then_some(*status), body)
    };
    PLAIN.iter().map(error).collect()
}
