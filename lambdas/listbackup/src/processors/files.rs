//! The file processor: fetches a file, stores it, and counts it.

use std::{sync::Arc, time::Duration};

use common::queue::QueueMessage;
use lambda_runtime::Error;
use listbackup_contract::{events::FILE_INDEXED, limits::RECEIVES};
use serde_json::{Map, Value, json};
use tables::{AwsError, from_item, strings};
use tokio::{sync::Mutex, time::Instant};

use super::{
    Rows, media,
    metrics::Metrics,
    store::{Kept, Store, StoreError, StoredObject, Upload},
};
use crate::{
    connectors::{Connectors, Origin, paths},
    runs::{Counted, FileChange, FileState, MarkerState, Outcome, RowChange, Runs, Standing, message::FileMessage},
    shared::{
        events::Detail,
        ids,
        rows::{FileRow, Job, Source, job::JobType},
        time,
    },
};

/// The number of attempts to count a file whose run or row changes at the same time.
const ATTEMPTS: u32 = 6;
/// The pause after an attempt that failed; it doubles.
const PAUSE: Duration = Duration::from_millis(10);

/// The listed size, in bytes, from which files of a batch are read one after another: at the same time, none would be finished before the timeout.
const LARGE: u64 = 1 << 30;

/// The function `fileProcessor`.
#[derive(Debug, Clone)]
pub(super) struct FileProcessor {
    pub(super) runs: Runs,
    pub(super) rows: Rows,
    pub(super) files: String,
    pub(super) connectors: Connectors,
    pub(super) store: Store,
    pub(super) metrics: Metrics,
    pub(super) max_file_size: u64,
    /// The turn of large files.
    pub(super) large_files: Arc<Mutex<()>>,
}

/// What was done with a file, before it is counted.
#[derive(Debug, Clone)]
enum Work {
    /// The source's tag is that of the stored version.
    SameTag,
    /// The content was read.
    Read(Box<Content>),
}

/// Content that was read.
#[derive(Debug, Clone)]
struct Content {
    kept: Kept,
    content_type: String,
    origin_tag: Option<String>,
}

/// Why a file was not processed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// Neither source nor file can be processed; a repetition does not change that.
    #[error("{0}")]
    Permanent(String),
    /// A later delivery may succeed.
    #[error("{0}")]
    Transient(String),
    /// The run cannot read its source any more.
    #[error("{0}")]
    Source(&'static str),
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let text = error.to_string();
        if error.is_transient() { Self::Transient(text) } else { Self::Permanent(text) }
    }
}

impl FileProcessor {
    /// Handles a message about a file until a deadline. An error delivers it again.
    pub(super) async fn handle(&self, message: QueueMessage<FileMessage>, deadline: Instant) -> Result<(), Error> {
        let (is_last, message) = (message.receive_count >= RECEIVES, message.body);
        let Some(state) = self.state(&message).await? else { return Ok(()) };
        let failure = match self.process(&message, &state, deadline).await {
            Ok((work, row)) => match self.count(&message, state.clone(), &work, row).await {
                Err(error) if is_last => {
                    // Nothing is marked if the file was counted and only a later step failed.
                    self.fail(&message, state, "an internal error").await?;
                    return Err(error);
                }
                counted => return counted,
            },
            Err(failure) => failure,
        };
        match failure {
            Failure::Source(reason) => {
                self.metrics.ended(&self.runs.fail(&message.run_id, reason).await?);
                Ok(())
            }
            Failure::Permanent(reason) => self.fail(&message, state, &reason).await,
            failure if is_last => {
                let reason = match &failure {
                    Failure::Transient(reason) => reason.as_str(),
                    // The log of a run is for customers.
                    _ => "an internal error",
                };
                self.fail(&message, state, reason).await?;
                Err(failure.into())
            }
            failure => Err(failure.into()),
        }
    }

    /// Returns the state of a file that is still to be processed; finishes what an earlier delivery left.
    async fn state(&self, message: &FileMessage) -> Result<Option<FileState>, Error> {
        let state = self.runs.file_state(&message.run_id, &message.file_key).await?;
        let Some(state) = state.filter(|state| message.is_of(&state.run)) else {
            return Err(format!("no run {} has this file", message.run_id).into());
        };
        match state.standing(time::ttl(0)) {
            Standing::Open | Standing::Amends => Ok(Some(state)),
            Standing::Over => Ok(None),
            Standing::Counted(amendment) => {
                if let Some(amendment) = amendment {
                    self.runs.amend(&amendment).await?;
                }
                self.complete(&message.run_id).await?;
                Ok(None)
            }
        }
    }

    async fn complete(&self, run_id: &str) -> Result<(), Error> {
        self.metrics.ended(&self.runs.complete(run_id).await?);
        Ok(())
    }

