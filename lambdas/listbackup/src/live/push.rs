//! Sends the progress of a run to every connection of its account, whenever an event on the bus reports some.
//!
//! Updates are best effort: a message that cannot be sent is logged and not repeated, because the next event has newer figures.

use aws_config::SdkConfig;
use common::{
    Error, Started, events, telemetry,
    web_socket::{self, Delivery},
};
use jiff::Timestamp;
use listbackup_contract::{
    events::{JOB_COMPLETED, JOB_FAILED},
    live::{PUSHED, Push as Environment},
    tables::RUNS,
};
use serde::{Deserialize, Serialize};
use tables::{AwsError, Database, from_item, strings};

use super::connections::{Connection, Connections};
use crate::shared::{
    events::Detail,
    rows::run::{Run, RunStatus},
};

/// An event of the bus (EventBridge user guide, "Events").
#[derive(Debug, Deserialize)]
pub(super) struct BusEvent {
    source: String,
    #[serde(rename = "detail-type")]
    detail_type: String,
    detail: Detail,
}

/// A message to a client.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Update<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    event: &'a str,
    at: &'a str,
    run_id: &'a str,
    job_id: &'a str,
    source_id: &'a str,
    status: RunStatus,
    progress: Progress,
}

/// How far a run is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Progress {
    percentage: i64,
    files_processed: i64,
    files_error: i64,
    total_files: i64,
    bytes_processed: i64,
}

/// The state of the function.
#[derive(Debug)]
pub(super) struct Push {
    database: Database,
    runs_table: String,
    connections: Connections,
    sockets: web_socket::Connections,
}

/// Sends updates until the instance ends.
///
/// # Errors
/// When Lambda's runtime interface fails.
pub async fn push(started: Started<Environment>) -> Result<(), Error> {
    let app = Push::new(started.environment, &started.aws);
    events::serve::<Environment, BusEvent, ()>(async |event| Ok(app.push(&event, Timestamp::now()).await?)).await
}

impl Push {
    pub(super) fn new(environment: Environment, aws: &SdkConfig) -> Self {
        Self {
            database: Database::new(aws_sdk_dynamodb::Client::new(aws)),
            runs_table: environment.runs_table,
            connections: Connections::new(aws, environment.connections_table),
            sockets: web_socket::Connections::new(aws, &environment.connections_endpoint),
        }
    }

    /// Sends the progress that an event reports.
    pub(super) async fn push(&self, event: &BusEvent, now: Timestamp) -> Result<(), AwsError> {
        let is_pushed = PUSHED.iter().any(|kind| kind.source == event.source && kind.detail_type == event.detail_type);
        let run_id = event.detail.fields.get("runId").and_then(serde_json::Value::as_str);
        let Some(run_id) = run_id.filter(|_| is_pushed) else { return Ok(()) };
        let connections = self.connections.list(&event.detail.account_id).await?;
        if connections.is_empty() {
            return Ok(());
        }
        let run = self.run(run_id).await?;
        // An event names its account; the run decides.
        let Some(mut run) = run.filter(|run| run.account_id == event.detail.account_id) else { return Ok(()) };
        run.status = status_after(event).unwrap_or(run.status);
        let update = Update::new(&event.detail_type, &event.detail.at, &run);
        let sent = connections.iter().map(|connection| self.send(connection, &update, now));
        futures_util::future::join_all(sent).await;
        Ok(())
    }

    /// Sends a message to a connection, or ends the connection if its time is over. Forgets it if it is gone.
    async fn send(&self, connection: &Connection, update: &Update<'_>, now: Timestamp) {
        let id = connection.connection_id.as_str();
        let is_over = connection.is_over(now.as_second());
        let result = if is_over { self.sockets.delete(id).await } else { self.sockets.post(id, update).await };
        let is_gone = match result {
            Ok(delivery) => is_over || delivery == Delivery::Gone,
            Err(error) => {
                tracing::warn!(error = telemetry::chain(&error), "failed to reach a connection");
                false
            }
        };
        if is_gone && let Err(error) = self.connections.remove(id).await {
            tracing::warn!(error = telemetry::chain(&error), "failed to forget a connection");
        }
    }

    async fn run(&self, run_id: &str) -> Result<Option<Run>, AwsError> {
        let key = strings([(RUNS.partition, run_id)]);
        self.database.get(&self.runs_table, key).await?.map(from_item).transpose()
    }
}

impl<'a> Update<'a> {
    fn new(event: &'a str, at: &'a str, run: &'a Run) -> Self {
        Self {
            kind: "run",
            event,
            at,
            run_id: &run.run_id,
            job_id: &run.job_id,
            source_id: &run.source_id,
            status: run.status,
            progress: Progress {
                percentage: percentage(run),
                files_processed: run.files_processed,
                files_error: run.stats.files_error,
                total_files: run.files_total,
                bytes_processed: run.bytes_processed,
            },
        }
    }
}

/// The status that an event about a run's end reports. The row gets it after the event was sent.
fn status_after(event: &BusEvent) -> Option<RunStatus> {
    match event.detail_type.as_str() {
        of if of == JOB_COMPLETED.detail_type => Some(RunStatus::Completed),
        of if of == JOB_FAILED.detail_type => Some(RunStatus::Failed),
        _ => None,
    }
}

/// How much of a run is done: 100 exactly when it has completed.
fn percentage(run: &Run) -> i64 {
    let done = run.files_processed.saturating_add(run.stats.files_error);
    match run.status {
        RunStatus::Completed => 100,
        _ if !run.listing_done || run.files_total <= 0 => 0,
        _ => (done.saturating_mul(100) / run.files_total).clamp(0, 99),
    }
}
