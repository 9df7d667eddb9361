//! Artifacts: the zips of functions and layers. The engine builds them.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

/// The kind of an artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ArtifactKind {
    /// A function's `bootstrap`.
    Function,
    /// A layer's files.
    Layer,
}

/// A built zip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Artifact {
    /// The kind of its contents.
    pub kind: ArtifactKind,
    /// The system it belongs to.
    pub system: String,
    /// The function or layer.
    pub name: String,
    /// The path of the zip.
    pub path: Utf8PathBuf,
    /// The SHA-256 of the zip, in hexadecimal.
    pub sha256: String,
    /// The size of the zip, in bytes.
    pub zipped: u64,
    /// The size of its contents, in bytes.
    pub unzipped: u64,
}

/// All built artifacts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Artifacts {
    /// Functions by binary.
    pub functions: BTreeMap<String, Artifact>,
    /// Layers by system and name.
    pub layers: BTreeMap<(String, String), Artifact>,
}

/// Returns the beginning of the keys of a system's artifacts; see [`Artifact::prefix`].
#[must_use]
pub fn prefix(system: &str) -> String {
    format!("artifacts/{system}-")
}

impl Artifact {
    /// The key in the artifact bucket.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}{}-{}.zip", self.prefix(), self.name, self.sha256)
    }

    /// The beginning of the keys of the system's artifacts. Systems whose names begin with this one's and a hyphen share it.
    #[must_use]
    pub fn prefix(&self) -> String {
        prefix(&self.system)
    }

    /// The hash that Lambda reports as `CodeSha256`: the zip's SHA-256 in base64.
    #[must_use]
    pub fn code_sha256(&self) -> String {
        hex::decode(&self.sha256).map(|hash| BASE64_STANDARD.encode(hash)).unwrap_or_default()
    }
}
