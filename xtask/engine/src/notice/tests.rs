//! Every outcome that a job can have for a system.

use std::time::Duration;

use model::{example::Example, rendered::RenderedSystem};

use super::*;
use crate::{
    report::{CheckKind, CheckResult, PruneReport, ReleaseFailure, ReleasesReport},
    site::Published,
};

type Summary = (String, Option<u32>, Effect, String);

fn systems() -> Vec<RenderedSystem> {
    let mut systems = Example::systems(&Example::stage_named("local"));
    systems.retain(|system| system.alarm_topic.is_some());
    let names: Vec<_> = systems.iter().map(|system| system.name.as_str()).collect();
    assert_eq!(names, ["notes", "feeds"]);
    systems
}

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

fn rollback(releases: Vec<ClosedRelease>, failure: &[&str]) -> JobRecord {
    record("rollback", JobReport::Rollback(ReleasesReport { releases }), failure)
}

fn of_releases(releases: Vec<ClosedRelease>) -> DeployReport {
    DeployReport { releases, ..DeployReport::default() }
}

fn failed(system: &str, untried: &[&str]) -> ReleaseProgress {
    ReleaseProgress::Failed(ReleaseFailure {
        system: system.to_owned(),
        untried: names(untried),
        ..ReleaseFailure::default()
    })
}

fn released(system: &str, number: u32) -> ClosedRelease {
    ClosedRelease {
        system: system.to_owned(),
        number,
        kind: ReleaseKind::Deploy,
        outcome: Outcome::Released,
        commit: Some("0123abc".to_owned()),
        who: "arn:aws:iam::1:role/deploy".to_owned(),
        nothing_before: Vec::new(),
    }
}

fn rolled_back(system: &str, number: u32, to: u32) -> ClosedRelease {
    ClosedRelease { kind: ReleaseKind::Rollback { to }, ..released(system, number) }
}

fn reverted(system: &str, number: u32) -> ClosedRelease {
    let outcome = Outcome::reverted("/health answers 500");
    ClosedRelease { outcome, ..released(system, number) }
}

/// The notice of each system: its name, release and effect, and the reason.
fn notified(job: &[JobRecord]) -> Vec<Summary> {
    let notices = notices(job, &systems()).into_iter();
    notices.map(|notice| (notice.system, notice.release, notice.effect, notice.reason.unwrap_or_default())).collect()
}

fn one(system: &str, release: Option<u32>, effect: Effect, reason: &str) -> Vec<Summary> {
    vec![(system.to_owned(), release, effect, reason.to_owned())]
}

#[test]
fn an_unchanged_system_gets_no_notice() {
    assert_eq!(notified(&[]), []);
    let site = Published { name: "Site".to_owned(), ..Published::default() };
    let nothing = DeployReport { sites: vec![site], ..DeployReport::default() };
    assert_eq!(notified(&[deploy(nothing, &[]), check_live(CheckLiveReport::default(), &[])]), []);
    let of_another =
        DeployReport { changed_stacks: names(&["photos-api-local"]), ..of_releases(vec![released("photos", 3)]) };
    assert_eq!(notified(&[deploy(of_another, &[])]), []);
    assert_eq!(notified(&[record("prune", JobReport::Prune(PruneReport::default()), &["denied"])]), []);
}

#[test]
fn a_release_is_live_unless_it_was_reverted() {
    let job = deploy(of_releases(vec![reverted("feeds", 4), released("feeds", 5)]), &[]);
    assert_eq!(notified(&[job]), one("feeds", Some(5), Effect::Live, ""));
    let report = DeployReport { progress: failed("notes", &[]), ..of_releases(vec![reverted("notes", 2)]) };
    let job = deploy(report, &["release 2 was reverted: /health answers 500"]);
    assert_eq!(notified(&[job]), one("notes", Some(2), Effect::Reverted, "/health answers 500"));
    let first = ClosedRelease { nothing_before: names(&["notes-api-local"]), ..reverted("notes", 1) };
    let notified = notified(&[deploy(of_releases(vec![first]), &["no"])]);
    let reason = "there is no earlier release, so the failed one stays live: /health answers 500";
    assert_eq!(notified[0], one("notes", Some(1), Effect::Failed, reason)[0]);
}