    /// Fetches and stores the file, unless its tag shows that it is stored. Returns the row that this is based on.
    async fn process(
        &self,
        message: &FileMessage,
        state: &FileState,
        deadline: Instant,
    ) -> Result<(Work, Option<FileRow>), Failure> {
        paths::check(&message.path).map_err(|reason| Failure::Permanent(reason.to_owned()))?;
        let (rows, row) = tokio::join!(self.rows.of(&state.run), self.row(message));
        let (rows, row) = (rows?, row?);
        let (job, source) = match rows {
            Ok(rows) => rows,
            // An ended run cannot fail again.
            Err(reason) if state.standing(time::ttl(0)) == Standing::Amends => {
                return Err(Failure::Permanent(reason.to_owned()));
            }
            Err(reason) => return Err(Failure::Source(reason)),
        };
        if has_same_tag(&job, message, row.as_ref()) {
            return Ok((Work::SameTag, row));
        }
        let work = self.read(message, &source, row.as_ref(), deadline).await?;
        Ok((work, row))
    }

    async fn read(
        &self,
        message: &FileMessage,
        source: &Source,
        row: Option<&FileRow>,
        deadline: Instant,
    ) -> Result<Work, Failure> {
        let max_bytes = self.max_file_size.min(source.settings.max_file_size.unwrap_or(u64::MAX));
        let _turn = match message.size.is_some_and(|size| size >= LARGE) {
            true => Some(
                tokio::time::timeout_at(deadline, self.large_files.lock()).await.map_err(|_| StoreError::TooSlow)?,
            ),
            false => None,
        };
        let connector = self.connectors.open(source).await.map_err(StoreError::from)?;
        let fetched = tokio::time::timeout_at(deadline, connector.fetch(&message.origin, max_bytes)).await;
        let fetched = fetched.map_err(|_| StoreError::TooSlow)?.map_err(StoreError::from)?;
        let content_type = media::content_type(&message.path, fetched.content_type.as_deref());
        // A bucket's listing may be older than the object; a manifest promises its size.
        let promised = message.size.filter(|_| matches!(message.origin, Origin::Http { .. }));
        let upload = Upload {
            key: ids::object_key(&message.account_id, &message.source_id, &message.path),
            run_id: message.run_id.clone(),
            content_type: content_type.clone(),
            may_compress: source.settings.compression_enabled != Some(false) && !media::is_compressed(&message.path),
            previous: row.map(|row| row.hash.clone()),
            sha256: fetched.sha256,
            size: promised.or(fetched.size),
            max_bytes,
            deadline,
        };
        let kept = self.store.keep(fetched.stream, upload).await?;
        let origin_tag = fetched.origin_tag.or_else(|| message.origin_tag.clone());
        Ok(Work::Read(Box::new(Content { kept, content_type, origin_tag })))
    }

    async fn row(&self, message: &FileMessage) -> Result<Option<FileRow>, AwsError> {
        let file_id = ids::file_id(&message.source_id, &message.path);
        let item = self.rows.database.get(&self.files, strings([("fileId", file_id.as_str())])).await?;
        item.map(from_item).transpose()
    }

    /// Counts the work. If run or row have changed since they were read, the change is computed again.
    async fn count(
        &self,
        message: &FileMessage,
        mut state: FileState,
        work: &Work,
        mut row: Option<FileRow>,
    ) -> Result<(), Error> {
        for attempt in 1..=ATTEMPTS {
            let change = change(message, work, row.as_ref())
                .ok_or("the file's row changed while the file was read; it is read again")?;
            match self.runs.count(&self.files, &state, &change).await {
                Ok(Counted::Now(amendment)) => return self.counted(message, &change, amendment).await,
                Ok(Counted::Outdated) => {}
                // Files of a run that are counted at the same time conflict. Another delivery would follow much later.
                Err(_) if attempt < ATTEMPTS => tokio::time::sleep(PAUSE * 2_u32.pow(attempt)).await,
                Err(error) => return Err(error.into()),
            }
            let Some(present) = self.state(message).await? else { return Ok(()) };
            (state, row) = (present, self.row(message).await?);
        }
        Err("the file's run or row changes too often".into())
    }

    /// Reports a file that this delivery counted.
    async fn counted(
        &self,
        message: &FileMessage,
        change: &FileChange,
        amendment: Option<Box<Detail>>,
    ) -> Result<(), Error> {
        self.metrics.file(change);
        if let RowChange::Put(row, _) = &change.row {
            self.runs.announce(FILE_INDEXED, &indexed(message, row)).await;
        }
        if let Some(amendment) = amendment {
            self.runs.amend(&amendment).await?;
        }
        self.complete(&message.run_id).await
    }

