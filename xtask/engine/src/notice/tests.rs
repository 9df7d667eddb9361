//! Each end that a job can have for a system.

use model::{example::Example, rendered::RenderedSystem};
use serde_json::{Map, Value, json};

use super::*;

fn systems() -> Vec<RenderedSystem> {
    let mut systems = Example::systems(&Example::stage_named("local"));
    systems.retain(|system| system.alarm_topic.is_some());
    let names: Vec<_> = systems.iter().map(|system| system.name.as_str()).collect();
    assert_eq!(names, ["notes", "feeds"]);
    systems
}

fn done(command: &str, failure: &[&str], notes: Value) -> Done {
    let failure: Vec<_> = failure.iter().map(|message| (*message).to_owned()).collect();
    let notes: Map<_, _> = notes.as_object().cloned().unwrap_or_default();
    Done { command: command.to_owned(), succeeded: failure.is_empty(), failure, seconds: 2.0, notes }
}

fn released(system: &str, number: u32) -> Value {
    json!({
        "system": system, "number": number, "kind": { "what": "deploy" }, "outcome": { "state": "released" },
        "commit": "0123abc", "who": "arn:aws:iam::1:role/deploy",
    })
}

fn rolled_back(system: &str, number: u32, to: u32) -> Value {
    let mut release = released(system, number);
    release["kind"] = json!({ "what": "rollback", "to": to });
    release
}

fn reverted(system: &str, number: u32) -> Value {
    let mut release = released(system, number);
    release["outcome"] = json!({ "state": "reverted", "why": "/health answers 500" });
    release
}

/// What each system is told: its name, release and fate, and why.
fn told(done: &[Done]) -> Vec<(String, Option<u32>, Fate, String)> {
    let told = notices(done, &systems()).into_iter();
    told.map(|notice| (notice.system, notice.release, notice.fate, notice.why.unwrap_or_default())).collect()
}

fn one(system: &str, release: Option<u32>, fate: Fate, why: &str) -> Vec<(String, Option<u32>, Fate, String)> {
    vec![(system.to_owned(), release, fate, why.to_owned())]
}

#[test]
fn what_nothing_was_done_to_is_told_nothing() {
    assert_eq!(told(&[]), []);
    let nothing = json!({ "changed": false, "functions": [], "sites": [{ "name": "Site", "uploaded": [] }] });
    assert_eq!(told(&[done("deploy", &[], nothing), done("check-live", &[], json!({ "checks": [] }))]), []);
    let of_another = json!({ "releases": [released("photos", 3)], "changedStacks": ["photos-api-local"] });
    assert_eq!(told(&[done("deploy", &[], of_another)]), []);
    assert_eq!(told(&[done("prune", &["denied"], json!({}))]), []);
}

#[test]
fn a_release_is_live_unless_it_was_reverted() {
    let deploy = done("deploy", &[], json!({ "releases": [reverted("feeds", 4), released("feeds", 5)] }));
    assert_eq!(told(&[deploy]), one("feeds", Some(5), Fate::Live, ""));
    let notes = json!({ "releases": [reverted("notes", 2)], "notReleased": { "failed": "notes", "untried": [] } });
    let deploy = done("deploy", &["release 2 was reverted: /health answers 500"], notes);
    assert_eq!(told(&[deploy]), one("notes", Some(2), Fate::Reverted, "/health answers 500"));
    let mut first = reverted("notes", 1);
    first["nothingBefore"] = json!(["notes-api-local"]);
    let found = told(&[done("deploy", &["no"], json!({ "releases": [first] }))]);
    let why = "nothing was before it, so it stays: /health answers 500";
    assert_eq!(found[0], one("notes", Some(1), Fate::Failed, why)[0]);
}

#[test]
fn a_failed_deploy_is_told_to_whom_it_concerns() {
    let notes = json!({ "releases": [released("notes", 7)], "notReleased": { "failed": "feeds", "untried": [] } });
    let found = told(&[done("deploy", &["the probe failed", "timeout"], notes)]);
    let expected =
        [one("notes", Some(7), Fate::Live, ""), one("feeds", None, Fate::Failed, "the probe failed; because: timeout")];
    assert_eq!(found, expected.concat());

    let untried = json!({ "notReleased": { "failed": "notes", "untried": ["feeds"] } });
    let found = told(&[done("deploy", &["no"], untried)]);
    let why = "it was not released, because notes failed before it";
    assert_eq!(found, [one("notes", None, Fate::Failed, "no"), one("feeds", None, Fate::Failed, why)].concat());

    // Before anything was released, it concerns everybody.
    let found = told(&[done("deploy", &["stack x failed"], json!({}))]);
    assert_eq!(found.iter().map(|told| told.2).collect::<Vec<_>>(), [Fate::Failed; 2]);
}

