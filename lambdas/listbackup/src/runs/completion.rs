//! The end of a run. It is decided once, then reported, then recorded; each step may be repeated.

use std::time::Duration;

use common::bus::BusError;
use jiff::Timestamp;
use listbackup_contract::events::{JOB_AMENDED, JOB_COMPLETED, JOB_FAILED};
use serde_json::{Map, Value, json};
use tables::{AwsError, Change, Item, TransactionOutcome, Write, from_item, strings, to_item};

use super::{
    Runs,
    report::{Report, detail, finished_id},
    schedule,
};
use crate::shared::{
    events::Detail,
    rows::{Activity, Job, Run, activity::KEPT_SECONDS, job::LastRun, run::RunStatus, source::SourceStatus},
    time,
};

/// The number of attempts to end a run that changes at the same time.
const ATTEMPTS: u32 = 20;
/// The number of attempts that may fail otherwise, and the pause after the first.
const CONFLICTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(20);

/// Why a run could not be ended yet. A later delivery of the same message repeats it.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A table could not be read or written.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The event could not be sent.
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// The run that this call ended; others only repeat it.
pub type Ended = Option<Box<Report>>;

/// The next step towards the end of a run.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    /// The run has ended, or files are missing.
    Nothing,
    /// The end is to be decided, with this detail.
    Decide(Box<Detail>),
    /// The decided end is to be reported and recorded.
    Report(Box<Detail>),
}

/// Computes the next step. `failure` ends a run early.
fn step(run: &Run, failure: Option<&str>, now: Timestamp) -> Step {
    if !matches!(run.status, RunStatus::Queued | RunStatus::Running) {
        return Step::Nothing;
    }
    if let Some(result) = &run.result {
        return Step::Report(Box::new(result.clone()));
    }
    let counted = run.files_processed.saturating_add(run.stats.files_error);
    // More files than listed are counted if a repeated listing was shorter.
    let is_done = run.status == RunStatus::Running && run.listing_done && counted >= run.files_total;
    let every_file_failed = run.files_total > 0 && run.files_processed == 0 && run.stats.files_error > 0;
    let (status, error) = match failure {
        Some(error) => (RunStatus::Failed, Some(error)),
        None if !is_done => return Step::Nothing,
        None if every_file_failed => (RunStatus::Failed, Some("every file failed")),
        None => (RunStatus::Completed, None),
    };
    let report = Report::of(run, status, error, now);
    let at = report.completed_at.clone();
    Step::Decide(Box::new(detail(run, finished_id(&run.run_id), &at, report.into_fields())))
}

/// Stores the decision, unless a counter changed since the run was read.
fn decision(run: &Run, result: &Detail) -> Change {
    Change::new()
        .set("result", result)
        .when(|names| names.compare("status", "=", run.status))
        .when(|names| names.absent("result"))
        .when(|names| names.compare("filesProcessed", "=", run.files_processed))
        .when(|names| names.compare("stats.filesError", "=", run.stats.files_error))
}

impl Runs {
    /// Ends a run whose files are all counted. Otherwise nothing happens.
    ///
    /// # Errors
    /// When the end could not be reported or recorded.
    pub async fn complete(&self, run_id: &str) -> Result<Ended, RunError> {
        self.end(run_id, None).await
    }

    /// Ends a run as failed, unless it has ended.
    ///
    /// # Errors
    /// When the end could not be reported or recorded.
    pub async fn fail(&self, run_id: &str, error: &str) -> Result<Ended, RunError> {
        self.end(run_id, Some(error)).await
    }

    /// Sends the amendment of an ended run. Its ID makes repetitions harmless.
    ///
    /// # Errors
    /// When the event could not be sent.
    pub async fn amend(&self, amendment: &Detail) -> Result<(), BusError> {
        self.bus.put(JOB_AMENDED.source, JOB_AMENDED.detail_type, amendment).await
    }

