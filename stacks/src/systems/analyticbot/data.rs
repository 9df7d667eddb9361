//! Stack `data`: the tables, the key that wraps data keys, and the secrets.

use analyticbot_contract::{
    SYSTEM, context,
    tables::{
        ACTION_INDEX, ACTION_SK, ACTIONS, ADMIN_INDEX, CREDENTIALS, DAY_INDEX, LIST_INDEX, LIST_PK, LIST_SK, LISTED,
        PK, STATUS, STATUS_INDEX, TARGET_USER_ID, TTL, USERS,
    },
};
use model::{
    parts::{
        key::{EncryptionContext, Key, KeyHandle},
        secret::{Alphabet, Secret, SecretHandle},
        table::{Table, TableHandle},
    },
    stage::Stage,
    template::Stack,
};

use super::Settings;

/// The partition key of [`ADMIN_INDEX`], a number.
const ADMIN_USER_ID: &str = "admin_user_id";
/// The partition key of [`ACTION_INDEX`].
const ACTION: &str = "action";
/// The partition key of [`DAY_INDEX`].
const DAY: &str = "day";

/// The parts that other stacks refer to.
pub(super) struct Data {
    pub(super) users: TableHandle,
    pub(super) credentials: TableHandle,
    pub(super) actions: TableHandle,
    /// Wraps the data keys of credentials.
    pub(super) key: KeyHandle,
    /// Signs access tokens.
    pub(super) jwt_secret: SecretHandle,
    /// Makes tokens of bots unique.
    pub(super) fingerprint_secret: SecretHandle,
}

impl Data {
    /// Returns all tables, each with the end of its name.
    pub(super) fn tables(&self) -> [(&'static str, &TableHandle); 3] {
        [(USERS, &self.users), (CREDENTIALS, &self.credentials), (ACTIONS, &self.actions)]
    }
}

/// Returns the context in which functions of the stage use the key: the user is a value of each request.
pub(super) fn encryption_context(stage: &Stage) -> EncryptionContext {
    EncryptionContext::new()
        .pair(context::APP, context::APP_VALUE)
        .pair(context::STAGE, stage.name.as_str())
        .variable(context::USER_ID)
}

/// Builds the stack; also returns the parts that other stacks refer to.
pub(super) fn stack(stage: &Stage, settings: &Settings) -> (Stack, Data) {
    let mut stack = Stack::new("data", "AnalyticBot: tables, the key of credentials, and secrets.");
    let [users, credentials, actions] = tables(stage).map(|table| {
        let table = if settings.protect_data { table.recoverable().protected() } else { table };
        stack.add(table)
    });
    let alias = format!("{SYSTEM}-{}-credentials", stage.name);
    let key =
        Key::new("CredentialsKey", &alias, stage).description("Wraps the data keys of AnalyticBot's credentials.");
    let key = stack.add(key);
    let mut secret = |id: &str, name: &str, meaning: &str| {
        let name = format!("{SYSTEM}/{}/{name}", stage.name);
        stack.add(Secret::new(id, &name, stage).description(meaning).alphabet(Alphabet::Hexadecimal))
    };
    let jwt_secret = secret("JwtSecret", "jwt-secret-key", "Signs access tokens.");
    let meaning = "Makes bots' tokens unique. It must never change.";
    let fingerprint_secret = secret("FingerprintSecret", "token-fingerprint-key", meaning);
    let data = Data { users, credentials, actions, key, jwt_secret, fingerprint_secret };
    for (name, table) in
        [("Users", &data.users), ("UserBotCredentials", &data.credentials), ("AdminBotActions", &data.actions)]
    {
        stack.output(&format!("{name}Table"), table.name());
        stack.output(&format!("{name}TableArn"), table.arn());
    }
    stack.output("CredentialsKeyArn", data.key.arn());
    (stack, data)
}

fn tables(stage: &Stage) -> [Table; 3] {
    let table = |id: &str, name: &str, key: model::parts::table::Key<'_>| {
        Table::new(id, &format!("{SYSTEM}-{}-{name}", stage.name), key, stage)
    };
    let users = table("UsersTable", USERS, (PK, None)).expires(TTL);
    // The indexes contain no secrets, so lists never read one.
    let credentials = table("UserBotCredentialsTable", CREDENTIALS, (PK, None))
        .index_including(LIST_INDEX, (LIST_PK, Some(LIST_SK)), &in_list_index())
        .index_including(STATUS_INDEX, (STATUS, Some(LIST_SK)), &LISTED)
        .expires(TTL);
    let actions = table("AdminBotActionsTable", ACTIONS, (TARGET_USER_ID, Some(ACTION_SK)))
        .index(ADMIN_INDEX, (ADMIN_USER_ID, Some(ACTION_SK)))
        .index(ACTION_INDEX, (ACTION, Some(ACTION_SK)))
        .index(DAY_INDEX, (DAY, Some(ACTION_SK)))
        .number_key(TARGET_USER_ID)
        .number_key(ADMIN_USER_ID);
    [users, credentials, actions]
}

/// The attributes of [`LIST_INDEX`]. They include the status, because it is not a key of this index.
fn in_list_index() -> Vec<&'static str> {
    LISTED.into_iter().chain([STATUS]).collect()
}
