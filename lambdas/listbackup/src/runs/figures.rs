//! Figures that are computed when a run is read.

use jiff::Timestamp;

use crate::shared::rows::{Run, run::RunStatus};

/// The derived figures of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// How much of the run is done: 100 exactly when it has completed.
    pub percentage: i64,
    /// The stored bytes of each byte that was read; 0 before the first.
    pub compression_ratio: f64,
    /// The bytes read in each second since the start.
    pub transfer_rate: f64,
    /// The seconds since the start, or between start and end.
    pub seconds: i64,
}

impl Figures {
    /// Computes the figures of a run at a time.
    #[must_use]
    pub fn new(run: &Run, now: Timestamp) -> Self {
        let seconds = seconds(run, now);
        let done = run.files_processed.saturating_add(run.stats.files_error);
        let percentage = match run.status {
            RunStatus::Completed => 100,
            _ if !run.listing_done || run.files_total <= 0 => 0,
            _ => (done.saturating_mul(100) / run.files_total).clamp(0, 99),
        };
        Self {
            percentage,
            compression_ratio: ratio(run.stats.bytes_stored, run.stats.bytes_transferred),
            transfer_rate: ratio(run.stats.bytes_transferred, seconds.max(1)),
            seconds,
        }
    }
}

/// The seconds between a run's start and its end, or now.
pub(super) fn seconds(run: &Run, now: Timestamp) -> i64 {
    let time = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<Timestamp>().ok());
    let Some(start) = time(&run.started_at) else { return 0 };
    let end = time(&run.completed_at).unwrap_or(now);
    end.duration_since(start).as_secs().max(0)
}

#[expect(clippy::cast_precision_loss, reason = "ratios of byte counts need no more precision")]
fn ratio(part: i64, whole: i64) -> f64 {
    if whole <= 0 { 0.0 } else { part as f64 / whole as f64 }
}
