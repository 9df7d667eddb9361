//! Actions of administrators on bots. The table is append-only: a function can put items, and none can change or delete them.

use analyticbot_contract::tables::{ACTION_INDEX, ACTION_SK, ADMIN_INDEX, DAY_INDEX, TARGET_USER_ID};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tables::{AwsError, Change, Database, Index, Item, Query, Write, from_items, to_item};

use crate::domain::{time, ulid};

/// The kind of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Telegram was called with a user's bot.
    AdminAccessBot,
    /// A bot was suspended.
    SuspendBot,
    /// A bot was activated.
    ActivateBot,
    /// The limits of a bot were changed.
    UpdateRateLimits,
}

/// A recorded action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Action {
    /// The ID, a ULID.
    pub id: String,
    /// The administrator.
    pub admin_user_id: u64,
    /// The user whose bot it is.
    pub target_user_id: u64,
    /// The kind.
    pub action: Kind,
    /// The details of the action.
    pub details: Map<String, Value>,
    /// The time.
    pub timestamp: String,
}

/// An action to record.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAction {
    /// The administrator.
    pub admin_user_id: u64,
    /// The user whose bot it is.
    pub target_user_id: u64,
    /// The kind.
    pub action: Kind,
    /// The details of the action.
    pub details: Map<String, Value>,
}

/// The actions that a page lists.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// The actions on a user's bot.
    Target(u64),
    /// The actions of an administrator.
    Admin(u64),
    /// The actions of a kind.
    Kind(Kind),
    /// The actions of a day, such as `2026-01-31`.
    Day(String),
}

#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    action: &'a Action,
    action_sk: String,
    day: String,
}

/// The table of actions.
#[derive(Debug, Clone)]
pub struct Actions {
    database: Database,
    table: String,
}

impl Actions {
    /// Uses a table.
    #[must_use]
    pub fn new(database: Database, table: String) -> Self {
        Self { database, table }
    }

    /// Returns the write of an action, for a transaction with the change that it describes.
    ///
    /// # Errors
    /// When the operating system returns no random bytes.
    pub fn write(&self, new: &NewAction, now: Timestamp) -> Result<Write, AwsError> {
        let id = ulid::generate(now)
            .map_err(|error| AwsError::unexpected("generate the ID of an action", error.to_string()))?;
        let action = Action {
            id: id.clone(),
            admin_user_id: new.admin_user_id,
            target_user_id: new.target_user_id,
            action: new.action,
            details: new.details.clone(),
            timestamp: time::text(now),
        };
        let action_sk = format!("{}#{id}", action.timestamp);
        let item = to_item(&Row { action: &action, action_sk, day: time::day(now) })?;
        Ok(Write::Put(self.table.clone(), item, Change::new().when(|at| at.absent(ACTION_SK))))
    }

    /// Records an action.
    ///
    /// # Errors
    /// When the request fails, or when the action exists already.
    pub async fn record(&self, new: &NewAction, now: Timestamp) -> Result<(), AwsError> {
        let Write::Put(table, item, condition) = self.write(new, now)? else { return Ok(()) };
        if self.database.put(&table, item, condition).await? {
            return Ok(());
        }
        Err(AwsError::unexpected("record an action", "another action has its ID"))
    }

    /// Returns a page, newest first, after the key `start`; and the key to continue after, if there may be more.
    ///
    /// # Errors
    /// When the request fails.
    pub async fn page(
        &self,
        selection: &Selection,
        size: usize,
        start: Option<Item>,
    ) -> Result<(Vec<Action>, Option<Item>), AwsError> {
        let query = match selection {
            Selection::Target(user_id) => Query::new(&self.table, TARGET_USER_ID, user_id),
            Selection::Admin(user_id) => Query::index(&self.table, index(ADMIN_INDEX, "admin_user_id"), user_id),
            Selection::Kind(kind) => Query::index(&self.table, index(ACTION_INDEX, "action"), kind),
            Selection::Day(day) => Query::index(&self.table, index(DAY_INDEX, "day"), day),
        };
        let (items, next) = self.database.page(&query.descending(), size, start).await?;
        Ok((from_items(items)?, next))
    }
}

const fn index(name: &'static str, partition: &'static str) -> Index {
    Index { name, partition, sort: Some(ACTION_SK) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tables::testing::{Script, error_reply, item, json_reply};

    use super::*;

    fn actions(script: &Script) -> Actions {
        Actions::new(Database::new(aws_sdk_dynamodb::Client::new(&script.aws())), "actions".to_owned())
    }

    fn suspension() -> NewAction {
        let details = Map::from_iter([("reason".to_owned(), json!("Policy violation"))]);
        NewAction { admin_user_id: 1, target_user_id: 7, action: Kind::SuspendBot, details }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_action_is_a_new_item() {
        let script = Script::new(|_| json_reply(json!({})));
        let now = Timestamp::from_second(1_769_860_800).expect("a time");
        actions(&script).record(&suspension(), now).await.expect("recorded");
        let put = &script.bodies("DynamoDB.PutItem")[0];
        assert_eq!(put["ConditionExpression"], "(attribute_not_exists(#action_sk))");
        let id = put["Item"]["id"]["S"].as_str().expect("an ID");
        let expected = item(json!({
            "id": id, "admin_user_id": 1, "target_user_id": 7, "action": "suspend_bot", "day": "2026-01-31",
            "details": { "reason": "Policy violation" }, "timestamp": "2026-01-31T12:00:00.000Z",
            "action_sk": format!("2026-01-31T12:00:00.000Z#{id}"),
        }));
        assert_eq!(put["Item"], expected);
        let taken = Script::new(|_| error_reply("ConditionalCheckFailedException"));
        actions(&taken).record(&suspension(), now).await.expect_err("not recorded");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_page_is_read_from_the_index_of_its_selection() {
        let stored = json!({
            "id": "01", "admin_user_id": 1, "target_user_id": 7, "action": "activate_bot",
            "details": { "previous_status": "error" }, "timestamp": "2026-01-31T12:00:00.000Z", "action_sk": "x", "day": "y",
        });
        let script = Script::new(move |_| json_reply(json!({ "Items": [item(stored.clone())], "Count": 1 })));
        let actions = actions(&script);
        let selections = [
            Selection::Target(7),
            Selection::Admin(1),
            Selection::Kind(Kind::ActivateBot),
            Selection::Day("d".to_owned()),
        ];
        for selection in &selections {
            let (page, next) = actions.page(selection, 20, None).await.expect("a page");
            assert_eq!(
                (page[0].action, page[0].details["previous_status"].as_str(), next),
                (Kind::ActivateBot, Some("error"), None)
            );
        }
        let queries = script.bodies("DynamoDB.Query");
        let of = |at: usize, name: &str| queries[at][name].clone();
        let indexes = [0, 1, 2, 3].map(|at| of(at, "IndexName"));
        assert_eq!(indexes, [json!(null), json!("AdminIndex"), json!("ActionIndex"), json!("DayIndex")]);
        assert!((0..4).all(|at| of(at, "ScanIndexForward") == false && of(at, "Limit") == 20));
        assert_eq!(of(0, "ExpressionAttributeValues"), json!({ ":v0": { "N": "7" } }));
    }
}
