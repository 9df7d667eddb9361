//! The metrics of the performance dashboard.

use common::metrics::{Metric, emit};
use listbackup_contract::metrics::{
    BYTES_READ, BYTES_STORED, FILES_PROCESSED, NAMESPACE, RUN_SECONDS, RUNS_COMPLETED, RUNS_FAILED, RUNS_STARTED,
};

use crate::{
    runs::{Ended, FileChange, Outcome},
    shared::rows::run::RunStatus,
};

/// Writes metrics to the log, if it has a namespace.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    namespace: Option<String>,
}

impl Metrics {
    pub(super) fn new(stage: &str) -> Self {
        Self { namespace: Some(format!("{NAMESPACE}/{stage}")) }
    }

    /// Writes nothing: tests print no metrics.
    #[cfg(test)]
    pub(super) const fn silent() -> Self {
        Self { namespace: None }
    }

    fn emit(&self, measured: &[Metric]) {
        if let Some(namespace) = &self.namespace {
            emit(namespace, &[], measured);
        }
    }

    pub(super) fn started(&self) {
        self.emit(&[Metric::count(RUNS_STARTED, 1)]);
    }

    /// Counts a file that this delivery counted.
    pub(super) fn file(&self, change: &FileChange) {
        if change.outcome == Outcome::Failed {
            return;
        }
        let bytes = |bytes: i64| u64::try_from(bytes).unwrap_or(0);
        let measured = [
            Metric::count(FILES_PROCESSED, 1),
            Metric::bytes(BYTES_READ, bytes(change.transferred)),
            Metric::bytes(BYTES_STORED, bytes(change.stored)),
        ];
        self.emit(&measured);
    }

    /// Counts a run if this call ended it.
    pub(super) fn ended(&self, ended: &Ended) {
        let Some(report) = ended else { return };
        let name = if report.status == RunStatus::Completed { RUNS_COMPLETED } else { RUNS_FAILED };
        let seconds = u64::try_from(report.duration_seconds).unwrap_or(0);
        self.emit(&[Metric::count(name, 1), Metric::seconds(RUN_SECONDS, seconds)]);
    }
}
