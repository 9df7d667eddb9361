//! The gateway's own error responses, to requests that do not reach a function.

use crate::{
    resources::api_gateway::GatewayResponse,
    template::{Reference, Resource, Stack, Text, json::camel, set},
};

/// The response type of a throttled request.
const THROTTLED: &str = "THROTTLED";

/// An `AWS::ApiGateway::GatewayResponse`: an error response of the gateway's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayError {
    /// The response type, for example `THROTTLED` (API Gateway developer guide, "Gateway response types for API Gateway").
    pub response_type: &'static str,
    /// The status. `None` keeps the error's own status, as the two defaults must, because they cover many errors.
    pub status: Option<u16>,
    /// The JSON body. The gateway fills in its variables `$context.…`.
    pub body: String,
    /// Additional headers, by name.
    pub headers: Vec<(&'static str, String)>,
}

impl GatewayError {
    /// Creates an error response. That to a throttled request says when to try again: throttles are rates per second.
    #[must_use]
    pub fn new(response_type: &'static str, status: Option<u16>, body: impl Into<String>) -> Self {
        let headers = if response_type == THROTTLED { vec![("Retry-After", "1".to_owned())] } else { Vec::new() };
        Self { response_type, status, body: body.into(), headers }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Adds the response to an API. Browsers of `origin` may read it.
    pub(super) fn add_to(&self, stack: &mut Stack, id: &str, api: &Reference, origin: &str) {
        let parameter =
            |(name, value): (&str, &str)| (format!("gatewayresponse.header.{name}"), Text::from(format!("'{value}'")));
        let headers = self.headers.iter().map(|(name, value)| (*name, value.as_str()));
        let headers = std::iter::once(("Access-Control-Allow-Origin", origin)).chain(headers);
        let response = GatewayResponse {
            rest_api_id: set(api.id()),
            response_type: set(self.response_type),
            status_code: self.status.map(|status| Text::from(status.to_string())),
            response_parameters: Some(headers.map(parameter).collect()),
            response_templates: Some([("application/json".to_owned(), Text::from(&self.body))].into()),
        };
        let logical_id = format!("{id}{}Response", camel(&self.response_type.to_lowercase()));
        stack.resource(&logical_id, Resource::of(response));
    }
}

/// The errors whose responses have the body of functions' errors. Each has its status here, because a response template
/// knows the error's type, but not its status.
const DEFAULT_ERRORS: &[(&str, u16)] = &[
    ("DEFAULT_4XX", 400),
    ("DEFAULT_5XX", 500),
    ("ACCESS_DENIED", 403),
    ("MISSING_AUTHENTICATION_TOKEN", 403),
    ("REQUEST_TOO_LARGE", 413),
    (THROTTLED, 429),
    ("UNAUTHORIZED", 401),
];

/// Returns the error responses of an API that does not replace them, in the form of the crate `common`'s errors.
pub(super) fn default_errors() -> Vec<GatewayError> {
    let error = |(kind, status): &(&'static str, u16)| {
        let body = format!(
            r#"{{"error":"$context.error.responseType","message":$context.error.messageString,"statusCode":{status}}}"#
        );
        GatewayError::new(kind, (!kind.starts_with("DEFAULT")).then_some(*status), body)
    };
    DEFAULT_ERRORS.iter().map(error).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttled_clients_are_asked_to_wait() {
        let waits = |error: &GatewayError| error.headers.iter().any(|(name, _)| *name == "Retry-After");
        for error in default_errors() {
            assert_eq!(waits(&error), error.status == Some(429), "{}", error.response_type);
        }
    }
}