#[test]
fn a_failed_deploy_is_reported_to_the_systems_it_affects() {
    let report = DeployReport { progress: failed("feeds", &[]), ..of_releases(vec![released("notes", 7)]) };
    let expected = [
        one("notes", Some(7), Effect::Live, ""),
        one("feeds", None, Effect::Failed, "the probe failed; because: timeout"),
    ];
    assert_eq!(notified(&[deploy(report, &["the probe failed", "timeout"])]), expected.concat());

    let untried = DeployReport { progress: failed("notes", &["feeds"]), ..DeployReport::default() };
    let reason = "it was not released, because notes failed before it";
    let expected = [one("notes", None, Effect::Failed, "no"), one("feeds", None, Effect::Failed, reason)];
    assert_eq!(notified(&[deploy(untried, &["no"])]), expected.concat());

    // Before the first release, a failure affects every system.
    let notified = notified(&[deploy(DeployReport::default(), &["stack x failed"])]);
    assert_eq!(notified.iter().map(|summary| summary.2).collect::<Vec<_>>(), [Effect::Failed; 2]);
}

#[test]
fn a_failed_deploy_does_not_affect_systems_that_it_was_not_to_change() {
    let planned = DeployReport { planned: Some(names(&["notes"])), ..DeployReport::default() };
    assert_eq!(notified(&[deploy(planned.clone(), &["no"])]), one("notes", None, Effect::Failed, "no"));
    let report = DeployReport { progress: failed("notes", &["feeds"]), ..planned };
    assert_eq!(notified(&[deploy(report, &["no"])]), one("notes", None, Effect::Failed, "no"));
    // Its stacks were deployed before a function of another system failed.
    let report = DeployReport {
        planned: Some(names(&["notes", "feeds"])),
        changed_stacks: names(&["notes-data-local"]),
        progress: failed("feeds", &[]),
        ..DeployReport::default()
    };
    let live = one("notes", None, Effect::Live, "changed without a new release: notes-data-local");
    let expected = [live, one("feeds", None, Effect::Failed, "no")].concat();
    assert_eq!(notified(&[deploy(report, &["no"])]), expected);
    // Only sites are published once everything is released.
    let report = DeployReport {
        planned: Some(names(&["feeds"])),
        progress: ReleaseProgress::Complete,
        ..of_releases(vec![released("feeds", 8)])
    };
    let reason = "the deploy failed after the release: no site";
    let expected = [one("notes", None, Effect::Failed, "no site"), one("feeds", Some(8), Effect::Live, reason)];
    assert_eq!(notified(&[deploy(report, &["no site"])]), expected.concat());
    // The report of an interrupted deploy does not say how far its releases came.
    let report = DeployReport {
        planned: Some(names(&["feeds"])),
        changed_stacks: names(&["feeds-api-local"]),
        ..DeployReport::default()
    };
    let notified = notified(&[deploy(report, &["the lock was lost"])]);
    assert_eq!(notified, one("feeds", None, Effect::Failed, "the lock was lost"));
}

#[test]
fn users_keep_a_failed_release_when_its_rollback_was_reverted() {
    let outcome = Outcome::reverted("/health answers 500");
    let back = ClosedRelease { outcome, ..rolled_back("notes", 8, 6) };
    let report = CheckLiveReport { releases: vec![back], ..CheckLiveReport::default() };
    let job = [deploy(of_releases(vec![released("notes", 7)]), &[]), check_live(report, &["not right"])];
    let notified = notified(&job);
    assert_eq!((notified[0].1, notified[0].2), (Some(8), Effect::Failed));
    assert!(notified[0].3.contains("the rollback to release 6 was reverted"), "{notified:?}");
}

fn check(system: &str, kind: CheckKind, request: &str, failure: Option<&str>) -> CheckResult {
    CheckResult {
        system: system.to_owned(),
        kind,
        request: request.to_owned(),
        passed: failure.is_none(),
        detail: failure.unwrap_or("401").to_owned(),
        warning: None,
    }
}

