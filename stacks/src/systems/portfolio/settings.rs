//! The settings that differ from stage to stage.

use model::{
    emulator::Feature,
    parts::{api::Throttle, site::SiteDomain},
    stage::Stage,
    template::{Expression, RenderError, Text},
    values::{CertificateUse, SettingsCheck},
};
use portfolio_contract::SYSTEM;
use serde::Deserialize;

/// A stage's settings for the Portfolio.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Origins whose browsers may use the API, besides the site's own. The first one may also read the gateway's own
    /// errors.
    #[serde(default)]
    pub(super) allowed_origins: Vec<String>,
    /// The user that the stack creates as the owner. Without it, the owner is created by hand.
    #[serde(default)]
    pub(super) owner: Option<Owner>,
    /// The ARN of the SES identity that the user pool sends mail with. Without it, Cognito sends mail itself, up to its
    /// daily quota.
    #[serde(default)]
    pub(super) ses_identity: Option<String>,
    /// The API's domain. Without it, the API is served under API Gateway's own name.
    #[serde(default)]
    pub(super) domain: Option<ApiDomain>,
    /// The site's domain. Without it, the site is served under CloudFront's own name.
    #[serde(default)]
    pub(super) site: Option<SiteDomain>,
    /// The function's memory in MB.
    #[serde(default = "default_memory")]
    pub(super) memory: u32,
    /// The lowest level of the function's log messages.
    #[serde(default)]
    pub(super) log_level: LogLevel,
    /// Whether a web ACL limits the requests of each address, for about USD 10 a month.
    #[serde(default)]
    pub(super) waf: bool,
    /// The address that alarms are sent to.
    #[serde(default)]
    pub(super) alarm_email: Option<String>,
    /// The API's throttles.
    #[serde(default)]
    pub(super) throttles: Throttles,
    /// The most requests to sign-in routes in a minute, of each address.
    #[serde(default = "default_sign_in_per_minute")]
    pub(super) sign_in_per_minute: u32,
    /// The salt of visitors' anonymous IDs, on an emulator only. Elsewhere Secrets Manager generates it.
    #[serde(default)]
    pub(super) visitor_salt: Option<String>,
}

/// Old names of settings, each with the new one.
pub(crate) const RENAMED_SETTINGS: &[(&str, &str)] =
    &[("origins", "allowed_origins"), ("certificate", "certificate_arn"), ("hosted_zone", "hosted_zone_id")];

/// The owner of the site.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Owner {
    /// The address that the first password is sent to.
    pub(super) email: String,
    /// The name that the site shows.
    #[serde(default = "default_owner_name")]
    pub(super) name: String,
}

/// The API's domain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiDomain {
    /// For example `api.example.com`.
    pub(super) name: String,
    /// The ARN of a certificate in the API's region. Without it, the stack creates one.
    #[serde(default)]
    pub(super) certificate_arn: Option<String>,
    /// The ID of the Route 53 hosted zone.
    pub(super) hosted_zone_id: String,
}

/// The lowest level of the function's log messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum LogLevel {
    Debug,
    #[default]
    Info,
    Warn,
    Error,
}

impl LogLevel {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }
}

/// The API's throttles, each for all clients together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Throttles {
    /// Routes without a throttle of their own.
    pub(super) all: Throttle,
    /// Signing in and refreshing tokens. Each address has a lower limit, [`Settings::sign_in_per_minute`]; this one is shared, so
    /// a low one would let one client keep all others from signing in.
    pub(super) authentication: Throttle,
    /// Counting visitors and views.
    pub(super) tracking: Throttle,
    /// All other routes that change data.
    pub(super) writes: Throttle,
}

impl Default for Throttles {
    fn default() -> Self {
        Self {
            all: Throttle { rate: 50, burst: 100 },
            authentication: Throttle { rate: 50, burst: 100 },
            tracking: Throttle { rate: 20, burst: 40 },
            writes: Throttle { rate: 10, burst: 20 },
        }
    }
}

/// Lambda assigns CPU in proportion to memory: a Rust function needs this much for its CPU.
const fn default_memory() -> u32 {
    256
}

/// Enough for one owner, and for a page that refreshes its tokens.
const fn default_sign_in_per_minute() -> u32 {
    10
}

fn default_owner_name() -> String {
    "Site Owner".to_owned()
}

impl Settings {
    /// Returns the origins whose browsers may use the API: the site's, then those of the settings.
    pub(super) fn all_origins(&self) -> Vec<String> {
        let mut origins: Vec<_> = self.site.iter().flat_map(SiteDomain::urls).collect();
        let others: Vec<_> = self.allowed_origins.iter().filter(|origin| !origins.contains(origin)).cloned().collect();
        origins.extend(others);
        origins
    }

    /// Returns all origins as the function reads them. `host` is the distribution's own name, under which a site without a
    /// domain is served; it is known when the distribution exists.
    pub(super) fn origins_with(&self, host: &Text) -> Text {
        let origins = self.all_origins().join(",");
        match self.site {
            Some(_) => origins.into(),
            None => Expression::sub(&format!("{origins},https://${{Site}}"), [("Site", host.clone())]).into(),
        }
    }

    /// Refuses values that could only fail after a deploy.
    pub(super) fn check(&self, stage: &Stage) -> Result<(), RenderError> {
        let check = SettingsCheck::new(SYSTEM, stage);
        if self.all_origins().is_empty() {
            return Err(check.error(
                "`allowed_origins` is empty and there is no `site`, so no browser could read the gateway's own errors",
            ));
        }
        if self.sign_in_per_minute == 0 {
            return Err(check.error("`sign_in_per_minute` is 0, so the owner could not sign in; set at least 1"));
        }
        check.origins("allowed_origins", &self.allowed_origins)?;
        check.emails("owner.email", self.owner.as_ref().map(|owner| &owner.email))?;
        check.emails("alarm_email", &self.alarm_email)?;
        check.ses_identities("ses_identity", &self.ses_identity)?;
        if let Some(domain) = &self.domain {
            check.domains("domain.name", [&domain.name])?;
            check.certificates("domain.certificate_arn", &domain.certificate_arn, CertificateUse::RegionalDomain)?;
            check.hosted_zones("domain.hosted_zone_id", [&domain.hosted_zone_id])?;
        }
        if let Some(site) = &self.site {
            check.domains("site.name", [&site.name])?;
            check.certificates("site.certificate_arn", &site.certificate_arn, CertificateUse::CloudFront)?;
            check.hosted_zones("site.hosted_zone_id", [&site.hosted_zone_id])?;
        }
        match (Feature::SecretReferences.is_in(stage), &self.visitor_salt) {
            (false, None) => Err(check.error(
                "`visitor_salt` is missing: the stage runs on an emulator, where no secret holds it; set it to any random text",
            )),
            (true, Some(_)) => Err(check.error("`visitor_salt` is set, but Secrets Manager generates it; remove it")),
            _ => Ok(()),
        }
    }
}
