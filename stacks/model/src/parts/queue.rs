//! An SQS queue with the queue that takes what nobody could process.

use super::policy::{self, Statement};
use crate::{
    emulator::Feature,
    resources::sqs::{self, queue},
    stage::Stage,
    template::{Part, Reference, Resource, Stack, Text, list, set},
};

/// How long messages are kept, in seconds: 14 days, the most there is (SQS API reference, `SetQueueAttributes`).
const RETENTION: i64 = 1_209_600;
/// How long a receive waits for a message, in seconds: the most there is (the same).
const LONG_POLL: i64 = 20;

/// A queue and its dead-letter queue: encrypted, TLS only, keeping messages for 14 days.
#[derive(Debug, Clone)]
pub struct Queue {
    logical_id: String,
    name: String,
    dead_letters: (String, String),
    visibility: i64,
    dead_letter_visibility: Option<i64>,
    attempts: i64,
    tls_only: bool,
}

/// What others need of a queue.
#[derive(Debug, Clone)]
pub struct QueueHandle {
    /// The queue.
    pub queue: Reference,
}

/// A queue and its dead-letter queue.
#[derive(Debug, Clone)]
pub struct Queues {
    /// The queue.
    pub main: QueueHandle,
    /// Its dead-letter queue.
    pub dead_letters: QueueHandle,
}

impl Queue {
    /// A queue called `name`, with a dead-letter queue, each by logical ID and name.
    #[must_use]
    pub fn new((logical_id, name): (&str, &str), dead_letters: (&str, &str), stage: &Stage) -> Self {
        Self {
            logical_id: logical_id.to_owned(),
            name: name.to_owned(),
            dead_letters: (dead_letters.0.to_owned(), dead_letters.1.to_owned()),
            visibility: 30,
            dead_letter_visibility: None,
            attempts: 3,
            tls_only: Feature::TlsOnly.is_in(stage),
        }
    }

    /// How long a received message is hidden from others, in seconds.
    #[must_use]
    pub fn visibility(mut self, seconds: u32) -> Self {
        self.visibility = i64::from(seconds);
        self
    }

    /// The same for dead letters, where somebody receives them: 30 seconds unless told.
    #[must_use]
    pub fn dead_letter_visibility(mut self, seconds: u32) -> Self {
        self.dead_letter_visibility = Some(i64::from(seconds));
        self
    }

    /// How often a message is received before it becomes a dead letter.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = i64::from(attempts);
        self
    }
}

impl Part for Queue {
    type Handle = Queues;

    fn add_to(self, stack: &mut Stack) -> Queues {
        let (logical_id, name) = &self.dead_letters;
        let dead_letters =
            sqs::Queue { visibility_timeout: self.dead_letter_visibility.map(Into::into), ..plain(name) };
        let dead_letters = stack.resource(logical_id, Resource::of(dead_letters));
        let properties = sqs::Queue {
            visibility_timeout: set(self.visibility),
            redrive_policy: Some(queue::RedrivePolicy {
                dead_letter_target_arn: set(dead_letters.attribute("Arn")),
                max_receive_count: set(self.attempts),
            }),
            ..plain(&self.name)
        };
        let queue = stack.resource(&self.logical_id, Resource::of(properties));
        if self.tls_only {
            for queue in [&queue, &dead_letters] {
                let policy = Resource::of(tls_only(queue));
                stack.resource(&format!("{}Policy", queue.logical_id()), policy);
            }
        }
        Queues { main: QueueHandle { queue }, dead_letters: QueueHandle { queue: dead_letters } }
    }
}

fn plain(name: &str) -> sqs::Queue {
    sqs::Queue {
        queue_name: set(name),
        message_retention_period: set(RETENTION),
        receive_message_wait_time_seconds: set(LONG_POLL),
        sqs_managed_sse_enabled: set(true),
        ..sqs::Queue::default()
    }
}

fn tls_only(queue: &Reference) -> sqs::QueuePolicy {
    let deny = policy::deny_without_tls("sqs:*", &[queue.attribute("Arn")]);
    sqs::QueuePolicy { queues: list([queue.id()]), policy_document: Some(policy::resource_policy(vec![deny])) }
}

impl QueueHandle {
    /// The queue's URL.
    #[must_use]
    pub fn url(&self) -> Text {
        self.queue.id()
    }

    /// The queue's name.
    #[must_use]
    pub fn name(&self) -> Text {
        self.queue.attribute("QueueName")
    }

    /// The queue's ARN.
    #[must_use]
    pub fn arn(&self) -> Text {
        self.queue.attribute("Arn")
    }

    /// Sending messages.
    #[must_use]
    pub fn send(&self) -> Vec<Statement> {
        self.allow(&["sqs:SendMessage"])
    }

    /// Looking at how many messages there are.
    #[must_use]
    pub fn inspect(&self) -> Vec<Statement> {
        self.allow(&["sqs:GetQueueAttributes"])
    }

    /// What Lambda asks of a function's role to feed it from the queue (Lambda developer guide, "Execution role
    /// permissions" of SQS event sources).
    #[must_use]
    pub fn feed(&self) -> Vec<Statement> {
        self.allow(&["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"])
    }

    /// Receiving, keeping hidden and deleting messages.
    #[must_use]
    pub fn work(&self) -> Vec<Statement> {
        self.allow(&["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"])
    }

    fn allow(&self, actions: &[&str]) -> Vec<Statement> {
        vec![Statement::allow(actions.iter().copied(), [self.arn()])]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_queues_are_tls_only_and_the_first_gives_up_into_the_second() {
        let mut stack = Stack::new("worker", "Work.");
        let queue = Queue::new(("Tasks", "tasks"), ("TasksDlq", "tasks-dlq"), &Stage::example("dev"));
        stack.add(queue.visibility(900).attempts(5));
        let properties = |id: &str| stack.resources[id].to_json()["Properties"].clone();
        assert_eq!(properties("Tasks")["RedrivePolicy"]["maxReceiveCount"], 5);
        assert_eq!(properties("Tasks")["VisibilityTimeout"], 900);
        for queue in ["Tasks", "TasksDlq"] {
            assert_eq!(properties(queue)["MessageRetentionPeriod"], json!(14 * 24 * 3600));
            let policy = properties(&format!("{queue}Policy"));
            assert_eq!(policy["PolicyDocument"]["Statement"][0]["Effect"], "Deny");
        }
    }
}
