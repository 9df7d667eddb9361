//! Counting a file: one transaction of the run's counters, the file's marker, and the file's row.

use serde_json::{Map, Value};
use tables::{AwsError, Change, TransactionOutcome, Write, strings, to_item};

use super::{
    Runs,
    marker::{FileState, KEPT_SECONDS, MarkerState, decided, marker_id},
    report::{Report, detail},
};
use crate::shared::{
    category::Category,
    events::Detail,
    rows::{
        FileRow,
        run::{Mark, Marker, RunStats, RunStatus, TypeDelta},
    },
    time,
};

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The path is new.
    Added,
    /// The content changed.
    Updated,
    /// The content did not change.
    Skipped,
    /// The file cannot be stored.
    Failed,
}

/// The change of a file's row, based on the version that was read.
#[derive(Debug, Clone, PartialEq)]
pub enum RowChange {
    /// None.
    Keep,
    /// A new version, if the row still has this version, or none.
    Put(Box<FileRow>, Option<i64>),
    /// The same content under another tag of the source.
    Retag {
        /// The file.
        file_id: String,
        /// The version that was read.
        version: i64,
        /// The source's tag.
        origin_tag: Option<String>,
        /// The last change at the source.
        modified_at: Option<String>,
    },
}

/// A file to count.
#[derive(Debug, Clone, PartialEq)]
pub struct FileChange {
    /// The file.
    pub file_key: String,
    /// Its category.
    pub category: Category,
    /// What became of it.
    pub outcome: Outcome,
    /// Its size.
    pub size: i64,
    /// The bytes that were read from the source.
    pub transferred: i64,
    /// The bytes that were stored.
    pub stored: i64,
    /// The difference to the size of the previous version.
    pub delta_bytes: i64,
    /// The difference to the stored size of the previous version.
    pub delta_stored: i64,
    /// The change of the file's row.
    pub row: RowChange,
}

/// The result of counting.
#[derive(Debug, Clone, PartialEq)]
pub enum Counted {
    /// The file is counted. The amendment of an ended run is to be sent.
    Now(Option<Box<Detail>>),
    /// Nothing was written: the run, the marker or the file's row changed since they were read.
    Outdated,
}

impl FileChange {
    /// A file that failed.
    #[must_use]
    pub fn failed(file_key: &str, category: Category) -> Self {
        Self {
            file_key: file_key.to_owned(),
            category,
            outcome: Outcome::Failed,
            size: 0,
            transferred: 0,
            stored: 0,
            delta_bytes: 0,
            delta_stored: 0,
            row: RowChange::Keep,
        }
    }

    /// The counters that the file adds to. A file that failed before no longer counts as an error.
    fn stats(&self, marker: &MarkerState) -> RunStats {
        let is = |outcome| i64::from(self.outcome == outcome);
        RunStats {
            files_added: is(Outcome::Added),
            files_updated: is(Outcome::Updated),
            files_skipped: is(Outcome::Skipped),
            files_error: is(Outcome::Failed) - i64::from(*marker == MarkerState::Failed),
            bytes_transferred: self.transferred,
            bytes_stored: self.stored,
            delta_bytes: self.delta_bytes,
            delta_stored: self.delta_stored,
        }
    }

    fn type_delta(&self) -> TypeDelta {
        TypeDelta {
            files: i64::from(self.outcome == Outcome::Added),
            bytes: self.delta_bytes,
            stored_bytes: self.delta_stored,
        }
    }

    const fn processed(&self) -> i64 {
        if matches!(self.outcome, Outcome::Failed) { 0 } else { 1 }
    }
}

impl Runs {
    /// Counts a file in the state that was read. `files` is the table of files.
    ///
    /// # Errors
    /// When the transaction fails for another reason than a condition.
    pub async fn count(&self, files: &str, state: &FileState, change: &FileChange) -> Result<Counted, AwsError> {
        let amendment = amendment(state, change);
        let marker = Marker {
            run_id: marker_id(&state.run.run_id, &change.file_key),
            mark: if change.outcome == Outcome::Failed { Mark::Failed } else { Mark::Ok },
            ttl: time::ttl(KEPT_SECONDS),
            amend: amendment.clone(),
        };
        let key = strings([("runId", state.run.run_id.as_str())]);
        let mut writes = vec![
            Write::Change(self.tables.runs.clone(), key, counters(state, change)),
            Write::Put(self.tables.runs.clone(), to_item(&marker)?, unmarked(&state.marker)),
        ];
        writes.extend(row_write(files, &change.row)?);
        Ok(match self.database.transact(writes).await? {
            TransactionOutcome::Committed => Counted::Now(amendment.map(Box::new)),
            TransactionOutcome::ConditionsFailed(_) => Counted::Outdated,
        })
    }
}

