//! Numbers that stacks configure and functions rely on.

/// The largest body the API function takes, in bytes: 4 MiB become 5.6 MB as base64, and Lambda's synchronous payload
/// is 6 MB: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
pub const DIRECT_BODY_BYTES: u64 = 4 * 1024 * 1024;
/// The answer to a larger body: the function's, and the gateway's to bodies that no event can hold.
pub const DIRECT_BODY_TOO_LARGE: &str =
    r#"{"error":"File too large for direct upload","max_direct_bytes":4194304,"hint":"POST /upload with JSON"}"#;
/// The gateway's answer to a throttled request, beside `Retry-After: 1`.
pub const TOO_MANY_REQUESTS: &str = r#"{"error":"Too many requests"}"#;
/// The answer to what took too long: the function's, and the gateway's.
pub const TIMEOUT: &str = r#"{"error":"Timeout"}"#;
/// The largest video, in bytes: 5 GiB.
pub const MAX_VIDEO_BYTES: u64 = 5 * 1024 * 1024 * 1024;
/// How long a backend token lives, in hours.
pub const BACKEND_TOKEN_HOURS: u64 = 72;
/// How long a presigned URL can be used, in seconds.
pub const PRESIGN_SECONDS: u64 = 3600;
/// How long a browser may keep a preflight's answer, in seconds: the API's and the bucket's.
pub const CORS_MAX_AGE: u32 = 3000;

/// Every function's memory in MB.
pub const MEMORY: u32 = 1024;
/// Every function's time limit in seconds. API Gateway gives up one second earlier:
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html>.
pub const TIMEOUT_SECONDS: u32 = 30;
/// After how many seconds the API function answers that it took too long, while the gateway still listens.
pub const DEADLINE_SECONDS: u64 = 26;
/// The minutes between two runs of the maintenance function.
pub const MAINTENANCE_MINUTES: u32 = 15;

/// How often the worker may receive a task before it lands in the tasks' dead-letter queue.
pub const TASK_RECEIVES: u32 = 3;
/// How often a task event is tried before it lands in the events' dead-letter queue.
pub const EVENT_RECEIVES: u32 = 5;
/// How many messages the status function takes at once.
pub const EVENT_BATCH: u32 = 10;
