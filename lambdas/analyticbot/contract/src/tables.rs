//! The tables: names, keys and indexes.

/// The attribute with the time at which an item expires, in seconds since 1970. Expired items count as absent.
pub const TTL: &str = "ttl";

/// The end of the name of the table of users: `analyticbot-<stage>-<this>`. Its key is [`PK`].
pub const USERS: &str = "users";
/// The end of the name of the table of bots, guards, counters and leases. Its key is [`PK`].
pub const CREDENTIALS: &str = "user_bot_credentials";
/// The end of the name of the table of administrative actions, which is append-only. Its key is [`TARGET_USER_ID`], a number,
/// and [`ACTION_SK`].
pub const ACTIONS: &str = "admin_bot_actions";

/// The partition key of [`USERS`] and [`CREDENTIALS`].
pub const PK: &str = "pk";

/// The index of all bots by the time of their creation: [`LIST_PK`], [`LIST_SK`]. It contains [`LISTED`] and [`STATUS`] only.
pub const LIST_INDEX: &str = "ListIndex";
/// The index of bots in a status by the time of their creation: [`STATUS`], [`LIST_SK`]. It contains [`LISTED`] only.
pub const STATUS_INDEX: &str = "StatusIndex";
/// The partition key of [`STATUS_INDEX`]. [`LIST_INDEX`] does not have it as a key, so that index includes it besides [`LISTED`].
pub const STATUS: &str = "status";
/// The partition key of [`LIST_INDEX`]; its only value is `BOT`.
pub const LIST_PK: &str = "list_pk";
/// The sort key of both indexes: `<created_at>#<id, ten digits>`.
pub const LIST_SK: &str = "list_sk";
/// The attributes that the indexes contain besides their keys: those of responses, never a secret.
pub const LISTED: [&str; 13] = [
    "id",
    "user_id",
    "bot_username",
    "bot_id",
    "is_verified",
    "rate_limit_rps",
    "max_concurrent_requests",
    "total_requests",
    "last_used_at",
    "created_at",
    "updated_at",
    "suspension_reason",
    "version",
];

/// The partition key of [`ACTIONS`], a number.
pub const TARGET_USER_ID: &str = "target_user_id";
/// The sort key of [`ACTIONS`] and of its indexes: `<timestamp>#<ulid>`.
pub const ACTION_SK: &str = "action_sk";
/// The index of actions of an administrator: `admin_user_id`, a number, and [`ACTION_SK`].
pub const ADMIN_INDEX: &str = "AdminIndex";
/// The index of actions of a kind: `action` and [`ACTION_SK`].
pub const ACTION_INDEX: &str = "ActionIndex";
/// The index of actions of a day: `day`, as `YYYY-MM-DD`, and [`ACTION_SK`].
pub const DAY_INDEX: &str = "DayIndex";

/// The attribute with the leases of a bot: a map from the ID of a lease to the time at which it expires.
pub const LEASES: &str = "leases";
