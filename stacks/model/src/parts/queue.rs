//! An SQS queue with its dead-letter queue.

use super::policy::{self, Statement};
use crate::{
    emulator::Feature,
    resources::sqs::{self, queue},
    stage::Stage,
    template::{Part, Reference, Resource, Stack, Text, list, set},
};

/// The retention of messages in seconds: 14 days, the maximum (SQS API reference, `SetQueueAttributes`).
const RETENTION: i64 = 1_209_600;
/// The waiting time of a receive in seconds: the maximum (the same page).
const LONG_POLL: i64 = 20;

/// An `AWS::SQS::Queue`, its dead-letter queue and their policies: encrypted, reachable over TLS only, keeping messages
/// for 14 days.
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

/// The values by which other parts refer to a queue.
#[derive(Debug, Clone)]
pub struct QueueHandle {
    /// The queue.
    pub queue: Reference,
}

/// The handles of a queue and its dead-letter queue.
#[derive(Debug, Clone)]
pub struct Queues {
    /// The queue.
    pub main: QueueHandle,
    /// The dead-letter queue.
    pub dead_letters: QueueHandle,
}

impl Queue {
    /// Creates a queue and its dead-letter queue, each given by logical ID and name.
    ///
    /// Received messages are hidden for 30 seconds and received three times at most.
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

    /// Sets the visibility timeout in seconds: the time for which a received message is hidden from other consumers.
    #[must_use]
    pub fn visibility(mut self, seconds: u32) -> Self {
        self.visibility = i64::from(seconds);
        self
    }

    /// Sets the visibility timeout of the dead-letter queue in seconds, if a function consumes it. SQS's default is 30.
    #[must_use]
    pub fn dead_letter_visibility(mut self, seconds: u32) -> Self {
        self.dead_letter_visibility = Some(i64::from(seconds));
        self
    }

    /// Sets the number of times that a message is received before it moves to the dead-letter queue.
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
            sqs::Queue { visibility_timeout: self.dead_letter_visibility.map(Into::into), ..base_properties(name) };
        let dead_letters = stack.resource(logical_id, Resource::of(dead_letters));
        let properties = sqs::Queue {
            visibility_timeout: set(self.visibility),
            redrive_policy: Some(queue::RedrivePolicy {
                dead_letter_target_arn: set(dead_letters.attribute("Arn")),
                max_receive_count: set(self.attempts),
            }),
            ..base_properties(&self.name)
        };
        let queue = stack.resource(&self.logical_id, Resource::of(properties));
        if self.tls_only {
            for queue in [&queue, &dead_letters] {
                let policy = Resource::of(tls_only(queue));
                stack.resource(&policy_id(queue), policy);
            }
        }
        Queues { main: QueueHandle { queue }, dead_letters: QueueHandle { queue: dead_letters } }
    }
}

/// An `AWS::SQS::Queue` that keeps what functions failed to process for 14 days, and its policy: encrypted, reachable over
/// TLS only. People read it, and send its messages again.
#[derive(Debug, Clone)]
pub struct FailureQueue {
    logical_id: String,
    name: String,
    tls_only: bool,
}

impl FailureQueue {
    /// Creates a queue called `name`.
    #[must_use]
    pub fn new(logical_id: &str, name: &str, stage: &Stage) -> Self {
        let tls_only = Feature::TlsOnly.is_in(stage);
        Self { logical_id: logical_id.to_owned(), name: name.to_owned(), tls_only }
    }
}

impl Part for FailureQueue {
    type Handle = QueueHandle;

    fn add_to(self, stack: &mut Stack) -> QueueHandle {
        let queue = stack.resource(&self.logical_id, Resource::of(base_properties(&self.name)));
        if self.tls_only {
            stack.resource(&policy_id(&queue), Resource::of(tls_only(&queue)));
        }
        QueueHandle { queue }
    }
}

fn base_properties(name: &str) -> sqs::Queue {
    sqs::Queue {
        queue_name: set(name),
        message_retention_period: set(RETENTION),
        receive_message_wait_time_seconds: set(LONG_POLL),
        sqs_managed_sse_enabled: set(true),
        ..sqs::Queue::default()
    }
}

/// Returns the logical ID of a queue's policy.
fn policy_id(queue: &Reference) -> String {
    format!("{}Policy", queue.logical_id())
}

fn tls_only(queue: &Reference) -> sqs::QueuePolicy {
    let deny = policy::deny_without_tls("sqs:*", &[queue.attribute("Arn")]);
    sqs::QueuePolicy { queues: list([queue.id()]), policy_document: Some(policy::resource_policy(vec![deny])) }
}

impl QueueHandle {
    /// Returns the queue's URL.
    #[must_use]
    pub fn url(&self) -> Text {
        self.queue.id()
    }

    /// Returns the queue's name.
    #[must_use]
    pub fn name(&self) -> Text {
        self.queue.attribute("QueueName")
    }

    /// Returns the queue's ARN.
    #[must_use]
    pub fn arn(&self) -> Text {
        self.queue.attribute("Arn")
    }

    /// Allows sending messages.
    #[must_use]
    pub fn send(&self) -> Vec<Statement> {
        self.allow(&["sqs:SendMessage"])
    }

    /// Allows reading the queue's attributes, for example the number of messages.
    #[must_use]
    pub fn inspect(&self) -> Vec<Statement> {
        self.allow(&["sqs:GetQueueAttributes"])
    }

    /// Allows what Lambda requires of the role of a function that an event source mapping invokes (Lambda developer
    /// guide, "Execution role permissions" of SQS event sources).
    #[must_use]
    pub fn feed(&self) -> Vec<Statement> {
        self.allow(&["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"])
    }

    /// Allows receiving and deleting messages, and extending their visibility timeout.
    #[must_use]
    pub fn work(&self) -> Vec<Statement> {
        self.allow(&["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"])
    }

    /// Adds a statement, in IAM's JSON form, to the queue's own policy. A queue has one policy (SQS API reference,
    /// `SetQueueAttributes`), so nothing is added for a queue of another stack.
    pub(super) fn permit(&self, stack: &mut Stack, statement: serde_json::Value) {
        if !self.queue.is_in(stack) {
            return;
        }
        let id = policy_id(&self.queue);
        if let Some(statements) = stack.list_mut(&id, "/PolicyDocument/Statement") {
            statements.push(statement);
            return;
        }
        let document = policy::resource_policy(vec![statement]);
        let properties = sqs::QueuePolicy { queues: list([self.queue.id()]), policy_document: Some(document) };
        stack.resource(&id, Resource::of(properties));
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
    fn both_queues_are_tls_only_and_one_is_the_dead_letter_queue_of_the_other() {
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

    #[test]
    fn a_failure_queue_is_alone_and_tls_only() {
        let mut stack = Stack::new("worker", "Work.");
        stack.add(FailureQueue::new("Failed", "failed", &Stage::example("dev")));
        assert_eq!(stack.resources["Failed"].to_json()["Properties"]["MessageRetentionPeriod"], json!(14 * 24 * 3600));
        assert_eq!(stack.resources.keys().collect::<Vec<_>>(), ["Failed", "FailedPolicy"]);
    }
}
