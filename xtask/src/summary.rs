//! What a job did, as Markdown: what changed, which versions, how long it took, what failed and what was done about it.

use std::fmt::{Result, Write};

use serde_json::Value;

use crate::{record::Done, ui::duration};

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
    let mark = match failure(done) {
        Some(_) => "❌",
        None if done.is_empty() => "⚠️",
        None => "✅",
    };
    writeln!(out, "## {mark} {stage}: {}\n", verdict(done))?;
    if let Some(failed) = failure(done) {
        writeln!(out, "**`{}` failed:** {}\n", failed.command, failed.failure.join("; because: "))?;
        writeln!(out, "{}\n", aftermath(done, failed))?;
    }
    if let Some((hash, address)) = &links.commit {
        write!(out, "Commit [`{}`]({address})", &hash[..hash.len().min(9)])?;
        writeln!(out, "{}\n", links.run.as_ref().map(|run| format!(" · [run]({run})")).unwrap_or_default())?;
    }
    steps(done, out)?;
    stacks(done, out)?;
    functions(done, out)?;
    checks(done, out)?;
    for pruned in notes(done, "pruned").filter_map(Value::as_u64).filter(|pruned| *pruned > 0) {
        writeln!(out, "- pruned: {pruned} old versions and artifacts")?;
    }
    for (name, url) in notes(done, "urls").filter_map(Value::as_object).flatten() {
        writeln!(out, "- {name}: {}", url.as_str().unwrap_or_default())?;
    }
    Ok(())
}

fn failure(done: &[Done]) -> Option<&Done> {
    done.iter().find(|done| !done.succeeded)
}

fn verdict(done: &[Done]) -> &'static str {
    let changed = || notes(done, "changed").any(|changed| *changed == Value::Bool(true));
    match failure(done) {
        Some(_) => "failed",
        None if done.is_empty() => "nothing was done; the job failed before its first command, or had none",
        None if changed() => "deployed",
        None => "nothing changed",
    }
}

/// What users get after a failure.
fn aftermath(done: &[Done], failed: &Done) -> String {
    let rolled_back: Vec<_> =
        notes(done, "rolledBack").filter_map(Value::as_array).flatten().filter_map(Value::as_str).collect();
    if !rolled_back.is_empty() {
        return format!("**Rolled back:** {}. Users get what they got before.", rolled_back.join(", "));
    }
    let reverted = failed.failure.iter().any(|message| message.contains("was reverted"));
    if failed.command == "deploy" && reverted {
        return "**The release was reverted.** Users get what they got before.".to_owned();
    }
    match failed.command.as_str() {
        "plan" | "build" => "Nothing was touched.".to_owned(),
        "deploy" => {
            "No traffic was moved to what failed; `cargo xtask status` and `cargo xtask doctor` say more.".to_owned()
        }
        _ => "Nothing was rolled back.".to_owned(),
    }
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
    let stacks = notes(done, "stacks").filter_map(Value::as_array).flatten();
    let changed: Vec<_> = stacks.filter(|stack| stack["action"] != "none").collect();
    for stack in &changed {
        let text = |field: &str| stack[field].as_str().unwrap_or_default();
        writeln!(out, "- stack {}: {}", text("name"), text("action"))?;
    }
    if changed.is_empty() { Ok(()) } else { writeln!(out) }
}

fn functions(done: &[Done], out: &mut String) -> Result {
    let functions: Vec<_> = notes(done, "functions").filter_map(Value::as_array).flatten().collect();
    if functions.is_empty() {
        return Ok(());
    }
    writeln!(out, "| function | live version | before |\n| --- | --- | --- |")?;
    for function in functions {
        let text = |field: &str, without| function[field].as_str().unwrap_or(without).to_owned();
        let (name, version, before) = (text("functionName", ""), text("version", ""), text("before", "the same"));
        writeln!(out, "| {name} | {version} | {before} |")?;
    }
    writeln!(out)
}

fn checks(done: &[Done], out: &mut String) -> Result {
    let checks: Vec<_> = notes(done, "checks").filter_map(Value::as_array).flatten().collect();
    if checks.is_empty() {
        return Ok(());
    }
    writeln!(out, "| system | check | request | answer |\n| --- | --- | --- | --- |")?;
    for check in checks {
        let text = |field: &str| check[field].as_str().unwrap_or_default().replace('|', "\\|");
        let mark = if check["passed"] == true { "✓" } else { "✗" };
        writeln!(out, "| {} | {} | {} | {mark} {} |", text("system"), text("kind"), text("what"), text("detail"))?;
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
        let functions = json!([{ "functionName": "media-uploader-upload-prod", "version": "3", "before": "2" }]);
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
            "| media-uploader-upload-prod | 3 | 2 |",
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
        let checks = json!([{ "system": "s", "kind": "cors", "what": "OPTIONS /", "passed": false, "detail": "no" }]);
        let check = done("check-live", &["stage prod does not"], json!({ "checks": checks, "rolledBack": ["s"] }));
        let text = markdown("prod", &[deployed(), check], &Links::default());
        for told in ["## ❌ prod: failed", "`check-live` failed", "Rolled back:** s", "| s | cors | OPTIONS / | ✗ no |"]
        {
            assert!(text.contains(told), "`{told}` is not in\n{text}");
        }
        let reverted = done("deploy", &["release 2 was reverted: /health answers 500"], json!({}));
        let text = markdown("prod", &[reverted], &Links::default());
        assert!(text.contains("The release was reverted"), "{text}");
        assert!(text.contains("/health answers 500"), "{text}");
    }

    #[test]
    fn one_job_that_did_not_succeed_is_enough() {
        let (text, good) = jobs(&json!({ "tests": { "result": "success" }, "plan": { "result": "skipped" } }));
        assert!(!good && text.contains("| plan | ❌ skipped |"), "{text}");
        assert!(jobs(&json!({ "tests": { "result": "success" } })).1);
        assert!(!jobs(&json!({})).1, "nothing is no success");
    }
}
