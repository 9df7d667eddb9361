//! The six tables: keys and indexes. All keys are strings.

/// The schema of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// The name within the system. The stack adds system and stage.
    pub name: &'static str,
    /// The partition key.
    pub partition: &'static str,
    /// The sort key.
    pub sort: Option<&'static str>,
    /// The attribute with the time to live of an item, in seconds since 1970.
    pub expires: Option<&'static str>,
    /// The indexes, each with all attributes.
    pub indexes: &'static [Index],
}

/// A global secondary index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// The name.
    pub name: &'static str,
    /// The partition key.
    pub partition: &'static str,
    /// The sort key.
    pub sort: &'static str,
}

/// A user's tasks by age.
pub const BY_USER: Index = Index { name: "by-user", partition: "user_id", sort: "created_key" };
/// The tasks of a status by age.
pub const BY_STATUS: Index = Index { name: "by-status", partition: "status", sort: "created_key" };

/// A task per video.
pub const VIDEO_TASKS: Table =
    Table { name: "video-tasks", partition: "video_id", sort: None, expires: None, indexes: &[BY_USER, BY_STATUS] };
/// Admins, including removed ones.
pub const ADMIN_USERS: Table =
    Table { name: "admin-users", partition: "kind", sort: Some("id"), expires: None, indexes: &[] };
/// Registered servers, and a guard per name.
pub const PROCESSING_SERVERS: Table =
    Table { name: "processing-servers", partition: "kind", sort: Some("id"), expires: None, indexes: &[] };
/// Each user's notifications.
pub const NOTIFICATIONS: Table = Table {
    name: "notifications",
    partition: "user_id",
    sort: Some("notification_id"),
    expires: Some("expires_at"),
    indexes: &[],
};
/// Uploads in progress.
pub const UPLOADS: Table =
    Table { name: "uploads", partition: "user_id", sort: Some("file_id"), expires: Some("expires_at"), indexes: &[] };
/// Users, the counter of notifications, and the counters of sign-in routes, which expire.
pub const SYSTEM: Table =
    Table { name: "system", partition: "pk", sort: Some("sk"), expires: Some("expires_at"), indexes: &[] };

/// Every table.
pub const ALL: [Table; 6] = [VIDEO_TASKS, ADMIN_USERS, PROCESSING_SERVERS, NOTIFICATIONS, UPLOADS, SYSTEM];
