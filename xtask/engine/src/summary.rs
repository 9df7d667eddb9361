//! The Markdown summary of a job: what changed, the live versions, how long it took, what failed and what users get now.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{Result, Write},
};

use serde_json::Value;

use crate::{
    deploy,
    record::JobRecord,
    release::{Released, Traffic},
    report::{CheckLiveReport, CheckResult, DeployReport, JobReport, ReleaseFailure, ReleaseProgress},
    table,
    ui::{duration, size},
};

/// The URLs of a job and its commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Links {
    /// The run.
    pub(crate) run: Option<String>,
    /// The commit's hash, and its URL.
    pub(crate) commit: Option<(String, String)>,
}

/// Returns the summary of a job for one stage.
pub(crate) fn markdown(stage: &str, job: &[JobRecord], links: &Links) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _never = write(stage, job, links, &mut out);
    out
}

fn write(stage: &str, job: &[JobRecord], links: &Links, out: &mut String) -> Result {
    let mark = match failures(job).next() {
        Some(_) => "❌",
        None if job.is_empty() || job.iter().any(|record| !record.succeeded) => "⚠️",
        None => "✅",
    };
    writeln!(out, "## {mark} {stage}: {}\n", heading(job))?;
    for failed in job.iter().filter(|record| !record.succeeded) {
        writeln!(out, "**`{}` failed:** {}\n", failed.command, failed.failure.join("; because: "))?;
    }
    if failures(job).next().is_some() {
        for line in consequences(stage, job) {
            writeln!(out, "- {line}")?;
        }
        writeln!(out)?;
    }
    if let Some((hash, address)) = &links.commit {
        write!(out, "Commit [`{}`]({address})", &hash[..hash.len().min(9)])?;
        writeln!(out, "{}\n", links.run.as_ref().map(|run| format!(" · [run]({run})")).unwrap_or_default())?;
    }
    write_steps(job, out)?;
    write_stacks(job, out)?;
    write_functions(job, out)?;
    write_live(job, out)?;
    write_checks(job, out)?;
    for record in job {
        if let JobReport::Prune(report) = &record.report
            && report.pruned > 0
        {
            writeln!(out, "- pruned: {} old versions and artifacts", report.pruned)?;
        }
    }
    // Several commands report the same URLs.
    let urls: BTreeMap<_, _> = job.iter().filter_map(|record| record.report.urls()).flatten().collect();
    for (name, url) in urls {
        writeln!(out, "- {name}: {url}")?;
    }
    Ok(())
}

/// The commands that fail the job. `prune` does not: the next deploy prunes what remains.
fn failures(job: &[JobRecord]) -> impl Iterator<Item = &JobRecord> {
    job.iter().filter(|record| !record.succeeded && !matches!(record.report, JobReport::Prune(_)))
}

fn deployments(job: &[JobRecord]) -> impl Iterator<Item = &DeployReport> {
    job.iter().filter_map(|record| record.report.deployment())
}

fn live_checks(job: &[JobRecord]) -> impl Iterator<Item = &CheckLiveReport> {
    job.iter().filter_map(|record| record.report.check_live())
}

fn heading(job: &[JobRecord]) -> &'static str {
    match failures(job).next() {
        Some(_) => "failed",
        None if job.is_empty() => "no command was recorded: the job failed before its first command, or has none",
        None if deployments(job).any(|report| report.changed) => "deployed",
        None => "nothing changed",
    }
}

