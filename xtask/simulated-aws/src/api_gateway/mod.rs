//! API Gateway: REST APIs, whose deployments are snapshots of their methods, and HTTP APIs, which deploy every change by themselves.
//!
//! `parts` creates the resources of templates, `routes` makes a deployment of them, `endpoint` serves the requests of clients, and `events` is
//! the form of requests and responses of functions.

mod endpoint;
mod events;
mod parts;
mod routes;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub use self::routes::{Deployment, Integration, Route};
pub(crate) use self::{
    endpoint::{is_host, serve},
    parts::{PART, is_part},
};
use crate::{
    account::Account,
    shared::Shared,
    time::Moment,
    wire::{Call, Handled, Refusal, Reply},
};

/// Invokes a function, given by its ARN, whose qualifier names an alias: returns the payload, or the reason why there is none.
pub type Invoke = fn(&mut Account, &str, &[u8]) -> Result<Vec<u8>, String>;

/// The kind of an API.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    /// A REST API.
    #[default]
    Rest,
    /// An HTTP API.
    Http,
    /// A WebSocket API, whose endpoint is not modelled.
    WebSocket,
}

/// An API.
#[derive(Debug, Clone, Default)]
pub struct Api {
    /// The region.
    pub region: String,
    /// The kind.
    pub kind: Kind,
    /// Its own properties.
    pub properties: Value,
    /// The ID of a REST API's root resource.
    pub root: String,
    /// The properties of all that belongs to it, by type and physical ID.
    pub parts: BTreeMap<(String, String), Value>,
    /// The deployments by their IDs.
    pub deployments: BTreeMap<String, Shared<Deployment>>,
    /// The ID of the deployment that each stage serves; `None` for a stage that deploys by itself.
    pub stages: BTreeMap<String, Option<String>>,
}

impl Api {
    /// The deployment that a stage serves.
    fn deployed(&self, stage: &str, now: Moment) -> Option<Shared<Deployment>> {
        match self.stages.get(stage)? {
            Some(id) => self.deployments.get(id).cloned(),
            None => Some(Shared::new(Deployment::of(self, now))),
        }
    }
}

/// Carries out a call of the API for REST APIs (API Gateway API reference, `GetStage` and `GetDeployment`).
pub(crate) fn handle(account: &Account, call: &Call) -> Handled {
    let steps = call.steps();
    match (call.method.as_str(), steps.iter().map(String::as_str).collect::<Vec<_>>().as_slice()) {
        ("GET", ["restapis", api, "stages", stage]) => {
            let deployment = find(account, call, api)?.stages.get(*stage).cloned().flatten();
            let deployment = deployment.ok_or_else(|| missing("Invalid stage identifier specified"))?;
            Ok(Reply::json(200, &json!({ "stageName": stage, "deploymentId": deployment })))
        }
        ("GET", ["restapis", api, "deployments", id]) => {
            let deployment = find(account, call, api)?.deployments.get(*id);
            let deployment = deployment.ok_or_else(|| missing("Invalid Deployment identifier specified"))?;
            let mut body = json!({ "id": id, "createdDate": deployment.created.unix_seconds() });
            if call.query("embed") == Some("apisummary") {
                body["apiSummary"] = summary(&deployment.routes);
            }
            Ok(Reply::json(200, &body))
        }
        _ => Err(Refusal::unknown(call)),
    }
}

fn find<'a>(account: &'a Account, call: &Call, id: &str) -> Result<&'a Api, Refusal> {
    let api = account.apis.get(id).filter(|api| api.region == call.region && api.kind == Kind::Rest);
    api.map(|api| &**api).ok_or_else(|| missing(&format!("Invalid API identifier specified {}:{id}", account.id)))
}

fn missing(message: &str) -> Refusal {
    Refusal::new(404, "NotFoundException", message)
}

fn summary(routes: &[Route]) -> Value {
    let mut summary = json!({});
    for route in routes {
        let method = json!({ "authorizationType": route.authorization, "apiKeyRequired": false });
        summary[&route.path][&route.method] = method;
    }
    summary
}
