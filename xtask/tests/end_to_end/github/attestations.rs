//! A `gh` that verifies attestations against a list of those that were made, with the flags of the real one.

use std::{io::Write, os::unix::fs::PermissionsExt, path::Path};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{Github, REPOSITORY, SERVER};

/// Takes the flags of `gh attestation verify` that xtask passes, and compares all of them.
const GH: &str = r#"#!/bin/sh
[ "$1 $2" = "attestation verify" ] || exit 2
file=$3
shift 3
while [ $# -gt 0 ]; do
    case $1 in
    --repo) repository=$2 ;;
    --cert-identity) identity=$2 ;;
    --source-ref) reference=$2 ;;
    --source-digest) commit=$2 ;;
    --predicate-type) predicate=$2 ;;
    --format) format=$2 ;;
    --hostname) host=$2 ;;
    --deny-self-hosted-runners) hosted=true; shift; continue ;;
    *) echo "unknown flag: $1" >&2; exit 1 ;;
    esac
    shift 2
done
[ -n "$GH_TOKEN" ] || exit 4
[ "$hosted $format $host $predicate" = "true json github.example https://slsa.dev/provenance/v1" ] || exit 1
digest=$(sha256sum "$file" | cut -d ' ' -f 1)
if grep -qxF "$digest $repository $identity $reference $commit" "$GH_ATTESTATIONS"; then
    echo '[{ "verificationResult": {} }]'
elif grep -q "^$digest " "$GH_ATTESTATIONS"; then
    echo "Error: verifying with issuer \"sigstore.dev\"" >&2
    exit 1
else
    echo "Error: HTTP 404: Not Found" >&2
    exit 1
fi
"#;

/// The folder with `gh`, and the attestations that were made.
pub(super) struct Attestations {
    folder: TempDir,
}

impl Attestations {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let gh = folder.path().join("gh");
        fs_err::write(&gh, GH).expect("written");
        fs_err::set_permissions(&gh, std::fs::Permissions::from_mode(0o755)).expect("set");
        fs_err::write(folder.path().join("attestations"), "").expect("written");
        Self { folder }
    }

    /// What makes this `gh` the one that is found.
    pub(super) fn variables(&self) -> [(&'static str, String); 2] {
        let folder = self.folder.path();
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
        [("PATH", path), ("GH_ATTESTATIONS", folder.join("attestations").display().to_string())]
    }
}

impl Github {
    /// A workflow's run for a branch and a commit attests a file.
    pub(crate) fn attest(&self, file: &Path, workflow: &str, branch: &str, commit: &str) {
        let digest = hex::encode(Sha256::digest(fs_err::read(file).expect("a file")));
        let identity = format!("{SERVER}/{REPOSITORY}/.github/workflows/{workflow}@refs/heads/{branch}");
        let path = self.attestations.folder.path().join("attestations");
        let mut list = fs_err::OpenOptions::new().append(true).open(path).expect("the list");
        writeln!(list, "{digest} {REPOSITORY} {identity} refs/heads/{branch} {commit}").expect("written");
    }

    /// Forgets all attestations.
    pub(crate) fn forget_attestations(&self) {
        fs_err::write(self.attestations.folder.path().join("attestations"), "").expect("written");
    }
}
