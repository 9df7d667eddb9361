//! What became of each system in a job, in a few lines for the subscribers of its alarms. Pure: it reads the job's record.

use model::rendered::RenderedSystem;

use crate::{
    ledger::{Outcome, ReleaseKind},
    record::JobRecord,
    report::{CheckLiveReport, ClosedRelease, DeployReport, JobReport, ReleaseProgress},
};

/// The longest subject (SNS API reference, `Publish`: less than 100 characters).
const SUBJECT: usize = 99;
/// How many characters of a reason a message has. The run's log and the ledger have all of them.
const REASON: usize = 400;

/// What became of a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    /// The system.
    pub(crate) system: String,
    /// Its release, where one was recorded in the ledger.
    pub(crate) release: Option<u32>,
    /// What its users get now.
    pub(crate) effect: Effect,
    /// The reason, or a remark.
    pub(crate) reason: Option<String>,
    /// The commit that was released, from the ledger.
    pub(crate) commit: Option<String>,
    /// The deployer, from the ledger.
    pub(crate) deployer: Option<String>,
}

/// What users get after a job that changed a system, or tried to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The deployed release, or the one that was rolled back to.
    Live,
    /// The earlier release.
    Reverted,
    /// The earlier release, or one that fails its checks.
    Failed,
}

impl Effect {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Reverted => "reverted",
            Self::Failed => "failed",
        }
    }
}

/// Returns a notice for each system that the job changed or failed to change.
pub(crate) fn notices(job: &[JobRecord], systems: &[RenderedSystem]) -> Vec<Notice> {
    systems.iter().filter_map(|system| notice(job, system)).collect()
}

fn notice(job: &[JobRecord], system: &RenderedSystem) -> Option<Notice> {
    let releases: Vec<_> = job
        .iter()
        .flat_map(|record| record.report.releases().iter().map(move |release| (&record.report, release)))
        .filter(|(_, release)| release.system == system.name)
        .collect();
    let notice = match releases.as_slice() {
        // `check-live --rollback` replaced the release that failed its checks.
        [.., (_, failed), (JobReport::CheckLive(_), rollback)] if rollback.outcome == Outcome::Released => {
            rolled_back(failed, rollback)
        }
        [.., (_, last)] => {
            let settled = settled(last);
            Notice { reason: settled.reason.clone().or_else(|| failed_after_release(job)), ..settled }
        }
        [] => unreleased(job, system)?,
    };
    Some(with_checks(notice, job, system))
}

/// The last deploy of the job that failed, and its report.
fn failed_deploy(job: &[JobRecord]) -> Option<(&JobRecord, &DeployReport)> {
    let mut failed = job.iter().rev().filter(|record| !record.succeeded);
    failed.find_map(|record| Some((record, record.report.deploy()?)))
}

/// The reason of a deploy that failed after it had released everything.
fn failed_after_release(job: &[JobRecord]) -> Option<String> {
    let (deploy, report) = failed_deploy(job)?;
    let reason = failure(deploy).filter(|_| !matches!(report.progress, ReleaseProgress::Failed(_)))?;
    Some(format!("the deploy failed after the release: {reason}"))
}

fn settled(release: &ClosedRelease) -> Notice {
    let (effect, reason) = match (&release.outcome, &release.kind) {
        (Outcome::Released, ReleaseKind::Deploy) => (Effect::Live, None),
        // Users get the release that the rollback was to replace.
        (Outcome::Reverted { why, .. }, ReleaseKind::Rollback { to }) => {
            (Effect::Failed, Some(format!("the rollback to release {to} was reverted: {why}")))
        }
        (Outcome::Released, ReleaseKind::Rollback { to }) => {
            (Effect::Live, Some(format!("rolled back to release {to}")))
        }
        (Outcome::Reverted { why, .. }, ReleaseKind::Deploy) if release.nothing_before.is_empty() => {
            (Effect::Reverted, Some(why.clone()))
        }
        (Outcome::Reverted { why, .. }, ReleaseKind::Deploy) => {
            (Effect::Failed, Some(format!("there is no earlier release, so the failed one stays live: {why}")))
        }
        (Outcome::Open, _) => (Effect::Failed, Some("the release is still open".to_owned())),
    };
    Notice {
        system: release.system.clone(),
        release: Some(release.number),
        effect,
        reason,
        commit: release.commit.clone(),
        deployer: Some(release.who.clone()),
    }
}

fn rolled_back(failed: &ClosedRelease, rollback: &ClosedRelease) -> Notice {
    let now = match rollback.kind {
        ReleaseKind::Rollback { to } => format!("users get release {to} again, as release {}", rollback.number),
        ReleaseKind::Deploy => format!("users get release {}", rollback.number),
    };
    let reason = Some(format!("it failed its checks; {now}"));
    Notice { effect: Effect::Reverted, reason, ..settled(failed) }
}

