//! A stage: account, region and settings, read from `stacks/stages/<stage>.yaml`.

mod settings;

use std::{collections::BTreeMap, sync::Arc};

use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use thiserror::Error;

/// Where and how systems are deployed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// `local`, `dev`, `staging`, `prod`: the stage file's name.
    #[serde(skip)]
    pub name: String,
    /// The 12-digit account everything must happen in; the caller's account is held against it.
    pub account: String,
    /// The region of every stack that does not name another.
    pub region: String,
    /// A rehearsal on an emulator, which `AWS_ENDPOINT_URL` names: what the emulator cannot do is left out, as in stage `local`.
    #[serde(default)]
    pub emulated: bool,
    /// Ask before changing anything.
    #[serde(default)]
    pub protected: bool,
    /// What a deploy refuses until it is named, besides losing data.
    #[serde(default)]
    pub refuse: Vec<Refusal>,
    /// How new versions get their traffic.
    #[serde(default)]
    pub release: Release,
    /// The instruction set functions are built for.
    #[serde(default)]
    pub architecture: Architecture,
    /// Whose workflows deploy the stage; without it, only people do.
    #[serde(default)]
    pub pipeline: Option<Pipeline>,
    /// The systems that have settings; a system without settings is not deployed to the stage.
    #[serde(default)]
    systems: BTreeMap<String, IgnoredAny>,
    /// The text that it was parsed from, where [`Stage::settings`] finds a system's settings.
    #[serde(skip)]
    text: Arc<str>,
    /// The path of its file, for messages.
    #[serde(skip)]
    file: String,
}

/// Whose workflows deploy a stage.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// The repository, `owner/name`.
    pub repository: String,
    /// The owner's number in GitHub: `gh api users/OWNER --jq .id`.
    pub owner_id: u64,
    /// The repository's number, which stays with it when it is renamed: `gh api repos/OWNER/NAME --jq .id`.
    pub repository_id: u64,
    /// The environment whose jobs may deploy. Its protection rules in GitHub decide who approves.
    pub environment: String,
    /// The branch whose runs may look at the stage, so that a plan is seen before it is approved.
    pub branch: String,
}

/// How new versions get their traffic.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Release {
    /// All at once, or step by step.
    pub strategy: Strategy,
    /// The steps of a canary: shares of the traffic in percent, rising, below 100.
    pub steps: Vec<u8>,
    /// How long each step is watched, in seconds.
    pub bake_seconds: u32,
    /// How many requests a new version must get in a step to be judged by them; with fewer, probes decide.
    pub minimum_requests: u32,
    /// CloudWatch alarms whose firing reverts a canary.
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

/// All at once, or step by step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Everybody gets the new version as soon as it has answered its probe.
    #[default]
    AllAtOnce,
    /// A few get it first, and more while it does no worse.
    Canary,
}

/// A kind of change that a stage may refuse until it is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// A policy that allows more: a new wildcard action or resource, a new principal.
    WidensIam,
    /// Something that everybody may use from now on.
    OpensToPublic,
    /// An alarm that goes, or tells fewer.
    DropsAlarm,
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
    /// The name in Lambda.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }
}

/// A stage file's content is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StageError {
    /// Not YAML, or not a stage's YAML. The source names field, line and column.
    #[error("failed to understand {file}{}", suggested(.suggestion.as_deref()))]
    Syntax {
        /// The file.
        file: String,
        /// The field that an unknown one was probably meant to be.
        suggestion: Option<String>,
        /// The reason, with line and column.
        source: SyntaxError,
    },
    /// Settings of a system that the project does not have.
    #[error("failed to understand {file}: there is no system `{system}`{}", suggested(.suggestion.as_deref()))]
    UnknownSystem {
        /// The file.
        file: String,
        /// The name under `systems`.
        system: String,
        /// The closest system of the project.
        suggestion: Option<String>,
    },
    /// A value that cannot be.
    #[error("failed to understand {file}: `{field}` is `{value}`, but must be {expected}")]
    Value {
        /// The file.
        file: String,
        /// The field's path.
        field: &'static str,
        /// What it is.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
}

/// The parser's reason, with line and column.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct SyntaxError(String);

