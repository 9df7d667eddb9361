//! The settings that differ from stage to stage.

use analyticbot_contract::{SYSTEM, limits};
use model::{
    parts::site::SiteDomain,
    stage::Stage,
    template::{Expression, RenderError, Text},
    values::{CertificateUse, SettingsCheck},
};
use serde::Deserialize;

/// The address of Telegram's Bot API (Telegram Bot API, "Making requests").
const TELEGRAM: &str = "https://api.telegram.org";
/// The stages that may run the fake Telegram server.
const STUB_STAGES: [&str; 2] = ["local", "dev"];
/// The longest lifetime of an access token, in minutes: a day.
const LONGEST_TOKEN: u32 = 1440;

/// A stage's settings for AnalyticBot.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Origins whose browsers may use the API, besides the panel's own.
    #[serde(default)]
    pub(super) allowed_origins: Vec<String>,
    /// Whether tables can be restored to any second of the last 35 days, and cannot be deleted.
    #[serde(default)]
    pub(super) protect_data: bool,
    /// Whether the API includes a fake Telegram server, which replaces Telegram's. Only stages `local` and `dev` may have it.
    #[serde(default)]
    pub(super) telegram_stub: bool,
    /// The address of another Bot API server, if it is neither Telegram's nor the fake one.
    #[serde(default)]
    pub(super) telegram_api_base: Option<String>,
    /// The lifetime of an access token, in minutes.
    #[serde(default = "default_access_token_minutes")]
    pub(super) access_token_minutes: u32,
    /// The maximum number of sign-ins per minute from one address, and for one account.
    #[serde(default = "default_login_per_minute_ip")]
    pub(super) login_per_minute_ip: u32,
    /// The panel's domain. Without it, the panel is served under CloudFront's own name.
    #[serde(default)]
    pub(super) site: Option<SiteDomain>,
    /// The address that alarms are sent to.
    #[serde(default)]
    pub(super) alarm_email: Option<String>,
}

const fn default_access_token_minutes() -> u32 {
    limits::ACCESS_TOKEN_MINUTES
}

const fn default_login_per_minute_ip() -> u32 {
    limits::LOGIN_PER_MINUTE_IP
}

impl Settings {
    /// Returns the origins whose browsers may use the API: the panel's, then those of the settings.
    pub(super) fn all_origins(&self) -> Vec<String> {
        let mut origins: Vec<_> = self.site.iter().flat_map(SiteDomain::urls).collect();
        let others: Vec<_> = self.allowed_origins.iter().filter(|origin| !origins.contains(origin)).cloned().collect();
        origins.extend(others);
        origins
    }

    /// Returns all origins. `host` is the distribution's own name, under which a panel without a domain is served.
    pub(super) fn origins_with(&self, host: &Text) -> Vec<Text> {
        let mut origins: Vec<_> = self.all_origins().iter().map(Text::from).collect();
        if self.site.is_none() {
            origins.push(Expression::sub("https://${Site}", [("Site", host.clone())]).into());
        }
        origins
    }

    /// Returns the address of the Bot API, unless it is the fake server's.
    pub(super) fn telegram(&self) -> &str {
        self.telegram_api_base.as_deref().unwrap_or(TELEGRAM)
    }

    /// Returns the name of the SSM parameter with the first password of a user.
    pub(super) fn bootstrap_password(stage: &Stage) -> String {
        format!("/{SYSTEM}/{}/bootstrap-password", stage.name)
    }

    /// Refuses values that could only fail after a deploy.
    pub(super) fn check(&self, stage: &Stage) -> Result<(), RenderError> {
        let check = SettingsCheck::new(SYSTEM, stage);
        check.origins("allowed_origins", &self.allowed_origins)?;
        check.emails("alarm_email", &self.alarm_email)?;
        check.urls("telegram_api_base", &self.telegram_api_base)?;
        if let Some(site) = &self.site {
            check.domains("site.name", [&site.name])?;
            check.certificates("site.certificate_arn", &site.certificate_arn, CertificateUse::CloudFront)?;
            check.hosted_zones("site.hosted_zone_id", [&site.hosted_zone_id])?;
        }
        if !(1..=LONGEST_TOKEN).contains(&self.access_token_minutes) {
            return Err(check.error(&format!(
                "`access_token_minutes` is {}, but must be from 1 to {LONGEST_TOKEN}",
                self.access_token_minutes
            )));
        }
        if self.login_per_minute_ip == 0 {
            return Err(check.error("`login_per_minute_ip` is 0, so no user could sign in; set at least 1"));
        }
        self.check_telegram(check, stage)
    }

    /// Tokens of real bots must not reach a fake server, nor a server without TLS.
    fn check_telegram(&self, check: SettingsCheck<'_>, stage: &Stage) -> Result<(), RenderError> {
        if self.telegram_stub && !STUB_STAGES.contains(&stage.name.as_str()) {
            return Err(check.error(&format!(
                "`telegram_stub` is true, but only the stages {} may run the fake Telegram server; remove the setting",
                STUB_STAGES.map(|name| format!("`{name}`")).join(" and ")
            )));
        }
        if self.telegram_stub && self.telegram_api_base.is_some() {
            return Err(check.error("`telegram_stub` is true and `telegram_api_base` is set; remove one of them"));
        }
        match &self.telegram_api_base {
            Some(base) if !stage.is_local() && !base.starts_with("https://") => Err(check.error(&format!(
                "`telegram_api_base` is `{base}`, but only stage local may call a server without TLS; use https"
            ))),
            _ => Ok(()),
        }
    }
}
