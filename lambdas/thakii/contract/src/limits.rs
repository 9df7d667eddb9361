//! Limits that stacks configure and functions rely on.

/// The largest body of the API function, in bytes: 4 MiB become 5.6 MB as base64, and Lambda's synchronous payload is
/// 6 MB: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
pub const DIRECT_BODY_BYTES: u64 = 4 * 1024 * 1024;
/// The response to a larger body: the function's, and the gateway's to bodies that exceed an event.
pub const DIRECT_BODY_TOO_LARGE: &str =
    r#"{"error":"File too large for direct upload","max_direct_bytes":4194304,"hint":"POST /upload with JSON"}"#;
/// The gateway's response to a throttled request, with `Retry-After: 1`.
pub const TOO_MANY_REQUESTS: &str = r#"{"error":"Too many requests"}"#;
/// The response to a request that takes too long: the function's, and the gateway's.
pub const TIMEOUT: &str = r#"{"error":"Timeout"}"#;
/// The largest video, in bytes: 5 GiB.
pub const MAX_VIDEO_BYTES: u64 = 5 * 1024 * 1024 * 1024;
/// The lifetime of a backend token, in hours.
pub const BACKEND_TOKEN_HOURS: u64 = 72;
/// The age in days at which the secret that signs backend tokens is rotated.
pub const BACKEND_SECRET_DAYS: u32 = 90;
/// The most requests to sign-in routes in a minute, of each address and of each account, unless a stage sets another number.
/// Many users may share an address.
pub const SIGN_IN_PER_MINUTE: u32 = 60;
/// The lifetime of a presigned URL, in seconds.
pub const PRESIGN_SECONDS: u64 = 3600;
/// How long a browser may cache the response to a preflight request, in seconds: the API's and the bucket's.
pub const CORS_MAX_AGE: u32 = 3000;

/// The memory of every function, in MB.
pub const MEMORY: u32 = 1024;
/// The timeout of every function, in seconds. API Gateway's is one second shorter:
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html>.
pub const TIMEOUT_SECONDS: u32 = 30;
/// The seconds after which the API function responds with a timeout, before the gateway does.
pub const DEADLINE_SECONDS: u64 = 26;
/// The minutes between two runs of the maintenance function.
pub const MAINTENANCE_MINUTES: u32 = 15;

/// The number of times the worker receives a task before it moves to the dead-letter queue of tasks.
pub const TASK_RECEIVES: u32 = 3;
/// The number of times an event is received before it moves to the dead-letter queue of events.
pub const EVENT_RECEIVES: u32 = 5;
/// The batch size of the status function.
pub const EVENT_BATCH: u32 = 10;
