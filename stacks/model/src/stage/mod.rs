//! A stage: account, region and settings, parsed from its file, for example `stacks/stages/dev.yaml`.
//!
//! [`Stage`] knows no system: a project reads the settings of its systems with [`Stage::settings`].

mod error;
mod settings;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};

pub use self::error::{StageError, SyntaxError, closest};

/// Where and how systems are deployed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// The stage file's name without its extension, for example `local`, `dev` or `prod`.
    #[serde(skip)]
    pub name: String,
    /// The 12-digit account that holds the stage. A command fails when the caller's account is another one.
    pub account: String,
    /// The region of every stack that does not name its own.
    pub region: String,
    /// Whether the stage is rehearsed on an emulator, whose endpoint `AWS_ENDPOINT_URL` holds. Resources that the emulator
    /// does not support are omitted, as in stage `local`.
    #[serde(default)]
    pub emulated: bool,
    /// Whether a deploy asks for confirmation before it changes anything.
    #[serde(default)]
    pub protected: bool,
    /// The kinds of changes, besides losing data, that a deploy refuses until they are allowed by name.
    #[serde(default)]
    pub refuse: Vec<Refusal>,
    /// When CloudFormation completes the creation and the update of a stack.
    #[serde(default)]
    pub deployment: Deployment,
    /// How a release shifts traffic to new versions.
    #[serde(default)]
    pub release: Release,
    /// The instruction set that functions are built for.
    #[serde(default)]
    pub architecture: Architecture,
    /// The repository whose workflows deploy the stage. Without it, only people deploy.
    #[serde(default)]
    pub pipeline: Option<Pipeline>,
    /// The systems that have settings, at least `{}`. Other systems are not deployed to the stage.
    #[serde(default)]
    systems: BTreeMap<String, Option<IgnoredAny>>,
    /// The text that the stage was parsed from, in which [`Stage::settings`] finds a system's settings.
    #[serde(skip)]
    text: Arc<str>,
    #[serde(skip)]
    file: String,
}

/// When CloudFormation completes an operation on a stack (CloudFormation API reference, `DeploymentConfig`, `Mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deployment {
    /// When its resources are ready.
    #[default]
    Standard,
    /// When the configuration of its resources is applied; they become ready afterwards.
    Express,
}

/// The GitHub repository whose workflows deploy a stage.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// The repository, `owner/name`.
    pub repository: String,
    /// The owner's ID in GitHub: `gh api users/OWNER --jq .id`.
    pub owner_id: u64,
    /// The repository's ID, which stays the same when the repository is renamed: `gh api repos/OWNER/NAME --jq .id`.
    pub repository_id: u64,
    /// The environment whose jobs may deploy. Its protection rules in GitHub decide who approves a deploy.
    pub environment: String,
    /// The branch whose runs may deploy, and may read the stage, so that a plan can be reviewed before it is approved.
    pub branch: String,
    /// Whether the workflow attests the artifacts that it builds, so that a later run takes only attested ones. GitHub has no
    /// attestations for private repositories without GitHub Enterprise Cloud.
    #[serde(default = "enabled")]
    pub attestations: bool,
}

const fn enabled() -> bool {
    true
}

/// How a release shifts traffic to new versions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Release {
    /// All at once, or in steps.
    pub strategy: Strategy,
    /// The steps of a canary: rising percentages of the traffic, from 1 to 99.
    pub steps: Vec<u8>,
    /// The bake time of each step, in seconds; at least 60 for a canary.
    pub bake_seconds: u32,
    /// The number of requests in a step from which on metrics decide about a new version. With fewer requests, probes
    /// decide.
    pub minimum_requests: u32,
    /// The names of CloudWatch alarms that revert a canary when they fire.
    pub alarms: Vec<String>,
}

impl Default for Release {
    fn default() -> Self {
        Self {
            strategy: Strategy::AllAtOnce,
            steps: vec![5, 25],
            bake_seconds: 300,
            minimum_requests: 50,
            alarms: Vec::new(),
        }
    }
}

