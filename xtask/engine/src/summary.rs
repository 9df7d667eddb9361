//! What a job did, as Markdown: what changed, which versions, how long it took, what failed and what was done about it.

use std::{
    collections::BTreeMap,
    fmt::{Result, Write},
};

use serde_json::Value;

use crate::{
    record::Done,
    ui::{duration, size},
};

/// Where a job and its commit are seen, as far as the environment tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// The run.
    pub run: Option<String>,
    /// The commit: its hash, and where it is seen.
    pub commit: Option<(String, String)>,
}

/// The summary of a job for one stage.
#[must_use]
pub fn markdown(stage: &str, done: &[Done], links: &Links) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _never = write(stage, done, links, &mut out);
    out
}

fn write(stage: &str, done: &[Done], links: &Links, out: &mut String) -> Result {
    let mark = match failures(done).next() {
        Some(_) => "❌",
        None if done.is_empty() || done.iter().any(|done| !done.succeeded) => "⚠️",
        None => "✅",
    };
    writeln!(out, "## {mark} {stage}: {}\n", verdict(done))?;
    for failed in done.iter().filter(|done| !done.succeeded) {
        writeln!(out, "**`{}` failed:** {}\n", failed.command, failed.failure.join("; because: "))?;
    }
    if failures(done).next().is_some() {
        for line in aftermath(done) {
            writeln!(out, "- {line}")?;
        }
        writeln!(out)?;
    }
    if let Some((hash, address)) = &links.commit {
        write!(out, "Commit [`{}`]({address})", &hash[..hash.len().min(9)])?;
        writeln!(out, "{}\n", links.run.as_ref().map(|run| format!(" · [run]({run})")).unwrap_or_default())?;
    }
    steps(done, out)?;
    stacks(done, out)?;
    functions(done, out)?;
    live(done, out)?;
    checks(done, out)?;
    for pruned in notes(done, "pruned").filter_map(Value::as_u64).filter(|pruned| *pruned > 0) {
        writeln!(out, "- pruned: {pruned} old versions and artifacts")?;
    }
    // Several commands know them.
    let urls: BTreeMap<_, _> = notes(done, "urls").filter_map(Value::as_object).flatten().collect();
    for (name, url) in urls {
        writeln!(out, "- {name}: {}", url.as_str().unwrap_or_default())?;
    }
    Ok(())
}

/// What fails the job. Pruning does not: what is left is deleted after the next deploy.
fn failures(done: &[Done]) -> impl Iterator<Item = &Done> {
    done.iter().filter(|done| !done.succeeded && done.command != "prune")
}

fn verdict(done: &[Done]) -> &'static str {
    let changed = || notes(done, "changed").any(|changed| *changed == Value::Bool(true));
    match failures(done).next() {
        Some(_) => "failed",
        None if done.is_empty() => "nothing was done; the job failed before its first command, or had none",
        None if changed() => "deployed",
        None => "nothing changed",
    }
}

