//! The linters on this repository: zizmor and checkov find nothing new, would find a new risk, and are kept up to date.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    cloud::{Cloud, workspace},
    refusals::refused,
    workflows::repository,
};

/// The project's exceptions.
const EXCEPTIONS: &str = ".github/linter-exceptions.yml";

/// Replaces a text in a file that must contain it.
fn replace(file: &Path, from: &str, to: &str) {
    let text = fs_err::read_to_string(file).expect("a file");
    assert!(text.contains(from), "{}: {from}", file.display());
    fs_err::write(file, text.replacen(from, to, 1)).expect("written");
}

#[test]
fn zizmor_finds_nothing_new_and_would_find_an_injection_and_a_superfluous_exception() {
    let (cloud, checkout) = (Cloud::new(), repository());
    let check = || {
        let mut command = cloud.command(&["ci", "zizmor"]);
        // A token makes no difference: the linter gets no variables.
        command.env("GITHUB_TOKEN", "none").current_dir(checkout.path()).output().expect("xtask starts")
    };
    refused(&check(), 0, &["zizmor passed"]);
    let workflow = checkout.path().join(".github/workflows/pr.yml");
    let injection = "- run: echo \"${{ github.event.pull_request.title }}\" # zizmor: ignore[template-injection]";
    replace(&workflow, "- run: cargo xtask pr-comment", injection);
    let entry =
        "exceptions:\n- linter: zizmor\n  rule: dangerous-triggers\n  places: [old.yml:on]\n  reason: It was safe.\n";
    replace(&checkout.path().join(EXCEPTIONS), "exceptions:\n", entry);
    let said = [
        "template-injection jobs.plan.steps.",
        "- linter: zizmor\n  rule: template-injection\n  places:\n    - \".github/workflows/pr.yml:jobs.plan.steps.",
        "Delete these places from .github/linter-exceptions.yml, because no finding needs them:\n  zizmor dangerous-triggers old.yml:on",
        "one check failed: zizmor",
    ];
    refused(&check(), 1, &said);
}

#[test]
fn checkov_finds_nothing_new_and_would_find_a_public_bucket() {
    let (cloud, checkout) = (Cloud::new(), repository());
    let check = || {
        let mut command = cloud.command(&["ci", "checkov"]);
        command.current_dir(checkout.path()).output().expect("xtask starts")
    };
    refused(&check(), 0, &["checkov passed"]);
    let template = checkout.path().join("templates/prod/foundation-artifacts.yaml");
    replace(&template, "BlockPublicPolicy: true", "BlockPublicPolicy: false");
    let settings = "skip-check:\n- CKV_AWS_54\n";
    fs_err::write(checkout.path().join(".checkov.yaml"), settings).expect("written");
    let said = [
        "templates/prod/foundation-artifacts.yaml:",
        "- linter: checkov\n  rule: CKV_AWS_54\n  places:\n    - \"templates/prod/foundation-artifacts.yaml:AWS::S3::Bucket.ArtifactBucket\"",
        "one check failed: checkov",
    ];
    refused(&check(), 1, &said);
}

#[test]
fn dependabot_updates_every_list_of_python_packages() {
    let text = fs_err::read_to_string(workspace().join(".github/dependabot.yml")).expect("the settings of Dependabot");
    let settings: Value = serde_yaml::from_str(&text).expect("YAML");
    let updates = settings["updates"].as_array().expect("updates");
    let pip = updates.iter().find(|update| update["package-ecosystem"] == "pip").expect("updates of pip's packages");
    let listed = pip["directories"].as_array().expect("directories").iter();
    let listed: BTreeSet<_> = listed.map(|folder| folder.as_str().expect("a folder").to_owned()).collect();
    let mut found = BTreeSet::new();
    collect_requirements(&workspace().join("xtask"), &mut found);
    assert_eq!(listed, found);
}

/// Collects the folders that hold a `requirements.txt`, as Dependabot names them.
fn collect_requirements(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs_err::read_dir(folder).expect("a folder") {
        let path: PathBuf = entry.expect("an entry").path();
        if path.is_dir() {
            collect_requirements(&path, found);
        } else if path.file_name().is_some_and(|name| name == "requirements.txt") {
            let relative = folder.strip_prefix(workspace()).expect("a folder of the workspace");
            found.insert(format!("/{}", relative.to_str().expect("UTF-8")));
        }
    }
}
