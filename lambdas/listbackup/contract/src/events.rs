//! The events on the bus: their sources and detail types.

/// The source of events about users.
pub const AUTH: &str = "listbackup.auth";
/// The source of events about sources.
pub const SOURCES: &str = "listbackup.sources";
/// The source of events about jobs and their runs.
pub const JOBS: &str = "listbackup.jobs";
/// The source of events about files.
pub const FILES: &str = "listbackup.files";
/// The source of events about reports.
pub const REPORTS: &str = "listbackup.reports";

/// A kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The event's `source`.
    pub source: &'static str,
    /// The event's `detail-type`.
    pub detail_type: &'static str,
}

const fn kind(source: &'static str, detail_type: &'static str) -> Kind {
    Kind { source, detail_type }
}

/// A user was registered.
pub const USER_REGISTERED: Kind = kind(AUTH, "User Registered");
/// A user signed in.
pub const USER_LOGIN: Kind = kind(AUTH, "User Login");
/// A user signed out.
pub const USER_LOGOUT: Kind = kind(AUTH, "User Logout");
/// A source was created.
pub const SOURCE_CONNECTED: Kind = kind(SOURCES, "Source Connected");
/// A source was changed.
pub const SOURCE_UPDATED: Kind = kind(SOURCES, "Source Updated");
/// A source was deleted.
pub const SOURCE_DISCONNECTED: Kind = kind(SOURCES, "Source Disconnected");
/// A job was created.
pub const JOB_CREATED: Kind = kind(JOBS, "Job Created");
/// A run was queued.
pub const JOB_QUEUED: Kind = kind(JOBS, "Job Queued");
/// A run started.
pub const JOB_STARTED: Kind = kind(JOBS, "Job Started");
/// A run completed.
pub const JOB_COMPLETED: Kind = kind(JOBS, "Job Completed");
/// A run failed.
pub const JOB_FAILED: Kind = kind(JOBS, "Job Failed");
/// The result of an ended run was corrected by a file that was processed later.
pub const JOB_AMENDED: Kind = kind(JOBS, "Job Amended");
/// A file was stored and indexed.
pub const FILE_INDEXED: Kind = kind(FILES, "File Indexed");
/// A report was generated.
pub const REPORT_GENERATED: Kind = kind(REPORTS, "Report Generated");
