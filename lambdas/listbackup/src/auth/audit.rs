//! The audit trail and the events about users. Only the row of a registration is part of a transaction; all others, and every event, are
//! best effort: they fail no request.

use aws_call::{Call, CallError, services::EVENTS};
use aws_config::SdkConfig;
use common::telemetry;
use jiff::Timestamp;
use listbackup_contract::events::Kind;
use serde_json::{Map, Value, json};
use tables::{AwsError, Change, Database, to_item};

use crate::shared::{
    events::Detail,
    rows::{Activity, activity::KEPT_SECONDS},
    time,
};

/// Records what users do.
#[derive(Debug, Clone)]
pub(crate) struct Audit {
    database: Database,
    table: String,
    aws: SdkConfig,
    bus: String,
}

/// Something that a user did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Happening<'a> {
    /// The same in the row and the event.
    pub(crate) event_id: String,
    pub(crate) user_id: &'a str,
    pub(crate) account_id: &'a str,
    /// A sentence for people.
    pub(crate) message: &'a str,
}

impl Audit {
    pub(crate) fn new(database: Database, table: String, aws: SdkConfig, bus: String) -> Self {
        Self { database, table, aws, bus }
    }

    /// The name of the table, for transactions.
    pub(crate) fn table(&self) -> &str {
        &self.table
    }

    /// Writes the row and sends the event. Failures are logged.
    pub(crate) async fn record(&self, kind: Kind, activity_type: &str, action: &str, happening: &Happening<'_>) {
        let activity = activity(activity_type, action, happening);
        if let Err(error) = self.put(&activity).await {
            tracing::error!(error = telemetry::chain(&error), activity_type, "failed to record an activity");
        }
        self.publish(kind, happening).await;
    }

    /// Sends the event. A failure is logged.
    pub(crate) async fn publish(&self, kind: Kind, happening: &Happening<'_>) {
        let detail_type = kind.detail_type;
        match self.send(kind, happening).await {
            Ok(answer) if answer["FailedEntryCount"].as_i64().unwrap_or_default() == 0 => {}
            Ok(answer) => {
                let error = answer["Entries"][0]["ErrorMessage"].as_str().unwrap_or("the bus gave no reason");
                tracing::error!(error, detail_type, "failed to send an event");
            }
            Err(error) => {
                tracing::error!(error = telemetry::chain(&error), detail_type, "failed to send an event");
            }
        }
    }

    async fn put(&self, activity: &Activity) -> Result<(), AwsError> {
        self.database.put(&self.table, to_item(activity)?, Change::new()).await.map(|_| ())
    }

    async fn send(&self, kind: Kind, happening: &Happening<'_>) -> Result<Value, CallError> {
        let detail = Detail {
            event_id: happening.event_id.clone(),
            account_id: happening.account_id.to_owned(),
            user_id: Some(happening.user_id.to_owned()),
            resource_id: happening.user_id.to_owned(),
            at: time::now(),
            fields: Map::new(),
        };
        let entry = json!({
            "EventBusName": self.bus,
            "Source": kind.source,
            "DetailType": kind.detail_type,
            "Detail": json!(detail).to_string(),
        });
        Call::json(EVENTS, "PutEvents", &json!({ "Entries": [entry] })).receive(&self.aws).await
    }
}

/// Returns a row of the audit trail.
pub(crate) fn activity(activity_type: &str, action: &str, happening: &Happening<'_>) -> Activity {
    Activity {
        event_id: happening.event_id.clone(),
        account_id: happening.account_id.to_owned(),
        user_id: Some(happening.user_id.to_owned()),
        activity_type: activity_type.to_owned(),
        action: action.to_owned(),
        resource_type: "user".to_owned(),
        resource_id: happening.user_id.to_owned(),
        status: "success".to_owned(),
        message: happening.message.to_owned(),
        metadata: Map::new(),
        timestamp: Timestamp::now().as_millisecond(),
        ttl: time::ttl(KEPT_SECONDS),
    }
}
