//! A version of a function: everything that decides its behavior, and whether Lambda is done with it.

use std::collections::BTreeMap;

use aws_sdk_lambda::types::{FunctionConfiguration, LastUpdateStatus, SnapStartApplyOn, State};
use plan::observed::fingerprint;
use serde::Serialize;

/// A version of a function.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Version {
    /// A number, or `$LATEST`.
    pub(crate) version: String,
    /// Base64 of the SHA-256 of its zip.
    pub(crate) code_sha256: String,
    /// Everything else that decides its behavior.
    pub(crate) settings: Settings,
    /// Whether it can be invoked and published.
    pub(crate) readiness: Readiness,
}

impl Version {
    /// Returns whether two versions behave alike.
    pub(crate) fn does_the_same(&self, other: &Self) -> bool {
        self.code_sha256 == other.code_sha256 && self.settings == other.settings
    }
}

/// Everything besides its code that decides a version's behavior.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Settings {
    /// Runtime and handler.
    pub(crate) runtime: String,
    /// The role's ARN.
    pub(crate) role: String,
    /// Memory in MB.
    pub(crate) memory: i32,
    /// Timeout in seconds.
    pub(crate) timeout: i32,
    /// Instruction sets.
    pub(crate) architectures: Vec<String>,
    /// The layers' ARNs.
    pub(crate) layers: Vec<String>,
    /// The mode of X-Ray.
    pub(crate) tracing: String,
    /// Network, storage, dead-letter queue, keys, logs and SnapStart, as Lambda reports them.
    pub(crate) other: String,
    /// The environment variables, each with a fingerprint of its value: values may be secret.
    #[serde(skip)]
    pub(crate) environment: BTreeMap<String, String>,
}

/// Whether a version can be invoked and published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) enum Readiness {
    /// Yes.
    Ready,
    /// Not yet: Lambda is preparing it.
    Pending,
    /// No: Lambda failed, for this reason.
    Failed(String),
}

pub(super) fn described(found: &FunctionConfiguration) -> Version {
    Version {
        version: found.version().unwrap_or_default().to_owned(),
        code_sha256: found.code_sha256().unwrap_or_default().to_owned(),
        readiness: readiness(
            found.state(),
            found.state_reason(),
            found.last_update_status(),
            found.last_update_status_reason(),
        ),
        settings: settings(found),
    }
}

fn readiness(
    state: Option<&State>,
    state_reason: Option<&str>,
    update: Option<&LastUpdateStatus>,
    update_reason: Option<&str>,
) -> Readiness {
    let failed = |reason: Option<&str>| Readiness::Failed(reason.unwrap_or("Lambda gives no reason").to_owned());
    match (state, update) {
        (Some(State::Failed), _) => failed(state_reason),
        (_, Some(LastUpdateStatus::Failed)) => failed(update_reason),
        (Some(State::Pending), _) | (_, Some(LastUpdateStatus::InProgress)) => Readiness::Pending,
        _ => Readiness::Ready,
    }
}

fn settings(found: &FunctionConfiguration) -> Settings {
    let environment = found.environment().and_then(|environment| environment.variables()).into_iter().flatten();
    // An environment that cannot be read, because its key is unusable, equals no other version's.
    let unreadable = found.environment().and_then(|environment| environment.error());
    let unreadable = unreadable.map(|_| ("unreadable".to_owned(), found.version().unwrap_or_default().to_owned()));
    Settings {
        runtime: format!(
            "{} {}",
            found.runtime().map_or("", |runtime| runtime.as_str()),
            found.handler().unwrap_or_default()
        ),
        role: found.role().unwrap_or_default().to_owned(),
        memory: found.memory_size().unwrap_or_default(),
        timeout: found.timeout().unwrap_or_default(),
        architectures: found.architectures().iter().map(|architecture| architecture.as_str().to_owned()).collect(),
        layers: found.layers().iter().filter_map(|layer| layer.arn().map(str::to_owned)).collect(),
        tracing: found
            .tracing_config()
            .and_then(|tracing| tracing.mode())
            .map_or_else(String::new, |mode| mode.as_str().to_owned()),
        other: other(found),
        environment: environment.map(|(name, value)| (name.clone(), fingerprint(value))).chain(unreadable).collect(),
    }
}

/// The settings that no part of the model sets and that a system may set by path.
fn other(found: &FunctionConfiguration) -> String {
    let snap_start = found.snap_start().and_then(|snap_start| snap_start.apply_on());
    let vpc =
        found.vpc_config().map(|vpc| (vpc.subnet_ids(), vpc.security_group_ids(), vpc.ipv6_allowed_for_dual_stack()));
    let dead_letters = found.dead_letter_config().and_then(|dead_letters| dead_letters.target_arn());
    let set = (
        found.ephemeral_storage().map(|storage| storage.size()),
        vpc.filter(|(subnets, groups, _)| !subnets.is_empty() || !groups.is_empty()),
        dead_letters,
        found.file_system_configs(),
        found.kms_key_arn(),
        found.logging_config(),
        snap_start.filter(|apply_on| **apply_on != SnapStartApplyOn::None),
    );
    format!("{set:?}")
}
