//! Notifications: stored per user, published to the topic for whoever pushes them on, and counted.

use aws_sdk_sns::{Client, types::MessageAttributeValue};
use futures_util::{StreamExt, stream};

use crate::{
    aws::AwsError,
    tables::{
        notifications::{Notifications, Stored},
        users::Users,
    },
    time,
};

/// How many messages are published at once.
const AT_ONCE: usize = 10;

/// The topic.
#[derive(Debug, Clone)]
pub struct Topic {
    client: Client,
    arn: String,
}

impl Topic {
    /// The topic with this ARN.
    #[must_use]
    pub fn new(client: Client, arn: String) -> Self {
        Self { client, arn }
    }

    async fn publish(&self, stored: &Stored) -> Result<(), AwsError> {
        let failed = |error: &(dyn std::error::Error + 'static)| {
            AwsError::odd("publish a notification", common::telemetry::chain(error))
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

/// Stores, publishes and counts.
#[derive(Debug, Clone)]
pub struct Notifier {
    /// Where notifications are stored.
    pub notifications: Notifications,
    /// Where they are counted.
    pub users: Users,
    /// Where they are published.
    pub topic: Topic,
}

impl Notifier {
    /// Tells the rest of the world about notifications that are stored. What is stored is delivered, so what fails here
    /// is only logged.
    pub async fn announce(&self, stored: &[Stored]) {
        // Collected first: the compiler follows no closure over borrowed items through a stream.
        let published: Vec<_> = stored.iter().map(|stored| self.topic.publish(stored)).collect();
        let published: Vec<Result<(), AwsError>> = stream::iter(published).buffer_unordered(AT_ONCE).collect().await;
        let failures: Vec<AwsError> = published.into_iter().filter_map(Result::err).collect();
        if let Some(error) = failures.first() {
            tracing::error!(%error, failures = failures.len(), "notifications were not published");
        }
        if let Err(error) = self.users.notified(stored.len(), &time::now()).await {
            tracing::error!(%error, "notifications were not counted");
        }
    }
}
