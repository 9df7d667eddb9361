//! Identifies the caller, and explains how to sign in when its credentials are missing, expired or refused.

use aws_config::profile::ProfileSet;
use aws_types::os_shim_internal::{Env, Fs};
use miette::Diagnostic;
use thiserror::Error;

use super::{AwsError, Clients, error::ErrorKind, sts::Caller};
use crate::surroundings;

/// The caller cannot be identified.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum SignInError {
    /// The profile, or the region, explains the cause.
    #[error("failed to sign in to AWS; nothing was touched")]
    #[diagnostic(help("{hint}"))]
    Explained {
        /// What to do.
        hint: String,
        /// The failed call.
        #[source]
        source: AwsError,
    },
    /// The cause is the call's own.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Other(#[from] AwsError),
}

impl Clients {
    /// Identifies the caller.
    ///
    /// # Errors
    ///
    /// When the call fails; the hint depends on the caller's profile.
    pub(crate) async fn sign_in(&self) -> Result<Caller, SignInError> {
        let source = match self.caller().await {
            Ok(caller) => return Ok(caller),
            Err(error) => error,
        };
        let hint = if self.endpoint().is_some() { None } else { hint(&source, self.region()).await };
        Err(match hint {
            Some(hint) => SignInError::Explained { hint, source },
            None => source.into(),
        })
    }
}

async fn hint(error: &AwsError, region: &str) -> Option<String> {
    if is_refused(error) && !is_enabled_by_default(region) {
        return Some(format!(
            "run `aws account get-region-opt-status --region-name {region}`; enable the region if it is disabled, otherwise correct the \
             keys, which STS rejects"
        ));
    }
    if !matches!(error.kind, ErrorKind::NoCredentials | ErrorKind::ExpiredCredentials) {
        return None;
    }
    let has = |name: &str| surroundings::variable(name).is_some();
    // The environment's keys come before every profile (AWS SDK for Rust, "Default credential provider chain").
    if surroundings::is_simulated() || has("AWS_ACCESS_KEY_ID") && has("AWS_SECRET_ACCESS_KEY") {
        return None;
    }
    let profiles = aws_config::profile::load(&Fs::real(), &Env::real(), &Default::default(), None).await.ok()?;
    Some(SignIn::of(&profiles)?.hint())
}

/// STS does not know the keys: they are wrong, or the region is disabled, where no key of the account is known.
fn is_refused(error: &AwsError) -> bool {
    matches!(error.code.as_deref(), Some("InvalidClientTokenId" | "UnrecognizedClientException"))
}

/// Returns whether every account can use the region. All others must be enabled first (AWS account management reference guide, "Enable or
/// disable AWS Regions in your account").
fn is_enabled_by_default(region: &str) -> bool {
    const REGIONS: [&str; 17] = [
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "ca-central-1",
        "eu-central-1",
        "eu-north-1",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "sa-east-1",
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
    ];
    // China and GovCloud are partitions of their own, without regions to enable.
    REGIONS.contains(&region) || region.starts_with("cn-") || region.starts_with("us-gov-")
}

/// How a profile gets its credentials, as far as its user can renew them.
#[derive(Debug, PartialEq, Eq)]
enum SignIn {
    /// By a role that requires a code of a device, which the SDK cannot ask for.
    Mfa(String),
    /// By IAM Identity Center.
    Sso(String),
    /// By a session of the console.
    Login(String),
    /// By a command.
    Process(String),
}

impl SignIn {
    /// Follows the selected profile to the one that has credentials (AWS SDKs and Tools reference guide, "Assume role credential provider").
    fn of(profiles: &ProfileSet) -> Option<Self> {
        let mut name = profiles.selected_profile();
        let mut seen = Vec::new();
        while !seen.contains(&name) {
            seen.push(name);
            let profile = profiles.get_profile(name)?;
            let (has, name_of) = (|key: &str| profile.get(key).is_some(), || name.to_owned());
            let source = profile.get("source_profile").filter(|_| has("role_arn"));
            if has("role_arn") && has("mfa_serial") {
                return Some(Self::Mfa(name_of()));
            }
            if let Some(source) = source.filter(|source| *source != name) {
                name = source;
                continue;
            }
            return if has("sso_session") || has("sso_start_url") {
                Some(Self::Sso(name_of()))
            } else if has("login_session") {
                Some(Self::Login(name_of()))
            } else if has("credential_process") {
                Some(Self::Process(name_of()))
            } else {
                None
            };
        }
        None
    }

