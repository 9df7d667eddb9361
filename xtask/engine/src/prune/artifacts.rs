//! Marks artifacts and layers by the kept versions and deployed stacks that refer to them. Pure.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use model::rendered::RenderedSystem;
use plan::artifacts::{Artifact, Artifacts};

use super::{Mark, Target};
use crate::aws::lambda::Version;

/// Returns the names of a system's artifacts: those of its functions' binaries and of its layers.
pub(super) fn artifact_names(system: &RenderedSystem) -> BTreeSet<&str> {
    let functions = system.stacks.iter().flat_map(|stack| &stack.functions).map(|function| function.id.artifact_name());
    let layers = system.stacks.iter().flat_map(|stack| &stack.layers).map(|layer| layer.layer.as_str());
    functions.chain(layers).collect()
}

/// Returns whether a key is `<prefix><artifact>-<SHA-256>.zip` of one of the artifacts. Keys of a system whose name begins with this
/// system's are not.
pub(super) fn is_artifact(key: &str, prefix: &str, artifacts: &BTreeSet<&str>) -> bool {
    let name = key.strip_prefix(prefix).and_then(|name| name.strip_suffix(".zip"));
    let Some((artifact, hash)) = name.and_then(|name| name.rsplit_once('-')) else { return false };
    artifacts.contains(artifact) && hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The references of kept versions and releases, and of deployed stacks.
#[derive(Debug, Clone, Default)]
pub(crate) struct References {
    hashes: BTreeSet<String>,
    layers: BTreeSet<String>,
    keys: BTreeSet<String>,
}

impl References {
    /// Adds code by its `CodeSha256`.
    pub(crate) fn add_code<'a>(&mut self, code: impl Iterator<Item = &'a str>) {
        self.hashes.extend(code.filter_map(|sha256| BASE64_STANDARD.decode(sha256).ok()).map(hex::encode));
    }

    /// Adds the artifacts of a deploy: what CloudFormation and Lambda describe may still be the state before it.
    pub(crate) fn add_artifacts(&mut self, artifacts: &Artifacts) {
        self.keys.extend(artifacts.functions.values().chain(artifacts.layers.values()).map(Artifact::key));
    }

    pub(super) fn add_versions<'a>(&mut self, versions: impl Iterator<Item = &'a Version>) {
        for version in versions {
            self.add_code(std::iter::once(version.code_sha256.as_str()));
            self.layers.extend(version.settings.layers.iter().cloned());
        }
    }

    /// Adds the parameters of a deployed stack, some of which are keys of artifacts.
    pub(super) fn add_parameters(&mut self, parameters: Option<&BTreeMap<String, String>>) {
        self.keys.extend(parameters.into_iter().flat_map(|parameters| parameters.values().cloned()));
    }

    /// Marks the versions of a layer: numbers and ARNs.
    pub(super) fn mark_layer(&self, layer: &str, versions: Vec<(i64, String)>) -> Vec<Mark> {
        let newest = versions.iter().map(|(version, _)| *version).max();
        let mark = |(version, arn): (i64, String)| {
            let (keep, why) = match (self.layers.contains(&arn), Some(version) == newest) {
                (true, _) => (true, "a kept version uses it"),
                (_, true) => (true, "the newest"),
                _ => (false, "no kept version uses it"),
            };
            let target = Target::Layer { layer: layer.to_owned(), version };
            Mark { what: format!("layer {layer} version {version}"), keep, why: why.to_owned(), target }
        };
        versions.into_iter().map(mark).collect()
    }

    pub(super) fn mark_artifact(&self, key: String, is_recent: bool) -> Mark {
        let (keep, why) = if self.keys.contains(&key) {
            (true, "a deployed stack or this deploy refers to it")
        } else if self.hashes.iter().any(|hash| key.contains(hash)) {
            (true, "a kept version or release contains it")
        } else if is_recent {
            (true, "uploaded a few minutes ago")
        } else {
            (false, "no version or stack refers to it")
        };
        Mark { what: key.clone(), keep, why: why.to_owned(), target: Target::Artifact { key } }
    }
}

