//! The bucket's layout.

/// The prefix of files: `data/<account>/<source>/<path>`, with the UUIDs of account and source.
pub const DATA: &str = "data/";
/// The prefix of reports: `reports/<account>/<report>.<extension>`.
pub const REPORTS: &str = "reports/";