    fn hint(&self) -> String {
        const AGAIN: &str = "then run the command again";
        match self {
            Self::Sso(profile) => format!("run `aws sso login --profile {profile}`, {AGAIN}"),
            Self::Login(profile) => format!("run `aws login --profile {profile}`, {AGAIN}"),
            Self::Process(profile) => {
                format!("fix the command in `credential_process` of profile {profile}, {AGAIN}")
            }
            Self::Mfa(profile) => format!(
                "run `eval \"$(aws configure export-credentials --profile {profile} --format env)\"`, which asks for the code of the \
                 device in `mfa_serial`, {AGAIN}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sign_in(config: &str, profile: &'static str) -> Option<SignIn> {
        let fs = Fs::from_slice(&[("/config", config)]);
        let env = Env::from_slice(&[("AWS_CONFIG_FILE", "/config"), ("HOME", "/"), ("AWS_PROFILE", profile)]);
        let profiles = aws_config::profile::load(&fs, &env, &Default::default(), None).await.expect("profiles");
        SignIn::of(&profiles)
    }

    #[tokio::test]
    async fn the_profile_with_the_credentials_is_named() {
        let config = "[profile sso]\nsso_session = s\nsso_account_id = 111122223333\nsso_role_name = r\n\
                      [sso-session s]\nsso_region = eu-west-1\nsso_start_url = https://s.awsapps.com/start\n\
                      [profile old]\nsso_start_url = https://s.awsapps.com/start\n\
                      [profile role]\nrole_arn = arn:aws:iam::111122223333:role/r\nsource_profile = sso\n\
                      [profile device]\nrole_arn = arn:aws:iam::111122223333:role/r\nsource_profile = keys\nmfa_serial = arn:d\n\
                      [profile keys]\naws_access_key_id = a\naws_secret_access_key = b\n\
                      [profile console]\nlogin_session = arn:aws:iam::111122223333:user/u\n\
                      [profile command]\ncredential_process = /bin/false\n\
                      [profile loop]\nrole_arn = r\nsource_profile = pool\n[profile pool]\nrole_arn = r\nsource_profile = loop\n";
        let name = |name: &str| name.to_owned();
        for (profile, expected) in [
            ("sso", Some(SignIn::Sso(name("sso")))),
            ("old", Some(SignIn::Sso(name("old")))),
            ("role", Some(SignIn::Sso(name("sso")))),
            ("device", Some(SignIn::Mfa(name("device")))),
            ("keys", None),
            ("console", Some(SignIn::Login(name("console")))),
            ("command", Some(SignIn::Process(name("command")))),
            ("loop", None),
            ("absent", None),
        ] {
            assert_eq!(sign_in(config, profile).await, expected, "{profile}");
        }
        assert_eq!(SignIn::Sso(name("p")).hint(), "run `aws sso login --profile p`, then run the command again");
    }

    #[tokio::test]
    async fn keys_that_are_unknown_in_a_region_that_may_be_disabled_name_the_region() {
        let error = |code: &str| AwsError {
            operation: "sts:GetCallerIdentity",
            resource: Box::new(crate::aws::Resource::caller()),
            kind: ErrorKind::NoCredentials,
            code: Some(code.into()),
            message: "The security token included in the request is invalid".to_owned(),
        };
        for code in ["InvalidClientTokenId", "UnrecognizedClientException"] {
            let hint = hint(&error(code), "af-south-1").await.expect("a hint");
            assert!(hint.contains("--region-name af-south-1`") && hint.contains("correct the keys"), "{hint}");
        }
        assert!(!is_enabled_by_default("eu-south-1") && is_enabled_by_default("eu-west-1"));
        assert!(is_enabled_by_default("us-gov-west-1") && is_enabled_by_default("cn-north-1"));
    }
}
