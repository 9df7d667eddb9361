//! The processors of a backup: the orchestrator lists sources, the file processor stores files, the scheduler starts and repairs
//! runs.
//!
//! Messages may arrive twice, out of order, and after their run has ended. [`runs`](crate::runs) decides what a message is still for.

mod files;
mod filters;
mod media;
mod metrics;
mod orchestrator;
mod scheduler;
mod store;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::time::Duration;

use aws_config::{SdkConfig, timeout::TimeoutConfig};
use common::{bus::Bus, queue::Batch};
use lambda_runtime::Error;
use listbackup_contract::processors::{
    BackupOrchestrator as OrchestratorEnvironment, FileProcessor as FilesEnvironment,
    JobScheduler as SchedulerEnvironment,
};
use serde_json::Value;
use tables::{AwsError, Database, from_item, strings};
use tokio::time::Instant;

use self::{
    files::FileProcessor,
    metrics::Metrics,
    orchestrator::Orchestrator,
    scheduler::Scheduler,
    store::{Store, StoreSettings},
};
use crate::{
    connectors::{Connectors, policy::Rules},
    runs::{Queue, Runs, Starter, Tables},
    shared::rows::{Job, Run, Source, source::SourceStatus},
};

/// How long before its timeout a function stops a file, so that the delivery fails in order.
const MARGIN: Duration = Duration::from_secs(5);

/// Limits connections to 3 seconds, and the wait for a response to a minute: a part of an upload takes a few seconds.
fn with_time_limits(aws: &SdkConfig) -> SdkConfig {
    let limits = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(60))
        .build();
    aws.clone().into_builder().timeout_config(limits).build()
}

/// Serves the queue of runs until the instance ends.
///
/// # Errors
/// When Lambda's runtime interface fails, or a variable is no number.
pub async fn serve_orchestrator(environment: OrchestratorEnvironment, aws: &SdkConfig) -> Result<(), Error> {
    let aws = &with_time_limits(aws);
    let tables = Tables {
        runs: environment.runs_table,
        jobs: environment.jobs_table,
        sources: environment.sources_table,
        activity: environment.activity_table,
    };
    let database = Database::new(aws_sdk_dynamodb::Client::new(aws));
    let bus = Bus::new(aws, environment.event_bus_name);
    let rules = Rules::new(&environment.allow_private_sources, &environment.source_buckets, &environment.data_bucket);
    let orchestrator = Orchestrator {
        runs: Runs::new(database.clone(), tables.clone(), bus),
        rows: Rows { database, tables },
        connectors: Connectors::new(aws, &environment.stage, rules),
        queue: Queue::new(aws, environment.data_queue_url),
        metrics: Metrics::new(&environment.stage),
        max_file_size: environment.max_file_size.parse()?,
        lease_seconds: environment.timeout_seconds.parse()?,
    };
    let handle = async |message| orchestrator.handle(message).await;
    common::queue::serve_queue::<OrchestratorEnvironment, _>(handle).await
}

/// Serves the queue of files until the instance ends.
///
/// # Errors
/// When Lambda's runtime interface fails, or a variable is no number.
pub async fn serve_files(environment: FilesEnvironment, aws: &SdkConfig) -> Result<(), Error> {
    let aws = &with_time_limits(aws);
    let tables = Tables {
        runs: environment.runs_table,
        jobs: environment.jobs_table,
        sources: environment.sources_table,
        activity: environment.activity_table,
    };
    let database = Database::new(aws_sdk_dynamodb::Client::new(aws));
    let bus = Bus::new(aws, environment.event_bus_name);
    let rules = Rules::new(&environment.allow_private_sources, &environment.source_buckets, &environment.data_bucket);
    let settings = StoreSettings {
        bucket: environment.data_bucket,
        part_bytes: environment.chunk_size.parse()?,
        level: environment.compression_level.parse()?,
        is_encrypted: environment.enable_encryption == "true",
    };
    let processor = FileProcessor {
        runs: Runs::new(database.clone(), tables.clone(), bus),
        rows: Rows { database, tables },
        files: environment.files_table,
        connectors: Connectors::new(aws, &environment.stage, rules),
        store: Store::new(aws, settings),
        metrics: Metrics::new(&environment.stage),
        max_file_size: environment.max_file_size.parse()?,
    };
    let timeout = Duration::from_secs(environment.timeout_seconds.parse()?);
    let handle = async |batch: Batch| {
        let deadline = Instant::now() + timeout.saturating_sub(MARGIN);
        Ok(batch.parsed(async |message| processor.handle(message, deadline).await).await)
    };
    common::events::serve::<FilesEnvironment, _, _>(handle).await
}

/// Serves the schedule until the instance ends.
///
/// # Errors
/// When Lambda's runtime interface fails.
pub async fn serve_scheduler(environment: SchedulerEnvironment, aws: &SdkConfig) -> Result<(), Error> {
    let aws = &with_time_limits(aws);
    let tables = Tables {
        runs: environment.runs_table,
        jobs: environment.jobs_table,
        sources: environment.sources_table,
        activity: environment.activity_table,
    };
    let database = Database::new(aws_sdk_dynamodb::Client::new(aws));
    let runs = Runs::new(database.clone(), tables.clone(), Bus::new(aws, environment.event_bus_name));
    let queue = Queue::new(aws, environment.job_queue_url);
    let scheduler = Scheduler {
        starter: Starter::new(runs.clone(), environment.accounts_table, queue),
        runs,
        database,
        tables,
        metrics: Metrics::new(&environment.stage),
    };
    // The event of the schedule carries no information.
    common::events::serve::<SchedulerEnvironment, Value, _>(async |_| Ok(scheduler.run().await?)).await
}

/// Reads the rows that a run refers to.
#[derive(Debug, Clone)]
struct Rows {
    database: Database,
    tables: Tables,
}

impl Rows {
    /// Returns a run's job and source, or why the run cannot read them.
    async fn of(&self, run: &Run) -> Result<Result<(Job, Source), &'static str>, AwsError> {
        let job = self.database.get(&self.tables.jobs, strings([("jobId", run.job_id.as_str())]));
        let source = self.database.get(&self.tables.sources, strings([("sourceId", run.source_id.as_str())]));
        let (job, source) = tokio::join!(job, source);
        let job: Option<Job> = job?.map(from_item).transpose()?;
        let source: Option<Source> = source?.map(from_item).transpose()?;
        Ok(usable(run, job, source))
    }
}

/// Checks that job and source still exist, belong to the run's account, and may be read.
fn usable(run: &Run, job: Option<Job>, source: Option<Source>) -> Result<(Job, Source), &'static str> {
    let Some(job) = job.filter(|job| job.account_id == run.account_id) else { return Err("the job was deleted") };
    let Some(source) = source.filter(|source| source.account_id == run.account_id) else {
        return Err("the source was deleted");
    };
    if source.status == SourceStatus::Inactive {
        return Err("the source is inactive");
    }
    Ok((job, source))
}