/// What users get after a failure, system by system.
fn aftermath(done: &[Done]) -> Vec<String> {
    let mut lines = Vec::new();
    let released = released(done);
    if !released.is_empty() {
        lines.push(format!("**Released before that, and live:** {}.", released.join(", ")));
    }
    let rolled_back = names(done, "rolledBack");
    if !rolled_back.is_empty() {
        lines.push(format!("**Rolled back:** {}. Users get what they got before.", rolled_back.join(", ")));
    }
    let left = names(done, "notRolledBack");
    if !left.is_empty() {
        lines.push(format!("**NOT rolled back:** {}. Users get what failed: `cargo xtask rollback`.", left.join(", ")));
    }
    for failed in failures(done).filter(|done| done.command == "deploy") {
        let stacks = failed.notes.get("changedStacks").and_then(Value::as_array);
        let stacks: Vec<_> = stacks.into_iter().flatten().filter_map(Value::as_str).collect();
        if !stacks.is_empty() {
            lines.push(format!("**Changed before that, and not taken back:** {}.", stacks.join(", ")));
        }
        let system = failed.notes.get("notReleased").and_then(|note| note["failed"].as_str()).unwrap_or("The release");
        lines.push(if failed.failure.iter().any(|message| message.contains("was reverted")) {
            format!("**Reverted:** {system}. Users get what they got before.")
        } else {
            format!(
                "**Not released:** {system}. No traffic was moved to what failed; `cargo xtask status` and `cargo xtask doctor` say \
                 more."
            )
        });
        let untried = failed.notes.get("notReleased").and_then(|note| note["untried"].as_array());
        let untried: Vec<_> = untried.into_iter().flatten().filter_map(Value::as_str).collect();
        if !untried.is_empty() {
            lines.push(format!("**Never tried:** {}. Users get what they got before.", untried.join(", ")));
        }
    }
    if lines.is_empty() {
        let looks = |done: &Done| matches!(done.command.as_str(), "plan" | "build");
        let touched = !failures(done).all(looks);
        lines.push(if touched { "Nothing was rolled back." } else { "Nothing was touched." }.to_owned());
    }
    lines
}

/// The functions that got another version and still have it, each with that.
fn released(done: &[Done]) -> Vec<String> {
    let rolled_back = names(done, "rolledBack");
    let functions = lists(done, "functions");
    let changed = functions.filter(|function| !function["before"].is_null());
    let text = |function: &Value, field: &str| function[field].as_str().unwrap_or_default().to_owned();
    changed
        .map(|function| (text(function, "functionName"), text(function, "version")))
        .filter(|(name, _)| !is_of(name, &rolled_back))
        .map(|(name, version)| format!("{name} {version}"))
        .collect()
}

/// Does a function belong to one of these systems, by its name?
fn is_of(function: &str, systems: &[&str]) -> bool {
    systems.iter().any(|system| function.strip_prefix(system).is_some_and(|rest| rest.starts_with('-')))
}

/// The items of a note of every command that made it.
fn lists<'a>(done: &'a [Done], name: &'a str) -> impl Iterator<Item = &'a Value> {
    done.iter().flat_map(move |done| done.list(name))
}

/// The names in a note of every command that made it.
fn names<'a>(done: &'a [Done], name: &'a str) -> Vec<&'a str> {
    lists(done, name).filter_map(Value::as_str).collect()
}

/// A note of every command that made it.
fn notes<'a>(done: &'a [Done], name: &'a str) -> impl Iterator<Item = &'a Value> {
    done.iter().filter_map(move |done| done.notes.get(name))
}

fn steps(done: &[Done], out: &mut String) -> Result {
    if done.is_empty() {
        return Ok(());
    }
    writeln!(out, "| step | outcome | took |\n| --- | --- | --- |")?;
    for done in done {
        let outcome = if done.succeeded { "done" } else { "**failed**" };
        writeln!(out, "| {} | {outcome} | {} |", done.command, duration(done.elapsed()))?;
    }
    writeln!(out)
}

fn stacks(done: &[Done], out: &mut String) -> Result {
    let stacks = lists(done, "stacks");
    let changed: Vec<_> = stacks.filter(|stack| stack["action"] != "none").collect();
    for stack in &changed {
        let text = |field: &str| stack[field].as_str().unwrap_or_default();
        writeln!(out, "- stack {}: {}", text("name"), text("action"))?;
    }
    if changed.is_empty() { Ok(()) } else { writeln!(out) }
}

fn functions(done: &[Done], out: &mut String) -> Result {
    let functions: Vec<_> = lists(done, "functions").collect();
    if functions.is_empty() {
        return Ok(());
    }
    writeln!(out, "| function | live version | before |\n| --- | --- | --- |")?;
    let rolled_back = names(done, "rolledBack");
    for function in functions {
        let text = |field: &str, without| function[field].as_str().unwrap_or(without).to_owned();
        let (name, version, before) = (text("functionName", ""), text("version", ""), text("before", "the same"));
        let is_back = is_of(&name, &rolled_back) && !function["before"].is_null();
        let version = if is_back { format!("rolled back from {version}") } else { version };
        writeln!(out, "| {name} | {version} | {before} |")?;
    }
    writeln!(out)
}

