//! Thakii: videos, six tables, two queues, three functions and an API for an app whose users upload lectures.
//!
//! Roles for deploys, identity provider and artifact bucket belong to foundation.

mod alarms;
mod api;
mod auth;
mod data;
mod settings;
mod storage;
mod worker;

use contract::Method;
use model::{
    parts::topic,
    rendered::{Exchange, Latency, LiveCheck, SignIn, SmokeCheck},
    stage::Stage,
    template::{RenderError, System},
};
use serde_json::json;
use thakii_contract::SYSTEM;

pub(crate) use self::settings::Settings;

/// Builds the system.
///
/// # Errors
///
/// When a setting is not allowed.
pub(crate) fn system(stage: &Stage, settings: &Settings) -> Result<System, RenderError> {
    settings.check(stage)?;
    let (storage, bucket) = storage::stack(stage, settings);
    let (data, tables) = data::stack(stage, settings);
    let (auth, identity) = auth::stack(stage, settings, &bucket);
    let shared = Shared { stage, settings, bucket: &bucket, tables: &tables };
    let (worker, work) = worker::stack(&shared, &identity);
    let (api, served) = api::stack(&shared, &identity, &work);
    let alarms = alarms::stack(&shared, &work, &served);
    let health = SmokeCheck {
        api: api::API.to_owned(),
        path: "/health".to_owned(),
        status: 200,
        json: Some(json!({ "status": "healthy" })),
    };
    let guarded = SmokeCheck { api: api::API.to_owned(), path: "/list".to_owned(), status: 401, json: None };
    let system = System::new(SYSTEM, [storage, data, auth, worker, api, alarms]).smoke(health).smoke(guarded);
    Ok(with_live_checks(system, settings).alarm_topic("alarms", topic::ARN_OUTPUT))
}

/// Adds the checks that run from outside after a deploy.
fn with_live_checks(system: System, settings: &Settings) -> System {
    let origin = settings.allowed_origins.first().map_or("", String::as_str);
    let email = "pipeline@example.com".to_owned();
    let answers = |method, path, statuses| LiveCheck::responds(api::API, method, path, statuses);
    system
        .live(LiveCheck::requires_token(api::API, Method::Post, "/upload"))
        .live(LiveCheck::requires_token(api::API, Method::Get, "/admin/stats"))
        .live(LiveCheck::rejects_forged_token(api::API, Method::Get, "/list"))
        .live(LiveCheck { statuses: vec![200], ..LiveCheck::preflight(api::API, Method::Post, "/upload", origin) })
        .sign_in(SignIn {
            stack: "auth".to_owned(),
            pool_output: "UserPoolId".to_owned(),
            client_output: "WebClientId".to_owned(),
            attributes: vec![("email".to_owned(), email.clone())],
            user: email,
            exchange: Some(Exchange {
                check: answers(Method::Post, "/auth/exchange-token", &[200]),
                token: "custom_token".to_owned(),
            }),
            checks: vec![
                answers(Method::Get, "/auth/user", &[200]),
                answers(Method::Get, "/list", &[200]),
                answers(Method::Get, "/admin/stats", &[403]),
            ],
        })
        .latency(Latency { check: answers(Method::Get, "/health", &[200]), expected: 300, p95: 1_000, longest: 5_000 })
}

/// The values that most stacks are built from.
struct Shared<'a> {
    stage: &'a Stage,
    settings: &'a Settings,
    bucket: &'a model::parts::bucket::BucketName,
    tables: &'a data::Tables,
}

#[cfg(test)]
mod tests;
