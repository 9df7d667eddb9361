//! The Media Uploader: users, an API with five functions between two buckets, and a CDN if the stage has a domain.

mod alarms;
mod api;
mod cdn;
mod identity;

use contract::Method;
use media_uploader_contract::SYSTEM;
use model::{
    parts::{bucket::BucketName, topic},
    rendered::{Latency, LiveCheck, SignIn, SmokeCheck},
    stage::Stage,
    template::{Expression, RenderError, System},
    values::SettingsCheck,
};
use serde::Deserialize;

/// A stage's settings for the Media Uploader.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Origins whose browsers may use the API and the buckets.
    allowed_origins: Vec<String>,
    /// The bucket that receives uploads. CloudFormation fills in `${AWS::AccountId}` and `${AWS::Region}`.
    #[serde(default)]
    raw_media_bucket: Option<String>,
    /// The bucket that processed media is served from.
    #[serde(default)]
    processed_media_bucket: Option<String>,
    /// The age in days at which raw files expire; 0 keeps them.
    #[serde(default)]
    raw_retention_days: u32,
    /// The domain under which CloudFront serves the API. Without it, the stage has no CloudFront distribution.
    #[serde(default)]
    domain: Option<Domain>,
    /// The most simultaneous invocations of the dispatcher and of each processor, reserved for them. Without it, uploads that
    /// arrive at once may take all invocations of the account. The account's limit must exceed all reservations by 100.
    #[serde(default)]
    processing_concurrency: Option<u32>,
    /// The address that alarms are sent to.
    #[serde(default)]
    alarm_email: Option<String>,
    /// The USD that the account may spend on SMS in a month before an alarm fires.
    #[serde(default = "default_sms_alarm")]
    sms_alarm_usd: u32,
    /// The S3 endpoint that clients use, if it is not AWS's own.
    #[serde(default)]
    public_s3_endpoint: Option<String>,
}

fn default_sms_alarm() -> u32 {
    5
}

/// Old names of settings, each with the new one.
pub(crate) const RENAMED_SETTINGS: &[(&str, &str)] = &[("root_hosted_zone", "hosted_zone_id")];

/// A domain and its hosted zone.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Domain {
    /// For example `media.example.com`.
    name: String,
    /// The ID of the Route 53 hosted zone.
    hosted_zone_id: String,
}

/// The names of the two buckets.
#[derive(Debug, Clone)]
struct Buckets {
    raw: BucketName,
    processed: BucketName,
}

/// Builds the system.
///
/// # Errors
///
/// When a setting is not allowed.
pub(crate) fn system(stage: &Stage, settings: &Settings) -> Result<System, RenderError> {
    check(stage, settings)?;
    let buckets = buckets(stage, settings)?;
    let (identity, users) = identity::stack(stage, &buckets);
    let (api, handle) = api::stack(stage, settings, &buckets, &users);
    let mut stacks = vec![identity, api];
    if let Some(domain) = &settings.domain {
        stacks.push(cdn::stack(stage, domain, &handle));
    }
    // The authorizer rejects requests without a token, which shows that the API is deployed and guarded.
    let path = "/media/00000000-0000-4000-8000-000000000000".to_owned();
    let guarded = SmokeCheck { api: "MediaApi".to_owned(), path: path.clone(), status: 401, json: None };
    // The only request without a token that reaches a function is a preflight.
    let preflight = LiveCheck::preflight("MediaApi", Method::Post, "/media", &settings.allowed_origins[0]);
    Ok(System::new(SYSTEM, stacks)
        .smoke(guarded)
        .live(LiveCheck::requires_token("MediaApi", Method::Post, "/media"))
        .live(LiveCheck::rejects_forged_token("MediaApi", Method::Get, &path))
        .live(preflight.clone())
        .sign_in(SignIn {
            stack: "cognito".to_owned(),
            pool_output: "MainUserPoolId".to_owned(),
            client_output: "MainUserPoolClientId".to_owned(),
            // A number reserved for fictional use.
            user: "+15555550199".to_owned(),
            attributes: Vec::new(),
            exchange: None,
            checks: vec![LiveCheck::responds("MediaApi", Method::Get, &path, &[404])],
        })
        .latency(Latency { check: preflight, expected: 300, p95: 1_000, longest: 5_000 })
        .alarm_topic("api", topic::ARN_OUTPUT))
}

fn check(stage: &Stage, settings: &Settings) -> Result<(), RenderError> {
    let check = SettingsCheck::new(SYSTEM, stage);
    if settings.allowed_origins.is_empty() {
        return Err(
            check.error("`allowed_origins` is empty, so no browser could use the API; name at least one origin")
        );
    }
    check.origins("allowed_origins", &settings.allowed_origins)?;
    check.urls("public_s3_endpoint", &settings.public_s3_endpoint)?;
    check.emails("alarm_email", &settings.alarm_email)?;
    if settings.processing_concurrency == Some(0) {
        return Err(
            check.error("`processing_concurrency` is 0, so no upload would be processed; set at least 1, or remove it")
        );
    }
    let Some(domain) = &settings.domain else { return Ok(()) };
    check.domains("domain.name", [&domain.name])?;
    check.hosted_zones("domain.hosted_zone_id", [&domain.hosted_zone_id])
}

fn buckets(stage: &Stage, settings: &Settings) -> Result<Buckets, RenderError> {
    let name = |setting: &Option<String>, content: &str| {
        setting.clone().unwrap_or_else(|| format!("{}-media-{content}-${{AWS::AccountId}}", stage.name))
    };
    let raw = name(&settings.raw_media_bucket, "raw");
    let processed = name(&settings.processed_media_bucket, "processed");
    for (setting, name) in [("raw_media_bucket", &raw), ("processed_media_bucket", &processed)] {
        check_bucket_name(setting, name, stage)?;
    }
    if raw == processed {
        return Err(SettingsCheck::new(SYSTEM, stage)
            .error("`raw_media_bucket` and `processed_media_bucket` are the same; they must be two buckets"));
    }
    let bucket = |name: &str| BucketName(Expression::sub(name, []).into());
    Ok(Buckets { raw: bucket(&raw), processed: bucket(&processed) })
}

/// Checks a bucket's name (Amazon S3 User Guide, "General purpose bucket naming rules").
fn check_bucket_name(setting: &str, name: &str, stage: &Stage) -> Result<(), RenderError> {
    let full = name.replace("${AWS::AccountId}", &stage.account).replace("${AWS::Region}", &stage.region);
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_end = |byte: Option<&u8>| byte.is_some_and(|byte| *byte != b'-');
    let bytes = full.as_bytes();
    if (3..=63).contains(&bytes.len())
        && bytes.iter().all(|byte| is_allowed(*byte))
        && is_end(bytes.first())
        && is_end(bytes.last())
    {
        return Ok(());
    }
    Err(SettingsCheck::new(SYSTEM, stage).error(&format!(
        "`{setting}` is `{full}`, but a bucket's name has 3 to 63 lower-case letters, digits and hyphens"
    )))
}

#[cfg(test)]
mod tests;