/// What is live, in Lambda's words; what was rolled back after it was described is not told.
fn live(done: &[Done], out: &mut String) -> Result {
    let rolled_back = names(done, "rolledBack");
    let functions: BTreeMap<_, _> = notes(done, "live")
        .filter_map(Value::as_object)
        .flatten()
        .filter(|(name, _)| !is_of(name, &rolled_back))
        .collect();
    if functions.is_empty() {
        return Ok(());
    }
    writeln!(out, "| live | version | runtime | handler | code | memory | timeout | last modified |")?;
    writeln!(out, "| --- | --- | --- | --- | --- | --- | --- | --- |")?;
    for (name, function) in functions {
        let text = |field: &str| function[field].as_str().unwrap_or_default();
        let code = size(function["codeSize"].as_u64().unwrap_or_default());
        write!(out, "| {name} | {} | {} | {} | {code} ", text("version"), text("runtime"), text("handler"))?;
        writeln!(out, "| {} MB | {} s | {} |", function["memory"], function["timeout"], text("lastModified"))?;
    }
    writeln!(out)
}

fn checks(done: &[Done], out: &mut String) -> Result {
    let checks: Vec<_> = lists(done, "checks").collect();
    if checks.is_empty() {
        return Ok(());
    }
    writeln!(out, "| system | check | request | answer |\n| --- | --- | --- | --- |")?;
    for check in checks {
        let text = |field: &str| check[field].as_str().unwrap_or_default().replace('|', "\\|");
        let mark = if check["passed"] == true { "✓" } else { "✗" };
        let warning = text("warning");
        let warning = if warning.is_empty() { warning } else { format!("; ⚠️ {warning}") };
        let (system, kind, what) = (text("system"), text("kind"), text("what"));
        writeln!(out, "| {system} | {kind} | {what} | {mark} {}{warning} |", text("detail"))?;
    }
    writeln!(out)
}

