//! Metrics in the functions' logs, in CloudWatch's embedded metric format, for alarms and dashboards.

/// The namespace of all metrics.
pub const NAMESPACE: &str = "Thakii";
/// The dimension of all metrics: the stage's name.
pub const STAGE: &str = "Stage";
/// The second dimension of [`TASKS`]: `in_queue`, `in_progress`, `done`, `failed`.
pub const STATUS: &str = "Status";

/// The duration of a fast route, in milliseconds; see [`super::routes::ApiRoute::is_fast`].
pub const FAST_ROUTE_MS: &str = "FastRouteMs";
/// The number of 401 responses.
pub const AUTH_FAILURES: &str = "AuthFailures";
/// The number of lists that are empty because their table failed.
pub const LIST_DEGRADED: &str = "ListDegraded";
/// The number of healthy servers, written by the maintenance function if any is registered.
pub const HEALTHY_SERVERS: &str = "HealthyServers";
/// The number of tasks in a status, by [`STAGE`] and [`STATUS`], written by the maintenance function.
pub const TASKS: &str = "Tasks";