/// How traffic is shifted: all at once, or in steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// All traffic is shifted as soon as the new version has answered its probe.
    #[default]
    AllAtOnce,
    /// A share of the traffic is shifted first, and the share rises while the metrics stay good.
    Canary,
}

/// A kind of change that a stage refuses until it is allowed by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// A policy that allows more: a new wildcard action or resource, a new principal.
    WidensIam,
    /// A resource that becomes public.
    OpensToPublic,
    /// Removes an alarm, or notifies fewer targets.
    DropsAlarm,
    /// Deletes a resource that clients or events reach, for example a queue or an API.
    BreaksClients,
}

/// A Lambda instruction set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Architecture {
    /// Graviton.
    #[default]
    #[serde(rename = "arm64")]
    Arm64,
    /// Intel and AMD.
    #[serde(rename = "x86_64")]
    X86_64,
}

impl Architecture {
    /// Returns the name that Lambda uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }
}

impl Stage {
    /// Parses the stage `name` from the text of its file; `file` is the file's path for messages.
    ///
    /// # Errors
    ///
    /// When the text is not YAML, a field is missing, unknown or of the wrong type, a value is not allowed, or a system has an empty
    /// value, which could mean no settings or no system.
    pub fn parse(name: &str, text: &str, file: &str) -> Result<Self, StageError> {
        let mut stage: Self = serde_yaml::from_str(text).map_err(|error| StageError::syntax(file, &error))?;
        name.clone_into(&mut stage.name);
        stage.text = text.into();
        file.clone_into(&mut stage.file);
        stage.check()?;
        Ok(stage)
    }

    /// Reads the settings of a system: the value of `systems.<system>`, or `None` when the stage has no such key.
    ///
    /// # Errors
    ///
    /// When the settings do not have the shape of `T`, or have a key that `T` does not have; the error names file and key.
    pub fn settings<T: DeserializeOwned>(&self, system: &str) -> Result<Option<T>, StageError> {
        let settings = settings::read(&self.text, system).map_err(|error| StageError::syntax(&self.file, &error))?;
        match settings.ignored.into_iter().next() {
            Some(key) => {
                Err(StageError::UnknownKey { file: self.file.clone(), key: format!("systems.{system}.{key}") })
            }
            None => Ok(settings.value),
        }
    }

    /// Returns the origins in the setting `allowed_origins` of every system.
    #[must_use]
    pub fn allowed_origins(&self) -> BTreeSet<String> {
        #[derive(Deserialize)]
        struct Origins {
            #[serde(default)]
            allowed_origins: Vec<String>,
        }
        // A system whose setting has another shape is refused by the system itself.
        let origins =
            self.systems.keys().filter_map(|system| settings::read::<Origins>(&self.text, system).ok()?.value);
        origins.flat_map(|origins| origins.allowed_origins).collect()
    }

    /// Checks that every system with settings is one of `known`.
    ///
    /// # Errors
    ///
    /// The first system that is not known, with the most similar one of `known`.
    pub fn check_systems(&self, known: &[&str]) -> Result<(), StageError> {
        self.refuse_unknown(self.systems.keys(), known)
    }

    /// Checks that every system with settings was rendered.
    pub(crate) fn check_rendered(&self, rendered: &[&str]) -> Result<(), StageError> {
        match self.refuse_unknown(self.systems.keys(), rendered) {
            Err(StageError::UnknownSystem { file, system, suggestion: None, .. }) => {
                Err(StageError::NotRendered { file, system })
            }
            result => result,
        }
    }

