//! Builds without a compiler: each zip is a document from which the simulated Lambda reads the behaviour of its code.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use camino::{Utf8Path, Utf8PathBuf};
use engine::surroundings::Builds;
use model::{
    rendered::{FunctionId, RenderedSystem},
    stage::Stage,
};
use plan::artifacts::{Artifact, ArtifactKind, Artifacts};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use simulated_aws::lambda::{Behavior, Probed};

/// How a function's code behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum Conduct {
    /// It answers.
    #[default]
    Good,
    /// It does not start, so its probe fails.
    Broken,
    /// It answers its probe, and some requests with errors.
    Noisy,
    /// It answers slowly.
    Slow,
    /// It is another function's code, so its probe answers with another name.
    Swapped,
}

impl Conduct {
    /// Whether the code answers its probe as its function.
    #[must_use]
    pub const fn passes_probe(self) -> bool {
        matches!(self, Self::Good | Self::Noisy | Self::Slow)
    }
}

/// A version of a function's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Code {
    /// Distinguishes versions that behave alike.
    pub number: u16,
    /// How it behaves.
    pub conduct: Conduct,
}

/// The code of each function in the workspace, by its binary; a missing one is the first good code.
pub type Codes = BTreeMap<String, Code>;

/// The folder of all zips, each written once. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Zips {
    folder: Utf8PathBuf,
    written: Arc<Mutex<BTreeMap<(String, Code), Artifact>>>,
}

impl Zips {
    /// The zips in a folder, which exists.
    #[must_use]
    pub fn in_folder(folder: &Utf8Path) -> Self {
        Self { folder: folder.to_owned(), written: Arc::default() }
    }

    /// Returns the artifact of a function's code.
    ///
    /// # Panics
    ///
    /// When the zip cannot be written.
    #[must_use]
    pub fn artifact(&self, function: &FunctionId, code: Code) -> Artifact {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (function.binary.clone(), code);
        written.entry(key).or_insert_with(|| write(&self.folder, function, code)).clone()
    }
}

/// The behavior of a function's code.
#[must_use]
pub fn behavior(function: &FunctionId, code: Code) -> Behavior {
    let working = Behavior::working(&function.system, &function.function, u64::from(code.number));
    match code.conduct {
        Conduct::Good => working,
        Conduct::Broken => Behavior { probe: Probed::Fails, ..working },
        Conduct::Noisy => Behavior { errors: 0.3, ..working },
        Conduct::Slow => Behavior { duration_ms: 2_500, ..working },
        Conduct::Swapped => Behavior { probe: Probed::OtherFunction, ..working },
    }
}

fn write(folder: &Utf8Path, function: &FunctionId, code: Code) -> Artifact {
    let bytes = behavior(function, code).zip();
    let sha256 = hex::encode(Sha256::digest(&bytes));
    let path = folder.join(format!("{sha256}.zip"));
    fs_err::write(&path, &bytes).expect("the temporary folder is writable");
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    Artifact {
        kind: ArtifactKind::Function,
        system: function.system.clone(),
        name: function.artifact_name().to_owned(),
        path,
        sha256,
        zipped: size,
        unzipped: size,
    }
}

/// The artifacts of a workspace at one moment.
#[derive(Debug)]
pub struct Built {
    /// Where zips are.
    pub zips: Zips,
    /// The code of each function.
    pub codes: Codes,
}

impl Builds for Built {
    fn artifacts(&self, _: &Stage, systems: &[RenderedSystem]) -> Artifacts {
        let functions = systems.iter().flat_map(|system| &system.stacks).flat_map(|stack| &stack.functions);
        let functions = functions.map(|function| {
            let code = self.codes.get(&function.id.binary).copied().unwrap_or_default();
            (function.id.binary.clone(), self.zips.artifact(&function.id, code))
        });
        Artifacts { functions: functions.collect(), layers: BTreeMap::new() }
    }
}
