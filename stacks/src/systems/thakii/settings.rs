//! The settings that differ from stage to stage.

use model::{
    parts::api::Throttle,
    stage::Stage,
    template::RenderError,
    values::{CertificateUse, SettingsCheck},
};
use serde::Deserialize;
use thakii_contract::{
    SYSTEM,
    issuers::{AuthIssuer, FIREBASE_ISSUER_PREFIX, IssuerKind},
    limits::SIGN_IN_PER_MINUTE,
};

/// A stage's settings for Thakii.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Origins whose browsers may use the API and the bucket. The first one may also read the gateway's own errors.
    pub(super) allowed_origins: Vec<String>,
    /// The e-mail addresses of the super admins.
    pub(super) super_admins: Vec<String>,
    /// The issuers whose identity tokens are accepted; one of them is primary.
    pub(super) auth_issuers: Vec<Issuer>,
    /// The throttle of routes without a throttle of their own, for all clients together.
    pub(super) throttle: Throttle,
    /// The most requests to sign-in routes in a minute, of each address and of each account.
    #[serde(default = "default_sign_in_per_minute")]
    pub(super) sign_in_per_minute: u32,
    /// The retention of logs, in days.
    #[serde(default = "default_log_retention")]
    pub(super) log_retention_days: u32,
    /// Whether tables can be restored to any second of the last 35 days, and neither tables nor the user pool can be
    /// deleted.
    #[serde(default)]
    pub(super) protect_data: bool,
    /// The worker's HTTP address, if it has one.
    #[serde(default)]
    pub(super) worker_service_url: Option<String>,
    /// The API's domain. Without it, the API is served under API Gateway's own name.
    #[serde(default)]
    pub(super) domain: Option<Domain>,
    /// Whether a web ACL limits each address to 2000 requests in five minutes, and to `sign_in_per_minute` on sign-in routes,
    /// for about USD 7 a month.
    #[serde(default)]
    pub(super) waf: bool,
    /// The address that alarms are sent to.
    #[serde(default)]
    pub(super) alarm_email: Option<String>,
    /// The S3 endpoint that clients use, if it is not AWS's own.
    #[serde(default)]
    pub(super) public_s3_endpoint: Option<String>,
}

/// An issuer of identity tokens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Issuer {
    /// The stage's own user pool.
    Cognito {
        /// Whether the front end signs in with it.
        #[serde(default)]
        primary: bool,
    },
    /// A Firebase project.
    Firebase(Firebase),
}

/// A Firebase project.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Firebase {
    /// Whether the front end signs in with it.
    #[serde(default)]
    pub(super) primary: bool,
    /// The project's ID: the audience of its tokens.
    pub(super) audience: String,
    /// The `iss` of its tokens, if it is not Google's.
    #[serde(default)]
    pub(super) issuer: Option<String>,
    /// The URL of its public keys, if it is not Google's.
    #[serde(default)]
    pub(super) jwks_url: Option<String>,
}

/// The API's domain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Domain {
    /// For example `api.example.com`.
    pub(super) name: String,
    /// The ARN of a certificate in the API's region, which may contain pseudo parameters. Without it, the stack creates
    /// one.
    #[serde(default)]
    pub(super) certificate_arn: Option<String>,
    /// The ID of the Route 53 hosted zone. Without it, the DNS record is created outside the stack.
    #[serde(default)]
    pub(super) hosted_zone_id: Option<String>,
}

/// The retention of the system that this one replaces.
const fn default_log_retention() -> u32 {
    30
}

const fn default_sign_in_per_minute() -> u32 {
    SIGN_IN_PER_MINUTE
}

