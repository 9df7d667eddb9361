//! Notifications: publishes stored ones to the topic and counts them.

use aws_sdk_sns::{Client, types::MessageAttributeValue};
use futures_util::{StreamExt, stream};

use crate::{
    aws::AwsError,
    tables::{notifications::Stored, users::Users},
    time,
};

/// The number of concurrent publications.
const CONCURRENCY: usize = 10;

#[derive(Debug, Clone)]
pub(crate) struct Topic {
    client: Client,
    arn: String,
}

impl Topic {
    pub(crate) fn new(client: Client, arn: String) -> Self {
        Self { client, arn }
    }

    async fn publish(&self, stored: &Stored) -> Result<(), AwsError> {
        let failed = |error: &(dyn std::error::Error + 'static)| {
            AwsError::unexpected("publish a notification", common::telemetry::chain(error))
        };
        let message = serde_json::to_string(&stored.notification).map_err(|error| failed(&error))?;
        let kind = stored.notification.data.get("type").and_then(serde_json::Value::as_str);
        let request = self
            .client
            .publish()
            .topic_arn(&self.arn)
            .message(message)
            .message_attributes("user_id", attribute(&stored.user_id)?)
            .message_attributes("type", attribute(kind.unwrap_or(&stored.notification.kind))?);
        request.send().await.map(|_| ()).map_err(|error| AwsError::new("publish a notification", &error))
    }
}

fn attribute(text: &str) -> Result<MessageAttributeValue, AwsError> {
    let attribute = MessageAttributeValue::builder().data_type("String").string_value(text).build();
    attribute.map_err(|error| AwsError::new("publish a notification", &error))
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
