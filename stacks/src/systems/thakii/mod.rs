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

use contract::{Method, thakii::SYSTEM};
use serde_json::json;

pub use self::settings::{Domain, Firebase, Settings};
use crate::{
    rendered::{Latency, LiveCheck, SignIn, SmokeCheck},
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
    let system = System::new(SYSTEM, [storage, data, auth, worker, api, alarms]);
    Ok(checked(system, &settings.allowed_origins))
}

/// What a release, and who looks at the stage from outside, ask of the system.
fn checked(system: System, origins: &[String]) -> System {
    let json = Some(json!({ "status": "healthy" }));
    let health = SmokeCheck { api: api::API.to_owned(), path: "/health".to_owned(), status: 200, json };
    let guarded = SmokeCheck { api: api::API.to_owned(), path: "/list".to_owned(), status: 401, json: None };
    let refused = [(Method::Get, "/list"), (Method::Post, "/upload"), (Method::Get, "/admin/stats")];
    let system = refused.into_iter().fold(system.smoke(health).smoke(guarded), |system, (method, path)| {
        system.live(LiveCheck::refuses_strangers(api::API, method, path))
    });
    let system = match origins.first() {
        Some(origin) => system.live(LiveCheck::preflight(api::API, Method::Post, "/upload", origin)),
        None => system,
    };
    let fast = LiveCheck::answers(api::API, Method::Get, "/health", &[200]);
    system
        .live(LiveCheck::refuses_forgers(api::API, Method::Get, "/list"))
        .sign_in(SignIn {
            stack: "auth".to_owned(),
            pool_output: "UserPoolId".to_owned(),
            client_output: "WebClientId".to_owned(),
            user: "live-check@example.com".to_owned(),
            check: LiveCheck::signed_in(api::API, Method::Get, "/list", &[200]),
        })
        .latency(Latency { check: fast, p95: 1_000, longest: 5_000 })
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
