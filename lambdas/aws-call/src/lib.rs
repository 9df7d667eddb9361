//! Single calls of AWS APIs.
//!
//! An SDK crate compiles every operation of its service: a minute of CPU for Systems Manager or CloudFront, whether one operation is
//! used or all. [`Call`] sends one operation through the same runtime: the credentials, HTTP client, retries, timeouts and
//! interceptors of an [`SdkConfig`]. It is for services of which a few operations are needed; others keep their SDK crate.

mod endpoint;
mod error;
mod plugin;
pub mod services;
#[cfg(test)]
mod tests;

use std::fmt;

use aws_smithy_runtime::client::{orchestrator::operation::Operation, retries::RetryPartition};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        orchestrator::{HttpRequest, HttpResponse, OrchestratorError},
        result::SdkError,
    },
};
use aws_smithy_types::{body::SdkBody, retry::RetryConfig, timeout::TimeoutConfig};
use aws_types::SdkConfig;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use endpoint::{JsonService, Service};
pub use error::{ApiError, element};

/// The error of a call: of the service, the network, or the credentials.
pub type CallError = SdkError<ApiError, HttpResponse>;

/// One call of an operation.
#[derive(Clone)]
pub struct Call {
    service: Service,
    operation: &'static str,
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: String,
    endpoint: Option<String>,
    is_signed: bool,
    quota: Option<RetryPartition>,
}

/// Without the body: passwords are in it.
impl fmt::Debug for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let call = (self.service.signing_name, self.operation, self.method, &self.path);
        formatter.debug_tuple("Call").field(&call).finish_non_exhaustive()
    }
}

impl Call {
    /// A call in a JSON protocol.
    #[must_use]
    pub fn json(service: JsonService, operation: &'static str, input: &Value) -> Self {
        let JsonService { service, version, target } = service;
        let headers = vec![
            ("content-type", format!("application/x-amz-json-{version}")),
            ("x-amz-target", format!("{target}.{operation}")),
        ];
        Self::post(service, operation, "/".to_owned(), headers, input.to_string())
    }

    /// A call in the REST-XML protocol. `path` is encoded already, and `body` is XML.
    #[must_use]
    pub fn xml(service: Service, operation: &'static str, path: String, body: String) -> Self {
        Self::post(service, operation, path, vec![("content-type", "application/xml".to_owned())], body)
    }

    /// A call in the REST-JSON protocol. `path` is encoded already, for example with [`encoded`], and `body` is JSON or empty.
    #[must_use]
    pub fn rest(service: Service, operation: &'static str, method: &'static str, path: String, body: String) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { method, ..Self::post(service, operation, path, headers, body) }
    }

    /// A call in the query protocol, of an API version such as `2010-03-31`.
    #[must_use]
    pub fn query(service: Service, version: &str, operation: &'static str, parameters: &[(&str, &str)]) -> Self {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.append_pair("Action", operation).append_pair("Version", version).extend_pairs(parameters);
        let headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
        Self::post(service, operation, "/".to_owned(), headers, body.finish())
    }

    fn post(
        service: Service,
        operation: &'static str,
        path: String,
        headers: Vec<(&'static str, String)>,
        body: String,
    ) -> Self {
        Self { service, operation, method: "POST", path, headers, body, endpoint: None, is_signed: true, quota: None }
    }

    /// Sends the call to this URL instead of the service's own, for services with an endpoint for each resource. A URL without a host,
    /// `/…`, is a path below the configured endpoint of all services.
    #[must_use]
    pub fn at(self, endpoint: &str) -> Self {
        Self { endpoint: Some(endpoint.to_owned()), ..self }
    }

    /// Leaves out the signature, for operations that clients without credentials use.
    #[must_use]
    pub fn unsigned(self) -> Self {
        Self { is_signed: false, ..self }
    }

    /// The same call with a retry quota of its caller's, instead of the one that all calls of its service share in this program.
    #[must_use]
    pub fn within(self, quota: RetryPartition) -> Self {
        Self { quota: Some(quota), ..self }
    }

    /// The name of the call's service in signatures.
    #[must_use]
    pub fn service(&self) -> &'static str {
        self.service.signing_name
    }

    /// Sends the call; returns the response's body.
    ///
    /// # Errors
    ///
    /// The errors of an SDK client: [`SdkError::ServiceError`] has the code and the message of AWS.
    pub async fn send(self, config: &SdkConfig) -> Result<Vec<u8>, CallError> {
        self.invoke(config, |body| Ok(body.to_vec())).await
    }

    /// Sends the call; reads the response's JSON.
    ///
    /// # Errors
    ///
    /// The errors of [`Call::send`], and [`SdkError::ResponseError`] if the response is not JSON of this type.
    pub async fn receive<T>(self, config: &SdkConfig) -> Result<T, CallError>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        self.invoke(config, |body| serde_json::from_slice(body).map_err(Into::into)).await
    }

    async fn invoke<T>(self, config: &SdkConfig, read: fn(&[u8]) -> Result<T, BoxError>) -> Result<T, CallError>
    where
        T: Send + Sync + 'static,
    {
        let operation = Operation::builder()
            .service_name(self.service.signing_name)
            .operation_name(self.operation)
            .timeout_config(config.timeout_config().cloned().unwrap_or_else(TimeoutConfig::disabled))
            .standard_retry(&config.retry_config().cloned().unwrap_or_else(RetryConfig::standard))
            .endpoint_url(&self.url(config))
            .with_connection_poisoning()
            .runtime_plugin(plugin::Configured::new(&self, config))
            .serializer(|call: Self| call.into_request())
            .deserializer(move |response: &HttpResponse| {
                let body = response.body().bytes().unwrap_or_default();
                if response.status().is_success() {
                    read(body).map(Output).map_err(OrchestratorError::response)
                } else {
                    Err(OrchestratorError::operation(ApiError::read(response, body)))
                }
            });
        let operation = match config.behavior_version() {
            Some(version) => operation.behavior_version(version),
            None => operation,
        };
        operation.build().invoke(self).await.map(|Output(output)| output)
    }

    /// The URL that the path is below.
    fn url(&self, config: &SdkConfig) -> String {
        match &self.endpoint {
            Some(path) if path.starts_with('/') => {
                format!("{}{path}", self.service.endpoint(config).trim_end_matches('/'))
            }
            Some(url) => url.clone(),
            None => self.service.endpoint(config),
        }
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

/// Encodes a text as one segment of a path (RFC 3986, section 2.3: every character but the unreserved ones).
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The result of a call. The runtime requires `Debug`, but a response may contain secrets.
struct Output<T>(T);

impl<T> fmt::Debug for Output<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("Output")
    }
}
