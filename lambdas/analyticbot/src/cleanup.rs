//! Function `cleanup`: deletes expired counters and the leases of crashed calls.
//!
//! Everything it deletes counts as absent already, so it may run late, twice, or together with requests. A run ends before Lambda's
//! timeout, and the next one continues.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

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

/// The longest time of a run: enough less than the timeout of the function for the request that is under way.
const LONGEST: Duration = Duration::from_secs(45);

/// The number of items that a run deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Deleted {
    /// Windows of bots and of sign-ins.
    pub windows: u32,
    /// Leases.
    pub leases: u32,
    /// Whether the run ended early. The next one deletes the rest.
    pub is_partial: bool,
}

/// A run: when items count as expired, when it ends, and what it deleted.
struct Run {
    now: Timestamp,
    until: Instant,
    deleted: Deleted,
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
        let deleted = app.run(Timestamp::now(), Instant::now() + LONGEST).await?;
        let Deleted { windows, leases, is_partial } = deleted;
        tracing::info!(windows, leases, is_partial, "deleted expired windows and leases");
        Ok(deleted)
    })
    .await
}

impl App {
    fn new(environment: Cleanup, aws: &SdkConfig) -> Self {
        let database = Database::new(Client::new(aws));
        Self { database, users: environment.users_table, bots: environment.user_bot_credentials_table }
    }

    async fn run(&self, now: Timestamp, until: Instant) -> Result<Deleted, AwsError> {
        let mut run = Run { now, until, deleted: Deleted::default() };
        self.delete_windows(&self.users, windows::PREFIX, &mut run).await?;
        self.delete_windows(&self.bots, RATE, &mut run).await?;
        self.release_leases(&mut run).await?;
        Ok(run.deleted)
    }

    /// Deletes the windows whose time has passed.
    async fn delete_windows(&self, table: &str, prefix: &str, run: &mut Run) -> Result<(), AwsError> {
        let (now, mut from) = (run.now.as_second(), None);
        while !run.is_over() {
            let (rows, next) = self.scan(table, prefix, Some(now), from).await?;
            for row in rows {
                if run.is_over() {
                    return Ok(());
                }
                let Row { pk, .. } = from_item(row)?;
                let expired = Change::new().when(|at| at.compare(TTL, "<=", now));
                run.deleted.windows += u32::from(self.database.delete(table, key(&pk), expired).await?.is_some());
            }
            from = next;
            if from.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Removes the expired leases of all bots.
    async fn release_leases(&self, run: &mut Run) -> Result<(), AwsError> {
        let mut from = None;
        while !run.is_over() {
            let (rows, next) = self.scan(&self.bots, CONCURRENCY, None, from).await?;
            for row in rows {
                if run.is_over() {
                    return Ok(());
                }
                run.deleted.leases += self.release_expired(from_item(row)?, run.now).await?;
            }
            from = next;
            if from.is_none() {
                break;
            }
        }
        Ok(())
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

impl Run {
    fn is_over(&mut self) -> bool {
        let is_over = Instant::now() >= self.until;
        self.deleted.is_partial |= is_over;
        is_over
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

    fn later() -> Instant {
        Instant::now() + LONGEST
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
        let deleted = app(&script).run(now(), later()).await.expect("a run");
        assert_eq!(deleted, Deleted { windows: 2, leases: 1, is_partial: false });
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
        assert_eq!(app(&script).run(now(), later()).await, Ok(Deleted::default()));
    }

    #[test]
    fn a_run_ends_before_the_timeout_of_the_function() {
        let timeout = analyticbot_contract::limits::CLEANUP_TIMEOUT_SECONDS;
        assert!(LONGEST + Duration::from_secs(10) < Duration::from_secs(timeout.into()));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_run_over_more_items_than_it_has_time_for_ends_early() {
        let script = Script::new(|request| match request.action.as_str() {
            "DynamoDB.Scan" => {
                let rows: Vec<_> =
                    (0..1_000).map(|number| item(json!({ "pk": format!("x{number}"), "ttl": 1 }))).collect();
                json_reply(json!({ "Items": rows, "LastEvaluatedKey": item(json!({ "pk": "last" })) }))
            }
            _ => json_reply(json!({ "Attributes": item(json!({ "pk": "x" })) })),
        });
        let script = script.slow(Duration::from_millis(5));
        let until = Instant::now() + Duration::from_millis(100);
        // The pages have no end.
        let deleted = app(&script).run(now(), until).await.expect("a run");
        assert!(deleted.is_partial && deleted.windows < 1_000, "{deleted:?}");
    }
}
