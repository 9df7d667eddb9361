//! Why a release or a rollback failed.

use std::fmt::{Display, Formatter};

use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    aws::{AwsError, lambda::Alias},
    deploy::DeployError,
    ledger::LedgerError,
    site::SiteError,
};

/// An alias `live` that another actor has moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MovedAlias {
    pub(crate) function: String,
    /// The version that the release recorded.
    pub(crate) recorded: String,
    /// Its present routing, in words.
    pub(crate) present: String,
}

impl MovedAlias {
    pub(super) fn new(function: &str, recorded: &str, now: &Alias) -> Self {
        let shares =
            now.weights.iter().map(|(version, weight)| format!(" with {:.0} % to version {version}", weight * 100.0));
        let present = format!("version {}{}", now.version, shares.collect::<String>());
        Self { function: function.to_owned(), recorded: recorded.to_owned(), present }
    }
}

impl Display for MovedAlias {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        let Self { function, recorded, present } = self;
        write!(formatter, "`live` of {function} points to {present} now, and the release recorded version {recorded}")
    }
}

/// The traffic after a failed release.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Traffic {
    /// It was shifted back: users receive the earlier release.
    Reverted,
    /// Users receive the version that failed, because there is no earlier one.
    StaysOnFailed,
    /// Shifting it back failed: users may receive a mix of versions.
    Mixed,
    /// None was shifted.
    NotShifted,
    /// The error does not show which versions users receive.
    #[default]
    Unknown,
}

/// A release or a rollback failed. Each message states what users receive now.
#[derive(Debug, Error, Diagnostic)]
pub(crate) enum ReleaseError {
    /// A call failed.
    #[error("failed to release {function}")]
    Aws {
        function: String,
        #[source]
        #[diagnostic_source]
        source: AwsError,
    },
    /// The function did not become ready.
    #[error(transparent)]
    #[diagnostic(transparent)]
    NotReady(Box<DeployError>),
    /// A new version failed its probe.
    #[error("the probe of {function} version {version} failed: {cause}; {}", consequence(*.traffic))]
    #[diagnostic(help("fix the cause, which the function's log may show, then deploy again"))]
    Probe { function: String, version: String, cause: String, traffic: Traffic },
    /// The new versions are worse than the earlier ones, or a smoke test failed.
    #[error("release {number} was reverted: {why}")]
    #[diagnostic(help(
        "fix the cause, which the functions' logs may show, then deploy again; users receive the earlier versions until then"
    ))]
    Reverted { number: u32, why: String },
    /// The system does not serve its clients after a deploy in express mode.
    #[error(
        "system {system} does not serve its clients: {why}; its stacks are deployed, and its traffic was not reverted"
    )]
    #[diagnostic(help(
        "its resources may still be becoming ready: run the same command again in some minutes; if that fails too, fix the cause, which \
         `cargo xtask doctor --stage {stage}` and the functions' logs may show"
    ))]
    NotServing { stage: String, system: String, why: String },
    /// The first versions failed, and there are no earlier ones to revert to.
    #[error(
        "release {number} failed: {why}; there is no earlier version, so `live` of {functions} still points to the failed \
         version"
    )]
    #[diagnostic(help("fix the cause, which the functions' logs may show, then deploy again"))]
    NothingBefore { number: u32, why: String, functions: String },
    /// Two versions cannot share traffic.
    #[error(
        "the new version of {function} has a different role than the old one, so they cannot share traffic; no traffic was \
         shifted"
    )]
    #[diagnostic(help("release it with `cargo xtask deploy --stage {stage} --strategy all-at-once`"))]
    RolesDiffer { function: String, stage: String },
    /// An alarm that should revert a canary does not exist.
    #[error("release.alarms of stage {stage} names alarms that do not exist in its account: {}", alarms.join(", "))]
    #[diagnostic(help(
        "correct `release.alarms` in the file of stage {stage}; `aws cloudwatch describe-alarms` lists the existing alarms"
    ))]
    UnknownAlarms { alarms: Vec<String>, stage: String },
    /// An alias could not be shifted back.
    #[error(
        "failed to shift `live` of {functions} back after a release failed ({why}); users may receive a mix of versions"
    )]
    #[diagnostic(help("run `cargo xtask release abort --stage {stage} --system {system}` to shift it back"))]
    MixedVersions { stage: String, system: String, functions: String, why: String },
    /// Another actor has moved aliases since they were read, or the reads were stale.
    #[error(
        "failed to shift traffic, because it was moved meanwhile: {}; the release left it there and shifted other functions back",
        joined(moved)
    )]
    #[diagnostic(help(
        "run the same command again: it starts from the present versions; after `release resume`, deploy again"
    ))]
    LiveMoved { moved: Vec<MovedAlias> },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Ledger(#[from] LedgerError),
    /// Versions of the earlier release were deleted.
    #[error("failed to return to release {number}: {}; no traffic was shifted", versions.join(", "))]
    #[diagnostic(help(
        "deploy its commit again, or choose a newer release from `cargo xtask release list --stage {stage}`"
    ))]
    VersionsDeleted { stage: String, number: u32, versions: Vec<String> },
    /// The stacks lack resources that the earlier release's code needs.
    #[error("failed to return to release {number}: the stacks do not match its code: {}; no traffic was shifted", unmet.join(", "))]
    #[diagnostic(help("deploy its commit again, which also restores its stacks"))]
    StacksDiffer { number: u32, unmet: Vec<String> },
    /// Files of the earlier release's sites were deleted.
    #[error("failed to return to release {number}: {}; no traffic was shifted", files.join(", "))]
    #[diagnostic(help(
        "deploy its commit again, or choose a newer release from `cargo xtask release list --stage {stage}`"
    ))]
    FilesDeleted { stage: String, number: u32, files: Vec<String> },
    /// A site could not be published.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Site(#[from] SiteError),
    /// `$LATEST` has other code than this run deployed.
    #[error(
        "the code of {function} is not the deployed code: its CodeSha256 is {actual} instead of {expected}; nothing was \
         released"
    )]
    #[diagnostic(help("deploy again: another run has updated the function in the meantime"))]
    CodeDiffers { function: String, expected: String, actual: String },
    /// The function has no `live`.
    #[error("function {function} is not deployed; nothing was released")]
    #[diagnostic(help("deploy the whole system: run the command without --stack and --group"))]
    NotDeployed { function: String },
}