/// The retentions that CloudWatch Logs accepts, in days (CloudWatch Logs API reference, `PutRetentionPolicy`).
const RETENTIONS: &[u32] =
    &[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

impl Issuer {
    const fn is_primary(&self) -> bool {
        match self {
            Self::Cognito { primary } | Self::Firebase(Firebase { primary, .. }) => *primary,
        }
    }

    /// Returns the issuer as functions read it. `${Pool}`, `${Client}` and `${AWS::Region}` are still to be filled in.
    pub(super) fn to_contract(&self) -> AuthIssuer {
        match self {
            Self::Cognito { primary } => AuthIssuer {
                kind: IssuerKind::Cognito,
                primary: *primary,
                issuer: "https://cognito-idp.${AWS::Region}.amazonaws.com/${Pool}".to_owned(),
                jwks_url: None,
                audience: "${Client}".to_owned(),
            },
            Self::Firebase(project) => AuthIssuer {
                kind: IssuerKind::Firebase,
                primary: project.primary,
                issuer: project
                    .issuer
                    .clone()
                    .unwrap_or_else(|| format!("{FIREBASE_ISSUER_PREFIX}{}", project.audience)),
                jwks_url: project.jwks_url.clone(),
                audience: project.audience.clone(),
            },
        }
    }
}

impl Settings {
    /// Refuses values that could only fail after a deploy.
    pub(super) fn check(&self, stage: &Stage) -> Result<(), RenderError> {
        let check = SettingsCheck::new(SYSTEM, stage);
        self.check_values(check)?;
        self.check_issuers(check)?;
        if !RETENTIONS.contains(&self.log_retention_days) {
            let days = RETENTIONS.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
            let message =
                format!("`log_retention_days` is {}, but CloudWatch Logs accepts {days} only", self.log_retention_days);
            return Err(check.error(&message));
        }
        match &self.domain {
            Some(Domain { certificate_arn: None, hosted_zone_id: None, .. }) => {
                Err(check.error("`domain` needs `certificate_arn`, or `hosted_zone_id` to create a certificate"))
            }
            _ => Ok(()),
        }
    }

    fn check_values(&self, check: SettingsCheck<'_>) -> Result<(), RenderError> {
        if self.allowed_origins.is_empty() {
            return Err(check.error("`allowed_origins` is empty, so no browser could use the API"));
        }
        if self.super_admins.is_empty() {
            return Err(check.error("`super_admins` is empty, so no user could appoint admins"));
        }
        if self.sign_in_per_minute == 0 {
            return Err(check.error("`sign_in_per_minute` is 0, so no user could sign in; set at least 1"));
        }
        check.origins("allowed_origins", &self.allowed_origins)?;
        check.emails("super_admins", &self.super_admins)?;
        check.emails("alarm_email", &self.alarm_email)?;
        check.urls("worker_service_url", &self.worker_service_url)?;
        check.urls("public_s3_endpoint", &self.public_s3_endpoint)?;
        let Some(domain) = &self.domain else { return Ok(()) };
        check.domains("domain.name", [&domain.name])?;
        check.certificates("domain.certificate_arn", &domain.certificate_arn, CertificateUse::RegionalDomain)?;
        check.hosted_zones("domain.hosted_zone_id", &domain.hosted_zone_id)
    }

    fn check_issuers(&self, check: SettingsCheck<'_>) -> Result<(), RenderError> {
        match self.auth_issuers.iter().filter(|issuer| issuer.is_primary()).count() {
            1 => {}
            0 => {
                return Err(check
                    .error("`auth_issuers` has no entry with `primary: true`; mark the one that users sign in with"));
            }
            _ => return Err(check.error("`auth_issuers` has several entries with `primary: true`; keep one")),
        }
        let firebase = self.auth_issuers.iter().filter_map(|issuer| match issuer {
            Issuer::Firebase(project) => Some(project),
            Issuer::Cognito { .. } => None,
        });
        for project in firebase {
            if project.audience.trim().is_empty() {
                return Err(
                    check.error("`auth_issuers` has a firebase entry with an empty `audience`; name its project")
                );
            }
            check.urls("auth_issuers.issuer", &project.issuer)?;
            check.urls("auth_issuers.jwks_url", &project.jwks_url)?;
        }
        Ok(())
    }
}
