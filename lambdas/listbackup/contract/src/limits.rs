//! Limits that stacks configure and functions rely on.

/// The memory of most functions, in MB.
pub const MEMORY: u32 = 512;
/// The timeout of most functions, in seconds.
pub const TIMEOUT_SECONDS: u32 = 30;
/// The memory of the orchestrator and the file processor, in MB.
pub const PROCESSOR_MEMORY: u32 = 1024;
/// The retention of logs, in days.
pub const LOG_DAYS: u32 = 14;

/// The largest body of a request, in bytes.
pub const BODY_BYTES: usize = 256 * 1024;
/// The largest file of a direct download, in decoded bytes.
pub const DIRECT_BYTES: u64 = 4 * 1024 * 1024;
/// The largest file of a backup, in bytes.
pub const MAX_FILE_SIZE: u64 = 5_368_709_120;
/// The bytes of one part of a multipart upload.
pub const CHUNK_SIZE: u64 = 10_485_760;
/// The level of gzip.
pub const COMPRESSION_LEVEL: u32 = 6;
/// The lifetime of a presigned URL, in seconds.
pub const PRESIGN_SECONDS: u64 = 3600;

/// The lifetime of an access token, in seconds.
pub const ACCESS_SECONDS: i64 = 3600;
/// The lifetime of a refresh token, in seconds.
pub const REFRESH_SECONDS: i64 = 30 * 24 * 3600;
/// The most families of refresh tokens of a user.
pub const FAMILIES: usize = 10;
/// The most requests to sign-in routes in a minute, of each address and of each account, unless a stage sets another number.
pub const SIGN_IN_PER_MINUTE: u32 = 60;

/// The number of times that a message is received before it moves to its dead-letter queue.
pub const RECEIVES: u32 = 3;
/// The batch size of the file processor.
pub const FILE_BATCH: u32 = 5;
/// The seconds for which the file processor's batches are collected.
pub const FILE_WINDOW: u32 = 10;
/// The seconds for which the orchestrator's batches are collected.
pub const JOB_WINDOW: u32 = 5;
/// The most concurrent orchestrators.
pub const ORCHESTRATORS: u32 = 3;
/// The most concurrent file processors.
pub const FILE_PROCESSORS: u32 = 5;
/// The minutes between two runs of the scheduler.
pub const SCHEDULER_MINUTES: u32 = 5;