#[test]
fn a_failed_deploy_that_had_nothing_to_do_to_a_system_is_not_its_own() {
    let planned = json!({ "planned": ["notes"] });
    assert_eq!(told(&[done("deploy", &["no"], planned)]), one("notes", None, Fate::Failed, "no"));
    let notes = json!({ "planned": ["notes"], "notReleased": { "failed": "notes", "untried": ["feeds"] } });
    assert_eq!(told(&[done("deploy", &["no"], notes)]), one("notes", None, Fate::Failed, "no"));
    // Its stacks went well before another's function did not.
    let notes = json!({
        "planned": ["notes", "feeds"], "changedStacks": ["notes-data-local"],
        "notReleased": { "failed": "feeds", "untried": [] },
    });
    let live = one("notes", None, Fate::Live, "changed without a new release: notes-data-local");
    assert_eq!(told(&[done("deploy", &["no"], notes)]), [live, one("feeds", None, Fate::Failed, "no")].concat());
    // What comes once everything is released is sites.
    let notes =
        json!({ "planned": ["feeds"], "functions": [], "allReleased": true, "releases": [released("feeds", 8)] });
    let found = told(&[done("deploy", &["no site"], notes)]);
    let why = "the deploy failed after the release: no site";
    let expected = [one("notes", None, Fate::Failed, "no site"), one("feeds", Some(8), Fate::Live, why)];
    assert_eq!(found, expected.concat());
    // One that was cut off while it was at a system says nothing of how far it came.
    let notes = json!({ "planned": ["feeds"], "functions": [], "changedStacks": ["feeds-api-local"] });
    let found = told(&[done("deploy", &["the lock was lost"], notes)]);
    assert_eq!(found, one("feeds", None, Fate::Failed, "the lock was lost"));
}

#[test]
fn a_rollback_that_was_taken_back_itself_leaves_users_what_was_not_right() {
    let mut back = rolled_back("notes", 8, 6);
    back["outcome"] = json!({ "state": "reverted", "why": "/health answers 500" });
    let deploy = done("deploy", &[], json!({ "releases": [released("notes", 7)] }));
    let found = told(&[deploy, done("check-live", &["not right"], json!({ "releases": [back] }))]);
    assert_eq!((found[0].1, found[0].2), (Some(8), Fate::Failed));
    assert!(found[0].3.contains("the rollback to release 6 was taken back"), "{found:?}");
}

#[test]
fn what_was_taken_back_after_its_checks_is_reverted_and_what_was_not_has_failed() {
    let deploy = || done("deploy", &[], json!({ "releases": [released("notes", 6), released("feeds", 2)] }));
    let checks = json!([
        { "system": "notes", "kind": "cors", "what": "OPTIONS /", "passed": false, "detail": "no header" },
        { "system": "feeds", "kind": "auth", "what": "GET /list", "passed": true, "detail": "401" },
    ]);
    let back = json!({ "checks": checks, "releases": [rolled_back("notes", 7, 5)], "rolledBack": ["notes"] });
    let found = told(&[deploy(), done("check-live", &["not right"], back)]);
    let why = "it did not do what it must; users get release 5 again, as release 7";
    let expected = [one("notes", Some(6), Fate::Reverted, why), one("feeds", Some(2), Fate::Live, "")];
    assert_eq!(found, expected.concat());

    let left = done("check-live", &["not right"], json!({ "checks": checks, "notRolledBack": ["notes"] }));
    let found = told(&[deploy(), left.clone()]);
    assert_eq!((found[0].2, found[1].2), (Fate::Failed, Fate::Live));
    assert_eq!(found[0].3, "users get what does not do what it must: cors OPTIONS /: no header");
    // A stage that nothing was done to, and that is not right.
    assert_eq!(told(&[done("deploy", &[], json!({})), left])[0].2, Fate::Failed);
}

#[test]
fn a_rollback_is_live_and_a_failed_one_is_told() {
    let rollback = done("rollback", &[], json!({ "releases": [rolled_back("feeds", 9, 4)] }));
    assert_eq!(told(&[rollback]), one("feeds", Some(9), Fate::Live, "rolled back to release 4"));
    let failed = done("rollback", &["there is no release 99; there are 3"], json!({}));
    assert_eq!(told(&[failed])[1], one("feeds", None, Fate::Failed, "there is no release 99; there are 3")[0]);
}

#[test]
fn stacks_and_sites_alone_are_told_too() {
    let notes = json!({ "changedStacks": ["feeds-data-local", "feeds-alarms-local"] });
    let why = "changed without a new release: feeds-data-local, feeds-alarms-local";
    assert_eq!(told(&[done("deploy", &[], notes)]), one("feeds", None, Fate::Live, why));
    let site = systems().iter().flat_map(|system| &system.sites).next().expect("a site").name.clone();
    let notes = json!({ "sites": [{ "name": site, "uploaded": ["index.html"] }] });
    let why = format!("changed without a new release: {site}");
    assert_eq!(told(&[done("deploy", &[], notes)]), one("notes", None, Fate::Live, &why));
}

#[test]
fn a_message_says_what_who_and_where_in_a_few_lines() {
    let notice = &notices(&[done("deploy", &[], json!({ "releases": [released("feeds", 12)] }))], &systems())[0];
    assert_eq!(notice.subject("prod"), "feeds prod: release 12 live");
    let source = Source {
        who: Some("octocat".to_owned()),
        commit: Some("fedcba".to_owned()),
        run: Some("https://github.example/run/1".to_owned()),
    };
    let text = notice.message("prod", &source);
    let expected = "system: feeds\nstage: prod\nrelease: 12\noutcome: live\ncommit: 0123abc\nby: octocat\nrun: https://github.example/run/1\n";
    assert_eq!(text, expected);
    // Without a run, the ledger's word.
    let text = notice.message("prod", &Source::default());
    assert!(text.ends_with("commit: 0123abc\nby: arn:aws:iam::1:role/deploy\n"), "{text}");
    let long = Notice { system: "ä\n".repeat(200), why: Some("é".repeat(900)), release: None, ..notice.clone() };
    assert_eq!(long.subject(&"s".repeat(300)).len(), SUBJECT, "SNS takes no longer one");
    assert!(long.subject("prod").is_ascii() && !long.subject("prod").contains('\n'));
    assert!(long.message("prod", &source).contains(&format!("why: {}…\n", "é".repeat(REASON))));
}
