//! The tables: names, keys and indexes. All keys are strings, except the range of [`ACTIVITY_BY_ACCOUNT`], which is a number.

/// A global secondary index that projects all attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Index {
    /// The index's name.
    pub name: &'static str,
    /// The attribute of the partition key.
    pub partition: &'static str,
    /// The attribute of the sort key.
    pub sort: Option<&'static str>,
}

/// A table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// The end of the table's name: `listbackup-<stage>-<name>`.
    pub name: &'static str,
    /// The attribute of the partition key.
    pub partition: &'static str,
    /// The attribute of the sort key.
    pub sort: Option<&'static str>,
    /// The indexes.
    pub indexes: &'static [Index],
    /// Whether items expire at the time in [`TTL`].
    pub expires: bool,
}

/// The attribute with the time at which an item expires, in seconds since 1970. Expired items count as absent.
pub const TTL: &str = "ttl";

const fn index(name: &'static str, partition: &'static str, sort: Option<&'static str>) -> Index {
    Index { name, partition, sort }
}

const fn table(name: &'static str, partition: &'static str, indexes: &'static [Index]) -> Table {
    Table { name, partition, sort: None, indexes, expires: false }
}

/// Users by their e-mail address.
pub const USERS_BY_EMAIL: Index = index("EmailIndex", "email", None);
/// Users by their ID in the user pool.
pub const USERS_BY_COGNITO_USER: Index = index("CognitoUserIndex", "cognitoUserId", None);
/// Users, who never expire, and two kinds of items that do: counters of sign-in routes, and used codes of second factors.
pub const USERS: Table = Table { expires: true, ..table("users", "userId", &[USERS_BY_EMAIL, USERS_BY_COGNITO_USER]) };

/// Accounts by their parent account. Sparse: no account has a parent yet.
pub const ACCOUNTS_BY_PARENT: Index = index("ParentAccountIndex", "parentAccountId", None);
/// Accounts by their owner.
pub const ACCOUNTS_BY_OWNER: Index = index("OwnerIndex", "ownerUserId", None);
/// Accounts, with their limits and usage.
pub const ACCOUNTS: Table = table("accounts", "accountId", &[ACCOUNTS_BY_PARENT, ACCOUNTS_BY_OWNER]);

/// Sources of an account.
pub const SOURCES_BY_ACCOUNT: Index = index("AccountIndex", "accountId", None);
/// Sources that a user created.
pub const SOURCES_BY_USER: Index = index("UserIndex", "userId", None);
/// Sources of a group. Sparse.
pub const SOURCES_BY_GROUP: Index = index("GroupIndex", "groupId", None);
/// Sources.
pub const SOURCES: Table = table("sources", "sourceId", &[SOURCES_BY_ACCOUNT, SOURCES_BY_USER, SOURCES_BY_GROUP]);

/// Jobs of an account.
pub const JOBS_BY_ACCOUNT: Index = index("AccountIndex", "accountId", None);
/// Jobs that a user created.
pub const JOBS_BY_USER: Index = index("UserIndex", "userId", None);
/// Jobs of a source.
pub const JOBS_BY_SOURCE: Index = index("SourceIndex", "sourceId", None);
/// Jobs in a status, by the time of their creation.
pub const JOBS_BY_STATUS: Index = index("StatusTimeIndex", "status", Some("createdAt"));
/// Jobs of an account, by the time of their creation.
pub const JOBS_BY_ACCOUNT_TIME: Index = index("AccountTimeIndex", "accountId", Some("createdAt"));
/// Jobs.
pub const JOBS: Table =
    table("jobs", "jobId", &[JOBS_BY_ACCOUNT, JOBS_BY_USER, JOBS_BY_SOURCE, JOBS_BY_STATUS, JOBS_BY_ACCOUNT_TIME]);

/// Runs of a job, by the time of their creation.
pub const RUNS_BY_JOB: Index = index("JobIndex", "jobId", Some("createdAt"));
/// Runs of an account, by the time of their creation.
pub const RUNS_BY_ACCOUNT_TIME: Index = index("AccountTimeIndex", "accountId", Some("createdAt"));
/// Runs in a status, by the time of their last change.
pub const RUNS_BY_STATUS: Index = index("StatusIndex", "status", Some("updatedAt"));
/// Runs, and the markers of their files: `<runId>#<fileKey>`.
pub const RUNS: Table =
    Table { expires: true, ..table("runs", "runId", &[RUNS_BY_JOB, RUNS_BY_ACCOUNT_TIME, RUNS_BY_STATUS]) };

/// Files of an account, by the time of their first backup.
pub const FILES_BY_ACCOUNT: Index = index("AccountIndex", "accountId", Some("createdAt"));
/// Files of a source, by the time of their first backup.
pub const FILES_BY_SOURCE: Index = index("SourceIndex", "sourceId", Some("createdAt"));
/// Files: one item for each path of a source.
pub const FILES: Table = table("files", "fileId", &[FILES_BY_ACCOUNT, FILES_BY_SOURCE]);

/// Activity of an account, by time in milliseconds since 1970. The sort key is a number.
pub const ACTIVITY_BY_ACCOUNT: Index = index("AccountIndex", "accountId", Some("timestamp"));
/// The audit trail.
pub const ACTIVITY: Table = Table { expires: true, ..table("activity", "eventId", &[ACTIVITY_BY_ACCOUNT]) };

/// States of OAuth requests.
pub const OAUTH_STATES: Table = Table { expires: true, ..table("oauth-states", "state", &[]) };

/// API keys of an account.
pub const API_KEYS_BY_ACCOUNT: Index = index("AccountIndex", "accountId", None);
/// API keys, by hash.
pub const API_KEYS: Table = table("api-keys", "keyId", &[API_KEYS_BY_ACCOUNT]);

/// Aggregates of an account, by bucket.
pub const AGGREGATES: Table =
    Table { sort: Some("bucket"), expires: true, ..table("analytics-aggregates", "accountId", &[]) };

/// Reports of an account, by the time of their creation.
pub const REPORTS_BY_ACCOUNT_TIME: Index = index("AccountTimeIndex", "accountId", Some("createdAt"));
/// Reports.
pub const REPORTS: Table = Table { expires: true, ..table("reports", "reportId", &[REPORTS_BY_ACCOUNT_TIME]) };

/// Every table of the core stack.
pub const ALL: [Table; 11] =
    [USERS, ACCOUNTS, SOURCES, JOBS, RUNS, FILES, ACTIVITY, OAUTH_STATES, API_KEYS, AGGREGATES, REPORTS];

/// Connections of an account.
pub const CONNECTIONS_BY_ACCOUNT: Index = index("AccountIndex", "accountId", None);
/// Connections of the WebSocket API: the table of the optional live stack.
pub const CONNECTIONS: Table =
    Table { expires: true, ..table("ws-connections", "connectionId", &[CONNECTIONS_BY_ACCOUNT]) };