/// The notice of a system without a closed release.
fn unreleased(job: &[JobRecord], system: &RenderedSystem) -> Option<Notice> {
    let notice = |effect, reason: Option<String>| {
        let (system, commit, deployer) = (system.name.clone(), None, None);
        Some(Notice { system, release: None, effect, reason, commit, deployer })
    };
    if let Some((deploy, report)) = failed_deploy(job) {
        return match affects(deploy, report, system) {
            Some(reason) => notice(Effect::Failed, Some(reason)),
            None => changes(job, system).and_then(|changes| notice(Effect::Live, Some(changes))),
        };
    }
    let is_failed_rollback = |record: &&JobRecord| matches!(record.report, JobReport::Rollback(_)) && !record.succeeded;
    if let Some(rollback) = job.iter().rev().find(is_failed_rollback) {
        return notice(Effect::Failed, failure(rollback));
    }
    if let Some(changes) = changes(job, system) {
        return notice(Effect::Live, Some(changes));
    }
    // The job changed nothing of the system, but a check failed.
    failed_check(job, system).and_then(|_| notice(Effect::Failed, None))
}

/// The reason why a failed deploy affects a system that it did not release, if it does.
fn affects(deploy: &JobRecord, report: &DeployReport, system: &RenderedSystem) -> Option<String> {
    let name = &system.name;
    let reason = || Some(failure(deploy).unwrap_or_else(|| "the deploy failed".to_owned()));
    let is_planned = report.planned.as_ref().is_none_or(|planned| planned.contains(name));
    match &report.progress {
        ReleaseProgress::NotStarted | ReleaseProgress::Releasing { .. } => is_planned.then(reason).flatten(),
        // Only sites are published once everything is released.
        ReleaseProgress::Complete => (!system.sites.is_empty()).then(reason).flatten(),
        ReleaseProgress::Failed(failed) if failed.system == *name => reason(),
        ReleaseProgress::Failed(failed) => (failed.untried.contains(name) && is_planned)
            .then(|| format!("it was not released, because {} failed before it", failed.system)),
    }
}

/// The stacks and sites of a system that changed without a new release, in words.
fn changes(job: &[JobRecord], system: &RenderedSystem) -> Option<String> {
    let reports = || job.iter().filter_map(|record| record.report.deployment());
    let stacks = reports().flat_map(|report| &report.changed_stacks);
    let stacks = stacks.filter(|name| system.stacks.iter().any(|stack| stack.name == **name));
    let sites = reports().flat_map(|report| &report.sites).filter(|site| !site.uploaded.is_empty());
    let sites = sites.map(|site| &site.name).filter(|name| system.sites.iter().any(|site| site.name == **name));
    let changed: Vec<_> = stacks.chain(sites).map(String::as_str).collect();
    (!changed.is_empty()).then(|| format!("changed without a new release: {}", changed.join(", ")))
}

/// A system that is live or unchanged and fails a check has failed.
fn with_checks(notice: Notice, job: &[JobRecord], system: &RenderedSystem) -> Notice {
    match failed_check(job, system) {
        Some(reason) if notice.effect != Effect::Reverted => {
            let reason = notice.reason.map_or(reason.clone(), |more| format!("{reason}; {more}"));
            Notice { effect: Effect::Failed, reason: Some(reason), ..notice }
        }
        _ => notice,
    }
}

/// The check that a system failed in the last failed `check-live`; where the stage could not be checked, the reason for that.
fn failed_check(job: &[JobRecord], system: &RenderedSystem) -> Option<String> {
    let mut failed = job.iter().rev().filter(|record| !record.succeeded);
    let (record, CheckLiveReport { checks, .. }) =
        failed.find_map(|record| Some((record, record.report.check_live()?)))?;
    if checks.is_empty() {
        return failure(record);
    }
    let check = checks.iter().find(|check| check.system == system.name && !check.passed)?;
    Some(format!("the live system fails its checks: {} {}: {}", check.kind, check.request, check.detail))
}

fn failure(record: &JobRecord) -> Option<String> {
    (!record.failure.is_empty()).then(|| record.failure.join("; because: "))
}

/// The origin of a notice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Source {
    /// The person who started the job.
    pub(crate) deployer: Option<String>,
    /// The commit of the checkout.
    pub(crate) commit: Option<String>,
    /// The URL of the run.
    pub(crate) run: Option<String>,
}

impl Notice {
    /// The subject of the message.
    pub(crate) fn subject(&self, stage: &str) -> String {
        let release = self.release.map_or_else(|| "deploy".to_owned(), |number| format!("release {number}"));
        let subject = format!("{} {stage}: {release} {}", self.system, self.effect.as_str());
        subject.chars().filter(|letter| letter.is_ascii() && !letter.is_ascii_control()).take(SUBJECT).collect()
    }

    /// The message.
    pub(crate) fn message(&self, stage: &str, source: &Source) -> String {
        let number = self.release.map(|number| number.to_string());
        let reason = self.reason.as_ref().map(|reason| match reason.char_indices().nth(REASON) {
            Some((end, _)) => format!("{}…", &reason[..end]),
            None => reason.clone(),
        });
        let deployer = source.deployer.as_ref().or(self.deployer.as_ref());
        let commit = self.commit.as_ref().or(source.commit.as_ref());
        let lines = [
            ("system", Some(self.system.as_str())),
            ("stage", Some(stage)),
            ("release", number.as_deref()),
            ("outcome", Some(self.effect.as_str())),
            ("reason", reason.as_deref()),
            ("commit", commit.map(String::as_str)),
            ("by", deployer.map(String::as_str)),
            ("run", source.run.as_deref()),
        ];
        let lines = lines.into_iter().filter_map(|(name, value)| Some(format!("{name}: {}\n", value?)));
        lines.collect()
    }
}

#[cfg(test)]
mod tests;
