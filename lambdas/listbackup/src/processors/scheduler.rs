//! The scheduler: starts due jobs, sends lost runs again, and ends runs without progress.

use jiff::{SignedDuration, Timestamp};
use listbackup_contract::tables::{JOBS_BY_STATUS, RUNS_BY_STATUS};
use serde::Serialize;
use tables::{AwsError, Change, Database, Query, from_items, strings};

use super::metrics::Metrics;
use crate::{
    runs::{RunError, Runs, StartOutcome, Starter, Tables, schedule},
    shared::{
        rows::{
            Job, Run,
            job::JobStatus,
            run::{RunStatus, RunType},
        },
        store, time,
    },
};

/// How long a run may wait in the queue before its message counts as lost, and how long all files may be counted without an end.
const LOST_AFTER: SignedDuration = SignedDuration::from_mins(5);
/// How long a run may be without progress.
const STALLED_AFTER: SignedDuration = SignedDuration::from_mins(60);
/// The error of a run without progress.
const STALLED: &str = "stalled: the run made no progress for 60 minutes";

/// The function `jobScheduler`.
#[derive(Debug, Clone)]
pub(super) struct Scheduler {
    pub(super) starter: Starter,
    pub(super) runs: Runs,
    pub(super) database: Database,
    pub(super) tables: Tables,
    pub(super) metrics: Metrics,
}

/// What one execution did.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Summary {
    pub(super) started: usize,
    pub(super) resent: usize,
    pub(super) ended: usize,
}

/// What a run that has not ended needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Nothing,
    Resend,
    Complete,
    Fail,
}

/// Decides by the times of the last progress and of the lease.
fn need(run: &Run, now: Timestamp) -> Need {
    let Ok(progress) = run.updated_at.parse::<Timestamp>() else { return Need::Fail };
    let idle = now.duration_since(progress);
    let counted = run.files_processed.saturating_add(run.stats.files_error);
    let is_decided = run.result.is_some() || (run.listing_done && counted >= run.files_total);
    let has_lease = run.lease_until.is_some_and(|until| until >= now.as_second());
    match run.status {
        RunStatus::Queued | RunStatus::Running if is_decided && idle >= LOST_AFTER => Need::Complete,
        RunStatus::Queued | RunStatus::Running if is_decided => Need::Nothing,
        RunStatus::Queued | RunStatus::Running if idle >= STALLED_AFTER && !has_lease => Need::Fail,
        RunStatus::Queued if idle >= LOST_AFTER => Need::Resend,
        RunStatus::Running if !run.listing_done && !has_lease => Need::Resend,
        _ => Need::Nothing,
    }
}

impl Scheduler {
    /// Does everything that is due. One run or job that fails does not keep the others from it.
    ///
    /// # Errors
    /// When a table cannot be queried.
    pub(super) async fn run(&self) -> Result<Summary, AwsError> {
        let mut summary = Summary::default();
        for status in [RunStatus::Queued, RunStatus::Running] {
            for run in self.unfinished(status).await? {
                if let Err(error) = self.repair(&run, &mut summary).await {
                    let error = common::telemetry::chain(&error);
                    tracing::error!(run_id = run.run_id, error, "failed to repair a run; the next execution will");
                }
            }
        }
        for job in self.due().await? {
            match self.start(&job).await {
                Ok(true) => summary.started += 1,
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(job_id = job.job_id, %error, "failed to start a job; the next execution will")
                }
            }
        }
        Ok(summary)
    }

    async fn unfinished(&self, status: RunStatus) -> Result<Vec<Run>, AwsError> {
        let query = Query::index(&self.tables.runs, store::index(RUNS_BY_STATUS), status);
        from_items(self.database.query_all(&query).await?)
    }

    async fn repair(&self, listed: &Run, summary: &mut Summary) -> Result<(), RunError> {
        // The index may be old.
        let Some(run) = self.runs.get(&listed.run_id).await? else { return Ok(()) };
        let ended = match need(&run, Timestamp::now()) {
            Need::Nothing => return Ok(()),
            Need::Resend => {
                self.starter.resend(&run).await?;
                summary.resent += 1;
                return Ok(());
            }
            Need::Complete => self.runs.complete(&run.run_id).await?,
            Need::Fail => self.runs.fail(&run.run_id, STALLED).await?,
        };
        self.metrics.ended(&ended);
        summary.ended += usize::from(ended.is_some());
        Ok(())
    }

    async fn due(&self) -> Result<Vec<Job>, AwsError> {
        let query = Query::index(&self.tables.jobs, store::index(JOBS_BY_STATUS), JobStatus::Active)
            .filter(|names| names.compare("nextRun", "<=", time::now()))
            .filter(|names| names.absent("activeRunId"));
        from_items(self.database.query_all(&query).await?)
    }

    /// Starts a due job. One whose source is gone is tried again at its next time.
    async fn start(&self, job: &Job) -> Result<bool, AwsError> {
        match self.starter.start(job, RunType::Scheduled, None).await? {
            StartOutcome::Started(_) => return Ok(true),
            StartOutcome::Gone => {}
            StartOutcome::AlreadyRunning { .. } | StartOutcome::NotActive => return Ok(false),
        }
        let (Some(due), Some(next)) = (&job.next_run, schedule::next(&job.schedule, Timestamp::now())) else {
            return Ok(false);
        };
        let change = Change::new()
            .set("nextRun", next)
            .set("lastError", "the job's source was deleted")
            .set("updatedAt", time::now())
            .when(|names| names.compare("nextRun", "=", due))
            .when(|names| names.absent("activeRunId"));
        self.database.update(&self.tables.jobs, strings([("jobId", job.job_id.as_str())]), change).await?;
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::tests::run;

    #[test]
    fn a_run_is_repaired_by_its_last_progress() {
        let now: Timestamp = "2026-01-31T13:30:00Z".parse().expect("a time");
        let at = |status, minutes: i64, listed| Run {
            status,
            updated_at: time::text(now - SignedDuration::from_mins(minutes)),
            listing_done: listed,
            files_total: if listed { 3 } else { 0 },
            ..run("a")
        };
        let leased = |run: Run, seconds: i64| Run { lease_until: Some(now.as_second() + seconds), ..run };
        let counted = |run: Run| Run { files_processed: 3, ..run };
        use RunStatus::{Completed, Queued, Running};
        for (run, expected) in [
            (at(Queued, 4, false), Need::Nothing),
            (at(Queued, 5, false), Need::Resend),
            (at(Queued, 60, false), Need::Fail),
            (leased(at(Running, 30, false), 10), Need::Nothing),
            (leased(at(Running, 30, false), -1), Need::Resend),
            (leased(at(Running, 61, false), 10), Need::Nothing),
            (leased(at(Running, 61, false), -1), Need::Fail),
            (at(Running, 59, true), Need::Nothing),
            (at(Running, 60, true), Need::Fail),
            (counted(at(Running, 4, true)), Need::Nothing),
            (counted(at(Running, 5, true)), Need::Complete),
            (counted(at(Running, 600, true)), Need::Complete),
            (at(Completed, 600, true), Need::Nothing),
        ] {
            assert_eq!(need(&run, now), expected, "{run:?}");
        }
    }
}