/// What users get after a failure, system by system.
fn consequences(stage: &str, job: &[JobRecord]) -> Vec<String> {
    let mut lines = Vec::new();
    let released = released(job);
    if !released.is_empty() {
        lines.push(format!("**Released before the failure, and live:** {}.", released.join(", ")));
    }
    let rolled_back: Vec<_> = live_checks(job).flat_map(|report| &report.rolled_back).map(String::as_str).collect();
    if !rolled_back.is_empty() {
        lines.push(format!("**Rolled back:** {}. Users get the earlier release.", rolled_back.join(", ")));
    }
    let kept: Vec<_> = live_checks(job).flat_map(|report| &report.not_rolled_back).map(String::as_str).collect();
    if !kept.is_empty() {
        let commands = kept.iter().map(|system| format!("`cargo xtask rollback --stage {stage} --system {system}`"));
        let commands: Vec<_> = commands.collect();
        lines.push(format!(
            "**NOT rolled back:** {}. Users get the release that failed its checks. Run {}.",
            kept.join(", "),
            commands.join(" and ")
        ));
    }
    let deploys = failures(job).filter_map(|record| record.report.deploy());
    lines.extend(deploys.flat_map(|report| consequences_of_deploy(stage, report)));
    if lines.is_empty() {
        let is_read_only = failures(job).all(|record| record.report.is_read_only());
        lines.push(if is_read_only { "Nothing was touched." } else { "Nothing was rolled back." }.to_owned());
    }
    lines
}

fn consequences_of_deploy(stage: &str, report: &DeployReport) -> Vec<String> {
    let mut lines = Vec::new();
    if !report.changed_stacks.is_empty() {
        lines.push(format!("**Changed before the failure, and not reverted:** {}.", report.changed_stacks.join(", ")));
    }
    let hint =
        format!("Run `cargo xtask status --stage {stage}` and `cargo xtask doctor --stage {stage}` for details.");
    match &report.progress {
        ReleaseProgress::NotStarted => lines.push(format!("**Not released.** No traffic was shifted. {hint}")),
        ReleaseProgress::Releasing { system } => lines.push(format!(
            "**Interrupted:** the release of {system}. Part of its traffic may have been shifted. {hint}"
        )),
        ReleaseProgress::Complete => {
            lines.push(format!("**Releases complete:** the deploy failed after them, and reverted none. {hint}"));
        }
        ReleaseProgress::Failed(failed) => {
            lines.push(traffic_of(failed, &hint));
            if !failed.untried.is_empty() {
                lines.push(format!("**Not attempted:** {}. Users get the earlier release.", failed.untried.join(", ")));
            }
        }
    }
    lines
}

/// What users get of the system whose release failed.
fn traffic_of(failed: &ReleaseFailure, hint: &str) -> String {
    let system = &failed.system;
    match failed.traffic {
        Traffic::Reverted => format!("**Reverted:** {system}. Users get the earlier release."),
        Traffic::StaysOnFailed => {
            format!(
                "**Failed, and live:** {system}. Users get the failed release, because there is no earlier one. {hint}"
            )
        }
        Traffic::Mixed => format!("**NOT reverted:** {system}. Users may get a mix of versions. {hint}"),
        Traffic::NotShifted => format!("**Not released:** {system}. No traffic was shifted to it. {hint}"),
        Traffic::Unknown => format!("**Failed:** the release of {system}. Its traffic may have been shifted. {hint}"),
    }
}

/// The functions that have a new live version and kept it, each with its version.
fn released(job: &[JobRecord]) -> Vec<String> {
    let rolled_back = rolled_back(job);
    let functions = deployments(job).flat_map(|report| &report.functions);
    functions
        .filter(|function| function.before.is_some() && !is_of(&function.function_name, &rolled_back))
        .map(|function| format!("{} {}", function.function_name, function.version))
        .collect()
}

fn rolled_back(job: &[JobRecord]) -> BTreeSet<&str> {
    live_checks(job).flat_map(|report| &report.rolled_back).map(String::as_str).collect()
}

/// Whether a function belongs to one of the systems, by its name.
fn is_of(function: &str, systems: &BTreeSet<&str>) -> bool {
    systems.iter().any(|system| function.strip_prefix(system).is_some_and(|rest| rest.starts_with('-')))
}

