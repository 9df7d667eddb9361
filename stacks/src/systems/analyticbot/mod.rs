//! AnalyticBot: each user's Telegram bot with encrypted credentials, its administration, and a static panel.

mod alarms;
mod api;
mod dashboard;
mod data;
mod ops;
mod settings;
mod web;

use analyticbot_contract::SYSTEM;
use contract::Method;
use model::{
    parts::topic,
    rendered::{Latency, LiveCheck, SmokeCheck},
    stage::Stage,
    template::{RenderError, System},
};
use serde_json::json;

pub(crate) use self::settings::Settings;

/// Builds the system.
///
/// # Errors
///
/// When a setting is not allowed.
pub(crate) fn system(stage: &Stage, settings: &Settings) -> Result<System, RenderError> {
    settings.check(stage)?;
    let (data_stack, data) = data::stack(stage, settings);
    let (web_stack, host) = web::stack(stage, settings);
    let shared = Shared { stage, settings, data: &data };
    let (api_stack, served) = api::stack(&shared, &settings.origins_with(&host));
    let ops_stack = ops::stack(&shared, &served);
    let health = SmokeCheck {
        api: api::API.to_owned(),
        path: "/health".to_owned(),
        status: 200,
        json: Some(json!({ "status": "healthy" })),
    };
    let guarded =
        SmokeCheck { api: api::API.to_owned(), path: "/api/user-bot/status".to_owned(), status: 401, json: None };
    let system = System::new(SYSTEM, [data_stack, web_stack, api_stack, ops_stack]);
    let system = system.smoke(health).smoke(guarded).site(web::site());
    Ok(with_live_checks(system, settings).alarm_topic(ops::NAME, topic::ARN_OUTPUT))
}

/// Adds the checks that run from outside after a deploy. Tokens are the system's own, so no check signs a user of a pool in.
fn with_live_checks(system: System, settings: &Settings) -> System {
    let origins = settings.all_origins();
    let origin = origins.first().map_or("", String::as_str);
    system
        .live(LiveCheck::serves_public(api::API, "/openapi.json"))
        .live(LiveCheck::requires_token(api::API, Method::Get, "/api/user-bot/status"))
        .live(LiveCheck::requires_token(api::API, Method::Get, "/api/admin/bots/list"))
        .live(LiveCheck::rejects_forged_token(api::API, Method::Get, "/api/user-bot/status"))
        .live(LiveCheck::preflight(api::API, Method::Post, "/api/auth/login", origin))
        .latency(Latency {
            check: LiveCheck::responds(api::API, Method::Get, "/health", &[200]),
            expected: 400,
            p95: 1_000,
            longest: 5_000,
        })
}

/// The values that most stacks are built from.
struct Shared<'a> {
    stage: &'a Stage,
    settings: &'a Settings,
    data: &'a data::Data,
}

#[cfg(test)]
mod tests;