    async fn end(&self, run_id: &str, failure: Option<&str>) -> Result<Ended, RunError> {
        for attempt in 1..=ATTEMPTS {
            let Some(run) = self.get(run_id).await? else { return Ok(None) };
            match step(&run, failure, Timestamp::now()) {
                Step::Nothing => return Ok(None),
                Step::Decide(result) => {
                    let key = strings([("runId", run_id)]);
                    match self.database.update(&self.tables.runs, key, decision(&run, &result)).await {
                        Ok(Some(_)) => return self.report_end(&run, &result).await,
                        Ok(None) => {}
                        // The transaction of a file that is counted at the same time conflicts.
                        Err(_) if attempt < CONFLICTS => tokio::time::sleep(PAUSE * attempt).await,
                        Err(error) => return Err(error.into()),
                    }
                }
                Step::Report(result) => return self.report_end(&run, &result).await,
            }
        }
        Err(AwsError::unexpected("end a run", "it changes too often").into())
    }

    /// Sends the event, then records the end.
    async fn report_end(&self, run: &Run, result: &Detail) -> Result<Ended, RunError> {
        let report = Report::read(result)
            .ok_or_else(|| AwsError::unexpected("end a run", "its stored result cannot be read"))?;
        let kind = if report.status == RunStatus::Completed { JOB_COMPLETED } else { JOB_FAILED };
        self.bus.put(kind.source, kind.detail_type, result).await?;
        let is_recorded = self.record_end(run, result, &report).await?;
        Ok(is_recorded.then(|| Box::new(report)))
    }

    /// Records the end in run, job, source and audit trail. A job or source that is gone is left out. Returns false if the end was
    /// recorded already.
    async fn record_end(&self, run: &Run, result: &Detail, report: &Report) -> Result<bool, AwsError> {
        let job = self.database.get(&self.tables.jobs, strings([("jobId", run.job_id.as_str())])).await?;
        let job: Option<Job> = job.map(from_item).transpose()?;
        let run_key = strings([("runId", run.run_id.as_str())]);
        let mut writes = vec![
            Write::Change(self.tables.runs.clone(), run_key, ended_run(report)),
            Write::Put(self.tables.activity.clone(), self.activity(run, result, report)?, Change::new()),
            Write::Change(
                self.tables.jobs.clone(),
                strings([("jobId", run.job_id.as_str())]),
                ended_job(job.as_ref(), report),
            ),
            Write::Change(
                self.tables.sources.clone(),
                strings([("sourceId", run.source_id.as_str())]),
                ended_source(report),
            ),
        ];
        loop {
            let failed = match self.database.transact(writes.clone()).await? {
                TransactionOutcome::Committed => return Ok(true),
                TransactionOutcome::ConditionsFailed(failed) => failed,
            };
            if failed.contains(&0) {
                return Ok(false);
            }
            let mut index = 0;
            writes.retain(|_| {
                index += 1;
                !failed.contains(&(index - 1))
            });
        }
    }

    fn activity(&self, run: &Run, result: &Detail, report: &Report) -> Result<Item, AwsError> {
        let (action, status) =
            if report.status == RunStatus::Completed { ("completed", "success") } else { ("failed", "error") };
        let message = match &report.error {
            Some(error) => format!("Backup failed: {error}"),
            None => format!("Backup completed: {} files, {} errors", report.files_processed, report.stats.files_error),
        };
        let at = Timestamp::now();
        let metadata = Map::from_iter([
            ("jobId".to_owned(), json!(run.job_id)),
            ("sourceId".to_owned(), json!(run.source_id)),
            ("stats".to_owned(), serde_json::to_value(&report.stats).unwrap_or(Value::Null)),
        ]);
        let activity = Activity {
            event_id: result.event_id.clone(),
            account_id: run.account_id.clone(),
            user_id: run.user_id.clone(),
            activity_type: format!("job.run.{action}"),
            action: action.to_owned(),
            resource_type: "run".to_owned(),
            resource_id: run.run_id.clone(),
            status: status.to_owned(),
            message,
            metadata,
            timestamp: at.as_millisecond(),
            ttl: at.as_second() + KEPT_SECONDS,
        };
        to_item(&activity)
    }
}

