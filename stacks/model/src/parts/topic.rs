//! An SNS topic with an optional e-mail subscription.

use super::policy::Statement;
use crate::{
    resources::sns,
    template::{Part, Reference, Resource, Stack, Text, set},
};

/// The name of the output with the ARN of a system's alarm topic.
pub const ARN_OUTPUT: &str = "AlarmTopicArn";

/// An `AWS::SNS::Topic` and, with an address, its e-mail subscription.
#[derive(Debug, Clone)]
pub struct Topic {
    logical_id: String,
    name: String,
    email: Option<String>,
}

/// The values by which other parts refer to a topic.
#[derive(Debug, Clone)]
pub struct TopicHandle {
    topic: Reference,
}

impl Topic {
    /// Creates a topic called `name`.
    #[must_use]
    pub fn new(logical_id: &str, name: &str) -> Self {
        Self { logical_id: logical_id.to_owned(), name: name.to_owned(), email: None }
    }

    /// Sends all messages to this address as soon as its owner has confirmed the subscription.
    #[must_use]
    pub fn email(mut self, address: Option<&str>) -> Self {
        self.email = address.map(str::to_owned);
        self
    }
}

impl Part for Topic {
    type Handle = TopicHandle;

    fn add_to(self, stack: &mut Stack) -> TopicHandle {
        let properties = sns::Topic { topic_name: set(self.name), ..sns::Topic::default() };
        let topic = stack.resource(&self.logical_id, Resource::of(properties));
        if let Some(address) = self.email {
            let subscription = sns::Subscription {
                topic_arn: set(topic.id()),
                protocol: set("email"),
                endpoint: set(address),
                ..sns::Subscription::default()
            };
            stack.resource(&format!("{}Email", self.logical_id), Resource::of(subscription));
        }
        TopicHandle { topic }
    }
}

impl TopicHandle {
    /// Returns the topic's ARN.
    #[must_use]
    pub fn arn(&self) -> Text {
        self.topic.id()
    }

    /// Allows publishing messages.
    #[must_use]
    pub fn publish(&self) -> Vec<Statement> {
        vec![Statement::allow(["sns:Publish"], [self.arn()])]
    }
}
