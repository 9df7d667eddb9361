//! The deployed state, as far as planning needs it. Only the engine's `deploy::observe` creates it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::full_name;

/// The deployed state of a stage.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Observed {
    /// The existing stacks by name in CloudFormation.
    pub stacks: BTreeMap<String, ObservedStack>,
    /// The existing functions by name in Lambda.
    pub functions: BTreeMap<String, ObservedFunction>,
    /// The issuers that the account has an OIDC provider for; listed only if a stack needs them.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub issuers: BTreeSet<String>,
}

/// A deployed stack.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ObservedStack {
    /// The status.
    pub status: String,
    /// CloudFormation's reason for the status.
    #[serde(skip)]
    pub reason: Option<String>,
    /// Was its last operation in express mode? Then CloudFormation repairs a failure of it in another way.
    #[serde(skip)]
    pub is_express: bool,
    /// The template; `None` for a template of another tool, or where it was not read.
    pub template: Option<Value>,
    /// The values of its parameters.
    pub parameters: BTreeMap<String, String>,
    /// The values of its outputs.
    pub outputs: BTreeMap<String, String>,
    /// Whether CloudFormation refuses to delete it.
    #[serde(skip)]
    pub is_protected: bool,
}

/// A stack in the list of an account's stacks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListedStack {
    /// The name.
    pub name: String,
    /// The region.
    pub region: String,
    /// The status.
    pub status: String,
    /// The tags. A deploy tags every stack with `stage`, `system` and `stack`.
    pub tags: BTreeMap<String, String>,
}

impl ListedStack {
    /// Returns the system and the stack's name within it, if the stack belongs to the stage.
    ///
    /// Another tool may use the same tags, so the stack's name must match them.
    #[must_use]
    pub fn part(&self, stage: &str) -> Option<(&str, &str)> {
        let tag = |name: &str| self.tags.get(name).map(String::as_str);
        let (system, stack) = (tag("system")?, tag("stack")?);
        (tag("stage")? == stage && self.name == full_name(system, stack, stage)).then_some((system, stack))
    }
}

/// A deployed function.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ObservedFunction {
    /// The `CodeSha256` of `$LATEST`.
    pub code_sha256: String,
    /// The version `live` points to.
    pub live: Option<String>,
    /// That version's `CodeSha256`.
    pub live_code_sha256: Option<String>,
    /// Does `live` point to a version with other code or settings than `$LATEST`?
    pub is_unreleased: bool,
    /// The routing weights of `live`: other versions and their shares of the traffic, 0 to 1; none where they were not read.
    pub weights: BTreeMap<String, f64>,
    /// The settings of `$LATEST`; `None` if they were not read.
    pub settings: Option<ObservedSettings>,
}

/// The settings of a function that drift is detected in.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ObservedSettings {
    /// The memory, in MB.
    pub memory: i32,
    /// The timeout, in seconds.
    pub timeout: i32,
    /// The tracing mode, `Active` or `PassThrough`.
    pub tracing: String,
    /// The environment variables, each with the [`fingerprint`] of its value.
    pub environment: BTreeMap<String, String>,
}

/// Returns a hash of a value that may be secret, to detect that it changed.
#[must_use]
pub fn fingerprint(value: &str) -> String {
    hex::encode(Sha256::digest(value))
}

impl ObservedStack {
    /// Did its creation fail, so that it can be deleted and created again without loss?
    ///
    /// A stack in one of these states can only be deleted (CloudFormation user guide, "Stack status codes").
    #[must_use]
    pub fn was_never_created(&self) -> bool {
        matches!(self.status.as_str(), "REVIEW_IN_PROGRESS" | "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED")
    }
}

impl Observed {
    /// Returns the value of a deployed stack's output.
    #[must_use]
    pub fn output(&self, stack: &str, output: &str) -> Option<String> {
        self.stacks.get(stack)?.outputs.get(output).cloned()
    }
}
