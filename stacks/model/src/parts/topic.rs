//! An SNS topic with an optional e-mail subscription.

use serde_json::{Value, json};

use super::policy::{self, Statement};
use crate::{
    emulator::Feature,
    resources::sns,
    stage::Stage,
    template::{Expression, Part, Reference, Resource, Stack, Text, set},
};

/// The name of the output with the ARN of a system's alarm topic.
pub const ARN_OUTPUT: &str = "AlarmTopicArn";

/// An `AWS::SNS::Topic` that requires TLS and, with an address, its e-mail subscription.
#[derive(Debug, Clone)]
pub struct Topic {
    logical_id: String,
    name: String,
    email: Option<String>,
    tls_only: bool,
}

/// The values by which other parts refer to a topic.
#[derive(Debug, Clone)]
pub struct TopicHandle {
    topic: Reference,
}

impl Topic {
    /// Creates a topic called `name`. Functions and people publish to it with their own permissions, and the alarms of the account
    /// with those of the topic's policy.
    #[must_use]
    pub fn new(logical_id: &str, name: &str, stage: &Stage) -> Self {
        let tls_only = Feature::TlsOnly.is_in(stage);
        Self { logical_id: logical_id.to_owned(), name: name.to_owned(), email: None, tls_only }
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
        if self.tls_only {
            let document = policy::resource_policy(vec![from_alarms(&topic), tls_only(&topic)]);
            let properties = json!({ "Topics": [topic.id()], "PolicyDocument": document });
            stack.resource(&format!("{}Policy", self.logical_id), Resource::new("AWS::SNS::TopicPolicy", properties));
        }
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

/// A policy replaces the one that a topic has by default, which lets all services of the account publish. Only alarms need that
/// (CloudWatch user guide, "Notifying users on alarm changes").
fn from_alarms(topic: &Reference) -> Value {
    json!({
        "Sid": "Alarms",
        "Effect": "Allow",
        "Principal": { "Service": "cloudwatch.amazonaws.com" },
        "Action": "sns:Publish",
        "Resource": topic.id(),
        "Condition": { "StringEquals": { "aws:SourceAccount": Text::from(Expression::pseudo("AWS::AccountId")) } },
    })
}

/// SNS accepts only single actions of a topic in its policy (SNS developer guide, "Security best practices": "Consider using ...
/// encryption in transit").
fn tls_only(topic: &Reference) -> Value {
    policy::deny_without_tls("sns:Publish", &[topic.id()])
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_requires_tls_and_accepts_the_alarms_of_its_account() {
        let mut stack = Stack::new("alarms", "Alarms.");
        stack.add(Topic::new("Topic", "alarms", &Stage::example("dev")));
        let policy = stack.resources["TopicPolicy"].to_json()["Properties"].clone();
        let statements = policy["PolicyDocument"]["Statement"].as_array().expect("statements");
        assert_eq!(statements[0]["Principal"]["Service"], "cloudwatch.amazonaws.com");
        assert_eq!((&statements[1]["Effect"], &statements[1]["Action"]), (&json!("Deny"), &json!("sns:Publish")));
        assert_eq!(statements[1]["Condition"]["Bool"]["aws:SecureTransport"], "false");
        let mut local = Stack::new("alarms", "Alarms.");
        local.add(Topic::new("Topic", "alarms", &Stage::example("local")));
        assert!(!local.resources.contains_key("TopicPolicy"));
    }
}
