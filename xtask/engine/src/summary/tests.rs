//! Every section of a summary.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::{
    aws::lambda::Described,
    report::{CheckKind, CheckResult, PruneReport, ReleaseFailure, StackReport},
};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn record(command: &str, report: JobReport, failure: &[&str]) -> JobRecord {
    JobRecord::new(command.to_owned(), report, names(failure), Duration::from_secs(2))
}

fn deploy(report: DeployReport, failure: &[&str]) -> JobRecord {
    record("deploy", JobReport::Deploy(report), failure)
}

fn check_live(report: CheckLiveReport, failure: &[&str]) -> JobRecord {
    record("check-live", JobReport::CheckLive(report), failure)
}

fn prune(pruned: usize, failure: &[&str]) -> JobRecord {
    record("prune", JobReport::Prune(PruneReport { pruned }), failure)
}

fn upload() -> Vec<Released> {
    let (function_name, version) = ("photos-upload-prod".to_owned(), "3".to_owned());
    vec![Released { function_name, version, before: Some("2".to_owned()), versions: 2 }]
}

fn deployed() -> JobRecord {
    let stack = |name: &str, action| StackReport { name: name.to_owned(), action };
    let report = DeployReport {
        changed: true,
        functions: upload(),
        stacks: vec![stack("a", deploy::Done::None), stack("b", deploy::Done::Update)],
        urls: [("Api".to_owned(), "https://x".to_owned())].into(),
        ..DeployReport::default()
    };
    deploy(report, &[])
}

fn assert_contains(text: &str, expected: &[&str]) {
    let text = unpadded(text);
    for expected in expected {
        assert!(text.contains(expected), "`{expected}` is not in\n{text}");
    }
}

/// The text with its tables' cells unpadded.
fn unpadded(text: &str) -> String {
    let words = |line: &str| line.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    text.lines().map(|line| words(line) + "\n").collect()
}

#[test]
fn changes_are_listed() {
    let links = Links {
        run: Some("https://github.example/run/1".to_owned()),
        commit: Some(("0123456789abcdef".to_owned(), "https://github.example/commit/0".to_owned())),
    };
    let text = markdown("prod", &[deployed(), prune(4, &[])], &links);
    let expected = [
        "## ✅ prod: deployed",
        "[`012345678`](https://github.example/commit/0) · [run](https://github.example/run/1)",
        "| deploy | done | 2.0 s |",
        "- stack b: update\n",
        "| photos-upload-prod | 3 | 2 |",
        "- pruned: 4 old versions",
        "- Api: https://x",
    ];
    assert_contains(&text, &expected);
    assert!(!text.contains("stack a"), "{text}");
    let nothing = markdown("prod", &[], &Links::default());
    assert!(nothing.starts_with("## ⚠️ prod: no command was recorded"), "{nothing}");
}

#[test]
fn a_failure_is_reported_with_its_consequences() {
    let check = CheckResult {
        system: "photos".to_owned(),
        kind: CheckKind::Cors,
        request: "OPTIONS /".to_owned(),
        passed: false,
        detail: "no".to_owned(),
        warning: None,
    };
    let described = Described {
        version: "7".to_owned(),
        runtime: "provided.al2023".to_owned(),
        handler: "bootstrap".to_owned(),
        code_size: 2_000_000,
        memory: 1024,
        timeout: 30,
        last_modified: "2026-11-02T03:04:05.000+0000".to_owned(),
    };
    let report = CheckLiveReport {
        checks: vec![check],
        rolled_back: names(&["photos"]),
        live: [("photos-upload-prod".to_owned(), described.clone()), ("feeds-status-prod".to_owned(), described)]
            .into(),
        ..CheckLiveReport::default()
    };
    let text = markdown("prod", &[deployed(), check_live(report, &["stage prod does not"])], &Links::default());
    let expected = [
        "## ❌ prod: failed",
        "`check-live` failed",
        "Rolled back:** photos",
        "| photos-upload-prod | rolled back from 3 | 2 |",
        "| photos | cors | OPTIONS / | ✗ no |",
        "| feeds-status-prod | 7 | provided.al2023 | bootstrap | 2.0 MB | 1024 MB | 30 s | 2026-11-02T03:04:05.000+0000 |",
    ];
    assert_contains(&text, &expected);
    assert!(!text.contains("and live:**"), "{text}");
    assert!(!unpadded(&text).contains("| photos-upload-prod | 7 |"), "{text}");
    let report = CheckLiveReport { not_rolled_back: names(&["photos"]), ..CheckLiveReport::default() };
    let text = markdown("prod", &[deployed(), check_live(report, &["no"])], &Links::default());
    assert!(text.contains("**NOT rolled back:** photos"), "{text}");
    assert!(text.contains("Run `cargo xtask rollback --stage prod --system photos`."), "{text}");
    let plan = markdown("prod", &[record("plan", JobReport::Plan, &["no"])], &Links::default());
    assert!(plan.contains("Nothing was touched."), "{plan}");
    let other = markdown("prod", &[record("render", JobReport::Nothing, &["no"])], &Links::default());
    assert!(other.contains("Nothing was rolled back."), "{other}");
}

