//! The client of the Bot API.

use std::{
    fmt,
    sync::OnceLock,
    time::{Duration, Instant},
};

use analyticbot_contract::metrics::TELEGRAM_LATENCY_MS;
use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorSettings},
    orchestrator::HttpRequest,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use serde_json::{Value, json};

use super::{BotInfo, BotToken, TelegramError, answer::read};
use crate::metrics::{self, Metric};

/// The stage whose fake Telegram server is reached without TLS.
const LOCAL_STAGE: &str = "local";
/// The maximum number of bytes that are read from a response.
const MOST_BYTES: usize = 64 * 1024;

/// The client. Its connector is created on first use, because reading the system's certificates takes time.
pub struct Telegram {
    base: String,
    timeout: Duration,
    /// For metrics.
    stage: String,
    connector: OnceLock<Connector>,
}

/// Tokens are sent in the URL, so the connection must be encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("TELEGRAM_API_BASE must start with https://, except in stage {LOCAL_STAGE}")]
pub struct NotEncrypted;

impl Telegram {
    /// Creates a client for the API at `base`, whose calls take at most `timeout`. Only the stage `local` may do without TLS.
    ///
    /// # Errors
    /// When the address has another scheme.
    pub fn new(base: &str, timeout: Duration, stage: &str) -> Result<Self, NotEncrypted> {
        let is_allowed = base.starts_with("https://") || (stage == LOCAL_STAGE && base.starts_with("http://"));
        is_allowed.then_some(()).ok_or(NotEncrypted)?;
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { base, timeout, stage: stage.to_owned(), connector: OnceLock::new() })
    }

    /// Returns the bot that the token belongs to.
    ///
    /// # Errors
    /// When Telegram rejects the token or is not available.
    pub async fn get_me(&self, token: &BotToken) -> Result<BotInfo, TelegramError> {
        let result = self.call(token, "getMe", None).await?;
        serde_json::from_value(result).map_err(|_| TelegramError::Unavailable)
    }

    /// Sends a message to a chat.
    ///
    /// # Errors
    /// When Telegram refuses the message, rejects the token or is not available.
    pub async fn send_message(&self, token: &BotToken, chat_id: i64, text: &str) -> Result<(), TelegramError> {
        let message = json!({ "chat_id": chat_id, "text": text });
        self.call(token, "sendMessage", Some(&message)).await.map(|_| ())
    }

    async fn call(&self, token: &BotToken, method: &str, body: Option<&Value>) -> Result<Value, TelegramError> {
        let started = Instant::now();
        let outcome = tokio::time::timeout(self.timeout, self.exchange(token, method, body)).await;
        let milliseconds = started.elapsed().as_secs_f64() * 1000.0;
        metrics::emit(&self.stage, &[Metric::milliseconds(TELEGRAM_LATENCY_MS, milliseconds)]);
        outcome.unwrap_or(Err(TelegramError::Timeout))
    }

    /// Sends one request and reads its response. Errors of the connector are not kept: they can name the URL.
    async fn exchange(&self, token: &BotToken, method: &str, body: Option<&Value>) -> Result<Value, TelegramError> {
        let payload = body.map_or_else(SdkBody::empty, |body| SdkBody::from(body.to_string()));
        let mut request = HttpRequest::new(payload);
        let url = format!("{}/bot{}/{method}", self.base, token.expose());
        request.set_uri(url).map_err(|_| TelegramError::Unavailable)?;
        request.headers_mut().insert("accept", "application/json");
        if let Some(body) = body {
            request.set_method("POST").map_err(|_| TelegramError::Unavailable)?;
            request.headers_mut().insert("content-type", "application/json");
            request.headers_mut().insert("content-length", body.to_string().len().to_string());
        }
        let response = self.connector().call(request).await.map_err(|error| match error.is_timeout() {
            true => TelegramError::Timeout,
            false => TelegramError::Unavailable,
        })?;
        let status = response.status().as_u16();
        let body = collect(response.into_body()).await?;
        read(status, &body, token)
    }

    fn connector(&self) -> &Connector {
        self.connector.get_or_init(|| {
            let settings = HttpConnectorSettings::builder().connect_timeout(self.timeout).build();
            Connector::builder()
                .connector_settings(settings)
                // A kept connection would be dead after a pause between two invocations.
                .pool_max_idle_per_host(0)
                .tls_provider(Provider::Rustls(CryptoMode::Ring))
                .build()
        })
    }
}

impl fmt::Debug for Telegram {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Telegram").field("base", &self.base).finish_non_exhaustive()
    }
}

async fn collect(body: SdkBody) -> Result<Vec<u8>, TelegramError> {
    let mut stream = ByteStream::new(body);
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk.map_err(|_| TelegramError::Unavailable)?);
        if bytes.len() > MOST_BYTES {
            return Err(TelegramError::Unavailable);
        }
    }
    Ok(bytes)
}
