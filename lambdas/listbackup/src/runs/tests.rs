//! Rows for tests of runs.

use crate::shared::rows::{
    Run,
    run::{RunStats, RunStatus, RunType},
};

/// A queued run.
pub(crate) fn run(id: &str) -> Run {
    Run {
        run_id: format!("run:{id}"),
        job_id: "job:1".to_owned(),
        account_id: "account:1".to_owned(),
        source_id: "source:1".to_owned(),
        user_id: None,
        run_type: RunType::Manual,
        status: RunStatus::Queued,
        lease_until: None,
        listing_done: false,
        files_total: 0,
        files_processed: 0,
        bytes_processed: 0,
        current_step: 2,
        stats: RunStats::default(),
        by_type: [].into(),
        type_deltas: [].into(),
        logs: Vec::new(),
        error: None,
        result: None,
        created_at: "2026-01-31T12:00:00.000Z".to_owned(),
        started_at: None,
        completed_at: None,
        updated_at: "2026-01-31T12:00:00.000Z".to_owned(),
    }
}
