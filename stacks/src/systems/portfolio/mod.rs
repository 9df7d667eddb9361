//! The Portfolio: one owner, one table, one function behind an API, a static site, and what watches them.

mod api;
mod data;
mod identity;
mod observability;
mod web;

use contract::Method;
use model::{
    emulator::Feature,
    parts::{api::Throttle, site::SiteDomain, topic},
    rendered::{Latency, LiveCheck, SignIn, SmokeCheck},
    stage::Stage,
    template::{Expression, RenderError, System, Text},
    values::Checked,
};
use portfolio_contract::SYSTEM;
use serde::Deserialize;
use serde_json::json;

/// A stage's settings for the Portfolio.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Origins whose browsers may use the API. The site's own need not be named. The first is the one that may read
    /// the gateway's own errors.
    #[serde(default)]
    pub origins: Vec<String>,
    /// Who is made the owner; without it somebody with access to the account makes one.
    #[serde(default)]
    pub owner: Option<Owner>,
    /// The ARN of the SES identity that the user pool sends mail with; without it Cognito sends a few itself.
    #[serde(default)]
    pub ses_identity: Option<String>,
    /// Where the API is served; without it, it is served under API Gateway's own name.
    #[serde(default)]
    pub domain: Option<ApiDomain>,
    /// Where the site is served; without it, it is served under CloudFront's own name.
    #[serde(default)]
    pub site: Option<SiteDomain>,
    /// The function's memory in MB.
    #[serde(default = "memory")]
    pub memory: u32,
    /// How much the function logs of its own.
    #[serde(default)]
    pub log_level: LogLevel,
    /// Limits every address, for about USD 10 a month.
    #[serde(default)]
    pub waf: bool,
    /// Who is told when an alarm fires.
    #[serde(default)]
    pub alarm_email: Option<String>,
    /// How often the API may be called.
    #[serde(default)]
    pub throttles: Throttles,
    /// The salt of visitors' anonymous ids, in stage `local` only: elsewhere Secrets Manager makes one that nobody
    /// knows.
    #[serde(default)]
    pub visitor_salt: Option<String>,
}

/// The owner.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// Where the first password is sent.
    pub email: String,
    /// What to call them.
    #[serde(default = "owner_name")]
    pub name: String,
}

/// The API's domain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiDomain {
    /// For example `api.example.com`.
    pub name: String,
    /// The ARN of a certificate in the API's region; without it one is made.
    #[serde(default)]
    pub certificate: Option<String>,
    /// The id of the Route 53 hosted zone.
    pub hosted_zone: String,
}

/// How much the function logs of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Debug,
    #[default]
    Info,
    Warn,
    Error,
}

impl LogLevel {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// How often the API may be called, in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Throttles {
    /// What has no throttle of its own.
    pub all: Throttle,
    /// Signing in and refreshing: what guesses passwords.
    pub authentication: Throttle,
    /// Counting visitors and views.
    pub tracking: Throttle,
    /// Everything else that changes something.
    pub writes: Throttle,
}

impl Default for Throttles {
    fn default() -> Self {
        Self {
            all: Throttle { rate: 50, burst: 100 },
            authentication: Throttle { rate: 2, burst: 10 },
            tracking: Throttle { rate: 20, burst: 40 },
            writes: Throttle { rate: 10, burst: 20 },
        }
    }
}

/// Enough for Rust, and enough CPU with it.
const fn memory() -> u32 {
    256
}

fn owner_name() -> String {
    "Site Owner".to_owned()
}

impl Settings {
    /// The origins whose browsers may use the API: the site's, and those that are named.
    fn all_origins(&self) -> Vec<String> {
        let mut origins: Vec<_> = self.site.iter().flat_map(SiteDomain::urls).collect();
        origins.extend(self.origins.iter().filter(|origin| !origins.contains(origin)).cloned().collect::<Vec<_>>());
        origins
    }

    /// All origins as the function reads them. A site without a domain of its own is under CloudFront's, which is known
    /// when the distribution is there.
    fn origins_with(&self, host: &Text) -> Text {
        let origins = self.all_origins().join(",");
        match self.site {
            Some(_) => origins.into(),
            None => Expression::sub(&format!("{origins},https://${{Site}}"), [("Site", host.clone())]).into(),
        }
    }
}

/// The system.
///
/// # Errors
///
/// When a setting cannot be used.
pub fn system(stage: &Stage, settings: &Settings) -> Result<System, RenderError> {
    check(stage, settings)?;
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
    Ok(live(system, &settings.all_origins()).alarm_topic("observability", topic::ARN_OUTPUT))
}

/// What visitors, their browsers and signed-in users see, and how fast.
fn live(system: System, origins: &[String]) -> System {
    let origin = origins.first().map_or("", String::as_str);
    let email = "pipeline@example.com".to_owned();
    system
        .live(LiveCheck::serves_anybody(api::API, "/v1/blog/posts"))
        .live(LiveCheck::serves_anybody(api::API, "/v1/projects"))
        .live(LiveCheck::refuses_strangers(api::API, Method::Post, "/v1/blog/posts"))
        .live(LiveCheck::refuses_strangers(api::API, Method::Get, "/v1/analytics/overview"))
        .live(LiveCheck::refuses_forgers(api::API, Method::Get, "/v1/analytics/overview"))
        .live(LiveCheck::preflight(api::API, Method::Post, "/v1/visitors/track", origin))
        .sign_in(SignIn {
            stack: "identity".to_owned(),
            pool_output: "CognitoUserPoolId".to_owned(),
            client_output: "CognitoClientId".to_owned(),
            attributes: vec![("email".to_owned(), email.clone()), ("name".to_owned(), "Pipeline".to_owned())],
            user: email,
            exchange: None,
            checks: vec![LiveCheck::answers(api::API, Method::Get, "/v1/auth/me", &[200])],
        })
        .latency(Latency {
            check: LiveCheck::answers(api::API, Method::Get, "/health", &[200]),
            expected: 300,
            p95: 1_000,
            longest: 5_000,
        })
}

fn check(stage: &Stage, settings: &Settings) -> Result<(), RenderError> {
    let checked = Checked::new(SYSTEM, stage);
    if settings.all_origins().is_empty() {
        return Err(checked
            .wrong("`origins` is empty and there is no `site`, so no browser could read the gateway's own errors"));
    }
    checked.origins("origins", &settings.origins)?;
    checked.emails("owner.email", settings.owner.as_ref().map(|owner| &owner.email))?;
    checked.emails("alarm_email", &settings.alarm_email)?;
    checked.ses_identities("ses_identity", &settings.ses_identity)?;
    if let Some(domain) = &settings.domain {
        checked.domains("domain.name", [&domain.name])?;
        checked.certificates("domain.certificate", &domain.certificate)?;
        checked.hosted_zones("domain.hosted_zone", [&domain.hosted_zone])?;
    }
    if let Some(site) = &settings.site {
        checked.domains("site.name", [&site.name])?;
        checked.certificates("site.certificate", &site.certificate)?;
        checked.hosted_zones("site.hosted_zone", [&site.hosted_zone])?;
    }
    if Feature::SecretReferences.is_in(stage) == settings.visitor_salt.is_some() {
        return Err(
            checked.wrong("`visitor_salt` must be set in stage local, where nothing else holds it, and nowhere else")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests;
