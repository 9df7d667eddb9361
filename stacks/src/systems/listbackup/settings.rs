//! The settings that differ from stage to stage.

use listbackup_contract::{SYSTEM, limits::SIGN_IN_PER_MINUTE};
use model::{
    parts::{api::Throttle, gateway_endpoints::VpcRoutes, vpc::Vpc},
    stage::Stage,
    template::{RenderError, Text},
    values::SettingsCheck,
};
use serde::Deserialize;

/// A stage's settings for ListBackup.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Origins whose browsers may use the API.
    pub(super) allowed_origins: Vec<String>,
    /// The sender of mail to users. Outside stage `local`, SES must have verified it.
    pub(super) ses_from_email: String,
    /// The bucket of backups, if it is not `listbackup-data-<stage>`. Bucket names are global; pseudo parameters make one unique.
    /// `check-rights` compares names: give the local stage a name of the same form.
    #[serde(default)]
    pub(super) data_bucket_name: Option<String>,
    /// Whether tables can be restored to any second of the last 35 days, and neither tables nor the user pool can be deleted.
    #[serde(default)]
    pub(super) protect_data: bool,
    /// The throttle of all routes, for all clients together.
    pub(super) throttle: Throttle,
    /// The most requests to sign-in routes in a minute, of each address and of each account.
    #[serde(default = "default_sign_in_per_minute")]
    pub(super) sign_in_per_minute: u32,
    /// The timeouts of the two functions that work on backups, and of their messages.
    #[serde(default)]
    pub(super) processing: Processing,
    /// Whether the account reserves simultaneous invocations for the orchestrator and the file processor. New accounts have too
    /// few to reserve any.
    #[serde(default)]
    pub(super) reserved_concurrency: bool,
    /// The network of the functions that read sources and derive insights. Without it, they run outside of any VPC.
    #[serde(default)]
    pub(super) vpc: Option<Network>,
    /// Whether sources may be in private networks, or on this machine.
    #[serde(default)]
    pub(super) allow_private_sources: bool,
    /// The buckets that accounts may back up without a role of their own: pairs `bucket:account`. `*`, in stage `local` only,
    /// allows all.
    #[serde(default)]
    pub(super) source_buckets: Vec<String>,
    /// The address that alarms are sent to.
    #[serde(default)]
    pub(super) alarm_email: Option<String>,
    /// The endpoint that writes insights. Without it, insights follow rules.
    #[serde(default)]
    pub(super) llm_url: Option<String>,
    /// Whether connected clients receive the progress of backups through a WebSocket.
    #[serde(default)]
    pub(super) live_updates: bool,
    /// The S3 endpoint that clients use, if it is not AWS's own.
    #[serde(default)]
    pub(super) public_s3_endpoint: Option<String>,
}

/// The timeouts of the two functions that work on backups, and of their messages, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Processing {
    /// The timeout of the orchestrator, and of a run's lease.
    pub(super) orchestrator_timeout: u32,
    /// The visibility timeout of runs.
    pub(super) job_visibility: u32,
    /// The timeout of the file processor.
    pub(super) file_timeout: u32,
    /// The visibility timeout of files.
    pub(super) data_visibility: u32,
}

impl Default for Processing {
    fn default() -> Self {
        Self { orchestrator_timeout: 900, job_visibility: 5400, file_timeout: 300, data_visibility: 1800 }
    }
}

/// A network, and the route tables that get gateway endpoints for S3 and DynamoDB.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Network {
    /// The subnets and security groups of the functions.
    pub(super) network: Vpc,
    /// The route tables of these subnets.
    pub(super) routes: VpcRoutes,
}

const fn default_sign_in_per_minute() -> u32 {
    SIGN_IN_PER_MINUTE
}

/// The longest timeout of a function (Lambda developer guide, "Lambda quotas").
const LONGEST_TIMEOUT: u32 = 900;
/// The longest visibility timeout of a message (SQS API reference, `SetQueueAttributes`).
const LONGEST_VISIBILITY: u32 = 43_200;

