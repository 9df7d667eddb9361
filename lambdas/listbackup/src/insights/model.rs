//! A language model behind an endpoint with the form of OpenAI's chat completions. Its key is a parameter of Systems Manager and is
//! never logged.

use std::sync::OnceLock;

use aws_call::{Call, CallError, services::SYSTEMS_MANAGER};
use aws_config::SdkConfig;
use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest, result::ConnectorError};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream, error::metadata::ProvideErrorMetadata};
use serde_json::{Value, json};

/// The model.
const MODEL: &str = "gpt-4o-mini";
/// The instruction.
const INSTRUCTION: &str =
    "You explain the figures of a backup to its owner in at most two short sentences. Use only the figures.";
/// The most bytes of a response.
const LARGEST: usize = 64 * 1024;
/// The most characters of a text.
const LONGEST: usize = 500;

/// The model of a stage.
#[derive(Debug)]
pub(super) struct Model {
    aws: SdkConfig,
    url: String,
    parameter: String,
    /// Created on first use: reading the system's certificates takes time.
    connector: OnceLock<Connector>,
}

/// Why the model wrote no text.
#[derive(Debug, thiserror::Error)]
pub(super) enum ModelError {
    /// Boxed, because the SDK's error is large.
    #[error("failed to read the key of the model")]
    Key(#[source] Box<CallError>),
    #[error("the endpoint or the key of the model is malformed")]
    Request,
    #[error("failed to call the model")]
    Call(#[from] ConnectorError),
    #[error("the model answered with status {0}")]
    Status(u16),
    #[error("the response of the model cannot be read")]
    Response,
}

impl Model {
    pub(super) fn new(aws: SdkConfig, url: String, parameter: String) -> Self {
        Self { aws, url, parameter, connector: OnceLock::new() }
    }

    /// Writes about figures; `None` if the stage has no key.
    pub(super) async fn write(&self, figures: &Value) -> Result<Option<String>, ModelError> {
        let Some(key) = self.key().await? else { return Ok(None) };
        let response = self.connector().call(self.request(figures, &key)?).await?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(ModelError::Status(status));
        }
        let mut body = ByteStream::new(response.into_body());
        let mut bytes = Vec::new();
        while let Some(chunk) = body.next().await {
            bytes.extend_from_slice(&chunk.map_err(|_| ModelError::Response)?);
            if bytes.len() > LARGEST {
                return Err(ModelError::Response);
            }
        }
        let answer: Value = serde_json::from_slice(&bytes).map_err(|_| ModelError::Response)?;
        let text = answer["choices"][0]["message"]["content"].as_str().ok_or(ModelError::Response)?;
        let text: String = text.trim().chars().filter(|character| !character.is_control()).take(LONGEST).collect();
        if text.is_empty() { Err(ModelError::Response) } else { Ok(Some(text)) }
    }

    async fn key(&self) -> Result<Option<String>, ModelError> {
        let input = json!({ "Name": self.parameter, "WithDecryption": true });
        match Call::json(SYSTEMS_MANAGER, "GetParameter", &input).receive::<Value>(&self.aws).await {
            Ok(answer) => Ok(answer["Parameter"]["Value"].as_str().filter(|key| !key.is_empty()).map(str::to_owned)),
            Err(error) if error.code() == Some("ParameterNotFound") => Ok(None),
            Err(error) => Err(ModelError::Key(Box::new(error))),
        }
    }

    fn request(&self, figures: &Value, key: &str) -> Result<HttpRequest, ModelError> {
        let messages = json!([
            { "role": "system", "content": INSTRUCTION },
            { "role": "user", "content": figures.to_string() },
        ]);
        let body = json!({ "model": MODEL, "messages": messages, "max_tokens": 200 }).to_string();
        let length = body.len().to_string();
        let mut request = HttpRequest::new(SdkBody::from(body));
        let malformed = |_| ModelError::Request;
        request.set_method("POST").map_err(|_| ModelError::Request)?;
        request.set_uri(self.url.as_str()).map_err(|_| ModelError::Request)?;
        let headers = request.headers_mut();
        headers.insert("content-type", "application/json");
        headers.try_insert("content-length", length).map_err(malformed)?;
        headers.try_insert("authorization", format!("Bearer {key}")).map_err(malformed)?;
        Ok(request)
    }

    fn connector(&self) -> &Connector {
        self.connector.get_or_init(|| {
            // A kept connection would be dead after a pause between two invocations.
            Connector::builder().pool_max_idle_per_host(0).tls_provider(Provider::Rustls(CryptoMode::Ring)).build()
        })
    }
}
