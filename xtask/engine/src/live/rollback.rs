//! Which systems `check-live --rollback` checks, and which it returns to their earlier release. Pure: it reads the job's record.

use std::{collections::BTreeSet, fmt};

use model::rendered::RenderedSystem;

use crate::{ledger::Outcome, record::JobRecord, report::DeployReport};

/// What the deploys of a job changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct JobChanges {
    /// The functions that have a new live version.
    functions: BTreeSet<String>,
    /// The systems with a completed release. A resumed release, or one of a page alone, shifts no function's traffic.
    systems: BTreeSet<String>,
    /// The stacks that were changed.
    stacks: BTreeSet<String>,
    /// Whether a deploy failed.
    has_failed: bool,
}

impl JobChanges {
    /// Reads the changes from a job's record.
    pub(crate) fn of(job: &[JobRecord]) -> Self {
        let deploys = || job.iter().filter_map(|record| Some((record, record.report.deploy()?)));
        let reports = || deploys().map(|(_, report): (_, &DeployReport)| report);
        let functions = reports().flat_map(|report| &report.functions).filter(|function| function.before.is_some());
        let releases = reports().flat_map(|report| &report.releases);
        let completed = releases.filter(|release| release.outcome == Outcome::Released);
        Self {
            functions: functions.map(|function| function.function_name.clone()).collect(),
            systems: completed.map(|release| release.system.clone()).collect(),
            stacks: reports().flat_map(|report| &report.changed_stacks).cloned().collect(),
            has_failed: deploys().any(|(record, _)| !record.succeeded),
        }
    }

    /// Keeps the systems to check: after a failed deploy, only those that it changed. A changed stack is live as soon as it
    /// is changed, even without a release.
    pub(crate) fn affected(&self, mut systems: Vec<RenderedSystem>) -> Vec<RenderedSystem> {
        if self.has_failed {
            let is_changed =
                |system: &RenderedSystem| system.stacks.iter().any(|stack| self.stacks.contains(&stack.name));
            systems.retain(|system| self.is_released(system) || is_changed(system));
        }
        systems
    }

    /// Whether the job released a system.
    fn is_released(&self, system: &RenderedSystem) -> bool {
        let mut functions = system.stacks.iter().flat_map(|stack| &stack.functions);
        self.systems.contains(&system.name)
            || functions.any(|function| self.functions.contains(&function.function_name))
    }

    /// The systems to roll back: those of the failed ones that the job released.
    pub(crate) fn to_roll_back<'a>(
        &self,
        systems: &'a [RenderedSystem],
        failed: &BTreeSet<String>,
    ) -> impl Iterator<Item = &'a str> {
        let to_roll_back = systems.iter().filter(|system| failed.contains(&system.name) && self.is_released(system));
        to_roll_back.map(|system| system.name.as_str()).collect::<Vec<_>>().into_iter()
    }
}

/// The rollbacks that followed failed checks.
#[derive(Debug, Default)]
pub(crate) struct Rollbacks {
    /// The systems that were rolled back.
    pub(crate) rolled_back: Vec<String>,
    /// The systems whose rollback failed, each with the reason.
    pub(crate) failed: Vec<(String, String)>,
}

impl fmt::Display for Rollbacks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.rolled_back.is_empty() {
            write!(formatter, ". Rolled back: {}", self.rolled_back.join(", "))?;
        }
        for (system, reason) in &self.failed {
            write!(formatter, ". {system} was NOT rolled back: {reason}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::example::Example;

    use super::*;
    use crate::{
        ledger::ReleaseKind,
        release::Released,
        report::{ClosedRelease, JobReport},
    };

    fn deploy(succeeded: bool, report: DeployReport) -> JobRecord {
        let failure = if succeeded { Vec::new() } else { vec!["no".to_owned()] };
        JobRecord::new("deploy".to_owned(), JobReport::Deploy(report), failure, Duration::from_secs(1))
    }

    fn function(name: &str, before: Option<&str>) -> Released {
        let before = before.map(str::to_owned);
        Released { function_name: name.to_owned(), version: "2".to_owned(), before, versions: 2 }
    }

    fn release(system: &str, outcome: Outcome) -> ClosedRelease {
        ClosedRelease {
            system: system.to_owned(),
            number: 1,
            kind: ReleaseKind::Deploy,
            outcome,
            commit: None,
            who: String::new(),
            nothing_before: Vec::new(),
        }
    }

    #[test]
    fn functions_with_a_new_version_are_released_even_if_the_deploy_failed_afterwards() {
        let functions = vec![function("one", Some("1")), function("two", None)];
        let failed = JobChanges::of(&[deploy(false, DeployReport { functions, ..DeployReport::default() })]);
        let functions = BTreeSet::from(["one".to_owned()]);
        assert_eq!(failed, JobChanges { functions, has_failed: true, ..JobChanges::default() });
        let nothing = deploy(false, DeployReport::default());
        assert_eq!(JobChanges::of(&[nothing]), JobChanges { has_failed: true, ..JobChanges::default() });
        let changed_stacks = vec!["notes-api-staging".to_owned()];
        let half_done = deploy(false, DeployReport { changed_stacks, ..DeployReport::default() });
        assert_eq!(JobChanges::of(&[half_done]).stacks, BTreeSet::from(["notes-api-staging".to_owned()]));
        let reverted = Outcome::reverted("it is slow");
        let releases = vec![release("notes", Outcome::Released), release("feeds", reverted)];
        let resumed = deploy(true, DeployReport { releases, ..DeployReport::default() });
        assert_eq!(JobChanges::of(&[resumed]).systems, BTreeSet::from(["notes".to_owned()]));
        assert_eq!(JobChanges::of(&[]), JobChanges::default());
    }

    #[test]
    fn after_a_failed_deploy_only_changed_systems_are_checked_and_only_released_ones_rolled_back() {
        let systems = Example::systems(&Example::stage_named("local"));
        let names = |systems: &[RenderedSystem]| systems.iter().map(|system| system.name.clone()).collect::<Vec<_>>();
        let report = DeployReport {
            releases: vec![release("notes", Outcome::Released)],
            changed_stacks: vec!["feeds-api-local".to_owned()],
            ..DeployReport::default()
        };
        let changes = JobChanges::of(&[deploy(false, report)]);
        let affected = changes.affected(systems.clone());
        assert_eq!(names(&affected), ["notes", "feeds"]);
        let failed = BTreeSet::from(["notes".to_owned(), "feeds".to_owned()]);
        assert_eq!(changes.to_roll_back(&affected, &failed).collect::<Vec<_>>(), ["notes"]);
        assert_eq!(changes.to_roll_back(&affected, &BTreeSet::new()).count(), 0);
        let failed_early = JobChanges::of(&[deploy(false, DeployReport::default())]);
        assert_eq!(names(&failed_early.affected(systems.clone())), Vec::<String>::new());
        let all = names(&systems);
        assert_eq!(names(&JobChanges::default().affected(systems)), all);
    }

    #[test]
    fn rollbacks_are_reported_after_the_failure() {
        let failed = vec![("feeds".to_owned(), "denied".to_owned())];
        let rollbacks = Rollbacks { rolled_back: vec!["notes".to_owned()], failed };
        assert_eq!(rollbacks.to_string(), ". Rolled back: notes. feeds was NOT rolled back: denied");
        assert_eq!(Rollbacks::default().to_string(), "");
    }
}