impl Settings {
    /// Returns the name of the bucket of backups.
    pub(super) fn data_bucket(&self, stage: &Stage) -> Text {
        match &self.data_bucket_name {
            Some(name) => Text::with_pseudo_parameters(name),
            None => Text::from(format!("{SYSTEM}-data-{}", stage.name)),
        }
    }

    /// Returns the beginning of the names of the stage's SSM parameters.
    pub(super) fn ssm_prefix(stage: &Stage) -> String {
        format!("/{SYSTEM}/{}", stage.name)
    }

    /// Returns the name of an SSM parameter.
    pub(super) fn parameter_name(stage: &Stage, name: &str) -> String {
        format!("{}/{name}", Self::ssm_prefix(stage))
    }

    /// Refuses values that could only fail after a deploy.
    pub(super) fn check(&self, stage: &Stage) -> Result<(), RenderError> {
        let check = SettingsCheck::new(SYSTEM, stage);
        if self.allowed_origins.is_empty() {
            return Err(check.error("`allowed_origins` is empty, so no browser could use the API"));
        }
        if self.sign_in_per_minute == 0 {
            return Err(check.error("`sign_in_per_minute` is 0, so no user could sign in; set at least 1"));
        }
        check.origins("allowed_origins", &self.allowed_origins)?;
        check.emails("ses_from_email", [&self.ses_from_email])?;
        check.emails("alarm_email", &self.alarm_email)?;
        check.urls("llm_url", &self.llm_url)?;
        check.urls("public_s3_endpoint", &self.public_s3_endpoint)?;
        self.processing.check(check)?;
        self.check_sources(check, stage)
    }

    /// Sources beside the users' own roles and addresses are named one by one in every stage that others reach.
    fn check_sources(&self, check: SettingsCheck<'_>, stage: &Stage) -> Result<(), RenderError> {
        if stage.is_local() {
            return Ok(());
        }
        if self.allow_private_sources {
            return Err(check.error(
                "`allow_private_sources` is true, so users could read the stage's network; only stage local may set it",
            ));
        }
        let is_pair = |pair: &str| {
            let (bucket, account) = pair.split_once(':').unwrap_or_default();
            (3..=63).contains(&bucket.len())
                && bucket
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
                && account.len() > 1
                && account.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b':')
        };
        match self.source_buckets.iter().find(|pair| !is_pair(pair)) {
            Some(wrong) => Err(check.error(&format!(
                "`source_buckets` has `{wrong}`, but must have pairs `<bucket>:<account>`; only stage local may allow all by `*`"
            ))),
            None => Ok(()),
        }
    }
}

impl Processing {
    /// Lambda refuses an event source mapping whose queue hides messages for a shorter time than its function may run (Lambda
    /// developer guide, "Creating and configuring an Amazon SQS event source mapping").
    fn check(self, check: SettingsCheck<'_>) -> Result<(), RenderError> {
        for (timeout_key, timeout, visibility_key, visibility) in [
            ("orchestrator_timeout", self.orchestrator_timeout, "job_visibility", self.job_visibility),
            ("file_timeout", self.file_timeout, "data_visibility", self.data_visibility),
        ] {
            if !(1..=LONGEST_TIMEOUT).contains(&timeout) {
                return Err(check.error(&format!(
                    "`processing.{timeout_key}` is {timeout}, but must be from 1 to {LONGEST_TIMEOUT} seconds"
                )));
            }
            if !(timeout..=LONGEST_VISIBILITY).contains(&visibility) {
                return Err(check.error(&format!(
                    "`processing.{visibility_key}` is {visibility}, but must be from {timeout}, which is \
                     `processing.{timeout_key}`, to {LONGEST_VISIBILITY} seconds"
                )));
            }
        }
        Ok(())
    }
}
