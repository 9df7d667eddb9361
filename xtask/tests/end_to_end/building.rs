//! What `build` writes: it depends neither on the selection nor on where AWS clients are pointed to.

use serde_json::{Value, json};

use crate::{
    cloud::{Cloud, text},
    pipeline::write_stage,
    refusals::refused,
};

/// The SHA-256 of each built zip, by its name.
fn built(cloud: &Cloud, selection: &[&str]) -> Vec<(String, String)> {
    let arguments = [&["build", "--stage", "local", "--format", "json"], selection].concat();
    let printed = cloud.json(&arguments);
    let word = |artifact: &Value, field: &str| artifact[field].as_str().expect("a text").to_owned();
    let artifacts = printed["artifacts"].as_array().expect("artifacts").iter();
    artifacts.map(|artifact| (word(artifact, "name"), word(artifact, "sha256"))).collect()
}

#[test]
fn a_function_does_not_depend_on_what_is_built_with_it() {
    let cloud = Cloud::new();
    let all = built(&cloud, &[]);
    for selection in
        [&["--system", "media-uploader"][..], &["--system", "thakii"], &["--function", "media-uploader-upload"]]
    {
        let some = built(&cloud, selection);
        assert!(!some.is_empty() && some.len() < all.len(), "{some:?}");
        assert!(some.iter().all(|artifact| all.contains(artifact)), "{selection:?}: {some:?} differs from {all:?}");
    }
}

#[test]
fn artifacts_of_other_sources_are_deployed_only_on_request() {
    let cloud = Cloud::new();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let artifacts = folder.path().to_str().expect("UTF-8").to_owned();
    cloud.success(&["build", "--stage", "local", "--system", "portfolio", "--out", &artifacts]);
    let path = folder.path().join("artifacts.json");
    let mut list: Value = serde_json::from_slice(&fs_err::read(&path).expect("the list")).expect("JSON");
    let deploy = ["deploy", "--stage", "local", "--system", "portfolio", "--dry-run", "--artifacts", &artifacts];
    // The compiler and the variables of the machine are settings, not sources.
    list["sources"] = json!("others");
    fs_err::write(&path, list.to_string()).expect("written");
    refused(&cloud.xtask(&deploy), 0, &["were built with other settings"]);

    list["content"] = json!("others");
    fs_err::write(&path, list.to_string()).expect("written");
    let expected = ["were built from other sources than this checkout", "nothing was changed", "--allow-other-sources"];
    refused(&cloud.xtask(&deploy), 1, &expected);
    let allowed = cloud.xtask(&[&deploy[..], &["--allow-other-sources"]].concat());
    refused(&allowed, 0, &["were built from other sources (a package or a layer differs)"]);
}

#[test]
fn binaries_of_this_machine_are_never_taken_for_lambda() {
    let cloud = Cloud::new();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let artifacts = folder.path().join("artifacts").to_str().expect("UTF-8").to_owned();
    let build = ["build", "--stage", "local", "--system", "media-uploader", "--out", &artifacts];
    cloud.success(&build);
    let again = text(&cloud.success(&build));
    assert!(again.contains("no build is needed"), "{again}");
    let list = fs_err::read_to_string(folder.path().join("artifacts/artifacts.json")).expect("the list");
    let list: Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!((&list["native"], &list["profile"]), (&json!(true), &json!("dev")));

    let stages = tempfile::tempdir().expect("a temporary folder");
    write_stage(stages.path(), "prod", |stage| {
        stage["emulated"] = json!(false);
        stage["systems"].as_object_mut().expect("systems").retain(|name, _| name == "media-uploader");
    });
    // The folder is refused before any call to AWS.
    let plan = ["plan", "--online", "--stage", "prod", "--system", "media-uploader", "--artifacts", &artifacts];
    let planned = cloud.command(&plan).env("XTASK_STAGES", stages.path()).output().expect("xtask starts");
    refused(&planned, 1, &["built for an emulator on one machine", "profile `dev`", "nothing was changed"]);
}