fn ended_run(report: &Report) -> Change {
    Change::new()
        .set("status", report.status)
        .set("completedAt", &report.completed_at)
        .set("updatedAt", time::now())
        .set("currentStep", 8)
        .set_some("error", report.error.as_ref())
        .remove("leaseUntil")
        .when(|names| names.one_of("status", [RunStatus::Queued, RunStatus::Running]))
        .when(|names| names.exists("result"))
}

fn ended_job(job: Option<&Job>, report: &Report) -> Change {
    let last = LastRun {
        run_id: report.run_id.clone(),
        started_at: report.started_at.clone().unwrap_or_else(|| report.completed_at.clone()),
        status: if report.status == RunStatus::Completed { "completed" } else { "failed" }.to_owned(),
    };
    let change = Change::new()
        .set("lastRun", last)
        .set("updatedAt", time::now())
        .add("runCount", 1)
        .remove("activeRunId")
        .when(|names| names.compare("activeRunId", "=", &report.run_id));
    let change = match job.and_then(|job| schedule::next(&job.schedule, Timestamp::now())) {
        Some(next) => change.set("nextRun", next),
        None => change.remove("nextRun"),
    };
    match &report.error {
        Some(error) => change.set("lastError", error),
        None => change.remove("lastError"),
    }
}

fn ended_source(report: &Report) -> Change {
    let figures = json!({
        "lastRunId": report.run_id,
        "filesTotal": report.files_total,
        "filesProcessed": report.files_processed,
        "filesError": report.stats.files_error,
        "bytesTransferred": report.stats.bytes_transferred,
        "bytesStored": report.stats.bytes_stored,
    });
    let change = Change::new()
        .set("lastSyncAt", &report.completed_at)
        .set("stats", figures)
        .set("updatedAt", time::now())
        .when(|names| names.exists("sourceId"))
        // An inactive source stays inactive; the transaction then leaves it out.
        .when(|names| names.compare("status", "<>", SourceStatus::Inactive));
    match &report.error {
        Some(error) => change.set("status", SourceStatus::Error).set("lastError", error),
        None => change.set("status", SourceStatus::Active).remove("lastError"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::tests::run;

    fn listed(total: i64, processed: i64, errors: i64) -> Run {
        let mut run = Run { status: RunStatus::Running, listing_done: true, files_total: total, ..run("a") };
        (run.files_processed, run.stats.files_error) = (processed, errors);
        run
    }

    fn status(step: &Step) -> Option<RunStatus> {
        match step {
            Step::Nothing => None,
            Step::Decide(detail) | Step::Report(detail) => Report::read(detail).map(|report| report.status),
        }
    }

    #[test]
    fn a_run_ends_when_every_file_is_counted() {
        let now = Timestamp::now();
        for (run, expected) in [
            (listed(3, 1, 1), None),
            (listed(3, 2, 1), Some(RunStatus::Completed)),
            (listed(3, 0, 3), Some(RunStatus::Failed)),
            (listed(0, 0, 0), Some(RunStatus::Completed)),
            (listed(2, 3, 0), Some(RunStatus::Completed)),
            (Run { listing_done: false, ..listed(0, 3, 0) }, None),
            (Run { status: RunStatus::Completed, ..listed(3, 3, 0) }, None),
        ] {
            assert_eq!(status(&step(&run, None, now)), expected, "{run:?}");
        }
        assert_eq!(status(&step(&listed(3, 1, 1), Some("stalled"), now)), Some(RunStatus::Failed));
        assert_eq!(status(&step(&run("a"), Some("stalled"), now)), Some(RunStatus::Failed));
        assert_eq!(step(&Run { status: RunStatus::Failed, ..listed(3, 1, 1) }, Some("stalled"), now), Step::Nothing);
    }

    #[test]
    fn a_decided_end_is_not_decided_again() {
        let now = Timestamp::now();
        let Step::Decide(detail) = step(&listed(3, 3, 0), None, now) else { panic!("done") };
        assert_eq!(detail.event_id, "run:a:finished");
        // Neither a later failure nor a late file changes the event.
        let decided = Run { result: Some(*detail.clone()), ..listed(3, 4, 0) };
        assert_eq!(step(&decided, Some("stalled"), now), Step::Report(detail));
    }
}
