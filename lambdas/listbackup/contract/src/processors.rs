//! The functions of the stack backup-processors, in the binary `listbackup-backup-processors`.

use crate::function;

function! {
    /// Takes runs from the queue of runs, lists their sources, and sends a message for each file.
    BackupOrchestrator is "backupOrchestrator" in "backup-processors" {
        /// The stage's name, part of the names of secrets and of metrics.
        stage: V,
        /// The name of [`RUNS`](crate::tables::RUNS).
        runs_table: V,
        /// The name of [`JOBS`](crate::tables::JOBS).
        jobs_table: V,
        /// The name of [`SOURCES`](crate::tables::SOURCES).
        sources_table: V,
        /// The name of [`ACTIVITY`](crate::tables::ACTIVITY).
        activity_table: V,
        /// The name of the event bus.
        event_bus_name: V,
        /// The URL of the queue of files.
        data_queue_url: V,
        /// The bucket of backups, which is never a source.
        data_bucket: V,
        /// `true` if sources may be at private addresses.
        allow_private_sources: V,
        /// Comma-separated `bucket:accountId` that S3 sources may read without a role; `*` is every bucket.
        source_buckets: V,
        /// The largest file, in bytes: [`MAX_FILE_SIZE`](crate::limits::MAX_FILE_SIZE).
        max_file_size: V,
        /// The function's timeout in seconds, for which it leases a run.
        timeout_seconds: V,
    }
}

function! {
    /// Takes files from the queue of files, stores and indexes them.
    FileProcessor is "fileProcessor" in "backup-processors" {
        /// The stage's name, part of the names of secrets and of metrics.
        stage: V,
        /// The name of [`RUNS`](crate::tables::RUNS).
        runs_table: V,
        /// The name of [`FILES`](crate::tables::FILES).
        files_table: V,
        /// The name of [`JOBS`](crate::tables::JOBS).
        jobs_table: V,
        /// The name of [`SOURCES`](crate::tables::SOURCES).
        sources_table: V,
        /// The name of [`ACTIVITY`](crate::tables::ACTIVITY).
        activity_table: V,
        /// The name of the event bus.
        event_bus_name: V,
        /// The bucket of backups.
        data_bucket: V,
        /// `true` if sources may be at private addresses.
        allow_private_sources: V,
        /// Comma-separated `bucket:accountId` that S3 sources may read without a role; `*` is every bucket.
        source_buckets: V,
        /// The largest file, in bytes: [`MAX_FILE_SIZE`](crate::limits::MAX_FILE_SIZE).
        max_file_size: V,
        /// The level of gzip: [`COMPRESSION_LEVEL`](crate::limits::COMPRESSION_LEVEL).
        compression_level: V,
        /// `true`: every object is encrypted with SSE-S3.
        enable_encryption: V,
        /// The bytes of one part of a multipart upload: [`CHUNK_SIZE`](crate::limits::CHUNK_SIZE).
        chunk_size: V,
        /// The function's timeout in seconds: a file that takes longer is a failed delivery, not a killed function.
        timeout_seconds: V,
    }
}

function! {
    /// Starts due jobs, sends lost runs again, and fails runs without progress.
    JobScheduler is "jobScheduler" in "backup-processors" {
        /// The stage's name, a dimension of metrics.
        stage: V,
        /// The name of [`JOBS`](crate::tables::JOBS).
        jobs_table: V,
        /// The name of [`RUNS`](crate::tables::RUNS).
        runs_table: V,
        /// The name of [`ACCOUNTS`](crate::tables::ACCOUNTS).
        accounts_table: V,
        /// The name of [`SOURCES`](crate::tables::SOURCES).
        sources_table: V,
        /// The name of [`ACTIVITY`](crate::tables::ACTIVITY).
        activity_table: V,
        /// The name of the event bus.
        event_bus_name: V,
        /// The URL of the queue of runs.
        job_queue_url: V,
    }
}
