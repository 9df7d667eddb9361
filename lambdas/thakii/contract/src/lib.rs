//! Thakii: three functions, one API, six tables, two queues, and what both sides must say alike.

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

/// The stage whose functions may call servers on this very machine: everywhere else the registry refuses them.
pub const LOCAL_STAGE: &str = "local";

/// The Cognito group whose members are super admins.
pub const SUPER_ADMINS_GROUP: &str = "super-admins";
/// The Cognito group whose members are admins.
pub const ADMINS_GROUP: &str = "admins";
/// The Cognito group of everybody else; being in no group means the same.
pub const USERS_GROUP: &str = "users";

/// The event a release may send instead of a request, to a version by its number: answered like `GET /health`
/// through the API, so with a `statusCode` of 200.
pub const HEALTH_EVENT: &str =
    r#"{"httpMethod":"GET","path":"/health","headers":{},"queryStringParameters":null,"body":null}"#;

/// Serves the API: [`routes::ApiRoute`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Api<V = String> {
    /// The stage's name; [`LOCAL_STAGE`] lifts the guard of the server registry.
    pub stage: V,
    /// The bucket of videos, subtitles and PDFs.
    pub s3_bucket_name: V,
    /// Comma-separated origins that get CORS headers; the first is also named to requests without an origin.
    pub allowed_origins: V,
    /// The worker's own HTTP address, where it has one.
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
    /// The URL of the queue the worker reads.
    pub tasks_queue_url: V,
    /// The URL of the queue for tasks the worker gave up on: its depth is shown.
    pub tasks_dlq_url: V,
    /// The topic each stored notification is published to.
    pub notifications_topic_arn: V,
    /// The secret that signs backend tokens.
    pub backend_token_secret_arn: V,
    /// Whose identity tokens are accepted: a JSON list of [`issuers::AuthIssuer`].
    pub auth_issuers: V,
    /// The user pool whose groups mirror the admins.
    pub user_pool_id: V,
    /// Comma-separated e-mail addresses of the super admins.
    pub super_admins: V,
    /// How long a backend token lives, in hours: [`limits::BACKEND_TOKEN_HOURS`].
    pub backend_token_hours: V,
    /// The largest video, in bytes: [`limits::MAX_VIDEO_BYTES`].
    pub max_video_bytes: V,
    /// The S3 endpoint a client can reach, where that is not AWS: presigned URLs are made for it, path-style.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3_public_endpoint: Option<V>,
}

impl<V> Function for Api<V> {
    const NAME: FunctionName = FunctionName::new(SYSTEM, "backend-api", "ApiFunction");
}

/// Takes what the worker reports, and the tasks it gave up on, from two queues.
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
    /// The URL of the queue for tasks the worker gave up on: messages from it mean failure.
    pub tasks_dlq_url: V,
    /// The URL of the queue that malformed events are put aside in.
    pub task_events_dlq_url: V,
    /// The topic each stored notification is published to.
    pub notifications_topic_arn: V,
}

impl<V> Function for Status<V> {
    const NAME: FunctionName = FunctionName::new(SYSTEM, "status", "StatusFunction");
}

/// Runs every [`limits::MAINTENANCE_MINUTES`]: re-queues lost tasks, times out stuck ones, checks servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Maintenance<V = String> {
    /// The stage's name, a dimension of the metrics; [`LOCAL_STAGE`] lifts the guard of the server registry.
    pub stage: V,
    /// The bucket of videos, subtitles and PDFs: the worker is told where a video lies.
    pub s3_bucket_name: V,
    /// The name of [`tables::VIDEO_TASKS`].
    pub table_video_tasks: V,
    /// The name of [`tables::PROCESSING_SERVERS`].
    pub table_processing_servers: V,
    /// The name of [`tables::NOTIFICATIONS`].
    pub table_notifications: V,
    /// The name of [`tables::SYSTEM`].
    pub table_system: V,
    /// The URL of the queue the worker reads.
    pub tasks_queue_url: V,
    /// The topic each stored notification is published to.
    pub notifications_topic_arn: V,
}

impl<V> Function for Maintenance<V> {
    const NAME: FunctionName = FunctionName::new(SYSTEM, "maintenance", "MaintenanceFunction");
}