    fn refuse_unknown<'a>(
        &self,
        mut systems: impl Iterator<Item = &'a String>,
        known: &[&str],
    ) -> Result<(), StageError> {
        let names: BTreeSet<&str> = known.iter().copied().collect();
        let Some(system) = systems.find(|system| !names.contains(system.as_str())) else { return Ok(()) };
        let suggestion = closest(system, known.iter().copied()).map(str::to_owned);
        Err(StageError::UnknownSystem { file: self.file.clone(), system: system.clone(), suggestion, list: None })
    }

    /// Returns the path of the stage's file, for messages.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Returns whether this is stage `local`, which runs on the emulator only.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.name == "local"
    }

    /// Returns when CloudFormation completes the deletion of a stack: once all deletions have begun, because no later step needs what is
    /// deleted. A protected stage waits until they have ended, and so does stage `local`, whose emulator knows no modes.
    #[must_use]
    pub fn deletion(&self) -> Deployment {
        if self.protected || self.is_local() { Deployment::Standard } else { Deployment::Express }
    }

    fn check(&self) -> Result<(), StageError> {
        if self.account.len() != 12 || !self.account.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(self.invalid("account", &self.account, "an account's 12 digits, in quotes"));
        }
        if let Some((system, _)) = self.systems.iter().find(|(_, settings)| settings.is_none()) {
            return Err(StageError::EmptySystem { file: self.file.clone(), system: system.clone() });
        }
        self.check_release()?;
        self.check_deployment()?;
        if !is_region(&self.region) {
            return Err(self.invalid("region", &self.region, "a region's name, like eu-central-1"));
        }
        if !is_name(&self.name) {
            let expected = "at most 16 lower-case letters, digits and hyphens, because resource names contain it";
            return Err(self.invalid("name", &self.name, expected));
        }
        Ok(())
    }

    fn check_release(&self) -> Result<(), StageError> {
        let Release { strategy, steps, bake_seconds, .. } = &self.release;
        if *strategy == Strategy::Canary && (steps.is_empty() || *bake_seconds < 60) {
            let actual = format!("{} steps of {bake_seconds} s", steps.len());
            let expected = "a canary of at least one step and 60 s, because metrics have one value a minute";
            return Err(self.invalid("release", &actual, expected));
        }
        let is_rising = steps.windows(2).all(|pair| pair[0] < pair[1]);
        if !is_rising || steps.iter().any(|step| !(1..=99).contains(step)) {
            let steps = steps.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
            return Err(self.invalid("release.steps", &steps, "rising percentages from 1 to 99, like [5, 25]"));
        }
        Ok(())
    }

    /// An express deployment ends before the resources are ready (CloudFormation user guide, "Deploy CloudFormation stacks faster with
    /// express mode": not for production).
    fn check_deployment(&self) -> Result<(), StageError> {
        let refused = match self.deployment {
            Deployment::Express if self.protected => {
                "`standard` in a protected stage, whose deploys wait until resources are ready"
            }
            Deployment::Express if self.is_local() => {
                "`standard` in stage local, because its emulator has no express mode"
            }
            Deployment::Standard | Deployment::Express => return Ok(()),
        };
        Err(self.invalid("deployment", "express", refused))
    }

    fn invalid(&self, field: &'static str, value: &str, expected: &'static str) -> StageError {
        StageError::Value { file: self.file.clone(), field, value: value.to_owned(), expected }
    }

    #[cfg(test)]
    pub(crate) fn example(name: &str) -> Self {
        let text = "account: '111122223333'\nregion: eu-central-1\nsystems: {}\n";
        Self::parse(name, text, "example.yaml").expect("an example")
    }
}

/// Returns the partition of a region (AWS general reference, "Amazon Resource Names").
#[must_use]
pub fn partition(region: &str) -> &'static str {
    match region {
        china if china.starts_with("cn-") => "aws-cn",
        government if government.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// Two or more parts of letters, then a digit: `eu-central-1`, `us-gov-east-1`.
fn is_region(text: &str) -> bool {
    let mut parts: Vec<_> = text.split('-').collect();
    let number = parts.pop().unwrap_or_default();
    parts.len() >= 2
        && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase()))
        && number.len() == 1
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 16
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests;