#[cfg(test)]
mod tests {
    use model::example::Example;
    use plan::artifacts::ArtifactKind;

    use super::*;
    use crate::prune::tests::version;

    #[test]
    fn artifacts_of_a_system_with_a_longer_name_are_not_the_systems_own() {
        let systems = Example::systems(&Example::stage_named("local"));
        let notes = systems.iter().find(|system| system.name == "notes").expect("the system");
        let names = artifact_names(notes);
        let name = names.first().expect("an artifact");
        let hash = "ab".repeat(32);
        let is_own = |key: &str| is_artifact(key, "artifacts/notes-", &names);
        assert!(is_own(&format!("artifacts/notes-{name}-{hash}.zip")), "{names:?}");
        for other in [
            format!("artifacts/notes-admin-{name}-{hash}.zip"),
            format!("artifacts/notes-{name}-{}.zip", &hash[..63]),
            format!("artifacts/notes-{name}-{hash}"),
            format!("artifacts/notes-{}.zip", hash),
        ] {
            assert!(!is_own(&other), "{other}");
        }
    }

    #[test]
    fn artifacts_stay_while_a_stack_or_a_kept_version_refers_to_them() {
        let hash = "ab".repeat(32);
        let mut references = References::default();
        let mut kept = version(3);
        kept.code_sha256 = BASE64_STANDARD.encode(hex::decode(&hash).expect("hex"));
        references.add_versions([kept].iter());
        references.add_parameters(Some(&[("Key".to_owned(), "artifacts/s-layer-1.zip".to_owned())].into()));
        assert!(references.mark_artifact(format!("artifacts/s-f-{hash}.zip"), false).keep);
        assert!(references.mark_artifact("artifacts/s-layer-1.zip".to_owned(), false).keep);
        let unused = format!("artifacts/s-f-{}.zip", "cd".repeat(32));
        assert!(!references.mark_artifact(unused.clone(), false).keep);
        assert!(references.mark_artifact(unused, true).keep);
    }

    #[test]
    fn artifacts_of_kept_releases_and_of_this_deploy_stay_although_no_description_shows_them() {
        let mut references = References::default();
        references.add_code([BASE64_STANDARD.encode([0xab; 32]).as_str()].into_iter());
        let layer = Artifact {
            kind: ArtifactKind::Layer,
            system: "notes".to_owned(),
            name: "fonts".to_owned(),
            path: "fonts.zip".into(),
            sha256: "cd".repeat(32),
            zipped: 1,
            unzipped: 1,
        };
        let layers = [(("notes".to_owned(), "fonts".to_owned()), layer)].into();
        references.add_artifacts(&Artifacts { layers, ..Artifacts::default() });
        assert!(references.mark_artifact(format!("artifacts/notes-worker-{}.zip", "ab".repeat(32)), false).keep);
        assert!(references.mark_artifact(format!("artifacts/notes-fonts-{}.zip", "cd".repeat(32)), false).keep);
        assert!(!references.mark_artifact(format!("artifacts/notes-fonts-{}.zip", "ef".repeat(32)), false).keep);
    }

    #[test]
    fn a_shared_zip_stays_while_one_of_its_functions_needs_it() {
        let mut references = References::default();
        let of = |hash: &str| Version {
            code_sha256: BASE64_STANDARD.encode(hex::decode(hash.repeat(32)).expect("hex")),
            ..version(1)
        };
        // Only the second function of the binary still has a version of the zip `ab`.
        references.add_versions([of("cd")].iter());
        references.add_versions([of("cd"), of("ab")].iter());
        assert!(references.mark_artifact(format!("artifacts/notes-worker-{}.zip", "ab".repeat(32)), false).keep);
        assert!(!references.mark_artifact(format!("artifacts/notes-worker-{}.zip", "ef".repeat(32)), false).keep);
    }
}
