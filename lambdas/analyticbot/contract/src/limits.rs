//! Limits that stacks configure and functions rely on.

/// The lifetime of an access token, in minutes, unless a stage sets another number.
pub const ACCESS_TOKEN_MINUTES: u32 = 30;
/// The maximum number of sign-ins per minute from one address, and for one account, unless a stage sets another number.
pub const LOGIN_PER_MINUTE_IP: u32 = 30;
/// The longest time of a call to Telegram, in seconds.
pub const TELEGRAM_TIMEOUT_SECONDS: u32 = 10;
/// The largest body of a request, in bytes.
pub const BODY_BYTES: usize = 64 * 1024;

/// The memory of the functions `auth` and `user-admin`, in MB: bcrypt is slow with less.
pub const AUTH_MEMORY: u32 = 1024;
/// The memory of the other functions of the API, in MB.
pub const MEMORY: u32 = 512;
/// The memory of the function `cleanup`, in MB.
pub const CLEANUP_MEMORY: u32 = 256;
/// The timeout of the functions of the API, in seconds: less than API Gateway's 30.
pub const TIMEOUT_SECONDS: u32 = 29;
/// The timeout of the function `cleanup`, in seconds.
pub const CLEANUP_TIMEOUT_SECONDS: u32 = 60;
/// The minutes between two runs of the function `cleanup`.
pub const CLEANUP_MINUTES: u32 = 5;
/// The retention of logs, in days.
pub const LOG_DAYS: u32 = 30;

/// The requests per second that the API admits.
pub const THROTTLE_RATE: u32 = 100;
/// The maximum number of requests that the API admits at once.
pub const THROTTLE_BURST: u32 = 200;

/// The lifetime of a lease of a call to Telegram, in seconds.
pub const LEASE_SECONDS: i64 = 35;
/// The longest time that a request waits for the next second of a bot's limit, in seconds.
pub const RATE_WAIT_SECONDS: u64 = 3;
/// The requests per second of a bot, unless its user sets another number.
pub const DEFAULT_REQUESTS_PER_SECOND: u32 = 30;
/// The concurrent requests of a bot, unless its user sets another number.
pub const DEFAULT_CONCURRENT_REQUESTS: u32 = 10;
/// The largest number of requests per second of a bot.
pub const MOST_REQUESTS_PER_SECOND: u32 = 100;
/// The largest number of concurrent requests of a bot.
pub const MOST_CONCURRENT_REQUESTS: u32 = 50;
