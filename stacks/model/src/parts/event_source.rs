//! An event source mapping that sends the messages of a queue to a function's alias.

use super::{function::FunctionHandle, queue::QueueHandle};
use crate::{
    resources::lambda::EventSourceMapping,
    template::{Part, Reference, Resource, Stack, list, set},
};

/// An `AWS::Lambda::EventSourceMapping` that sends messages to a function's alias in batches. Messages that the
/// function reports as failed are received again.
///
/// The function's role needs [`QueueHandle::feed`].
#[derive(Debug, Clone)]
pub struct EventSource {
    logical_id: String,
    queue: QueueHandle,
    function: FunctionHandle,
    batch: i64,
}

impl EventSource {
    /// Creates a mapping from `queue` to `function` with batches of up to ten messages.
    #[must_use]
    pub fn new(logical_id: &str, queue: &QueueHandle, function: &FunctionHandle) -> Self {
        Self { logical_id: logical_id.to_owned(), queue: queue.clone(), function: function.clone(), batch: 10 }
    }

    /// Sets the largest number of messages in a batch.
    #[must_use]
    pub fn batch(mut self, messages: u32) -> Self {
        self.batch = i64::from(messages);
        self
    }
}

impl Part for EventSource {
    type Handle = Reference;

    fn add_to(self, stack: &mut Stack) -> Reference {
        let properties = EventSourceMapping {
            event_source_arn: set(self.queue.arn()),
            function_name: set(&self.function.alias),
            batch_size: set(self.batch),
            function_response_types: list(["ReportBatchItemFailures"]),
            ..EventSourceMapping::default()
        };
        stack.resource(&self.logical_id, Resource::of(properties))
    }
}
