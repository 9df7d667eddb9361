//! A plan that is passed to a later deploy, with the hashes of everything it was computed from.
//!
//! The engine reads and writes the file.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};
use miette::Diagnostic;
use model::{
    rendered::{RenderedStack, RenderedSystem},
    stage::Stage,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::{allow::Allowances, artifacts::Artifacts, observed::Observed, preview::Preview};

/// The version of the file's format.
const FORMAT: u32 = 2;
/// Only the version that wrote a plan executes it: another may render or compare differently.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The contents of a plan file cannot be used.
#[derive(Debug, Error, Diagnostic)]
pub enum PlanFileError {
    /// The text is not a plan.
    #[error("{path} is not a plan: {reason}")]
    #[diagnostic(help("write one with `cargo xtask plan --stage {stage} --out {path}`"))]
    NotAPlan {
        /// The file.
        path: Utf8PathBuf,
        /// The requested stage.
        stage: String,
        /// The reason.
        reason: String,
    },
    /// Another version of the tool wrote it.
    #[error("plan {path} was written by xtask {found}, but this is xtask {VERSION}; nothing was touched")]
    #[diagnostic(help("write a new plan with this version, or deploy the plan with xtask {found}"))]
    OtherVersion {
        /// The file.
        path: Utf8PathBuf,
        /// The version that wrote it.
        found: String,
    },
    /// It is for another stage.
    #[error("plan {path} is for stage {found}, not for {wanted}; nothing was touched")]
    #[diagnostic(help("run `cargo xtask deploy --stage {found} --plan {path}`, or write a plan for stage {wanted}"))]
    OtherStage {
        /// The file.
        path: Utf8PathBuf,
        /// The stage it was made for.
        found: String,
        /// The requested stage.
        wanted: String,
    },
    /// One of its inputs has changed since.
    #[error("plan {path} is out of date, because these inputs have changed: {}; nothing was touched", changed.join(", "))]
    #[diagnostic(help("write a new plan, review it, and deploy it"))]
    Outdated {
        /// The file.
        path: Utf8PathBuf,
        /// The inputs that differ.
        changed: Vec<String>,
    },
}

/// The contents of a plan file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanFile {
    format_version: u32,
    xtask_version: String,
    /// The planned stacks.
    #[serde(flatten)]
    pub selection: Selection,
    /// The findings that the command line allowed.
    pub allowances: Allowances,
    inputs: Inputs,
    /// The plan.
    pub preview: Preview,
}

/// The stacks that a plan is limited to; empty for all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// The only system.
    pub system: Option<String>,
    /// Names of stacks, short or in full.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub stacks: Vec<String>,
    /// Names of groups of stacks.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub groups: Vec<String>,
}

impl Selection {
    /// Selects one system, or all.
    #[must_use]
    pub fn of_system(system: Option<&str>) -> Self {
        Self { system: system.map(str::to_owned), ..Self::default() }
    }

    /// Returns whether stacks or groups are named.
    #[must_use]
    pub fn names_stacks(&self) -> bool {
        !self.stacks.is_empty() || !self.groups.is_empty()
    }
}

/// The inputs of a plan: a description of each, with its SHA-256.
pub type Inputs = BTreeMap<String, String>;

/// Returns the inputs of a plan.
#[must_use]
pub fn inputs(stage: &Stage, systems: &[RenderedSystem], artifacts: &Artifacts, observed: &Observed) -> Inputs {
    let mut inputs = Inputs::new();
    inputs.insert("the stage's account and region".to_owned(), hash(&json!([stage.account, stage.region])));
    for stack in systems.iter().flat_map(|system| &system.stacks) {
        inputs.extend(stack_inputs(stack, artifacts, observed));
    }
    inputs
}

/// Returns one hash of all inputs.
#[must_use]
pub fn fingerprint(inputs: &Inputs) -> String {
    hash(&json!(inputs))
}

fn stack_inputs(stack: &RenderedStack, artifacts: &Artifacts, observed: &Observed) -> Inputs {
    let mut inputs = Inputs::new();
    let name = &stack.name;
    inputs.insert(format!("the template of {name}"), hash(&stack.template));
    for function in &stack.functions {
        let built = artifacts.functions.get(&function.id.binary).map(|artifact| artifact.sha256.clone());
        inputs.insert(format!("the code of {}", function.function_name), built.unwrap_or_default());
        let deployed = observed.functions.get(&function.function_name);
        inputs.insert(format!("deployed function {}", function.function_name), hash(&json!(deployed)));
    }
    for layer in &stack.layers {
        let built = artifacts.layers.get(&(layer.system.clone(), layer.layer.clone()));
        let sha256 = built.map(|artifact| artifact.sha256.clone());
        inputs.insert(format!("the files of layer {}", layer.layer_name), sha256.unwrap_or_default());
    }
    inputs.insert(format!("deployed stack {name}"), hash(&json!(observed.stacks.get(name))));
    inputs
}

