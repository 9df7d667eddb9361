//! Built zips of functions and layers, as plans refer to them. The engine makes them.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

/// What an artifact is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ArtifactKind {
    /// A function's `bootstrap`.
    Function,
    /// A layer's files.
    Layer,
}

/// One zip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Artifact {
    /// What it is of.
    pub kind: ArtifactKind,
    /// The system it belongs to.
    pub system: String,
    /// The function or layer.
    pub name: String,
    /// Where the zip lies.
    pub path: Utf8PathBuf,
    /// SHA-256 of the zip, in hex.
    pub sha256: String,
    /// Bytes of the zip.
    pub zipped: u64,
    /// Bytes of what is in it.
    pub unzipped: u64,
}

/// Everything that was built.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Artifacts {
    /// Functions by binary.
    pub functions: BTreeMap<String, Artifact>,
    /// Layers by system and name.
    pub layers: BTreeMap<(String, String), Artifact>,
}

impl Artifact {
    /// Its key in the artifact bucket.
    #[must_use]
    pub fn key(&self) -> String {
        format!("artifacts/{}-{}-{}.zip", self.system, self.name, self.sha256)
    }

    /// Its hash as Lambda reports it: `CodeSha256`, base64 of the zip's SHA-256.
    #[must_use]
    pub fn code_sha256(&self) -> String {
        hex::decode(&self.sha256).map(|hash| BASE64_STANDARD.encode(hash)).unwrap_or_default()
    }
}
