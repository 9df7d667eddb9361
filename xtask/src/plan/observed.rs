//! What is deployed, as far as planning looks at it. Only `deploy::observe` makes one.

use std::collections::BTreeMap;

use serde_json::Value;

/// What is deployed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// Every stack that exists, by name in CloudFormation.
    pub stacks: BTreeMap<String, ObservedStack>,
    /// Every function that exists, by name in Lambda.
    pub functions: BTreeMap<String, ObservedFunction>,
}

/// One stack.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ObservedStack {
    /// Its status.
    pub status: String,
    /// Its template; `None` when it is not one of ours.
    pub template: Option<Value>,
    /// Its parameters.
    pub parameters: BTreeMap<String, String>,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
}

/// One function.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ObservedFunction {
    /// The `CodeSha256` of `$LATEST`.
    pub code_sha256: String,
    /// The version `live` points to.
    pub live: Option<String>,
}

impl ObservedStack {
    /// Was its creation never finished, so that nothing is lost when it is deleted and created again?
    ///
    /// CloudFormation user guide, "Stack status codes": stacks in these states can only be deleted.
    #[must_use]
    pub fn never_came_to_be(&self) -> bool {
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