    /// Counts a file as an error, unless it is counted. The error of an ended run stays.
    async fn fail(&self, message: &FileMessage, mut state: FileState, reason: &str) -> Result<(), Error> {
        let change = FileChange::failed(&message.file_key, media::describe(&message.path).0);
        for attempt in 1..=ATTEMPTS {
            if state.standing(time::ttl(0)) != Standing::Open || state.marker != MarkerState::Absent {
                return self.complete(&message.run_id).await;
            }
            match self.runs.count(&self.files, &state, &change).await {
                Ok(Counted::Now(_)) => {
                    self.runs.log(&message.run_id, &format!("{}: {reason}", message.path)).await;
                    return self.complete(&message.run_id).await;
                }
                Ok(Counted::Outdated) => {}
                // As in `count`. A last delivery that marks no file would leave its run without an end.
                Err(_) if attempt < ATTEMPTS => tokio::time::sleep(PAUSE * 2_u32.pow(attempt)).await,
                Err(error) => return Err(error.into()),
            }
            let Some(present) = self.state(message).await? else { return Ok(()) };
            state = present;
        }
        Err("the file's run changes too often".into())
    }
}

/// Whether an incremental job need not read the file.
fn has_same_tag(job: &Job, message: &FileMessage, row: Option<&FileRow>) -> bool {
    let stored = row.and_then(|row| row.origin_tag.as_ref());
    job.job_type == JobType::Incremental && message.origin_tag.is_some() && message.origin_tag.as_ref() == stored
}

/// Computes what is counted, from the row as it is now. `None` if the work no longer fits the row.
fn change(message: &FileMessage, work: &Work, row: Option<&FileRow>) -> Option<FileChange> {
    let (category, _) = media::describe(&message.path);
    let skipped = |size: u64, transferred: u64, row: RowChange| FileChange {
        outcome: Outcome::Skipped,
        size: signed(size),
        transferred: signed(transferred),
        row,
        ..FileChange::failed(&message.file_key, category)
    };
    let content = match work {
        Work::SameTag => return Some(skipped(row?.size_bytes, 0, RowChange::Keep)),
        Work::Read(content) => content,
    };
    let (kept, origin_tag) = (&content.kept, &content.origin_tag);
    match (&kept.object, row) {
        (_, Some(row)) if row.hash == kept.sha256 => {
            let retag = RowChange::Retag {
                file_id: row.file_id.clone(),
                version: row.version,
                origin_tag: origin_tag.clone(),
                modified_at: message.modified_at.clone(),
            };
            let is_same = row.origin_tag == *origin_tag && row.modified_at == message.modified_at;
            Some(skipped(kept.size, kept.size, if is_same { RowChange::Keep } else { retag }))
        }
        (None, _) => None,
        (Some(object), row) => {
            let new = new_row(message, content, object, row);
            Some(FileChange {
                file_key: message.file_key.clone(),
                category,
                outcome: if row.is_some() { Outcome::Updated } else { Outcome::Added },
                size: signed(kept.size),
                transferred: signed(kept.size),
                stored: signed(object.stored_bytes),
                delta_bytes: signed(kept.size) - row.map_or(0, |row| signed(row.size_bytes)),
                delta_stored: signed(object.stored_bytes) - row.map_or(0, |row| signed(row.stored_bytes)),
                row: RowChange::Put(Box::new(new), row.map(|row| row.version)),
            })
        }
    }
}

/// The row of a new version.
fn new_row(message: &FileMessage, content: &Content, object: &StoredObject, previous: Option<&FileRow>) -> FileRow {
    let now = time::now();
    let name = message.path.rsplit('/').find(|segment| !segment.is_empty()).unwrap_or(&message.path);
    FileRow {
        file_id: ids::file_id(&message.source_id, &message.path),
        account_id: message.account_id.clone(),
        source_id: message.source_id.clone(),
        name: name.to_owned(),
        path: message.path.clone(),
        name_lower: name.to_lowercase(),
        path_lower: message.path.to_lowercase(),
        file_type: media::describe(&message.path).0,
        content_type: content.content_type.clone(),
        size_bytes: content.kept.size,
        stored_bytes: object.stored_bytes,
        hash: content.kept.sha256.clone(),
        checksum_md5: content.kept.md5.clone(),
        compressed: object.is_compressed,
        encrypted: true,
        s3_key: ids::object_key(&message.account_id, &message.source_id, &message.path),
        s3_version_id: object.version_id.clone(),
        origin_tag: content.origin_tag.clone(),
        run_id: message.run_id.clone(),
        version: previous.map_or(1, |row| row.version.saturating_add(1)),
        modified_at: message.modified_at.clone(),
        backed_up_at: now.clone(),
        created_at: previous.map_or_else(|| now.clone(), |row| row.created_at.clone()),
        updated_at: now,
        metadata: Map::new(),
    }
}

/// The detail of the event File Indexed.
fn indexed(message: &FileMessage, row: &FileRow) -> Detail {
    let fields = json!({
        "runId": message.run_id,
        "jobId": message.job_id,
        "sourceId": message.source_id,
        "path": row.path,
        "fileType": row.file_type,
        "sizeBytes": row.size_bytes,
        "storedBytes": row.stored_bytes,
        "version": row.version,
    });
    Detail {
        event_id: format!("{}:{}:indexed", message.run_id, message.file_key),
        account_id: message.account_id.clone(),
        user_id: None,
        resource_id: row.file_id.clone(),
        at: row.updated_at.clone(),
        fields: match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        },
    }
}

/// A number of bytes as a counter's amount.
fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
