//! Function `cleanup`: deletes expired counters and the leases of crashed calls.
//!
//! Everything it deletes counts as absent already, so it may run late, twice, or together with requests.

use std::collections::HashMap;

use analyticbot_contract::{
    Cleanup,
    tables::{LEASES, PK, TTL},
};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use common::{Error, Started, events};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tables::{AwsError, Change, Database, Item, from_item};

use crate::store::{key, windows};

/// The start of the keys of windows of a bot's requests.
const RATE: &str = "RATE#";
/// The start of the keys of leases.
const CONCURRENCY: &str = "CONC#";

/// The number of items that a run deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Deleted {
    /// Windows of bots and of sign-ins.
    pub windows: u32,
    /// Leases.
    pub leases: u32,
}

struct App {
    database: Database,
    users: String,
    bots: String,
}

/// The attributes that a scan reads.
#[derive(Deserialize)]
struct Row {
    pk: String,
    /// In milliseconds since 1970.
    #[serde(default)]
    leases: HashMap<String, i64>,
}

/// Serves the function.
///
/// # Errors
/// When Lambda's runtime interface fails.
pub async fn serve(Started { environment, aws }: Started<Cleanup>) -> Result<(), Error> {
    let app = App::new(environment, &aws);
    events::serve::<Cleanup, Value, Deleted>(async |_| {
        let deleted = app.run(Timestamp::now()).await?;
        let Deleted { windows, leases } = deleted;
        tracing::info!(windows, leases, "deleted expired windows and leases");
        Ok(deleted)
    })
    .await
}

impl App {
    fn new(environment: Cleanup, aws: &SdkConfig) -> Self {
        let database = Database::new(Client::new(aws));
        Self { database, users: environment.users_table, bots: environment.user_bot_credentials_table }
    }

    async fn run(&self, now: Timestamp) -> Result<Deleted, AwsError> {
        let mut deleted = Deleted::default();
        deleted.windows += self.delete_windows(&self.users, windows::PREFIX, now).await?;
        deleted.windows += self.delete_windows(&self.bots, RATE, now).await?;
        let mut from = None;
        loop {
            let (rows, next) = self.scan(&self.bots, CONCURRENCY, None, from).await?;
            for row in rows {
                deleted.leases += self.release_expired(from_item(row)?, now).await?;
            }
            from = next;
            if from.is_none() {
                return Ok(deleted);
            }
        }
    }

    /// Deletes the windows whose time has passed.
    async fn delete_windows(&self, table: &str, prefix: &str, now: Timestamp) -> Result<u32, AwsError> {
        let (now, mut deleted, mut from) = (now.as_second(), 0, None);
        loop {
            let (rows, next) = self.scan(table, prefix, Some(now), from).await?;
            for row in rows {
                let Row { pk, .. } = from_item(row)?;
                let expired = Change::new().when(|at| at.compare(TTL, "<=", now));
                deleted += u32::from(self.database.delete(table, key(&pk), expired).await?.is_some());
            }
            from = next;
            if from.is_none() {
                return Ok(deleted);
            }
        }
    }

    /// Removes the expired leases of a bot. Each is removed under the condition that it is still the same.
    async fn release_expired(&self, row: Row, now: Timestamp) -> Result<u32, AwsError> {
        let mut released = 0;
        for (id, expires) in row.leases.into_iter().filter(|(_, expires)| *expires <= now.as_millisecond()) {
            let path = format!("{LEASES}.{id}");
            let change = Change::new().remove(&path).when(|at| at.compare(&path, "=", expires));
            released += u32::from(self.database.update(&self.bots, key(&row.pk), change).await?.is_some());
        }
        Ok(released)
    }