impl Stage {
    /// Reads the stage called `name` from the text of its file; `file` is only for messages.
    ///
    /// # Errors
    ///
    /// When the text is no YAML, a field is missing, unknown or of the wrong type, or a value cannot be.
    pub fn parse(name: &str, text: &str, file: &str) -> Result<Self, StageError> {
        let mut stage: Self = serde_yaml::from_str(text).map_err(|error| syntax(file, &error))?;
        name.clone_into(&mut stage.name);
        stage.text = text.into();
        file.clone_into(&mut stage.file);
        let wrong = |field, value: &str, expected| StageError::Value {
            file: file.to_owned(),
            field,
            value: value.to_owned(),
            expected,
        };
        if stage.account.len() != 12 || !stage.account.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong("account", &stage.account, "an account's 12 digits, in quotes"));
        }
        let steps = &stage.release.steps;
        if stage.release.strategy == Strategy::Canary && (steps.is_empty() || stage.release.bake_seconds < 60) {
            let found = format!("{} steps of {} s", steps.len(), stage.release.bake_seconds);
            return Err(wrong(
                "release",
                &found,
                "a canary of at least one step and 60 s, as metrics come by the minute",
            ));
        }
        let rising = steps.windows(2).all(|pair| pair[0] < pair[1]);
        if !rising || steps.iter().any(|step| !(1..=99).contains(step)) {
            let steps = steps.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
            return Err(wrong("release.steps", &steps, "rising percentages from 1 to 99, like [5, 25]"));
        }
        if !is_region(&stage.region) {
            return Err(wrong("region", &stage.region, "a region's name, like eu-central-1"));
        }
        if !is_name(name) {
            return Err(wrong(
                "name",
                name,
                "lower-case letters, digits and hyphens, for it is part of resource names",
            ));
        }
        Ok(stage)
    }

    /// Reads a system's settings: the value of `systems.<system>`, or `None` where the stage has no such key.
    ///
    /// # Errors
    ///
    /// When the settings do not have the shape of `T`; the error names file, line and key.
    pub fn settings<T: DeserializeOwned>(&self, system: &str) -> Result<Option<T>, StageError> {
        settings::read(&self.text, system).map_err(|error| syntax(&self.file, &error))
    }

    /// Checks that every system with settings is one of `known`.
    ///
    /// # Errors
    ///
    /// The first that is not, with the closest one of `known`.
    pub fn check_systems(&self, known: &[&str]) -> Result<(), StageError> {
        let Some(system) = self.systems.keys().find(|system| !known.contains(&system.as_str())) else { return Ok(()) };
        let suggestion = closest(system, known.iter().copied()).map(str::to_owned);
        Err(StageError::UnknownSystem { file: self.file.clone(), system: system.clone(), suggestion })
    }

    /// The path of the stage's file, for messages.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Is this the stage that runs on the emulator? What the emulator cannot do is left out of it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.name == "local"
    }

    #[cfg(test)]
    pub(crate) fn example(name: &str) -> Self {
        let text = "account: '111122223333'\nregion: eu-central-1\nsystems: {}\n";
        Self::parse(name, text, "example.yaml").expect("an example")
    }
}

/// The known field that is closest to the unknown one of serde's message "unknown field `a`, expected one of `b`, `c`".
fn suggestion(message: &str) -> Option<String> {
    let (_, names) = message.split_once("unknown field `")?;
    // What stands between backticks is every other piece.
    let mut names = names.split('`').step_by(2);
    let unknown = names.next()?;
    closest(unknown, names).map(str::to_owned)
}

/// The candidate that `name` was probably meant to be: the most similar one, if any is similar enough.
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const CLOSE: f64 = 0.7;
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(similarity, _)| *similarity >= CLOSE)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, candidate)| candidate)
}

fn syntax(file: &str, error: &serde_yaml::Error) -> StageError {
    let message = error.to_string();
    StageError::Syntax { file: file.to_owned(), suggestion: suggestion(&message), source: SyntaxError(message) }
}

fn suggested(field: Option<&str>) -> String {
    field.map(|field| format!("; did you mean `{field}`?")).unwrap_or_default()
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
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        let error = Stage::parse("dev", text, "stacks/stages/dev.yaml").expect_err("wrong");
        let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
        format!("{error}{}", source.unwrap_or_default())
    }

    #[test]
    fn broken_and_incomplete_files_are_named_with_place_and_field() {
        let broken = error("account: '111122223333'\nregion: [");
        assert!(broken.contains("stacks/stages/dev.yaml") && broken.contains("line"), "{broken}");
        let missing = error("account: '111122223333'\n");
        assert!(missing.contains("missing field `region`"), "{missing}");
        let unknown = error("account: '111122223333'\nregion: eu-central-1\nregoin: x\n");
        assert!(unknown.contains("unknown field `regoin`") && unknown.contains("line 3"), "{unknown}");
        assert!(unknown.contains("did you mean `region`?"), "{unknown}");
        let nested =
            error("account: '111122223333'\nregion: eu-central-1\nsystems:\n  photos:\n    alowed_origins: 1\n");
        assert!(nested.contains("unknown field `alowed_origins`") && nested.contains("line 5"), "{nested}");
        assert!(nested.contains("systems.photos") && nested.contains("`allowed_origins`?"), "{nested}");
        let far = error("account: '111122223333'\nregion: eu-central-1\nweather: sunny\n");
        assert!(!far.contains("did you mean"), "{far}");
    }

    #[test]
    fn accounts_and_regions_must_be_possible() {
        assert!(error("account: '123'\nregion: eu-central-1\n").contains("12 digits"));
        assert!(error("account: '111122223333'\nregion: Frankfurt\n").contains("eu-central-1"));
    }
}