impl ReleaseError {
    /// Returns the traffic after this error.
    pub(crate) fn traffic(&self) -> Traffic {
        match self {
            Self::Probe { traffic, .. } => *traffic,
            Self::Reverted { .. } | Self::LiveMoved { .. } => Traffic::Reverted,
            Self::NothingBefore { .. } => Traffic::StaysOnFailed,
            Self::MixedVersions { .. } => Traffic::Mixed,
            Self::NotReady(_)
            | Self::RolesDiffer { .. }
            | Self::VersionsDeleted { .. }
            | Self::StacksDiffer { .. }
            | Self::FilesDeleted { .. }
            | Self::CodeDiffers { .. }
            | Self::NotDeployed { .. } => Traffic::NotShifted,
            // These occur before, between and after the shifts of a release.
            Self::Aws { .. }
            | Self::UnknownAlarms { .. }
            | Self::Ledger(_)
            | Self::Site(_)
            | Self::NotServing { .. } => Traffic::Unknown,
        }
    }
}

fn joined(moved: &[MovedAlias]) -> String {
    moved.iter().map(MovedAlias::to_string).collect::<Vec<_>>().join("; ")
}

/// Describes the traffic after a failed probe.
fn consequence(traffic: Traffic) -> &'static str {
    match traffic {
        Traffic::StaysOnFailed => "`live` points to it, and there is no earlier version",
        _ => "no traffic was shifted to it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_the_traffic_that_its_message_states() {
        let (why, function, stage) = (|| "why".to_owned(), || "f".to_owned(), || "prod".to_owned());
        let probe =
            |traffic| ReleaseError::Probe { function: function(), version: "2".to_owned(), cause: why(), traffic };
        let mixed = ReleaseError::MixedVersions {
            stage: stage(),
            system: "notes".to_owned(),
            functions: function(),
            why: why(),
        };
        let moved = MovedAlias { function: function(), recorded: "2".to_owned(), present: "version 5".to_owned() };
        for (error, traffic, words) in [
            (ReleaseError::LiveMoved { moved: vec![moved] }, Traffic::Reverted, "shifted other functions back"),
            (ReleaseError::Reverted { number: 2, why: why() }, Traffic::Reverted, "was reverted"),
            (
                ReleaseError::NothingBefore { number: 1, why: why(), functions: function() },
                Traffic::StaysOnFailed,
                "still points to the failed version",
            ),
            (mixed, Traffic::Mixed, "a mix of versions"),
            (probe(Traffic::NotShifted), Traffic::NotShifted, "no traffic was shifted"),
            (probe(Traffic::StaysOnFailed), Traffic::StaysOnFailed, "`live` points to it"),
            (ReleaseError::RolesDiffer { function: function(), stage: stage() }, Traffic::NotShifted, "no traffic was"),
            (ReleaseError::NotDeployed { function: function() }, Traffic::NotShifted, "nothing was released"),
        ] {
            assert_eq!(error.traffic(), traffic, "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
