//! What functions are built from, as one hash: the same hash, the same bytes, so what one run has built another may use.

use std::process::Command;

use camino::Utf8Path;
use sha2::{Digest, Sha256};

use super::{SourcesError, git::Git};

/// Everything that decides what comes out of a build, besides the compiler.
const PATHS: &[&str] =
    &["Cargo.lock", "Cargo.toml", ".cargo", "rust-toolchain.toml", "lambdas", "xtask/src/build", "xtask/src/artifacts"];

/// The hash of the workspace's sources as they lie there, the compiler's version, and `how` they are built.
///
/// # Errors
///
/// When git or the compiler cannot be asked.
pub fn fingerprint(root: &Utf8Path, how: &str) -> Result<String, SourcesError> {
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    add(how.as_bytes());
    add(compiler()?.as_bytes());
    for path in Git::around(root)?.tracked(PATHS)? {
        // A file that is tracked and deleted is a difference too.
        let content = fs_err::read(root.join(&path)).unwrap_or_default();
        add(path.as_bytes());
        add(&content);
    }
    Ok(hex::encode(hash.finalize()))
}

fn compiler() -> Result<String, SourcesError> {
    let failed = |reason: String| SourcesError::Graph { reason };
    let output = Command::new("rustc").arg("-vV").output().map_err(|error| failed(error.to_string()))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
