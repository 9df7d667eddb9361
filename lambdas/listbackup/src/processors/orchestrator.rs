//! The orchestrator: leases a run, lists its source, and sends a message for each file.

use std::{collections::HashSet, time::Duration};

use common::queue::QueueMessage;
use lambda_runtime::Error;
use listbackup_contract::limits::RECEIVES;
use tables::{AwsError, Change, strings};

use super::{Rows, filters, metrics::Metrics};
use crate::{
    connectors::{Connector, ConnectorError, Connectors, Listed, Origin, Position, paths},
    runs::{
        Queue, Runs, Taken,
        message::{FileMessage, FileTag, RunMessage, V1},
    },
    shared::{
        ids,
        rows::{Run, Source, source::SourceStatus},
        time,
    },
};

/// The number of attempts to list a page, and the first pause between two.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);

/// The function `backupOrchestrator`.
#[derive(Debug, Clone)]
pub(super) struct Orchestrator {
    pub(super) runs: Runs,
    pub(super) rows: Rows,
    pub(super) connectors: Connectors,
    pub(super) queue: Queue,
    pub(super) metrics: Metrics,
    pub(super) max_file_size: u64,
    pub(super) lease_seconds: i64,
}

/// Why a source could not be listed.
#[derive(Debug, thiserror::Error)]
enum ListError {
    #[error("{0}")]
    Source(#[from] ConnectorError),
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("failed to serialize a message about a file")]
    Message(#[from] serde_json::Error),
}

impl Orchestrator {
    /// Handles a message about a run. An error delivers it again.
    pub(super) async fn handle(&self, message: QueueMessage<RunMessage>) -> Result<(), Error> {
        let (receive_count, message) = (message.receive_count, message.body);
        let run = match self.runs.take(&message, self.lease_seconds).await? {
            Taken::Leased { run, is_first } => {
                if is_first {
                    self.metrics.started();
                }
                run
            }
            Taken::Listed => return self.complete(&message.run_id).await,
            Taken::Duplicate => return Ok(()),
            Taken::Unknown => return Err(format!("there is no run {}", message.run_id).into()),
        };
        match self.list(&run).await {
            // Another orchestrator has taken the run since if this is false; it also counts.
            Ok(total) => match self.runs.finish_listing(&run, total).await? {
                true => self.complete(&run.run_id).await,
                false => Ok(()),
            },
            Err(ListError::Source(error)) if !error.is_transient || receive_count >= RECEIVES => {
                self.fail(&run.run_id, &error.message).await
            }
            // The lease expires, so that a later delivery or the scheduler takes the run again.
            Err(error) => Err(error.into()),
        }
    }

    async fn complete(&self, run_id: &str) -> Result<(), Error> {
        self.metrics.ended(&self.runs.complete(run_id).await?);
        Ok(())
    }

    async fn fail(&self, run_id: &str, error: &str) -> Result<(), Error> {
        self.runs.log(run_id, error).await;
        self.metrics.ended(&self.runs.fail(run_id, error).await?);
        Ok(())
    }

    /// Sends a message for each selected file, and returns their number.
    async fn list(&self, run: &Run) -> Result<i64, ListError> {
        let (_, source) = self.rows.of(run).await?.map_err(ConnectorError::permanent)?;
        let connector = self.connectors.open(&source).await?;
        self.mark_syncing(&source).await?;
        let mut seen = HashSet::new();
        let mut position = Position::Start;
        while position != Position::End {
            let page = page(&connector, &position).await?;
            position = page.1;
            let mut bodies = Vec::with_capacity(page.0.len());
            for file in page.0.into_iter().filter(|file| filters::selects(&source.settings, file)) {
                let file_key = ids::file_key(&file.path);
                if seen.insert(file_key.clone()) {
                    bodies.push(serde_json::to_string(&self.message(run, file_key, file))?);
                } else {
                    self.runs.log(&run.run_id, &format!("{}: the path is listed twice", file.path)).await;
                }
            }
            self.queue.send_all(&bodies).await?;
        }
        Ok(i64::try_from(seen.len()).unwrap_or(i64::MAX))
    }

    fn message(&self, run: &Run, file_key: String, file: Listed) -> FileMessage {
        let refusal = match file.size {
            _ if paths::check(&file.path).is_err() => paths::check(&file.path).err(),
            Some(size) if size > self.max_file_size => Some("the file is too large"),
            _ => None,
        };
        let origin = refusal.map_or(file.origin, |reason| Origin::Refused { reason: reason.to_owned() });
        FileMessage {
            v: V1,
            tag: FileTag::File,
            run_id: run.run_id.clone(),
            job_id: run.job_id.clone(),
            account_id: run.account_id.clone(),
            source_id: run.source_id.clone(),
            file_key,
            path: file.path,
            origin,
            size: file.size,
            modified_at: file.modified_at,
            origin_tag: file.origin_tag,
        }
    }

    /// Shows that the source is being read. The end of the run sets the next status.
    async fn mark_syncing(&self, source: &Source) -> Result<(), AwsError> {
        let change = Change::new()
            .set("status", SourceStatus::Syncing)
            .set("updatedAt", time::now())
            .when(|names| names.one_of("status", [SourceStatus::Active, SourceStatus::Error]));
        let key = strings([("sourceId", source.source_id.as_str())]);
        self.rows.database.update(&self.rows.tables.sources, key, change).await.map(drop)
    }
}

/// Lists a page; repeats what may succeed a moment later.
async fn page(connector: &Connector, position: &Position) -> Result<(Vec<Listed>, Position), ConnectorError> {
    let mut attempt = 1;
    loop {
        match connector.list(position).await {
            Err(error) if error.is_transient && attempt < ATTEMPTS => {
                tokio::time::sleep(PAUSE * 2_u32.pow(attempt - 1)).await;
                attempt += 1;
            }
            answer => return answer,
        }
    }
}
