//! Notifications: publishes stored ones to the topic and counts them.

use aws_call::{Call, services::NOTIFICATIONS};
use aws_config::SdkConfig;
use futures_util::{StreamExt, stream};

use crate::{
    aws::AwsError,
    tables::{notifications::Stored, users::Users},
    time,
};

/// The API's version (SNS API reference).
const VERSION: &str = "2010-03-31";

/// The number of concurrent publications.
const CONCURRENCY: usize = 10;

#[derive(Debug, Clone)]
pub(crate) struct Topic {
    config: SdkConfig,
    arn: String,
}

impl Topic {
    pub(crate) fn new(config: SdkConfig, arn: String) -> Self {
        Self { config, arn }
    }

    async fn publish(&self, stored: &Stored) -> Result<(), AwsError> {
        let message = serde_json::to_string(&stored.notification)
            .map_err(|error| AwsError::unexpected("publish a notification", common::telemetry::chain(&error)))?;
        let kind = stored.notification.data.get("type").and_then(serde_json::Value::as_str);
        let kind = kind.unwrap_or(&stored.notification.kind);
        // Subscriptions filter by the attributes.
        let parameters = [
            ("TopicArn", &*self.arn),
            ("Message", &message),
            ("MessageAttributes.entry.1.Name", "user_id"),
            ("MessageAttributes.entry.1.Value.DataType", "String"),
            ("MessageAttributes.entry.1.Value.StringValue", &stored.user_id),
            ("MessageAttributes.entry.2.Name", "type"),
            ("MessageAttributes.entry.2.Value.DataType", "String"),
            ("MessageAttributes.entry.2.Value.StringValue", kind),
        ];
        let sent = Call::query(NOTIFICATIONS, VERSION, "Publish", &parameters).send(&self.config).await;
        sent.map(drop).map_err(|error| AwsError::new("publish a notification", &error))
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Notifier {
    pub(crate) users: Users,
    pub(crate) topic: Topic,
}

impl Notifier {
    /// Publishes and counts notifications that are already stored. Failures are only logged: a stored notification
    /// reaches its user anyway.
    pub(crate) async fn announce(&self, stored: &[Stored]) {
        // Collected first: the compiler cannot infer the lifetimes of a closure in the stream.
        let published: Vec<_> = stored.iter().map(|stored| self.topic.publish(stored)).collect();
        let published: Vec<Result<(), AwsError>> =
            stream::iter(published).buffer_unordered(CONCURRENCY).collect().await;
        let failures: Vec<AwsError> = published.into_iter().filter_map(Result::err).collect();
        if let Some(error) = failures.first() {
            tracing::error!(%error, failures = failures.len(), "failed to publish notifications");
        }
        if let Err(error) = self.users.count_notifications(stored.len(), &time::now()).await {
            tracing::error!(%error, "failed to count notifications");
        }
    }
}
