//! What a job made of each system, in a few lines for those whom its alarms tell: pure, from the job's record.

use model::rendered::RenderedSystem;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    ledger::{Outcome, ReleaseKind},
    record::Done,
};

/// The most characters of a subject (SNS API reference, `Publish`: less than 100).
const SUBJECT: usize = 99;
/// How many characters of a reason are told; the run and the ledger have all of it.
const REASON: usize = 400;

/// What became of a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The system.
    pub system: String,
    /// Its release, where one was entered.
    pub release: Option<u32>,
    /// What its users get now.
    pub fate: Fate,
    /// Why, or what else there is to know.
    pub why: Option<String>,
    /// The commit that users get, or should have got, where the ledger tells.
    pub commit: Option<String>,
    /// Who did it, where the ledger tells.
    pub who: Option<String>,
}

/// What users get after a job that changed something, or tried to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// What was deployed, or what was rolled back to.
    Live,
    /// What they got before.
    Reverted,
    /// What they got before, or something that is not right.
    Failed,
}

impl Fate {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Reverted => "reverted",
            Self::Failed => "failed",
        }
    }
}

/// A release as commands note it.
#[derive(Debug, Clone, Deserialize)]
struct Release {
    system: String,
    number: u32,
    kind: ReleaseKind,
    outcome: Outcome,
    commit: Option<String>,
    who: Option<String>,
    /// The functions that had no version before.
    #[serde(default, rename = "nothingBefore")]
    nothing_before: Vec<String>,
}

/// What became of each of these systems in a job; nothing where nothing did.
#[must_use]
pub fn notices(done: &[Done], systems: &[RenderedSystem]) -> Vec<Notice> {
    systems.iter().filter_map(|system| notice(done, system)).collect()
}

fn notice(done: &[Done], system: &RenderedSystem) -> Option<Notice> {
    let releases: Vec<_> = done
        .iter()
        .flat_map(|done| done.list("releases").map(move |release| (done.command.as_str(), release)))
        .filter_map(|(command, release)| Some((command, Release::deserialize(release).ok()?)))
        .filter(|(_, release)| release.system == system.name)
        .collect();
    let told = match releases.as_slice() {
        // What was released and did not hold what it promises.
        [.., (_, bad), ("check-live", back)] if back.outcome == Outcome::Released => taken_back(bad, back),
        [.., (_, last)] => Notice { why: settled(last).why.or_else(|| failed_after(done)), ..settled(last) },
        [] => unreleased(done, system)?,
    };
    Some(with_checks(told, done, system))
}

/// Why a deploy failed that had released everything.
fn failed_after(done: &[Done]) -> Option<String> {
    let deploy = done.iter().rev().find(|done| done.command == "deploy" && !done.succeeded)?;
    let reason = reason(deploy).filter(|_| !deploy.notes.contains_key("notReleased"))?;
    Some(format!("the deploy failed after the release: {reason}"))
}

fn settled(release: &Release) -> Notice {
    let (fate, why) = match (&release.outcome, &release.kind) {
        (Outcome::Released, ReleaseKind::Deploy) => (Fate::Live, None),
        // Users get what it was to take back.
        (Outcome::Reverted { why }, ReleaseKind::Rollback { to }) => {
            (Fate::Failed, Some(format!("the rollback to release {to} was taken back: {why}")))
        }
        (Outcome::Released, ReleaseKind::Rollback { to }) => (Fate::Live, Some(format!("rolled back to release {to}"))),
        (Outcome::Reverted { why }, _) if release.nothing_before.is_empty() => (Fate::Reverted, Some(why.clone())),
        (Outcome::Reverted { why }, _) => (Fate::Failed, Some(format!("nothing was before it, so it stays: {why}"))),
        (Outcome::Open, _) => (Fate::Failed, Some("it is still open".to_owned())),
    };
    let (release, commit, who) = (release.clone(), release.commit.clone(), release.who.clone());
    Notice { system: release.system, release: Some(release.number), fate, why, commit, who }
}

fn taken_back(bad: &Release, back: &Release) -> Notice {
    let to = match back.kind {
        ReleaseKind::Rollback { to } => format!("users get release {to} again, as release {}", back.number),
        ReleaseKind::Deploy => format!("users get release {}", back.number),
    };
    Notice { fate: Fate::Reverted, why: Some(format!("it did not do what it must; {to}")), ..settled(bad) }
}

/// What a job did to a system that it entered no release of.
fn unreleased(done: &[Done], system: &RenderedSystem) -> Option<Notice> {
    let failed = |command: &str| done.iter().rev().find(|done| done.command == command && !done.succeeded);
    let notice = |fate, why: Option<String>| {
        let (system, commit, who) = (system.name.clone(), None, None);
        Some(Notice { system, release: None, fate, why, commit, who })
    };
    if let Some(deploy) = failed("deploy") {
        return match concern(deploy, system) {
            Some(why) => notice(Fate::Failed, Some(why)),
            // Nothing of it failed.
            None => changes(done, system).and_then(|changes| notice(Fate::Live, Some(changes))),
        };
    }
    if let Some(rollback) = failed("rollback") {
        return notice(Fate::Failed, reason(rollback));
    }
    if let Some(changes) = changes(done, system) {
        return notice(Fate::Live, Some(changes));
    }
    // Nothing was done, and what is there is not right.
    wrong(done, system).and_then(|_| notice(Fate::Failed, None))
}

