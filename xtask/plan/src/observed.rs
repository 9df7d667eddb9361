//! What is deployed, as far as planning looks at it. Only `deploy::observe` makes one.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::full_name;

/// What is deployed.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Observed {
    /// Every stack that exists, by name in CloudFormation.
    pub stacks: BTreeMap<String, ObservedStack>,
    /// Every function that exists, by name in Lambda.
    pub functions: BTreeMap<String, ObservedFunction>,
    /// The issuers that the account has an OIDC provider for; looked at only where a stack asks for it.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub issuers: BTreeSet<String>,
}

/// One stack.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ObservedStack {
    /// Its status.
    pub status: String,
    /// Why it is in it, where CloudFormation says so.
    #[serde(skip)]
    pub reason: Option<String>,
    /// Its template; `None` when it is not one of ours.
    pub template: Option<Value>,
    /// Its parameters.
    pub parameters: BTreeMap<String, String>,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
}

/// A stack as the account lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListedStack {
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// Its status.
    pub status: String,
    /// Its tags, which say whose it is: a deploy gives every stack `stage`, `system` and `stack`.
    pub tags: BTreeMap<String, String>,
}

impl ListedStack {
    /// The system, and its stack, that this is of a stage. Others may use such tags too, so its name must be what they make of it.
    #[must_use]
    pub fn part(&self, stage: &str) -> Option<(&str, &str)> {
        let tag = |name: &str| self.tags.get(name).map(String::as_str);
        let (system, stack) = (tag("system")?, tag("stack")?);
        (tag("stage")? == stage && self.name == full_name(system, stack, stage)).then_some((system, stack))
    }
}

/// One function.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ObservedFunction {
    /// The `CodeSha256` of `$LATEST`.
    pub code_sha256: String,
    /// The version `live` points to.
    pub live: Option<String>,
    /// That version's `CodeSha256`.
    pub live_code_sha256: Option<String>,
    /// Does `live` point to another version than one made of `$LATEST`, by code or settings?
    pub is_unreleased: bool,
    /// Other versions that get a share of `live`'s traffic, 0 to 1.
    pub weights: BTreeMap<String, f64>,
    /// How `$LATEST` is set up; `None` when that was not looked at.
    pub settings: Option<ObservedSettings>,
}

/// A function's settings that people change by hand.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ObservedSettings {
    /// In MB.
    pub memory: i32,
    /// In seconds.
    pub timeout: i32,
    /// `Active` or `PassThrough`.
    pub tracing: String,
    /// The environment's names, each with the [`fingerprint`] of its value.
    pub environment: BTreeMap<String, String>,
}

/// What is kept of a value that may be secret: enough to see that it changed.
#[must_use]
pub fn fingerprint(value: &str) -> String {
    hex::encode(Sha256::digest(value))
}

impl ObservedStack {
    /// Was its creation never finished, so that nothing is lost when it is deleted and created again?
    ///
    /// CloudFormation user guide, "Stack status codes": stacks in these states can only be deleted.
    #[must_use]
    pub fn was_never_created(&self) -> bool {
        matches!(self.status.as_str(), "REVIEW_IN_PROGRESS" | "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED")
    }
}

impl Observed {
    /// An output of a deployed stack.
    #[must_use]
    pub fn output(&self, stack: &str, output: &str) -> Option<String> {
        self.stacks.get(stack)?.outputs.get(output).cloned()
    }
}
