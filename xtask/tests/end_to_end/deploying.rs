//! Deploying again and again: nothing changed, code changed, pruned, destroyed.

use std::{collections::BTreeMap, path::Path};

use crate::{
    cloud::{Cloud, text, workspace},
    refusals::refused,
};

/// The source of the function that is changed.
const UPLOAD: &str = "lambdas/media-uploader/src/bin/upload.rs";

/// Function name → the version `live` points to.
type Live = BTreeMap<String, String>;

#[test]
fn a_code_change_takes_the_fast_way_and_what_is_old_is_pruned_and_destroyed() {
    let checkout = tempfile::tempdir().expect("a temporary folder");
    copy_workspace(checkout.path());
    only_the_media_uploader(checkout.path());
    let cloud = Cloud::of_checkout(checkout.path(), "deploying");

    let first = cloud.deploy();
    assert_eq!(first["changed"], true, "{first:#}");
    let before = live(&cloud);
    assert_eq!(before.len(), 5, "{before:?}");
    assert!(before.values().all(|version| version == "1"), "{before:?}");

    let again = cloud.deploy();
    assert_eq!(again["changed"], false, "{again:#}");
    assert_eq!(live(&cloud), before);
    let one = ["deploy", "--stage", "local", "--system", "media-uploader", "--yes", "--format", "json"];
    assert_eq!(cloud.json(&one)["changed"], false, "a deploy of one system differs from one of all");
    assert_eq!(live(&cloud), before);

    code_that_does_not_compile_changes_nothing(&cloud, checkout.path(), &before);
    a_change_publishes_one_version_of_the_changed_function_only(&cloud, checkout.path(), &before);
    only_needed_versions_survive_pruning(&cloud, checkout.path());
    destroying_keeps_what_holds_data_until_told(&cloud);
}

fn code_that_does_not_compile_changes_nothing(cloud: &Cloud, checkout: &Path, before: &Live) {
    let source = checkout.join(UPLOAD);
    let whole = fs_err::read_to_string(&source).expect("the source");
    fs_err::write(&source, format!("{whole}\nfn broken() -> u32 {{ \"no number\" }}\n")).expect("written");
    let deploy = cloud.xtask(&["deploy", "--stage", "local"]);
    refused(&deploy, 1, &["failed to compile", "media-uploader-upload", "mismatched types"]);
    fs_err::write(&source, whole).expect("written");
    assert_eq!(live(cloud), *before);
}

fn a_change_publishes_one_version_of_the_changed_function_only(cloud: &Cloud, checkout: &Path, before: &Live) {
    change_code(checkout, 1);
    let dry = cloud.json(&["deploy", "--stage", "local", "--dry-run", "--format", "json"]);
    assert_eq!(dry["changed"], true, "{dry:#}");
    assert_eq!(live(cloud), *before, "a dry run changed something");

    let changed = cloud.deploy();
    assert_eq!(changed["changed"], true, "{changed:#}");
    for stack in changed["stacks"].as_array().expect("stacks") {
        assert_eq!(stack["action"], "none", "CloudFormation was asked: {stack:#}");
    }
    let mut expected = before.clone();
    expected.insert("media-uploader-upload-local".to_owned(), "2".to_owned());
    assert_eq!(live(cloud), expected);
}

fn only_needed_versions_survive_pruning(cloud: &Cloud, checkout: &Path) {
    for change in 2..=4 {
        change_code(checkout, change);
        cloud.deploy();
    }
    assert_eq!(versions(cloud), ["1", "2", "3", "4", "5"]);

    cloud.success(&["prune", "--stage", "local", "--keep", "2", "--dry-run"]);
    assert_eq!(versions(cloud), ["1", "2", "3", "4", "5"], "a dry run deleted something");

    cloud.success(&["prune", "--stage", "local", "--keep", "2"]);
    assert_eq!(versions(cloud), ["4", "5"]);
    assert_eq!(live(cloud)["media-uploader-upload-local"], "5");
}

fn destroying_keeps_what_holds_data_until_told(cloud: &Cloud) {
    cloud.success(&["destroy", "--stage", "local", "--yes"]);
    let left = buckets(cloud);
    assert!(left.iter().any(|bucket| bucket.contains("raw")), "raw media was deleted unasked: {left:?}");
    assert_eq!(live(cloud), Live::new());

    cloud.success(&["destroy", "--stage", "local", "--yes", "--delete-data"]);
    assert_eq!(buckets(cloud), Vec::<String>::new());

    // Whatever was kept or deleted, the next deploy works.
    cloud.deploy();
    assert_eq!(live(cloud).len(), 5);
}

/// What the aliases point to, as `status` says.
fn live(cloud: &Cloud) -> Live {
    let status = cloud.json(&["status", "--stage", "local", "--format", "json"]);
    let functions = status["systems"].as_array().expect("systems").iter();
    functions
        .flat_map(|system| system["functions"].as_array().expect("functions"))
        .filter_map(|function| {
            let text = |field: &str| function[field].as_str().map(str::to_owned);
            Some((text("functionName")?, text("live")?))
        })
        .collect()
}

#[tokio::main(flavor = "current_thread")]
async fn versions(cloud: &Cloud) -> Vec<String> {
    let listed = cloud
        .lambda()
        .list_versions_by_function()
        .function_name("media-uploader-upload-local")
        .send()
        .await
        .expect("versions are listed");
    let versions = listed.versions().iter().filter_map(|version| version.version().map(str::to_owned));
    versions.filter(|version| version != "$LATEST").collect()
}

#[tokio::main(flavor = "current_thread")]
async fn buckets(cloud: &Cloud) -> Vec<String> {
    let listed = cloud.s3().list_buckets().send().await.expect("buckets are listed");
    listed.buckets().iter().filter_map(|bucket| bucket.name().map(str::to_owned)).collect()
}

/// Copies what git tracks, or would, so that the copy can be changed.
pub(crate) fn copy_workspace(to: &Path) {
    let from = workspace();
    let listed = engine::process::git(&from)
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()
        .expect("git starts");
    assert!(listed.status.success(), "{}", text(&listed));
    for file in String::from_utf8(listed.stdout).expect("UTF-8").split_terminator('\0') {
        let target = to.join(file);
        fs_err::create_dir_all(target.parent().expect("a folder")).expect("a folder");
        // A file deleted but not yet committed is listed all the same.
        if from.join(file).exists() {
            fs_err::copy(from.join(file), target).expect("copied");
        }
    }
}

/// Leaves one system in the checkout's stage `local`: a checkout compiles everything anew.
pub(crate) fn only_the_media_uploader(checkout: &Path) {
    let file = checkout.join("stacks/stages/local.yaml");
    let text = fs_err::read_to_string(&file).expect("the stage");
    let (kept, _) = text.split_once("  portfolio:\n").expect("other systems");
    fs_err::write(&file, kept).expect("written");
}

/// Makes the upload function's code differ from every earlier change.
pub(crate) fn change_code(checkout: &Path, change: u32) {
    let source = checkout.join(UPLOAD);
    let text = fs_err::read_to_string(&source).expect("the source");
    let unchanged: String =
        text.lines().filter(|line| !line.contains("black_box")).map(|line| format!("{line}\n")).collect();
    let start = unchanged.find("fn main()").expect("a main function");
    let body = start + unchanged[start..].find('{').expect("its body") + 1;
    let (head, tail) = unchanged.split_at(body);
    fs_err::write(&source, format!("{head}\n    std::hint::black_box(\"change {change}\");{tail}")).expect("written");
}