fn hash(value: &serde_json::Value) -> String {
    hex::encode(Sha256::digest(value.to_string()))
}

impl PlanFile {
    /// Creates the contents of a plan file.
    #[must_use]
    pub fn new(selection: Selection, allowances: Allowances, inputs: Inputs, preview: Preview) -> Self {
        let xtask_version = VERSION.to_owned();
        Self { format_version: FORMAT, xtask_version, selection, allowances, inputs, preview }
    }

    /// Returns the text of the file.
    ///
    /// # Errors
    ///
    /// When a value cannot be represented as JSON.
    pub fn to_text(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// Parses the text of a file that this version wrote for `stage`. The path is used in errors only.
    ///
    /// # Errors
    ///
    /// When the text is not a plan, or a plan of another version or stage.
    pub fn parse(text: &str, path: &Utf8Path, stage: &str) -> Result<Self, PlanFileError> {
        let own = || path.to_owned();
        let not_a_plan = |reason: String| PlanFileError::NotAPlan { path: own(), stage: stage.to_owned(), reason };
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| not_a_plan(error.to_string()))?;
        // The version first: a file of another version may have another format.
        let found = value["xtaskVersion"].as_str().ok_or_else(|| not_a_plan("it has no `xtaskVersion`".to_owned()))?;
        if found != VERSION || value["formatVersion"] != FORMAT {
            return Err(PlanFileError::OtherVersion { path: own(), found: found.to_owned() });
        }
        let plan: Self = serde_json::from_value(value).map_err(|error| not_a_plan(error.to_string()))?;
        if plan.preview.stage != stage {
            let (found, wanted) = (plan.preview.stage, stage.to_owned());
            return Err(PlanFileError::OtherStage { path: own(), found, wanted });
        }
        Ok(plan)
    }

    /// Compares the plan's inputs with the current ones. The path is used in errors only.
    ///
    /// # Errors
    ///
    /// When any of them differ; the error names them.
    pub fn check(&self, path: &Utf8Path, now: &Inputs) -> Result<(), PlanFileError> {
        let names: BTreeSet<_> = self.inputs.keys().chain(now.keys()).collect();
        let differs = |name: &&String| self.inputs.get(*name) != now.get(*name);
        let changed: Vec<_> = names.into_iter().filter(differs).cloned().collect();
        if changed.is_empty() { Ok(()) } else { Err(PlanFileError::Outdated { path: path.to_owned(), changed }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(stage: &str, inputs: &[(&str, &str)]) -> PlanFile {
        let preview = Preview { stage: stage.to_owned(), ..Preview::default() };
        let inputs = inputs.iter().map(|(name, hash)| ((*name).to_owned(), (*hash).to_owned())).collect();
        PlanFile::new(Selection::default(), Allowances::default(), inputs, preview)
    }

    #[test]
    fn only_plans_of_this_version_and_stage_are_accepted() {
        let path = Utf8Path::new("plan.json");
        let plan = plan("dev", &[("the template of a", "1"), ("deployed stack a", "2")]);
        let text = plan.to_text().expect("serializable");
        assert_eq!(PlanFile::parse(&text, path, "dev").expect("parsed"), plan);
        let error = |text: &str, stage: &str| PlanFile::parse(text, path, stage).expect_err("refused").to_string();
        assert!(error(&text, "prod").contains("is for stage dev, not for prod"));
        assert!(error(&text.replace(VERSION, "0.0.0-other"), "dev").contains("xtask 0.0.0-other"));
        assert!(error("[]", "dev").contains("is not a plan"));
        assert!(error("no JSON", "dev").contains("is not a plan"));
    }

    #[test]
    fn changed_inputs_are_named() {
        let path = Utf8Path::new("plan.json");
        let plan = plan("dev", &[("a", "1"), ("b", "2"), ("c", "3")]);
        let now = |inputs: &[(&str, &str)]| -> Inputs {
            inputs.iter().map(|(name, hash)| ((*name).to_owned(), (*hash).to_owned())).collect()
        };
        plan.check(path, &now(&[("a", "1"), ("b", "2"), ("c", "3")])).expect("nothing changed");
        let error = plan.check(path, &now(&[("a", "1"), ("b", "9"), ("d", "4")])).expect_err("three differ");
        assert!(error.to_string().contains("have changed: b, c, d;"), "{error}");
    }
}
