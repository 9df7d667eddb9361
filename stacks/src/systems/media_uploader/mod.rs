//! The Media Uploader: users, an API with five functions between two buckets, and a CDN where the stage has a domain.

mod api;
mod cdn;
mod identity;

use contract::Method;
use media_uploader_contract::SYSTEM;
use model::{
    parts::bucket::BucketName,
    rendered::{Latency, LiveCheck, SignIn, SmokeCheck},
    stage::Stage,
    template::{Expression, RenderError, System},
    values::Checked,
};
use serde::Deserialize;

/// A stage's settings for the Media Uploader.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Origins whose browsers may use the API and the buckets.
    pub allowed_origins: Vec<String>,
    /// The bucket uploads land in. `${AWS::AccountId}` and `${AWS::Region}` are filled in by CloudFormation.
    #[serde(default)]
    pub raw_media_bucket: Option<String>,
    /// The bucket processed media is served from.
    #[serde(default)]
    pub processed_media_bucket: Option<String>,
    /// After how many days raw files expire; 0 keeps them.
    #[serde(default)]
    pub raw_retention_days: u32,
    /// Where the API is served through CloudFront; without it there is no CloudFront.
    #[serde(default)]
    pub domain: Option<Domain>,
    /// The S3 endpoint a client can reach, where that is not AWS.
    #[serde(default)]
    pub public_s3_endpoint: Option<String>,
}

/// A domain and the zone it lies in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Domain {
    /// For example `media.example.com`.
    pub name: String,
    /// The id of the Route 53 hosted zone.
    pub root_hosted_zone: String,
}

/// The two buckets' names.
#[derive(Debug, Clone)]
struct Buckets {
    raw: BucketName,
    processed: BucketName,
}

/// The system.
///
/// # Errors
///
/// When a setting cannot be used.
pub fn system(stage: &Stage, settings: &Settings) -> Result<System, RenderError> {
    check(stage, settings)?;
    let buckets = buckets(stage, settings)?;
    let (identity, users) = identity::stack(stage, &buckets);
    let (api, handle) = api::stack(stage, settings, &buckets, &users);
    let mut stacks = vec![identity, api];
    if let Some(domain) = &settings.domain {
        stacks.push(cdn::stack(stage, domain, &handle));
    }
    // A stranger is turned away by the authorizer: the API is deployed, and guarded.
    let path = "/media/00000000-0000-4000-8000-000000000000".to_owned();
    let guarded = SmokeCheck { api: "MediaApi".to_owned(), path: path.clone(), status: 401, json: None };
    // Of all that needs no token, only a preflight reaches a function.
    let preflight = LiveCheck::preflight("MediaApi", Method::Post, "/media", &settings.allowed_origins[0]);
    Ok(System::new(SYSTEM, stacks)
        .smoke(guarded)
        .live(LiveCheck::refuses_strangers("MediaApi", Method::Post, "/media"))
        .live(LiveCheck::refuses_forgers("MediaApi", Method::Get, &path))
        .live(preflight.clone())
        .sign_in(SignIn {
            stack: "cognito".to_owned(),
            pool_output: "MainUserPoolId".to_owned(),
            client_output: "MainUserPoolClientId".to_owned(),
            // A number reserved for fiction.
            user: "+15555550199".to_owned(),
            attributes: Vec::new(),
            exchange: None,
            checks: vec![LiveCheck::answers("MediaApi", Method::Get, &path, &[404])],
        })
        .latency(Latency { check: preflight, expected: 300, p95: 1_000, longest: 5_000 }))
}

fn check(stage: &Stage, settings: &Settings) -> Result<(), RenderError> {
    let checked = Checked::new(SYSTEM, stage);
    if settings.allowed_origins.is_empty() {
        return Err(
            checked.wrong("`allowed_origins` is empty, so no browser could use the API; name at least one origin")
        );
    }
    checked.origins("allowed_origins", &settings.allowed_origins)?;
    checked.urls("public_s3_endpoint", &settings.public_s3_endpoint)?;
    let Some(domain) = &settings.domain else { return Ok(()) };
    checked.domains("domain.name", [&domain.name])?;
    checked.hosted_zones("domain.root_hosted_zone", [&domain.root_hosted_zone])
}

fn buckets(stage: &Stage, settings: &Settings) -> Result<Buckets, RenderError> {
    let name = |setting: &Option<String>, kind: &str| {
        setting.clone().unwrap_or_else(|| format!("{}-media-{kind}-${{AWS::AccountId}}", stage.name))
    };
    let raw = name(&settings.raw_media_bucket, "raw");
    let processed = name(&settings.processed_media_bucket, "processed");
    for (setting, name) in [("raw_media_bucket", &raw), ("processed_media_bucket", &processed)] {
        check_bucket_name(setting, name, stage)?;
    }
    if raw == processed {
        return Err(Checked::new(SYSTEM, stage)
            .wrong("`raw_media_bucket` and `processed_media_bucket` are the same; they must be two buckets"));
    }
    let bucket = |name: &str| BucketName(Expression::sub(name, []).into());
    Ok(Buckets { raw: bucket(&raw), processed: bucket(&processed) })
}

/// Amazon S3 User Guide, "General purpose bucket naming rules".
fn check_bucket_name(setting: &str, name: &str, stage: &Stage) -> Result<(), RenderError> {
    let full = name.replace("${AWS::AccountId}", &stage.account).replace("${AWS::Region}", &stage.region);
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let ends = |byte: Option<&u8>| byte.is_some_and(|byte| *byte != b'-');
    let bytes = full.as_bytes();
    if (3..=63).contains(&bytes.len())
        && bytes.iter().all(|byte| allowed(*byte))
        && ends(bytes.first())
        && ends(bytes.last())
    {
        return Ok(());
    }
    Err(Checked::new(SYSTEM, stage).wrong(&format!(
        "`{setting}` is `{full}`, but a bucket's name has 3 to 63 lower-case letters, digits and hyphens"
    )))
}

#[cfg(test)]
mod tests;