#[test]
fn a_release_that_fails_its_checks_traffic_if_it_was_rolled_back_and_has_failed_if_not() {
    let deployed = || deploy(of_releases(vec![released("notes", 6), released("feeds", 2)]), &[]);
    let checks = vec![
        check("notes", CheckKind::Cors, "OPTIONS /", Some("no header")),
        check("feeds", CheckKind::Auth, "GET /list", None),
    ];
    let back = CheckLiveReport {
        checks: checks.clone(),
        releases: vec![rolled_back("notes", 7, 5)],
        rolled_back: names(&["notes"]),
        ..CheckLiveReport::default()
    };
    let reason = "it failed its checks; users get release 5 again, as release 7";
    let expected = [one("notes", Some(6), Effect::Reverted, reason), one("feeds", Some(2), Effect::Live, "")];
    assert_eq!(notified(&[deployed(), check_live(back, &["not right"])]), expected.concat());

    let kept = CheckLiveReport { checks, not_rolled_back: names(&["notes"]), ..CheckLiveReport::default() };
    let kept = check_live(kept, &["not right"]);
    let summaries = notified(&[deployed(), kept.clone()]);
    assert_eq!((summaries[0].2, summaries[1].2), (Effect::Failed, Effect::Live));
    assert_eq!(summaries[0].3, "the live system fails its checks: cors OPTIONS /: no header");
    // The job changed nothing of a system that fails its checks.
    assert_eq!(notified(&[deploy(DeployReport::default(), &[]), kept])[0].2, Effect::Failed);
}

#[test]
fn a_rollback_is_live_and_a_failed_one_is_reported() {
    let job = rollback(vec![rolled_back("feeds", 9, 4)], &[]);
    assert_eq!(notified(&[job]), one("feeds", Some(9), Effect::Live, "rolled back to release 4"));
    let failed = rollback(Vec::new(), &["there is no release 99; there are 3"]);
    assert_eq!(notified(&[failed])[1], one("feeds", None, Effect::Failed, "there is no release 99; there are 3")[0]);
}

#[test]
fn changes_of_stacks_and_sites_alone_are_reported_too() {
    let changed_stacks = names(&["feeds-data-local", "feeds-alarms-local"]);
    let mut systems = systems();
    let feeds = systems.iter_mut().find(|system| system.name == "feeds").expect("feeds");
    let template = feeds.stacks[0].clone();
    for name in &changed_stacks {
        feeds.stacks.push(model::rendered::RenderedStack { name: name.clone(), ..template.clone() });
    }
    let report = DeployReport { changed_stacks, ..DeployReport::default() };
    let notices = notices(&[deploy(report, &[])], &systems);
    let reason = "changed without a new release: feeds-data-local, feeds-alarms-local";
    let [notice] = notices.as_slice() else { panic!("{notices:?}") };
    let summary = (notice.system.as_str(), notice.release, notice.effect, notice.reason.as_deref());
    assert_eq!(summary, ("feeds", None, Effect::Live, Some(reason)));
    let site = systems.iter().flat_map(|system| &system.sites).next().expect("a site").name.clone();
    let uploaded = Published { name: site.clone(), uploaded: names(&["index.html"]), ..Published::default() };
    let report = DeployReport { sites: vec![uploaded], ..DeployReport::default() };
    let reason = format!("changed without a new release: {site}");
    assert_eq!(notified(&[deploy(report, &[])]), one("notes", None, Effect::Live, &reason));
}

#[test]
fn a_message_states_outcome_deployer_and_run_in_a_few_lines() {
    let notice = &notices(&[deploy(of_releases(vec![released("feeds", 12)]), &[])], &systems())[0];
    assert_eq!(notice.subject("prod"), "feeds prod: release 12 live");
    let source = Source {
        deployer: Some("octocat".to_owned()),
        commit: Some("fedcba".to_owned()),
        run: Some("https://github.example/run/1".to_owned()),
    };
    let text = notice.message("prod", &source);
    let expected = "system: feeds\nstage: prod\nrelease: 12\noutcome: live\ncommit: 0123abc\nby: octocat\nrun: https://github.example/run/1\n";
    assert_eq!(text, expected);
    // Without a run, the ledger names the deployer.
    let text = notice.message("prod", &Source::default());
    assert!(text.ends_with("commit: 0123abc\nby: arn:aws:iam::1:role/deploy\n"), "{text}");
    let long = Notice { system: "ä\n".repeat(200), reason: Some("é".repeat(900)), release: None, ..notice.clone() };
    assert_eq!(long.subject(&"s".repeat(300)).len(), SUBJECT, "SNS accepts no longer subject");
    assert!(long.subject("prod").is_ascii() && !long.subject("prod").contains('\n'));
    assert!(long.message("prod", &source).contains(&format!("reason: {}…\n", "é".repeat(REASON))));
}
