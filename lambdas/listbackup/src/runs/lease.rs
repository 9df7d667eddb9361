//! The lease of a run: one orchestrator at a time lists its source.

use listbackup_contract::events::JOB_STARTED;
use tables::{AwsError, Change, from_item, strings};

use super::{Runs, message::RunMessage, report::progressed};
use crate::shared::{
    rows::{Run, run::RunStatus},
    time,
};

/// The number of attempts to take a run that changes at the same time.
const ATTEMPTS: u32 = 5;

/// What a message about a run is for.
#[derive(Debug, Clone, PartialEq)]
pub enum Taken {
    /// The caller lists the source, until its lease ends.
    Leased {
        /// The run.
        run: Box<Run>,
        /// Whether the run has not been listed before.
        is_first: bool,
    },
    /// Every file has its message: the run may wait for its completion only.
    Listed,
    /// Another orchestrator has the run, or it has ended.
    Duplicate,
    /// No run has this ID, account, job and source.
    Unknown,
}

/// What to do with a run that was read for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Take { is_first: bool },
    Complete,
    Acknowledge,
}

/// Decides by the present state, in seconds since 1970.
fn step(run: &Run, now: i64) -> Step {
    match run.status {
        RunStatus::Queued | RunStatus::Running if run.result.is_some() || run.listing_done => Step::Complete,
        RunStatus::Queued => Step::Take { is_first: true },
        RunStatus::Running if run.lease_until.is_none_or(|until| until < now) => Step::Take { is_first: false },
        _ => Step::Acknowledge,
    }
}

/// Takes a run in the state that was read.
fn change(run: &Run, until: i64, at: &str) -> Change {
    let change = Change::new()
        .set("status", RunStatus::Running)
        .set("leaseUntil", until)
        .set("currentStep", 3)
        .set_once("startedAt", at)
        .when(|names| names.compare("status", "=", run.status))
        .when(|names| names.absent("result"))
        .when(|names| names.compare("listingDone", "=", false));
    match run.lease_until {
        Some(lease) => change.when(|names| names.compare("leaseUntil", "=", lease)),
        None => change.when(|names| names.absent("leaseUntil")),
    }
}

impl Runs {
    /// Leases the run that a message names, for some seconds.
    ///
    /// # Errors
    /// When the table cannot be read or written.
    pub async fn take(&self, message: &RunMessage, seconds: i64) -> Result<Taken, AwsError> {
        for _ in 0..ATTEMPTS {
            let Some(run) = self.get(&message.run_id).await?.filter(|run| message.is_of(run)) else {
                return Ok(Taken::Unknown);
            };
            let is_first = match step(&run, time::ttl(0)) {
                Step::Take { is_first } => is_first,
                Step::Complete => return Ok(Taken::Listed),
                Step::Acknowledge => return Ok(Taken::Duplicate),
            };
            let at = time::now();
            let mut change = change(&run, time::ttl(seconds), &at);
            if is_first {
                // Only progress counts as such: a run whose listing fails again and again is stalled.
                change = change.set("updatedAt", &at);
            }
            let key = strings([("runId", run.run_id.as_str())]);
            if let Some(item) = self.database.update(&self.tables.runs, key, change).await? {
                let run: Run = from_item(item)?;
                self.announce(JOB_STARTED, &progressed(&run, "started", &at)).await;
                return Ok(Taken::Leased { run: Box::new(run), is_first });
            }
        }
        Err(AwsError::unexpected("lease a run", "it changes too often"))
    }

    /// Records the number of files once each has its message. Returns false if another orchestrator has taken the run since.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn finish_listing(&self, run: &Run, files_total: i64) -> Result<bool, AwsError> {
        let change = Change::new()
            .set("listingDone", true)
            .set("filesTotal", files_total)
            .set("currentStep", 4)
            .set("updatedAt", time::now())
            .remove("leaseUntil")
            .when(|names| names.compare("status", "=", RunStatus::Running))
            .when(|names| names.compare("leaseUntil", "=", run.lease_until.unwrap_or(0)))
            .when(|names| names.absent("result"));
        let key = strings([("runId", run.run_id.as_str())]);
        Ok(self.database.update(&self.tables.runs, key, change).await?.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::tests::run;

    #[test]
    fn a_run_is_taken_by_one_orchestrator_at_a_time() {
        let now = 1000;
        let running =
            |lease, listing_done| Run { status: RunStatus::Running, lease_until: lease, listing_done, ..run("a") };
        for (run, expected) in [
            (run("a"), Step::Take { is_first: true }),
            (running(Some(1001), false), Step::Acknowledge),
            (running(Some(1000), false), Step::Acknowledge),
            (running(Some(999), false), Step::Take { is_first: false }),
            (running(None, true), Step::Complete),
            (running(Some(999), true), Step::Complete),
            (Run { status: RunStatus::Completed, ..running(Some(999), false) }, Step::Acknowledge),
            (Run { status: RunStatus::Failed, ..run("a") }, Step::Acknowledge),
            (Run { status: RunStatus::Cancelled, ..run("a") }, Step::Acknowledge),
        ] {
            assert_eq!(step(&run, now), expected, "{run:?}");
        }
    }
}
