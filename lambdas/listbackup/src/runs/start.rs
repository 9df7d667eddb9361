//! Starting a run: one transaction of the run, its job and its account, then a message and an event.

use std::collections::BTreeMap;

use listbackup_contract::events::JOB_QUEUED;
use tables::{AwsError, Change, TransactionOutcome, Write, from_item, strings, to_item};

use super::{Queue, Runs, message::RunMessage, report::progressed};
use crate::shared::{
    category::Category,
    ids::Kind,
    rows::{
        Job, Run,
        job::JobStatus,
        run::{RunStats, RunStatus, RunType, TypeDelta},
    },
    time,
};

/// The number of attempts to start a run of a job that changes at the same time.
const ATTEMPTS: u32 = 3;

/// Starts runs: for users and for the scheduler.
#[derive(Debug, Clone)]
pub struct Starter {
    runs: Runs,
    accounts: String,
    queue: Queue,
}

/// The result of a start.
#[derive(Debug, Clone, PartialEq)]
pub enum StartOutcome {
    /// The run is queued.
    Started(Box<Run>),
    /// The job has a run that has not ended.
    AlreadyRunning {
        /// That run.
        existing_run: String,
    },
    /// The job is paused.
    NotActive,
    /// The job, its source or its account is gone, or the job is no longer due.
    Gone,
}

impl Starter {
    /// Uses the table of accounts and the queue of runs.
    #[must_use]
    pub fn new(runs: Runs, accounts: impl Into<String>, queue: Queue) -> Self {
        Self { runs, accounts: accounts.into(), queue }
    }

    /// Starts a run of a job. The run is queued even if its message cannot be sent: the scheduler sends it again.
    ///
    /// # Errors
    /// When a table cannot be read or written; then no run was started.
    pub async fn start(&self, job: &Job, run_type: RunType, user_id: Option<&str>) -> Result<StartOutcome, AwsError> {
        for _ in 0..ATTEMPTS {
            let run = queued(job, run_type, user_id);
            match self.runs.database.transact(self.writes(job, &run)?).await? {
                TransactionOutcome::Committed => {
                    self.send(&run).await;
                    return Ok(StartOutcome::Started(Box::new(run)));
                }
                TransactionOutcome::ConditionsFailed(_) => {}
            }
            if let Some(refusal) = self.refusal(job).await? {
                return Ok(refusal);
            }
        }
        Ok(StartOutcome::Gone)
    }

    fn writes(&self, job: &Job, run: &Run) -> Result<Vec<Write>, AwsError> {
        let tables = &self.runs.tables;
        let active = Change::new()
            .set("activeRunId", &run.run_id)
            .set("updatedAt", &run.created_at)
            .when(|names| names.compare("status", "=", JobStatus::Active))
            .when(|names| names.compare("accountId", "=", &job.account_id))
            .when(|names| names.absent("activeRunId"));
        // Two schedulers, or a user who changes the schedule, must not start a due run twice.
        let active = match (&job.next_run, run.run_type) {
            (Some(due), RunType::Scheduled) => active.when(|names| names.compare("nextRun", "=", due)),
            _ => active,
        };
        let usage = Change::new().add("usage.monthlyBackups", 1).when(|names| names.exists("accountId"));
        let owned = Change::new().when(|names| names.compare("accountId", "=", &job.account_id));
        Ok(vec![
            Write::Put(tables.runs.clone(), to_item(run)?, Change::new().when(|names| names.absent("runId"))),
            Write::Change(tables.jobs.clone(), strings([("jobId", job.job_id.as_str())]), active),
            Write::Change(self.accounts.clone(), strings([("accountId", job.account_id.as_str())]), usage),
            Write::Check(tables.sources.clone(), strings([("sourceId", job.source_id.as_str())]), owned),
        ])
    }

    /// Finds out why a start was refused. `None` if the job's state has changed again.
    async fn refusal(&self, job: &Job) -> Result<Option<StartOutcome>, AwsError> {
        let key = strings([("jobId", job.job_id.as_str())]);
        let Some(item) = self.runs.database.get(&self.runs.tables.jobs, key).await? else {
            return Ok(Some(StartOutcome::Gone));
        };
        let present: Job = from_item(item)?;
        Ok(match present {
            Job { active_run_id: Some(existing_run), .. } => Some(StartOutcome::AlreadyRunning { existing_run }),
            Job { status: JobStatus::Paused, .. } => Some(StartOutcome::NotActive),
            _ => None,
        })
    }

    /// Sends a run's message and event. A failure is only logged.
    async fn send(&self, run: &Run) {
        if let Err(error) = self.resend(run).await {
            tracing::warn!(run_id = run.run_id, %error, "failed to queue a run; the scheduler will");
        }
        self.runs.announce(JOB_QUEUED, &progressed(run, "queued", &run.created_at)).await;
    }

    /// Sends a run's message again.
    ///
    /// # Errors
    /// When the queue did not accept it.
    pub async fn resend(&self, run: &Run) -> Result<(), AwsError> {
        let body = serde_json::to_string(&RunMessage::new(run))
            .map_err(|error| AwsError::new("serialize a message about a run", &error))?;
        self.queue.send(&body).await
    }
}

/// A new run of a job.
fn queued(job: &Job, run_type: RunType, user_id: Option<&str>) -> Run {
    let now = time::now();
    let categories = Category::ALL.map(|category| category.as_str().to_owned());
    Run {
        run_id: Kind::Run.generate(),
        job_id: job.job_id.clone(),
        account_id: job.account_id.clone(),
        source_id: job.source_id.clone(),
        user_id: user_id.map(str::to_owned),
        run_type,
        status: RunStatus::Queued,
        lease_until: None,
        listing_done: false,
        files_total: 0,
        files_processed: 0,
        bytes_processed: 0,
        current_step: 2,
        stats: RunStats::default(),
        by_type: categories.iter().map(|name| (name.clone(), 0)).collect(),
        type_deltas: categories.into_iter().map(|name| (name, TypeDelta::default())).collect::<BTreeMap<_, _>>(),
        logs: Vec::new(),
        error: None,
        result: None,
        created_at: now.clone(),
        started_at: None,
        completed_at: None,
        updated_at: now,
    }
}