/// Why a failed deploy concerns a system that it has not released, where it does.
fn concern(deploy: &Done, system: &RenderedSystem) -> Option<String> {
    let name = system.name.as_str();
    let why = || Some(reason(deploy).unwrap_or_else(|| "the deploy failed".to_owned()));
    let planned = deploy.notes.get("planned").and_then(Value::as_array);
    let is_planned = planned.is_none_or(|planned| planned.iter().any(|planned| planned == name));
    let Some(note) = deploy.notes.get("notReleased") else {
        // What comes once everything is released is sites.
        let is_concerned = if deploy.notes.contains_key("allReleased") { !system.sites.is_empty() } else { is_planned };
        return is_concerned.then(why).flatten();
    };
    if note["failed"] == name {
        return why();
    }
    let is_untried = note["untried"].as_array().is_some_and(|untried| untried.iter().any(|untried| untried == name));
    let other = note["failed"].as_str().unwrap_or("another system");
    (is_untried && is_planned).then(|| format!("it was not released, because {other} failed before it"))
}

/// Stacks and sites that changed without a new release, in words.
fn changes(done: &[Done], system: &RenderedSystem) -> Option<String> {
    let stacks = done.iter().flat_map(|done| done.list("changedStacks")).filter_map(Value::as_str);
    let stacks = stacks.filter(|name| system.stacks.iter().any(|stack| stack.name == *name));
    let sites = done.iter().flat_map(|done| done.list("sites"));
    let sites = sites.filter(|site| site["uploaded"].as_array().is_some_and(|files| !files.is_empty()));
    let sites = sites.filter_map(|site| site["name"].as_str());
    let sites = sites.filter(|name| system.sites.iter().any(|site| site.name == *name));
    let changed: Vec<_> = stacks.chain(sites).collect();
    (!changed.is_empty()).then(|| format!("changed without a new release: {}", changed.join(", ")))
}

/// What was live, or left alone, and does not do what it must, fails.
fn with_checks(notice: Notice, done: &[Done], system: &RenderedSystem) -> Notice {
    match wrong(done, system) {
        Some(why) if notice.fate != Fate::Reverted => Notice {
            fate: Fate::Failed,
            why: Some(notice.why.map_or(why.clone(), |more| format!("{why}; {more}"))),
            ..notice
        },
        _ => notice,
    }
}

/// The last check from outside that a system has not passed; where the stage could not be looked at, that.
fn wrong(done: &[Done], system: &RenderedSystem) -> Option<String> {
    let last = done.iter().rev().find(|done| done.command == "check-live" && !done.succeeded)?;
    let mut checks = last.list("checks").peekable();
    if checks.peek().is_none() {
        return reason(last);
    }
    let mine = checks.find(|check| check["system"] == system.name.as_str() && check["passed"] == false)?;
    let text = |field: &str| mine[field].as_str().unwrap_or_default();
    Some(format!("users get what does not do what it must: {} {}: {}", text("kind"), text("what"), text("detail")))
}

fn reason(done: &Done) -> Option<String> {
    (!done.failure.is_empty()).then(|| done.failure.join("; because: "))
}

/// Where a notice comes from, as far as the environment tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// The person.
    pub who: Option<String>,
    /// The commit of the checkout.
    pub commit: Option<String>,
    /// Where the run is seen.
    pub run: Option<String>,
}

impl Notice {
    /// The line that stands above the message.
    #[must_use]
    pub fn subject(&self, stage: &str) -> String {
        let release = self.release.map_or_else(|| "deploy".to_owned(), |number| format!("release {number}"));
        let subject = format!("{} {stage}: {release} {}", self.system, self.fate.as_str());
        subject.chars().filter(|letter| letter.is_ascii() && !letter.is_ascii_control()).take(SUBJECT).collect()
    }

    /// The message.
    #[must_use]
    pub fn message(&self, stage: &str, source: &Source) -> String {
        let number = self.release.map(|number| number.to_string());
        let why = self.why.as_ref().map(|why| match why.char_indices().nth(REASON) {
            Some((end, _)) => format!("{}…", &why[..end]),
            None => why.clone(),
        });
        let who = source.who.as_ref().or(self.who.as_ref());
        let commit = self.commit.as_ref().or(source.commit.as_ref());
        let lines = [
            ("system", Some(self.system.as_str())),
            ("stage", Some(stage)),
            ("release", number.as_deref()),
            ("outcome", Some(self.fate.as_str())),
            ("why", why.as_deref()),
            ("commit", commit.map(String::as_str)),
            ("by", who.map(String::as_str)),
            ("run", source.run.as_deref()),
        ];
        let lines = lines.into_iter().filter_map(|(name, value)| Some(format!("{name}: {}\n", value?)));
        lines.collect()
    }
}

#[cfg(test)]
mod tests;