fn write_steps(job: &[JobRecord], out: &mut String) -> Result {
    let rows = job.iter().map(|record| {
        let outcome = if record.succeeded { "done" } else { "**failed**" };
        vec![record.command.clone(), outcome.to_owned(), duration(record.elapsed())]
    });
    write_table(&["step", "outcome", "took"], rows, out)
}

fn write_stacks(job: &[JobRecord], out: &mut String) -> Result {
    let mut has_changed = false;
    for stack in deployments(job).flat_map(|report| &report.stacks) {
        let action = match stack.action {
            deploy::Done::Create => "create",
            deploy::Done::Update => "update",
            deploy::Done::None => continue,
        };
        has_changed = true;
        writeln!(out, "- stack {}: {action}", stack.name)?;
    }
    if has_changed { writeln!(out) } else { Ok(()) }
}

fn write_functions(job: &[JobRecord], out: &mut String) -> Result {
    let rolled_back = rolled_back(job);
    let rows = deployments(job).flat_map(|report| &report.functions).map(|function| {
        let Released { function_name, version, before, .. } = function;
        let is_back = before.is_some() && is_of(function_name, &rolled_back);
        let version = if is_back { format!("rolled back from {version}") } else { version.clone() };
        vec![function_name.clone(), version, before.clone().unwrap_or_else(|| "the same".to_owned())]
    });
    write_table(&["function", "live version", "before"], rows, out)
}

/// The live versions, in Lambda's words. Those that were rolled back after they were described are left out.
fn write_live(job: &[JobRecord], out: &mut String) -> Result {
    let rolled_back = rolled_back(job);
    let functions = live_checks(job).flat_map(|report| &report.live).filter(|(name, _)| !is_of(name, &rolled_back));
    let functions: BTreeMap<_, _> = functions.collect();
    let rows = functions.into_iter().map(|(name, function)| {
        vec![
            name.clone(),
            function.version.clone(),
            function.runtime.clone(),
            function.handler.clone(),
            size(u64::try_from(function.code_size).unwrap_or_default()),
            format!("{} MB", function.memory),
            format!("{} s", function.timeout),
            function.last_modified.clone(),
        ]
    });
    let header = ["live", "version", "runtime", "handler", "code", "memory", "timeout", "last modified"];
    write_table(&header, rows, out)
}

fn write_checks(job: &[JobRecord], out: &mut String) -> Result {
    let rows = live_checks(job).flat_map(|report| &report.checks).map(|check| {
        let CheckResult { system, kind, request, passed, detail, warning } = check;
        let mark = if *passed { "✓" } else { "✗" };
        let warning = warning.as_ref().map(|warning| format!("; ⚠️ {warning}")).unwrap_or_default();
        vec![system.clone(), kind.to_string(), request.clone(), format!("{mark} {detail}{warning}")]
    });
    write_table(&["system", "check", "request", "response"], rows, out)
}

/// Writes a table; nothing without rows.
fn write_table(header: &[&str], rows: impl Iterator<Item = Vec<String>>, out: &mut String) -> Result {
    let mut table = table::markdown(header);
    for row in rows {
        table.add_row(row.iter().map(|cell| table::markdown_cell(cell)));
    }
    if table.is_empty() { Ok(()) } else { writeln!(out, "{table}\n") }
}

/// Returns a table of the jobs that another job needs, and whether all of them succeeded. `needs` is GitHub's `toJSON(needs)`.
pub(crate) fn jobs(needs: &Value) -> (String, bool) {
    let mut table = table::markdown(&["job", "result"]);
    let jobs = needs.as_object().cloned().unwrap_or_default();
    let mut all_succeeded = !jobs.is_empty();
    for (name, job) in &jobs {
        let result = job["result"].as_str().unwrap_or("unknown");
        all_succeeded &= result == "success";
        let mark = if result == "success" { "✅" } else { "❌" };
        table.add_row([table::markdown_cell(name), table::markdown_cell(&format!("{mark} {result}"))]);
    }
    (format!("{table}\n"), all_succeeded)
}

#[cfg(test)]
mod tests;
