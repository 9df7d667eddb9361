//! Thakii: videos, six tables, two queues, three functions and an API for an app whose users upload lectures.
//!
//! What deploying itself needs (roles, identity provider, artifact bucket) is foundation's.

mod alarms;
mod api;
mod auth;
mod data;
mod settings;
mod storage;
mod worker;

use contract::thakii::SYSTEM;
use serde_json::json;

pub use self::settings::{Domain, Firebase, Settings};
use crate::{
    rendered::SmokeCheck,
    stage::Stage,
    template::{RenderError, System},
};

/// The system.
///
/// # Errors
///
/// When a setting cannot be used.
pub fn system(stage: &Stage, settings: &Settings) -> Result<System, RenderError> {
    settings.check(stage)?;
    let (storage, bucket) = storage::stack(stage, settings);
    let (data, tables) = data::stack(stage, settings);
    let (auth, identity) = auth::stack(stage, settings, &bucket);
    let (worker, work) = worker::stack(stage, settings, &bucket, &tables);
    let shared = Shared { stage, settings, bucket: &bucket, tables: &tables };
    let (api, served) = api::stack(&shared, &identity, &work);
    let alarms = alarms::stack(&shared, &work, &served);
    let health = SmokeCheck {
        api: api::API.to_owned(),
        path: "/health".to_owned(),
        status: 200,
        json: Some(json!({ "status": "healthy" })),
    };
    let guarded = SmokeCheck { api: api::API.to_owned(), path: "/list".to_owned(), status: 401, json: None };
    Ok(System::new(SYSTEM, [storage, data, auth, worker, api, alarms]).smoke(health).smoke(guarded))
}

/// What most stacks are made from.
struct Shared<'a> {
    stage: &'a Stage,
    settings: &'a Settings,
    bucket: &'a crate::parts::bucket::BucketName,
    tables: &'a data::Tables,
}

#[cfg(test)]
mod tests;
