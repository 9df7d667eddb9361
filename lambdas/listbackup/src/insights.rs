//! Insights that are derived from completed runs.
