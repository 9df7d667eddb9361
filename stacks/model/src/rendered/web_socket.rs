//! A WebSocket API of a rendered stack.

use serde::{Deserialize, Serialize};

/// A WebSocket API in a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenderedWebSocket {
    /// The logical ID of the `AWS::ApiGatewayV2::Api`.
    pub logical_id: String,
    /// The name of the API's only stage.
    pub stage_name: String,
    /// The routes, with `$connect`, `$disconnect` and `$default`.
    pub routes: Vec<RenderedSocketRoute>,
    /// The function that decides about new connections, by its name in Lambda; `None` if every client may connect.
    pub authorizer: Option<String>,
    /// The output with the API's ID.
    pub id_output: String,
    /// The output with the URL to which clients connect.
    pub url_output: String,
}

/// A route of a WebSocket API, and the function that serves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenderedSocketRoute {
    /// The route's key.
    pub key: String,
    /// The function, by its name in Lambda.
    pub function: String,
}
