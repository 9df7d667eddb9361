//! The state of a run: start, lease, progress and completion. Everything here may be repeated, also out of order.
//!
//! A run is `queued`, then `running`, and ends as `completed` or `failed`:
//!
//! 1. [`Starter::start`] writes the run and makes it the job's active run, in one transaction.
//! 2. [`Runs::take`] leases it to one orchestrator, which sends a message for each file and calls [`Runs::finish_listing`].
//! 3. [`Runs::count`] counts a file: one transaction of the file's marker, its row, and the run's counters.
//! 4. [`Runs::complete`] ends a run whose files are all counted; [`Runs::fail`] ends it early.
//!
//! The end is decided once: [`Run::result`] stores the event before it is sent, and counters that change afterwards are sent as an
//! amendment. So the events of a run add up to its counters, in any order of messages.

mod completion;
mod count;
pub mod figures;
mod lease;
mod logs;
mod marker;
pub mod message;
mod queue;
pub mod report;
pub mod schedule;
mod start;
#[cfg(test)]
pub(crate) mod tests;

use common::bus::Bus;
use listbackup_contract::events::Kind;
use tables::{AwsError, Database, from_item, strings};

pub use self::{
    completion::{Ended, RunError},
    count::{Counted, FileChange, Outcome, RowChange},
    lease::Taken,
    marker::{FileState, MarkerState, Standing},
    queue::Queue,
    start::{StartOutcome, Starter},
};
use crate::shared::{events::Detail, rows::Run};

/// The names of the tables that hold runs and what they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables {
    /// Runs and markers.
    pub runs: String,
    /// Jobs.
    pub jobs: String,
    /// Sources.
    pub sources: String,
    /// The audit trail.
    pub activity: String,
}

/// The runs of a stage.
#[derive(Debug, Clone)]
pub struct Runs {
    database: Database,
    tables: Tables,
    bus: Bus,
}

impl Runs {
    /// Uses these tables and this bus.
    #[must_use]
    pub fn new(database: Database, tables: Tables, bus: Bus) -> Self {
        Self { database, tables, bus }
    }

    /// Reads a run, consistently.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn get(&self, run_id: &str) -> Result<Option<Run>, AwsError> {
        let item = self.database.get(&self.tables.runs, strings([("runId", run_id)])).await?;
        item.map(from_item).transpose()
    }

    /// Sends an event that no state depends on; a failure is only logged.
    pub async fn announce(&self, kind: Kind, detail: &Detail) {
        if let Err(error) = self.bus.put(kind.source, kind.detail_type, detail).await {
            let error = common::telemetry::chain(&error);
            tracing::warn!(event = kind.detail_type, resource = detail.resource_id, error, "failed to send an event");
        }
    }
}
