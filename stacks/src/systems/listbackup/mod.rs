//! ListBackup: backups of customers' files, in six services with thirty-one functions, one HTTP API and one event bus.
//!
//! Roles for deploys, identity provider and artifact bucket belong to foundation.

mod alarms;
mod analytics;
mod api;
mod auth;
mod core;
mod dashboards;
mod functions;
mod insights;
mod live;
mod mail;
mod processors;
mod settings;
mod sources;

use contract::Method;
use listbackup_contract::SYSTEM;
use model::{
    parts::topic,
    rendered::{Latency, LiveCheck, SmokeCheck},
    stage::Stage,
    template::{RenderError, System},
};
use serde_json::json;

pub(crate) use self::settings::Settings;

/// The stacks that selections name together, as the groups of the original system.
const GROUPS: [(&str, &[&str]); 2] =
    [("nodejs", &["core", "api", "auth", "analytics"]), ("python", &["backup-processors", "data-analysis"])];

/// Builds the system.
///
/// # Errors
///
/// When a setting is not allowed.
pub(crate) fn system(stage: &Stage, settings: &Settings) -> Result<System, RenderError> {
    settings.check(stage)?;
    let (core_stack, core) = core::stack(stage, settings);
    let shared = Shared { stage, settings, core: &core };
    let (api_stack, api) = api::stack(&shared);
    let auth = auth::stack(&shared, &api);
    let analytics = analytics::stack(&shared, &api);
    let processors = processors::stack(&shared);
    let insights = insights::stack(&shared);
    let health = SmokeCheck {
        api: api::API.to_owned(),
        path: "/system/health".to_owned(),
        status: 200,
        json: Some(json!({ "success": true, "data": { "status": "healthy" } })),
    };
    let guarded = SmokeCheck { api: api::API.to_owned(), path: "/sources".to_owned(), status: 401, json: None };
    let mut stacks = vec![core_stack, api_stack, auth, analytics, processors, insights];
    if settings.live_updates {
        stacks.push(live::stack(&shared));
    }
    let system = System::new(SYSTEM, stacks).smoke(health).smoke(guarded);
    let system = GROUPS.iter().fold(system, |system, (name, stacks)| system.group(name, stacks.iter().copied()));
    Ok(with_live_checks(system, settings).alarm_topic(core::NAME, topic::ARN_OUTPUT))
}

/// Adds the checks that run from outside after a deploy. Users sign in through the API only, so no check signs a user of the pool in.
fn with_live_checks(system: System, settings: &Settings) -> System {
    let origin = settings.allowed_origins.first().map_or("", String::as_str);
    let health = LiveCheck::responds(api::API, Method::Get, "/system/health", &[200]);
    let system = if settings.live_updates { system.live(LiveCheck::refuses_connection(live::API)) } else { system };
    system
        .live(LiveCheck::serves_public(api::API, "/system/health"))
        .live(LiveCheck::requires_token(api::API, Method::Get, "/sources"))
        .live(LiveCheck::requires_token(api::API, Method::Post, "/jobs"))
        .live(LiveCheck::requires_token(api::API, Method::Get, "/analytics/overview"))
        .live(LiveCheck::rejects_forged_token(api::API, Method::Get, "/sources"))
        .live(LiveCheck::rejects_forged_token(api::API, Method::Post, "/auth/logout"))
        .live(LiveCheck::preflight(api::API, Method::Post, "/sources", origin))
        .latency(Latency { check: health, expected: 400, p95: 1_000, longest: 5_000 })
}

/// The values that most stacks are built from.
struct Shared<'a> {
    stage: &'a Stage,
    settings: &'a Settings,
    core: &'a core::Core,
}

#[cfg(test)]
mod tests;
