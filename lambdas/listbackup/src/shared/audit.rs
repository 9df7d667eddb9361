//! What happened: a row of the audit trail and an event, with the same ID.

use common::{bus::Bus, telemetry};
use jiff::Timestamp;
use listbackup_contract::events::Kind;
use serde_json::{Map, Value};
use tables::{AwsError, Change, Database, Write, to_item};
use uuid::Uuid;

use super::{
    events::Detail,
    identity::Identity,
    rows::{Activity, activity::KEPT_SECONDS},
    time,
};

/// Something that a caller did to an object of its account.
#[derive(Debug, Clone, PartialEq)]
pub struct Happening {
    /// The same in the row and in the event.
    pub event_id: String,
    /// The account.
    pub account_id: String,
    /// The user.
    pub user_id: String,
    /// The kind of the object, for example `job`.
    pub resource_type: &'static str,
    /// The object.
    pub resource_id: String,
    /// The action, for example `created`.
    pub action: &'static str,
    /// A sentence for people.
    pub message: String,
    /// Further fields of row and event.
    pub fields: Map<String, Value>,
}

impl Happening {
    /// Describes what a caller did.
    #[must_use]
    pub fn new(
        caller: &Identity,
        resource: (&'static str, &str),
        action: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            event_id: Uuid::new_v4().hyphenated().to_string(),
            account_id: caller.account_id.clone(),
            user_id: caller.user_id.clone(),
            resource_type: resource.0,
            resource_id: resource.1.to_owned(),
            action,
            message: message.into(),
            fields: Map::new(),
        }
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// Returns the row of the audit trail; its type is `<resource>.<action>`.
    #[must_use]
    pub fn activity(&self) -> Activity {
        Activity {
            event_id: self.event_id.clone(),
            account_id: self.account_id.clone(),
            user_id: Some(self.user_id.clone()),
            activity_type: format!("{}.{}", self.resource_type, self.action),
            action: self.action.to_owned(),
            resource_type: self.resource_type.to_owned(),
            resource_id: self.resource_id.clone(),
            status: "success".to_owned(),
            message: self.message.clone(),
            metadata: self.fields.clone(),
            timestamp: Timestamp::now().as_millisecond(),
            ttl: time::ttl(KEPT_SECONDS),
        }
    }

    /// Returns the detail of the event.
    #[must_use]
    pub fn detail(&self) -> Detail {
        Detail {
            event_id: self.event_id.clone(),
            account_id: self.account_id.clone(),
            user_id: Some(self.user_id.clone()),
            resource_id: self.resource_id.clone(),
            at: time::now(),
            fields: self.fields.clone(),
        }
    }
}

/// The audit trail.
#[derive(Debug, Clone)]
pub struct Trail {
    database: Database,
    table: String,
}

impl Trail {
    /// Uses the table of activity.
    #[must_use]
    pub fn new(database: Database, table: String) -> Self {
        Self { database, table }
    }

    /// Returns the write of a row, for a transaction.
    ///
    /// # Errors
    /// When the row cannot be converted.
    pub fn write(&self, activity: &Activity) -> Result<Write, AwsError> {
        Ok(Write::Put(self.table.clone(), to_item(activity)?, Change::new()))
    }

    /// Writes a row whose loss fails no request: a failure is logged.
    pub async fn record(&self, activity: &Activity) {
        let put = async { self.database.put(&self.table, to_item(activity)?, Change::new()).await };
        if let Err(error) = put.await {
            tracing::error!(error = telemetry::chain(&error), event_id = activity.event_id, "activity was lost");
        }
    }
}

/// The audit trail and the event bus of a function that changes objects.
#[derive(Debug, Clone)]
pub struct Audit {
    /// The audit trail.
    pub trail: Trail,
    /// The event bus.
    pub bus: Bus,
}

impl Audit {
    /// Uses the table of activity and the bus.
    #[must_use]
    pub fn new(database: Database, table: String, bus: Bus) -> Self {
        Self { trail: Trail::new(database, table), bus }
    }

    /// Sends the event of something whose row is already written. A failure is logged: it fails no request.
    pub async fn announce(&self, kind: Kind, happening: &Happening) {
        if let Err(error) = self.bus.put(kind.source, kind.detail_type, &happening.detail()).await {
            tracing::error!(error = telemetry::chain(&error), event_id = happening.event_id, "an event was lost");
        }
    }

    /// Writes the row and sends the event. Failures are logged.
    pub async fn record(&self, kind: Kind, happening: &Happening) {
        self.trail.record(&happening.activity()).await;
        self.announce(kind, happening).await;
    }
}
