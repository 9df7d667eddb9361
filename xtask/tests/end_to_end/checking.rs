//! `ci tests`: every test runs, whatever failed before it, and what failed is told where people look.

use std::process::{Command, Output};

use crate::{
    cloud::{Cloud, text, workspace},
    refusals::refused,
};

/// A workspace with one small crate of tests, and this project's way of running them.
fn checkout(source: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let manifest = "[workspace]\n[package]\nname = \"small\"\nversion = \"0.0.0\"\nedition = \"2024\"\n";
    let settings = fs_err::read_to_string(workspace().join(".config/nextest.toml")).expect("the settings");
    for (path, text) in [
        ("Cargo.toml", manifest),
        ("src/lib.rs", source),
        (".config/nextest.toml", &settings),
        ("stacks/stages/README", ""),
        ("target/nextest/ci/junit.xml", "<testsuite><testcase name=\"old\"><failure/></testcase></testsuite>"),
    ] {
        let path = folder.path().join(path);
        fs_err::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs_err::write(path, text).expect("written");
    }
    folder
}

/// Runs the tests; what was said, and the job's summary.
fn check(source: &str) -> (Output, String, tempfile::TempDir) {
    let folder = checkout(source);
    let summary = folder.path().join("summary.md");
    let cloud = Cloud::of_checkout(folder.path(), "checking");
    let mut command: Command = cloud.command(&["ci", "tests"]);
    let output = command.env("GITHUB_STEP_SUMMARY", &summary).output().expect("xtask starts");
    let summary = fs_err::read_to_string(summary).unwrap_or_default();
    (output, summary, folder)
}

#[test]
fn all_that_fails_is_told_in_one_run() {
    let test = |name: &str, body: &str| format!("#[test]\nfn {name}() {{ {body} }}\n");
    let source = [
        test("first", "panic!(\"the first reason\")"),
        test("second", "panic!(\"the second reason\")"),
        test("third", ""),
    ];
    let (output, summary, folder) = check(&source.concat());
    let said =
        ["the first reason", "the second reason", "Failed tests:\n  small first\n  small second", "failed: tests"];
    refused(&output, 1, &said);
    assert_eq!(summary, "### ❌ Failed tests: 2\n\n- `small first`\n- `small second`\n");
    let report = fs_err::read_to_string(folder.path().join("target/nextest/ci/junit.xml")).expect("the report");
    assert!(report.contains("name=\"third\"") && !report.contains("\"old\""), "{report}");

    let (output, summary, _folder) = check(&test("third", ""));
    assert!(output.status.success() && summary.is_empty(), "{summary}\n{}", text(&output));

    // What does not compile has run no test: an earlier run's report is not told as this one's.
    let (output, summary, _folder) = check("this is no Rust");
    refused(&output, 1, &["one check failed: tests"]);
    assert!(summary.is_empty() && !text(&output).contains("Failed tests"), "{summary}\n{}", text(&output));
}
