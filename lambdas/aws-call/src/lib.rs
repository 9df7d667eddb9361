//! Single calls of AWS APIs.
//!
//! An SDK crate compiles every operation of its service: a minute of CPU for Systems Manager or CloudFront, whether one operation is
//! used or all. [`Call`] sends one operation through the same runtime: the credentials, HTTP client, retries, timeouts and
//! interceptors of an [`SdkConfig`]. It is for services of which a call or two are needed; others keep their SDK crate.

mod endpoint;
mod error;
mod plugin;
#[cfg(test)]
mod tests;

use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        orchestrator::{HttpRequest, HttpResponse, OrchestratorError},
        result::SdkError,
    },
};
use aws_smithy_types::{body::SdkBody, retry::RetryConfig, timeout::TimeoutConfig};
use aws_types::SdkConfig;
use serde_json::Value;

pub use endpoint::Service;
pub use error::ApiError;

/// The error of a call: of the service, the network, or the credentials.
pub type CallError = SdkError<ApiError, HttpResponse>;

/// One call of an operation.
#[derive(Debug, Clone)]
pub struct Call {
    service: Service,
    operation: &'static str,
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Call {
    /// A call in a JSON protocol: `version` is `1.0` or `1.1`, and `target` the prefix of the header `X-Amz-Target`.
    /// Each service's API reference names both ("Making API requests").
    #[must_use]
    pub fn json(service: Service, version: &str, target: &str, operation: &'static str, input: &Value) -> Self {
        let headers = vec![
            ("content-type", format!("application/x-amz-json-{version}")),
            ("x-amz-target", format!("{target}.{operation}")),
        ];
        Self { service, operation, method: "POST", path: "/".to_owned(), headers, body: input.to_string() }
    }

    /// A call in the REST-XML protocol. `path` is encoded already, and `body` is XML.
    #[must_use]
    pub fn xml(service: Service, operation: &'static str, path: String, body: String) -> Self {
        let headers = vec![("content-type", "application/xml".to_owned())];
        Self { service, operation, method: "POST", path, headers, body }
    }

    /// Sends the call; returns the response's body.
    ///
    /// # Errors
    ///
    /// As those of an SDK client: [`SdkError::ServiceError`] has the code and the message of AWS.
    pub async fn send(self, config: &SdkConfig) -> Result<Vec<u8>, CallError> {
        let operation = Operation::builder()
            .service_name(self.service.signing_name)
            .operation_name(self.operation)
            .timeout_config(config.timeout_config().cloned().unwrap_or_else(TimeoutConfig::disabled))
            .standard_retry(&config.retry_config().cloned().unwrap_or_else(RetryConfig::standard))
            .endpoint_url(&self.service.endpoint(config))
            .with_connection_poisoning()
            .runtime_plugin(plugin::Signed::new(self.service, config))
            .serializer(|call: Self| call.into_request())
            .deserializer(read);
        let operation = match config.behavior_version() {
            Some(version) => operation.behavior_version(version),
            None => operation,
        };
        operation.build().invoke(self).await
    }

    fn into_request(self) -> Result<HttpRequest, BoxError> {
        let length = self.body.len();
        let mut request = HttpRequest::new(SdkBody::from(self.body));
        request.set_method(self.method)?;
        request.set_uri(self.path)?;
        for (name, value) in self.headers {
            request.headers_mut().try_insert(name, value)?;
        }
        request.headers_mut().try_insert("content-length", length.to_string())?;
        Ok(request)
    }
}

fn read(response: &HttpResponse) -> Result<Vec<u8>, OrchestratorError<ApiError>> {
    let body = response.body().bytes().unwrap_or_default();
    if response.status().is_success() {
        Ok(body.to_vec())
    } else {
        Err(OrchestratorError::operation(ApiError::read(response, body)))
    }
}
