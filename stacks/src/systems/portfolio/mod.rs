//! The Portfolio: one owner, one table, one function behind an API, a static site, alarms and a dashboard.

mod api;
mod data;
mod identity;
mod observability;
mod settings;
mod web;

use contract::Method;
use model::{
    parts::topic,
    rendered::{Latency, LiveCheck, SignIn, SmokeCheck},
    stage::Stage,
    template::{RenderError, System},
};
use portfolio_contract::SYSTEM;
use serde_json::json;

pub(crate) use self::settings::{RENAMED_SETTINGS, Settings};

/// Builds the system.
///
/// # Errors
///
/// When a setting is not allowed.
pub(crate) fn system(stage: &Stage, settings: &Settings) -> Result<System, RenderError> {
    settings.check(stage)?;
    let (identity, users) = identity::stack(stage, settings);
    let (data, table) = data::stack(stage);
    let (web, host) = web::stack(stage, settings);
    let (api, served) = api::stack(stage, settings, &users, &table, &settings.origins_with(&host));
    let observability = observability::stack(stage, settings, &served, &table);
    let health = SmokeCheck {
        api: api::API.to_owned(),
        path: "/health".to_owned(),
        status: 200,
        json: Some(json!({ "status": "healthy" })),
    };
    let system = System::new(SYSTEM, [identity, data, api, web, observability]);
    let system = system.smoke(health).site(web::site(settings));
    Ok(with_live_checks(system, &settings.all_origins()).alarm_topic("observability", topic::ARN_OUTPUT))
}

/// Adds the checks that run from outside after a deploy.
fn with_live_checks(system: System, origins: &[String]) -> System {
    let origin = origins.first().map_or("", String::as_str);
    let email = "pipeline@example.com".to_owned();
    system
        .live(LiveCheck::serves_public(api::API, "/v1/blog/posts"))
        .live(LiveCheck::serves_public(api::API, "/v1/projects"))
        .live(LiveCheck::requires_token(api::API, Method::Post, "/v1/blog/posts"))
        .live(LiveCheck::requires_token(api::API, Method::Get, "/v1/analytics/overview"))
        .live(LiveCheck::rejects_forged_token(api::API, Method::Get, "/v1/analytics/overview"))
        .live(LiveCheck::preflight(api::API, Method::Post, "/v1/visitors/track", origin))
        .sign_in(SignIn {
            stack: "identity".to_owned(),
            pool_output: "CognitoUserPoolId".to_owned(),
            client_output: "CognitoClientId".to_owned(),
            attributes: vec![("email".to_owned(), email.clone()), ("name".to_owned(), "Pipeline".to_owned())],
            user: email,
            exchange: None,
            checks: vec![LiveCheck::responds(api::API, Method::Get, "/v1/auth/me", &[200])],
        })
        .latency(Latency {
            check: LiveCheck::responds(api::API, Method::Get, "/health", &[200]),
            expected: 300,
            p95: 1_000,
            longest: 5_000,
        })
}

#[cfg(test)]
mod tests;
