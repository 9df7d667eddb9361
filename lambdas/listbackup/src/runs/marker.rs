//! Markers: the rows `<runId>#<fileKey>` that guard a run's counters, and what a message about a file means in a run's state.

use tables::{AwsError, from_item, strings};

use super::{Runs, report::Report};
use crate::shared::{
    events::Detail,
    rows::{
        Run,
        run::{Mark, Marker, RunStatus},
    },
    time,
};

/// How long markers are kept, in seconds: a week. A run that ended earlier is not counted again.
pub(super) const KEPT_SECONDS: i64 = 7 * 24 * 3600;

/// The stored outcome of a file in a run.
#[derive(Debug, Clone, PartialEq)]
pub enum MarkerState {
    /// Not counted. An expired marker counts as absent.
    Absent,
    /// Counted as an error.
    Failed,
    /// Counted as processed, with the amendment of an ended run that it caused.
    Ok(Option<Box<Detail>>),
}

/// What a message about a file is for.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// The file is to be processed and counted.
    Open,
    /// The file is to be processed; its counters amend the ended run.
    Amends,
    /// The file is counted. A pending amendment is to be sent again.
    Counted(Option<Box<Detail>>),
    /// The run has ended without this file.
    Over,
}

/// A file in a run: the state that its next change is based on.
#[derive(Debug, Clone, PartialEq)]
pub struct FileState {
    /// The run.
    pub run: Run,
    /// The file's marker.
    pub marker: MarkerState,
}

/// The ID of a marker's row.
pub(super) fn marker_id(run_id: &str, file_key: &str) -> String {
    format!("{run_id}#{file_key}")
}

impl FileState {
    /// Decides what a message about the file means now, in seconds since 1970.
    #[must_use]
    pub fn standing(&self, now: i64) -> Standing {
        let status = decided(&self.run);
        match (&self.marker, status) {
            (MarkerState::Ok(amendment), _) => Standing::Counted(amendment.clone()),
            (_, None) => Standing::Open,
            (MarkerState::Failed, Some(_)) => Standing::Amends,
            // A file that the decisive listing lacked. After a failure, the rest of the files is given up.
            (MarkerState::Absent, Some(RunStatus::Completed)) if !is_long_over(&self.run, now) => Standing::Amends,
            (MarkerState::Absent, Some(_)) => Standing::Over,
        }
    }
}

/// The status with which a run has ended or is about to end.
pub(super) fn decided(run: &Run) -> Option<RunStatus> {
    match run.status {
        RunStatus::Queued | RunStatus::Running => {
            run.result.as_ref().map(|result| Report::read(result).map_or(RunStatus::Failed, |report| report.status))
        }
        ended => Some(ended),
    }
}

/// Whether the markers of an ended run may have expired, so that a message cannot be recognized as a repetition.
fn is_long_over(run: &Run, now: i64) -> bool {
    let end = run.completed_at.as_deref().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let start: Option<jiff::Timestamp> = run.created_at.parse().ok();
    // Markers are as old as the run at most.
    let oldest = start.or(end).map_or(0, jiff::Timestamp::as_second);
    now - oldest >= KEPT_SECONDS - 3600
}

impl Runs {
    /// Reads a run and a file's marker.
    ///
    /// # Errors
    /// When a row cannot be read.
    pub async fn file_state(&self, run_id: &str, file_key: &str) -> Result<Option<FileState>, AwsError> {
        let key = strings([("runId", marker_id(run_id, file_key).as_str())]);
        let (run, marker) = tokio::join!(self.get(run_id), self.database.get(&self.tables.runs, key));
        let Some(run) = run? else { return Ok(None) };
        let marker: Option<Marker> = marker?.map(from_item).transpose()?;
        let marker = match marker.filter(|marker| marker.ttl > time::ttl(0)) {
            None => MarkerState::Absent,
            Some(Marker { mark: Mark::Failed, .. }) => MarkerState::Failed,
            Some(Marker { mark: Mark::Ok, amend, .. }) => MarkerState::Ok(amend.map(Box::new)),
        };
        Ok(Some(FileState { run, marker }))
    }
}
