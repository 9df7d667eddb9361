//! Messages to connected clients.

use aws_call::{Call, CallError, encoded, services::API_CONNECTIONS};
use aws_config::SdkConfig;
use serde::Serialize;

/// The status for a connection that no longer exists (API Gateway Management API reference, `GoneException`).
const GONE: u16 = 410;

/// The connections of one WebSocket API.
///
/// The function's role needs `execute-api:ManageConnections` on them.
#[derive(Debug, Clone)]
pub struct Connections {
    config: SdkConfig,
    endpoint: String,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// API Gateway has sent it.
    Sent,
    /// The connection no longer exists.
    Gone,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The message cannot be written as JSON.
    #[error("failed to write a message as JSON")]
    Message(#[source] serde_json::Error),
    /// API Gateway refused the call, or did not respond.
    #[error("failed to reach a connection")]
    Call(#[source] Box<CallError>),
}

impl Connections {
    /// The connections of the API whose management endpoint is `endpoint`: `https://…/<stage>`, or a path below the endpoint that
    /// `config` has for all services.
    #[must_use]
    pub fn new(config: &SdkConfig, endpoint: &str) -> Self {
        Self { config: config.clone(), endpoint: endpoint.to_owned() }
    }

    /// Sends a message as JSON; at most 128 KB (API Gateway developer guide, "Quotas for configuring and running a WebSocket API").
    ///
    /// # Errors
    ///
    /// When the message is no JSON, or the call fails.
    pub async fn post(&self, connection_id: &str, message: &impl Serialize) -> Result<Delivery, SendError> {
        let body = serde_json::to_string(message).map_err(SendError::Message)?;
        self.call("PostToConnection", "POST", connection_id, body).await
    }

    /// Closes a connection.
    ///
    /// # Errors
    ///
    /// When the call fails.
    pub async fn delete(&self, connection_id: &str) -> Result<Delivery, SendError> {
        self.call("DeleteConnection", "DELETE", connection_id, String::new()).await
    }

    async fn call(
        &self,
        operation: &'static str,
        method: &'static str,
        connection_id: &str,
        body: String,
    ) -> Result<Delivery, SendError> {
        let path = format!("/@connections/{}", encoded(connection_id));
        let call = Call::rest(API_CONNECTIONS, operation, method, path, body).at(&self.endpoint);
        match call.send(&self.config).await {
            Ok(_) => Ok(Delivery::Sent),
            Err(error) if is_gone(&error) => Ok(Delivery::Gone),
            Err(error) => Err(SendError::Call(Box::new(error))),
        }
    }
}

fn is_gone(error: &CallError) -> bool {
    error.raw_response().is_some_and(|response| response.status().as_u16() == GONE)
}
