//! The processors of a backup: orchestrator, file processor and scheduler.
