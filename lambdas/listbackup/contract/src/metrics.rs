//! Metrics in the functions' logs, in CloudWatch's embedded metric format, for the performance dashboard.

/// The namespace of all metrics is `<this>/<stage>`.
pub const NAMESPACE: &str = "ListBackup";

/// The number of runs that started.
pub const RUNS_STARTED: &str = "RunsStarted";
/// The number of runs that completed.
pub const RUNS_COMPLETED: &str = "RunsCompleted";
/// The number of runs that failed.
pub const RUNS_FAILED: &str = "RunsFailed";
/// The number of files that were processed.
pub const FILES_PROCESSED: &str = "FilesProcessed";
/// The bytes that were read from sources.
pub const BYTES_READ: &str = "BytesRead";
/// The bytes that were stored.
pub const BYTES_STORED: &str = "BytesStored";
/// The duration of a run, in seconds.
pub const RUN_SECONDS: &str = "RunSeconds";
