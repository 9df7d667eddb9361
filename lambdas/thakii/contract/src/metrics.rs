//! Metrics the functions write as log lines in CloudWatch's embedded metric format; alarms and dashboards read them.

/// The namespace of every metric here.
pub const NAMESPACE: &str = "Thakii";
/// The dimension every metric here has: the stage's name.
pub const STAGE: &str = "Stage";
/// The second dimension of [`TASKS`]: `in_queue`, `in_progress`, `done`, `failed`.
pub const STATUS: &str = "Status";

/// How long a fast route took, in milliseconds; which routes are fast says [`super::routes::ApiRoute::is_fast`].
pub const FAST_ROUTE_MS: &str = "FastRouteMs";
/// How many requests were answered with 401.
pub const AUTH_FAILURES: &str = "AuthFailures";
/// How many lists came out empty because their table failed.
pub const LIST_DEGRADED: &str = "ListDegraded";
/// How many registered servers are healthy; written by the maintenance function while any is registered.
pub const HEALTHY_SERVERS: &str = "HealthyServers";
/// How many tasks are in a status, by [`STAGE`] and [`STATUS`]; written by the maintenance function.
pub const TASKS: &str = "Tasks";
