//! The contract of Thakii: three functions, one API, six tables, two queues, and the constants of both sides.

pub mod issuers;
pub mod limits;
pub mod metrics;
pub mod routes;
pub mod storage;
pub mod tables;

use contract::{Function, FunctionName};
use serde::{Deserialize, Serialize};

/// The system's name.
pub const SYSTEM: &str = "thakii";

/// The stage whose functions may call servers on the same machine. In all other stages, the registry rejects them.
pub const LOCAL_STAGE: &str = "local";

/// The Cognito group whose members are super admins.
pub const SUPER_ADMINS_GROUP: &str = "super-admins";
/// The Cognito group whose members are admins.
pub const ADMINS_GROUP: &str = "admins";
/// The Cognito group of all other users. Membership in no group means the same.
pub const USERS_GROUP: &str = "users";

/// The event that a release may send to a version directly. The response is that of `GET /health` through the API, with
/// a `statusCode` of 200.
pub const HEALTH_EVENT: &str =
    r#"{"httpMethod":"GET","path":"/health","headers":{},"queryStringParameters":null,"body":null}"#;

/// Serves the API: [`routes::ApiRoute`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Api<V = String> {
    /// The stage's name; [`LOCAL_STAGE`] disables the guard of the server registry.
    pub stage: V,
    /// The bucket of videos, subtitles and PDFs.
    pub s3_bucket_name: V,
    /// Comma-separated origins that get CORS headers. Requests without an origin get the first one.
    pub allowed_origins: V,
    /// The HTTP address of the worker, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker_service_url: Option<V>,
    /// The name of [`tables::VIDEO_TASKS`].
    pub table_video_tasks: V,
    /// The name of [`tables::ADMIN_USERS`].
    pub table_admin_users: V,
    /// The name of [`tables::PROCESSING_SERVERS`].
    pub table_processing_servers: V,
    /// The name of [`tables::NOTIFICATIONS`].
    pub table_notifications: V,
    /// The name of [`tables::UPLOADS`].
    pub table_uploads: V,
    /// The name of [`tables::SYSTEM`].
    pub table_system: V,
    /// The URL of the queue of tasks.
    pub tasks_queue_url: V,
    /// The URL of the dead-letter queue of tasks, whose depth is reported.
    pub tasks_dlq_url: V,
    /// The topic of stored notifications.
    pub notifications_topic_arn: V,
    /// The secret that signs backend tokens.
    pub backend_token_secret_arn: V,
    /// The issuers of accepted identity tokens: a JSON list of [`issuers::AuthIssuer`].
    pub auth_issuers: V,
    /// The user pool whose groups mirror the admins.
    pub user_pool_id: V,
    /// Comma-separated e-mail addresses of the super admins.
    pub super_admins: V,
    /// The lifetime of a backend token, in hours: [`limits::BACKEND_TOKEN_HOURS`].
    pub backend_token_hours: V,
    /// The most requests to sign-in routes in a minute, of each address and of each account.
    pub sign_in_per_minute: V,
    /// The largest video, in bytes: [`limits::MAX_VIDEO_BYTES`].
    pub max_video_bytes: V,
    /// The S3 endpoint of presigned URLs, path-style, if clients do not reach S3 at AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3_public_endpoint: Option<V>,
}

impl<V> Function for Api<V> {
    const NAME: FunctionName = FunctionName::new(SYSTEM, "backend-api", "ApiFunction");
}

/// Processes the worker's events and dead tasks, from two queues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Status<V = String> {
    /// The stage's name, a dimension of the metrics.
    pub stage: V,
    /// The bucket of videos, subtitles and PDFs.
    pub s3_bucket_name: V,
    /// The name of [`tables::VIDEO_TASKS`].
    pub table_video_tasks: V,
    /// The name of [`tables::PROCESSING_SERVERS`].
    pub table_processing_servers: V,
    /// The name of [`tables::NOTIFICATIONS`].
    pub table_notifications: V,
    /// The name of [`tables::SYSTEM`].
    pub table_system: V,
    /// The URL of the dead-letter queue of tasks: its messages mean failure.
    pub tasks_dlq_url: V,
    /// The URL of the dead-letter queue of events, for malformed ones.
    pub task_events_dlq_url: V,
    /// The topic of stored notifications.
    pub notifications_topic_arn: V,
}

impl<V> Function for Status<V> {
    const NAME: FunctionName = FunctionName::new(SYSTEM, "status", "StatusFunction");
}

/// Runs every [`limits::MAINTENANCE_MINUTES`]: requeues lost tasks, fails stuck ones, checks servers, and
/// rotates the token secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Maintenance<V = String> {
    /// The stage's name, a dimension of the metrics; [`LOCAL_STAGE`] disables the guard of the server registry.
    pub stage: V,
    /// The bucket of videos, subtitles and PDFs, which requeued tasks name.
    pub s3_bucket_name: V,
    /// The name of [`tables::VIDEO_TASKS`].
    pub table_video_tasks: V,
    /// The name of [`tables::PROCESSING_SERVERS`].
    pub table_processing_servers: V,
    /// The name of [`tables::NOTIFICATIONS`].
    pub table_notifications: V,
    /// The name of [`tables::SYSTEM`].
    pub table_system: V,
    /// The URL of the queue of tasks.
    pub tasks_queue_url: V,
    /// The topic of stored notifications.
    pub notifications_topic_arn: V,
    /// The secret that signs backend tokens, which is rotated after [`limits::BACKEND_SECRET_DAYS`].
    pub backend_token_secret_arn: V,
}

impl<V> Function for Maintenance<V> {
    const NAME: FunctionName = FunctionName::new(SYSTEM, "maintenance", "MaintenanceFunction");
}
