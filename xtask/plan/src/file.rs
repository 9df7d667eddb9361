//! A plan on its way from whoever made it to whoever carries it out, with the hash of everything it was made from.

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

use super::{allow::Allowances, observed::Observed, preview::Preview};
use crate::artifacts::Artifacts;

/// The version of this file's form.
const FORMAT: u32 = 1;
/// A plan means the same only to the version that made it: another may render or compare in another way.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A plan file cannot be used.
#[derive(Debug, Error, Diagnostic)]
pub enum PlanFileError {
    /// The file cannot be read or written.
    #[error("failed to access plan {path}")]
    Access {
        /// The file.
        path: Utf8PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The file is none.
    #[error("{path} is no plan: {reason}")]
    #[diagnostic(help("`cargo xtask plan --stage STAGE --out {path}` writes one"))]
    NoPlan {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Another version wrote it.
    #[error("plan {path} was written by xtask {found}, and this is {VERSION}; nothing was touched")]
    #[diagnostic(help("plan again with this version"))]
    OtherVersion {
        /// The file.
        path: Utf8PathBuf,
        /// Who wrote it.
        found: String,
    },
    /// It is for another stage.
    #[error("plan {path} is for stage {found}, not for {wanted}; nothing was touched")]
    #[diagnostic(help("deploy it with --stage {found}, or plan {wanted}"))]
    OtherStage {
        /// The file.
        path: Utf8PathBuf,
        /// Its stage.
        found: String,
        /// The stage asked for.
        wanted: String,
    },
    /// Something it was made from is no longer what it was.
    #[error("plan {path} is out of date; nothing was touched. Changed since: {}", moved.join(", "))]
    #[diagnostic(help("plan again, look at it, and deploy that"))]
    Moved {
        /// The file.
        path: Utf8PathBuf,
        /// What changed.
        moved: Vec<String>,
    },
}

/// A plan, as a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanFile {
    /// The version of the form.
    format_version: u32,
    /// Who wrote it.
    xtask_version: String,
    /// The one system it is about, if it is.
    pub system: Option<String>,
    /// The one stack it is about, if it is.
    pub stack: Option<String>,
    /// What was named to pass.
    pub allowances: Allowances,
    /// The SHA-256 of everything it was made from.
    inputs: Inputs,
    /// The plan.
    pub preview: Preview,
}

/// What a plan was made from: what it is, for people, and its SHA-256.
pub type Inputs = BTreeMap<String, String>;

/// The inputs of a plan.
#[must_use]
pub fn inputs(stage: &Stage, systems: &[RenderedSystem], artifacts: &Artifacts, observed: &Observed) -> Inputs {
    let mut inputs = Inputs::new();
    inputs.insert("the stage's account and region".to_owned(), hash(&json!([stage.account, stage.region])));
    for stack in systems.iter().flat_map(|system| &system.stacks) {
        inputs.extend(stack_inputs(stack, artifacts, observed));
    }
    inputs
}

/// One hash of all of them.
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
    /// A plan to be written.
    #[must_use]
    pub fn new(
        (system, stack): (Option<String>, Option<String>),
        allowances: Allowances,
        inputs: Inputs,
        preview: Preview,
    ) -> Self {
        let xtask_version = VERSION.to_owned();
        Self { format_version: FORMAT, xtask_version, system, stack, allowances, inputs, preview }
    }

    /// Writes the file.
    ///
    /// # Errors
    ///
    /// When the operating system refuses.
    pub fn write(&self, path: &Utf8Path) -> Result<(), PlanFileError> {
        let access = |source| PlanFileError::Access { path: path.to_owned(), source };
        let text = serde_json::to_string_pretty(self).map_err(std::io::Error::other).map_err(access)?;
        fs_err::write(path, text + "\n").map_err(access)
    }

    /// Reads a file that this version wrote for a stage.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is something else.
    pub fn read(path: &Utf8Path, stage: &str) -> Result<Self, PlanFileError> {
        let own = || path.to_owned();
        let text = fs_err::read_to_string(path).map_err(|source| PlanFileError::Access { path: own(), source })?;
        let no_plan = |reason: String| PlanFileError::NoPlan { path: own(), reason };
        let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| no_plan(error.to_string()))?;
        // The version first: another version's file may have another form.
        let found = value["xtaskVersion"].as_str().ok_or_else(|| no_plan("it has no `xtaskVersion`".to_owned()))?;
        if found != VERSION || value["formatVersion"] != FORMAT {
            return Err(PlanFileError::OtherVersion { path: own(), found: found.to_owned() });
        }
        let plan: Self = serde_json::from_value(value).map_err(|error| no_plan(error.to_string()))?;
        if plan.preview.stage != stage {
            let (found, wanted) = (plan.preview.stage, stage.to_owned());
            return Err(PlanFileError::OtherStage { path: own(), found, wanted });
        }
        Ok(plan)
    }

    /// Refuses a plan whose inputs are no longer what they were, and says which.
    ///
    /// # Errors
    ///
    /// When any has moved.
    pub fn check(&self, path: &Utf8Path, now: &Inputs) -> Result<(), PlanFileError> {
        let names: BTreeSet<_> = self.inputs.keys().chain(now.keys()).collect();
        let moved: Vec<_> =
            names.into_iter().filter(|name| self.inputs.get(*name) != now.get(*name)).cloned().collect();
        if moved.is_empty() { Ok(()) } else { Err(PlanFileError::Moved { path: path.to_owned(), moved }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(stage: &str, inputs: &[(&str, &str)]) -> PlanFile {
        let preview = Preview { stage: stage.to_owned(), ..Preview::default() };
        let inputs = inputs.iter().map(|(name, hash)| ((*name).to_owned(), (*hash).to_owned())).collect();
        PlanFile::new((None, None), Allowances::default(), inputs, preview)
    }

    #[test]
    fn what_is_written_is_read_and_anything_else_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = Utf8PathBuf::from_path_buf(folder.path().join("plan.json")).expect("UTF-8");
        let plan = plan("dev", &[("the template of a", "1"), ("deployed stack a", "2")]);
        plan.write(&path).expect("written");
        assert_eq!(PlanFile::read(&path, "dev").expect("read"), plan);
        let told = |error: PlanFileError| error.to_string();
        assert!(
            told(PlanFile::read(&path, "prod").expect_err("another stage")).contains("is for stage dev, not for prod")
        );

        let text = fs_err::read_to_string(&path).expect("readable");
        fs_err::write(&path, text.replace(VERSION, "0.0.0-other")).expect("written");
        assert!(told(PlanFile::read(&path, "dev").expect_err("another version")).contains("xtask 0.0.0-other"));
        fs_err::write(&path, "[]").expect("written");
        assert!(told(PlanFile::read(&path, "dev").expect_err("no plan")).contains("is no plan"));
        let missing = path.with_extension("missing");
        assert!(matches!(PlanFile::read(&missing, "dev"), Err(PlanFileError::Access { .. })));
    }

    #[test]
    fn whatever_moved_is_named() {
        let path = Utf8Path::new("plan.json");
        let plan = plan("dev", &[("a", "1"), ("b", "2"), ("c", "3")]);
        let now = |inputs: &[(&str, &str)]| -> Inputs {
            inputs.iter().map(|(name, hash)| ((*name).to_owned(), (*hash).to_owned())).collect()
        };
        plan.check(path, &now(&[("a", "1"), ("b", "2"), ("c", "3")])).expect("nothing moved");
        let error = plan.check(path, &now(&[("a", "1"), ("b", "9"), ("d", "4")])).expect_err("three moved");
        assert!(error.to_string().ends_with("b, c, d"), "{error}");
    }
}