    /// Reads a page of the items whose key begins with a prefix: keys, times and leases, and no other attribute. There is no index of
    /// expired items, because every call to Telegram would write it.
    async fn scan(
        &self,
        table: &str,
        prefix: &str,
        expired_at: Option<i64>,
        from: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), AwsError> {
        let mut scan = self.database.client().scan().table_name(table).set_exclusive_start_key(from);
        scan = scan
            .expression_attribute_names("#pk", PK)
            .expression_attribute_values(":p", AttributeValue::S(prefix.into()));
        scan = match expired_at {
            Some(now) => scan
                .expression_attribute_names("#ttl", TTL)
                .expression_attribute_values(":now", tables::number(now))
                .filter_expression("begins_with(#pk, :p) AND #ttl <= :now")
                .projection_expression("#pk, #ttl"),
            None => scan
                .expression_attribute_names("#leases", LEASES)
                .filter_expression("begins_with(#pk, :p)")
                .projection_expression("#pk, #leases"),
        };
        let page = scan.send().await.map_err(|error| AwsError::new(format!("scan {table}"), &error))?;
        Ok((page.items.unwrap_or_default(), page.last_evaluated_key.filter(|key| !key.is_empty())))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tables::testing::{Script, error_reply, item, json_reply};

    use super::*;

    fn app(script: &Script) -> App {
        let names = Cleanup { users_table: "users".to_owned(), user_bot_credentials_table: "bots".to_owned() };
        App::new(names, &script.aws())
    }

    const NOW: i64 = 1_800_000_000;

    fn now() -> Timestamp {
        Timestamp::from_second(NOW).expect("a time")
    }

    #[tokio::test(flavor = "current_thread")]
    async fn expired_windows_and_leases_are_deleted() {
        let script = Script::new(|request| {
            let values = &request.body["ExpressionAttributeValues"];
            let row = match (request.action.as_str(), values[":p"]["S"].as_str()) {
                ("DynamoDB.Scan", Some("LOGIN#")) => json!({ "pk": "LOGIN#192.0.2.1#1", "ttl": 1 }),
                ("DynamoDB.Scan", Some("RATE#")) => json!({ "pk": "RATE#7#1", "ttl": 1 }),
                ("DynamoDB.Scan", _) => {
                    json!({ "pk": "CONC#7", "leases": { "late-1": NOW * 1000, "open": NOW * 1000 + 1 } })
                }
                _ => return json_reply(json!({ "Attributes": item(json!({ "pk": "x" })) })),
            };
            // Every scan has a second page, without items.
            match request.body["ExclusiveStartKey"].is_null() {
                true => json_reply(json!({ "Items": [item(row)], "LastEvaluatedKey": item(json!({ "pk": "last" })) })),
                false => json_reply(json!({ "Items": [] })),
            }
        });
        let deleted = app(&script).run(now()).await.expect("a run");
        assert_eq!(deleted, Deleted { windows: 2, leases: 1 });
        let scans = script.bodies("DynamoDB.Scan");
        assert_eq!(scans.len(), 6);
        let windows = "begins_with(#pk, :p) AND #ttl <= :now";
        assert_eq!((&scans[0]["TableName"], &scans[0]["FilterExpression"]), (&json!("users"), &json!(windows)));
        assert_eq!(scans[2]["ProjectionExpression"], "#pk, #ttl");
        assert_eq!(scans[4]["ProjectionExpression"], "#pk, #leases");
        let deletions = script.bodies("DynamoDB.DeleteItem");
        assert!(deletions.iter().all(|deletion| deletion["ConditionExpression"] == "(#ttl <= :v0)"));
        let release = &script.bodies("DynamoDB.UpdateItem")[0];
        assert_eq!(release["UpdateExpression"], "REMOVE #leases.#_1");
        assert_eq!(release["ConditionExpression"], "(#leases.#_1 = :v0)");
        assert_eq!(release["ExpressionAttributeNames"]["#_1"], "late-1");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn items_that_another_run_deleted_are_not_counted() {
        let script = Script::new(|request| match request.action.as_str() {
            "DynamoDB.Scan" => {
                json_reply(json!({ "Items": [item(json!({ "pk": "x", "ttl": 1, "leases": { "a": 1 } }))] }))
            }
            _ => error_reply("ConditionalCheckFailedException"),
        });
        assert_eq!(app(&script).run(now()).await, Ok(Deleted::default()));
    }
}