/// One line for each job that another needs, and whether all of them did what they should.
///
/// `needs` is GitHub's `toJSON(needs)`.
#[must_use]
pub fn jobs(needs: &Value) -> (String, bool) {
    let mut out = String::from("| job | result |\n| --- | --- |\n");
    let jobs = needs.as_object().cloned().unwrap_or_default();
    let mut good = !jobs.is_empty();
    for (name, job) in &jobs {
        let result = job["result"].as_str().unwrap_or("unknown");
        good &= result == "success";
        let mark = if result == "success" { "✅" } else { "❌" };
        out.push_str(&format!("| {name} | {mark} {result} |\n"));
    }
    (out, good)
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    fn done(command: &str, failure: &[&str], notes: Value) -> Done {
        let failure: Vec<_> = failure.iter().map(|message| (*message).to_owned()).collect();
        let notes: Map<_, _> = notes.as_object().cloned().unwrap_or_default();
        Done { command: command.to_owned(), succeeded: failure.is_empty(), failure, seconds: 2.0, notes }
    }

    fn deployed() -> Done {
        let functions = json!([{ "functionName": "photos-upload-prod", "version": "3", "before": "2" }]);
        let stacks = json!([{ "name": "a", "action": "none" }, { "name": "b", "action": "update" }]);
        done(
            "deploy",
            &[],
            json!({ "changed": true, "functions": functions, "stacks": stacks, "urls": { "Api": "https://x" } }),
        )
    }

    #[test]
    fn what_changed_is_told() {
        let links = Links {
            run: Some("https://github.example/run/1".to_owned()),
            commit: Some(("0123456789abcdef".to_owned(), "https://github.example/commit/0".to_owned())),
        };
        let text = markdown("prod", &[deployed(), done("prune", &[], json!({ "pruned": 4 }))], &links);
        for told in [
            "## ✅ prod: deployed",
            "[`012345678`](https://github.example/commit/0) · [run](https://github.example/run/1)",
            "| deploy | done | 2.0 s |",
            "- stack b: update\n",
            "| photos-upload-prod | 3 | 2 |",
            "- pruned: 4 old versions",
            "- Api: https://x",
        ] {
            assert!(text.contains(told), "`{told}` is not in\n{text}");
        }
        assert!(!text.contains("stack a"), "{text}");
        let nothing = markdown("prod", &[], &Links::default());
        assert!(nothing.starts_with("## ⚠️ prod: nothing was done"), "{nothing}");
    }

    #[test]
    fn a_failure_is_told_with_what_was_done_about_it() {
        let checks =
            json!([{ "system": "photos", "kind": "cors", "what": "OPTIONS /", "passed": false, "detail": "no" }]);
        let live = json!({ "photos-upload-prod": {}, "feeds-status-prod": {
            "version": "7", "runtime": "provided.al2023", "handler": "bootstrap", "codeSize": 2_000_000, "memory": 1024, "timeout": 30,
            "lastModified": "2026-11-02T03:04:05.000+0000",
        }});
        let notes = json!({ "checks": checks, "rolledBack": ["photos"], "live": live });
        let check = done("check-live", &["stage prod does not"], notes);
        let text = markdown("prod", &[deployed(), check], &Links::default());
        for told in [
            "## ❌ prod: failed",
            "`check-live` failed",
            "Rolled back:** photos",
            "| photos-upload-prod | rolled back from 3 | 2 |",
            "| photos | cors | OPTIONS / | ✗ no |",
            "| feeds-status-prod | 7 | provided.al2023 | bootstrap | 2.0 MB | 1024 MB | 30 s | 2026-11-02T03:04:05.000+0000 |",
        ] {
            assert!(text.contains(told), "`{told}` is not in\n{text}");
        }
        assert!(!text.contains("and live:**"), "{text}");
        let left = done("check-live", &["no"], json!({ "notRolledBack": ["photos"] }));
        let text = markdown("prod", &[deployed(), left], &Links::default());
        assert!(text.contains("**NOT rolled back:** photos"), "{text}");
        let plan = markdown("prod", &[done("plan", &["no"], json!({}))], &Links::default());
        assert!(plan.contains("Nothing was touched."), "{plan}");
    }

    #[test]
    fn what_is_live_what_was_reverted_and_what_was_never_tried_is_told_apart() {
        let functions = json!([{ "functionName": "photos-upload-prod", "version": "3", "before": "2" }]);
        let notes = json!({ "functions": functions, "notReleased": { "failed": "notes", "untried": ["feeds"] } });
        let reverted = done("deploy", &["release 2 was reverted: /health answers 500"], notes.clone());
        let text = markdown("prod", &[reverted], &Links::default());
        for told in [
            "/health answers 500",
            "**Released before that, and live:** photos-upload-prod 3.",
            "**Reverted:** notes.",
            "**Never tried:** feeds.",
        ] {
            assert!(text.contains(told), "`{told}` is not in\n{text}");
        }
        let text = markdown("prod", &[done("deploy", &["the probe failed"], notes)], &Links::default());
        assert!(text.contains("**Not released:** notes.") && !text.contains("Reverted"), "{text}");
    }

    #[test]
    fn what_was_not_pruned_does_not_fail_a_job() {
        let text = markdown("prod", &[deployed(), done("prune", &["denied"], json!({}))], &Links::default());
        assert!(text.starts_with("## ⚠️ prod: deployed") && text.contains("**`prune` failed:** denied"), "{text}");
    }

    #[test]
    fn one_job_that_did_not_succeed_is_enough() {
        let (text, good) = jobs(&json!({ "tests": { "result": "success" }, "plan": { "result": "skipped" } }));
        assert!(!good && text.contains("| plan | ❌ skipped |"), "{text}");
        assert!(jobs(&json!({ "tests": { "result": "success" } })).1);
        assert!(!jobs(&json!({})).1, "nothing is no success");
    }
}