/// The change of the run's counters. It holds only while the run is in the state that was read: before or after its end was decided.
fn counters(state: &FileState, change: &FileChange) -> Change {
    let stats = change.stats(&state.marker);
    let category = change.category.as_str();
    let delta = change.type_delta();
    let amounts = [
        ("filesProcessed".to_owned(), change.processed()),
        ("bytesProcessed".to_owned(), change.size),
        ("stats.filesAdded".to_owned(), stats.files_added),
        ("stats.filesUpdated".to_owned(), stats.files_updated),
        ("stats.filesSkipped".to_owned(), stats.files_skipped),
        ("stats.filesError".to_owned(), stats.files_error),
        ("stats.bytesTransferred".to_owned(), stats.bytes_transferred),
        ("stats.bytesStored".to_owned(), stats.bytes_stored),
        ("stats.deltaBytes".to_owned(), stats.delta_bytes),
        ("stats.deltaStored".to_owned(), stats.delta_stored),
        (format!("byType.{category}"), change.size),
        (format!("typeDeltas.{category}.files"), delta.files),
        (format!("typeDeltas.{category}.bytes"), delta.bytes),
        (format!("typeDeltas.{category}.storedBytes"), delta.stored_bytes),
    ];
    let counted = amounts.into_iter().filter(|(_, amount)| *amount != 0);
    let update = counted.fold(Change::new(), |update, (name, amount)| update.add(&name, amount));
    let update = update.set("updatedAt", time::now());
    match decided(&state.run) {
        Some(_) => update.when(|names| names.exists("result")),
        None => update
            .when(|names| names.one_of("status", [RunStatus::Queued, RunStatus::Running]))
            .when(|names| names.absent("result")),
    }
}

/// The condition that the marker is as it was read.
fn unmarked(marker: &MarkerState) -> Change {
    Change::new().when(|names| match marker {
        MarkerState::Absent => {
            format!("{} OR {}", names.absent("runId"), names.compare("ttl", "<=", time::ttl(0)))
        }
        MarkerState::Failed => names.compare("mark", "=", Mark::Failed),
        // A counted file is never counted again.
        MarkerState::Ok(_) => format!("{} AND {}", names.exists("runId"), names.absent("runId")),
    })
}

fn row_write(files: &str, change: &RowChange) -> Result<Option<Write>, AwsError> {
    let files = files.to_owned();
    Ok(match change {
        RowChange::Keep => None,
        RowChange::Put(row, previous) => {
            let condition = Change::new().when(|names| match previous {
                Some(version) => names.compare("version", "=", version),
                None => names.absent("fileId"),
            });
            Some(Write::Put(files, to_item(row)?, condition))
        }
        RowChange::Retag { file_id, version, origin_tag, modified_at } => {
            let change = Change::new()
                .set("updatedAt", time::now())
                .set_some("originTag", origin_tag.as_ref())
                .set_some("modifiedAt", modified_at.as_ref())
                .when(|names| names.compare("version", "=", version));
            Some(Write::Change(files, strings([("fileId", file_id.as_str())]), change))
        }
    })
}

/// The detail of the event that amends an ended run, if it has ended.
fn amendment(state: &FileState, change: &FileChange) -> Option<Detail> {
    if change.outcome == Outcome::Failed {
        return None;
    }
    let run = &state.run;
    let status = decided(run)?;
    let completed_at = run.result.as_ref().and_then(Report::read).map(|report| report.completed_at);
    let delta = change.type_delta();
    let report = Report {
        run_id: run.run_id.clone(),
        job_id: run.job_id.clone(),
        source_id: run.source_id.clone(),
        run_type: run.run_type,
        status,
        error: None,
        started_at: run.started_at.clone(),
        completed_at: completed_at.unwrap_or_else(time::now),
        duration_seconds: 0,
        files_total: 0,
        files_processed: change.processed(),
        stats: change.stats(&state.marker),
        type_deltas: [(change.category.as_str().to_owned(), delta)].into(),
        file_key: Some(change.file_key.clone()),
    };
    let fields: Map<String, Value> = report.into_fields();
    Some(detail(run, format!("{}:amend:{}", run.run_id, change.file_key), &time::now(), fields))
}
