//! Verifies an attestation: a signature of GitHub's over a file's hash, the workflow, the branch and the commit that made the file.

use camino::Utf8Path;
use serde_json::Value;

use super::{Github, runs::Candidate, variable};
use crate::process;

/// The oldest `gh` that compares branch and commit, and that fails without an attestation (GitHub CLI, advisory GO-2025-3467).
const GH: &str = "2.68";
/// The host of repositories unless `GITHUB_SERVER_URL` names another.
const SERVER: &str = "https://github.com";
/// The predicate that `actions/attest-build-provenance` signs.
const PREDICATE: &str = "https://slsa.dev/provenance/v1";

impl Github {
    /// Verifies with `gh attestation verify` that the workflow at `path` attested a file, in a run for the candidate's branch and
    /// commit on one of GitHub's runners.
    ///
    /// # Errors
    ///
    /// The reason in words: `gh` is missing, or does not find such an attestation.
    pub(crate) fn verify_attestation(&self, file: &Utf8Path, path: &str, candidate: &Candidate) -> Result<(), String> {
        let Candidate { branch, commit, .. } = candidate;
        let server = variable("GITHUB_SERVER_URL").unwrap_or_else(|| SERVER.to_owned());
        let reference = format!("refs/heads/{branch}");
        let mut gh = process::command("gh");
        gh.args(["attestation", "verify", file.as_str(), "--repo", &self.repository])
            .args(["--cert-identity", &format!("{server}/{}/{path}@{reference}", self.repository)])
            .args(["--source-ref", &reference, "--source-digest", commit])
            .args(["--predicate-type", PREDICATE, "--deny-self-hosted-runners", "--format", "json"])
            .env("GH_TOKEN", &self.token);
        if let Some(host) = server.strip_prefix("https://").filter(|_| server != SERVER) {
            gh.args(["--hostname", host]);
        }
        let output = gh.output().map_err(|error| {
            format!("gh, which verifies attestations, does not start: {error}; install gh {GH} or newer")
        })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', " ");
            return Err(format!("{path} has not attested {} for {reference} at {commit}: {said}", name(file)));
        }
        // Old versions succeed without any attestation.
        let verified = serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default();
        if verified.as_array().is_some_and(|verified| !verified.is_empty()) {
            return Ok(());
        }
        Err(format!("gh found no attestation of {}; install gh {GH} or newer", name(file)))
    }
}

fn name(file: &Utf8Path) -> &str {
    file.file_name().unwrap_or_default()
}
