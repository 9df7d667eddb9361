//! What differs from stage to stage.

use model::{parts::api::Throttle, stage::Stage, template::RenderError, values::Checked};
use serde::Deserialize;
use thakii_contract::{
    SYSTEM,
    issuers::{AuthIssuer, FIREBASE_ISSUER_PREFIX, IssuerKind},
};

/// A stage's settings for Thakii.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Origins whose browsers may use the API and the bucket. The first may also read the gateway's own errors.
    pub allowed_origins: Vec<String>,
    /// E-mail addresses of the super admins.
    pub super_admins: Vec<String>,
    /// Whose identity tokens are accepted; one of them is primary.
    pub auth_issuers: Vec<Issuer>,
    /// How often the API may be called, where a route has no throttle of its own.
    pub throttle: Throttle,
    /// How long logs are kept, in days.
    #[serde(default = "log_retention")]
    pub log_retention_days: u32,
    /// Tables can be restored to any second of the last 35 days, and neither they nor the users can be deleted.
    #[serde(default)]
    pub protect_data: bool,
    /// The worker's own HTTP address, where it has one.
    #[serde(default)]
    pub worker_service_url: Option<String>,
    /// Where the API is served; without it, it is served under API Gateway's own name.
    #[serde(default)]
    pub domain: Option<Domain>,
    /// Limits every address to 2000 requests in five minutes, for about USD 6 a month.
    #[serde(default)]
    pub waf: bool,
    /// Who is told when an alarm fires.
    #[serde(default)]
    pub alarm_email: Option<String>,
    /// The S3 endpoint a client can reach, where that is not AWS.
    #[serde(default)]
    pub public_s3_endpoint: Option<String>,
}

/// Somebody who issues identity tokens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Issuer {
    /// The stage's own user pool.
    Cognito {
        /// Is it the one that the front end signs in with?
        #[serde(default)]
        primary: bool,
    },
    /// A Firebase project.
    Firebase(Firebase),
}

/// A Firebase project.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Firebase {
    /// Is it the one that the front end signs in with?
    #[serde(default)]
    pub primary: bool,
    /// The project's id: who tokens must be made for.
    pub audience: String,
    /// The `iss` of its tokens, where they are not Google's own.
    #[serde(default)]
    pub issuer: Option<String>,
    /// Where its public keys are, if not where Google keeps them.
    #[serde(default)]
    pub jwks_url: Option<String>,
}

/// The API's domain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Domain {
    /// For example `api.example.com`.
    pub name: String,
    /// The ARN of a certificate in the API's region, which may hold pseudo parameters; without it one is made.
    #[serde(default)]
    pub certificate_arn: Option<String>,
    /// The id of the Route 53 hosted zone; without it the DNS record is somebody else's.
    #[serde(default)]
    pub hosted_zone_id: Option<String>,
}

/// The original's.
const fn log_retention() -> u32 {
    30
}

/// The retentions that CloudWatch Logs knows, in days (CloudWatch Logs API reference, `PutRetentionPolicy`).
const RETENTIONS: &[u32] =
    &[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

impl Issuer {
    const fn is_primary(&self) -> bool {
        match self {
            Self::Cognito { primary } | Self::Firebase(Firebase { primary, .. }) => *primary,
        }
    }

    /// The issuer as functions read it; `${Pool}`, `${Client}` and `${AWS::Region}` are still to be filled in.
    pub(super) fn contract(&self) -> AuthIssuer {
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
    /// Refuses what cannot be used, before anything is rendered.
    pub(super) fn check(&self, stage: &Stage) -> Result<(), RenderError> {
        let checked = Checked::new(SYSTEM, stage);
        self.check_values(checked)?;
        self.check_issuers(checked)?;
        if !RETENTIONS.contains(&self.log_retention_days) {
            let days = RETENTIONS.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
            let message =
                format!("`log_retention_days` is {}, but CloudWatch Logs knows {days}", self.log_retention_days);
            return Err(checked.wrong(&message));
        }
        match &self.domain {
            Some(Domain { certificate_arn: None, hosted_zone_id: None, .. }) => {
                Err(checked.wrong("`domain` needs `certificate_arn`, or `hosted_zone_id` to make a certificate"))
            }
            _ => Ok(()),
        }
    }

    fn check_values(&self, checked: Checked<'_>) -> Result<(), RenderError> {
        if self.allowed_origins.is_empty() {
            return Err(checked.wrong("`allowed_origins` is empty, so no browser could use the API"));
        }
        if self.super_admins.is_empty() {
            return Err(checked.wrong("`super_admins` is empty, so nobody could appoint admins"));
        }
        checked.origins("allowed_origins", &self.allowed_origins)?;
        checked.emails("super_admins", &self.super_admins)?;
        checked.emails("alarm_email", &self.alarm_email)?;
        checked.urls("worker_service_url", &self.worker_service_url)?;
        checked.urls("public_s3_endpoint", &self.public_s3_endpoint)?;
        let Some(domain) = &self.domain else { return Ok(()) };
        checked.domains("domain.name", [&domain.name])?;
        checked.certificates("domain.certificate_arn", &domain.certificate_arn)?;
        checked.hosted_zones("domain.hosted_zone_id", &domain.hosted_zone_id)
    }

    fn check_issuers(&self, checked: Checked<'_>) -> Result<(), RenderError> {
        match self.auth_issuers.iter().filter(|issuer| issuer.is_primary()).count() {
            1 => {}
            0 => {
                return Err(
                    checked.wrong("`auth_issuers` has none with `primary: true`; name the one users sign in with")
                );
            }
            _ => return Err(checked.wrong("`auth_issuers` has several with `primary: true`; leave it to one")),
        }
        let firebase = self.auth_issuers.iter().filter_map(|issuer| match issuer {
            Issuer::Firebase(project) => Some(project),
            Issuer::Cognito { .. } => None,
        });
        for project in firebase {
            if project.audience.trim().is_empty() {
                return Err(
                    checked.wrong("`auth_issuers` has a firebase one whose `audience` is empty; name its project")
                );
            }
            checked.urls("auth_issuers.issuer", &project.issuer)?;
            checked.urls("auth_issuers.jwks_url", &project.jwks_url)?;
        }
        Ok(())
    }
}