#[test]
fn live_reverted_and_untried_systems_are_told_apart() {
    let failure = |traffic| {
        let (system, untried) = ("notes".to_owned(), names(&["feeds"]));
        ReleaseProgress::Failed(ReleaseFailure { system, traffic, untried })
    };
    let report = |traffic| DeployReport { functions: upload(), progress: failure(traffic), ..DeployReport::default() };
    let reverted = deploy(report(Traffic::Reverted), &["release 2 was reverted: /health answers 500"]);
    let text = markdown("prod", &[reverted], &Links::default());
    let expected = [
        "/health answers 500",
        "**Released before the failure, and live:** photos-upload-prod 3.",
        "**Reverted:** notes.",
        "**Not attempted:** feeds.",
    ];
    assert_contains(&text, &expected);
    let text = markdown("prod", &[deploy(report(Traffic::NotShifted), &["the probe failed"])], &Links::default());
    assert!(text.contains("**Not released:** notes.") && !text.contains("Reverted"), "{text}");
}

#[test]
fn no_summary_denies_traffic_that_may_have_been_shifted() {
    let failed = |traffic| {
        ReleaseProgress::Failed(ReleaseFailure { system: "notes".to_owned(), traffic, ..ReleaseFailure::default() })
    };
    for (progress, expected) in [
        (failed(Traffic::StaysOnFailed), "**Failed, and live:** notes. Users get the failed release"),
        (failed(Traffic::Mixed), "**NOT reverted:** notes. Users may get a mix of versions."),
        (failed(Traffic::Unknown), "**Failed:** the release of notes. Its traffic may have been shifted."),
        (ReleaseProgress::Releasing { system: "notes".to_owned() }, "**Interrupted:** the release of notes."),
        (ReleaseProgress::Complete, "**Releases complete:** the deploy failed after them"),
    ] {
        let report = DeployReport { functions: upload(), progress, ..DeployReport::default() };
        let text = markdown("prod", &[deploy(report, &["no"])], &Links::default());
        assert!(text.contains(expected), "{text}");
        assert!(!text.contains("Not released") && !text.contains("No traffic was shifted"), "{text}");
    }
}

#[test]
fn the_words_of_a_failure_do_not_change_its_consequences() {
    let job = [deploy(DeployReport::default(), &["the backup was reverted"])];
    let text = markdown("prod", &job, &Links::default());
    assert!(text.contains("**Not released.** No traffic") && !text.contains("**Reverted:**"), "{text}");
}

#[test]
fn a_failed_prune_does_not_fail_a_job() {
    let text = markdown("prod", &[deployed(), prune(0, &["denied"])], &Links::default());
    assert!(text.starts_with("## ⚠️ prod: deployed") && text.contains("**`prune` failed:** denied"), "{text}");
}

#[test]
fn one_job_without_success_is_enough() {
    let (text, all_succeeded) = jobs(&json!({ "tests": { "result": "success" }, "plan": { "result": "skipped" } }));
    assert!(!all_succeeded && unpadded(&text).contains("| plan | ❌ skipped |"), "{text}");
    assert!(jobs(&json!({ "tests": { "result": "success" } })).1);
    assert!(!jobs(&json!({})).1, "no job is no success");
}
