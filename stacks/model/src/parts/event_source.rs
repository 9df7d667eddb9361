//! Event source mappings: they send the messages of a queue, or the changes of a table, to a function's alias.

use serde_json::Value;

use super::{function::FunctionHandle, queue::QueueHandle, table::TableHandle};
use crate::{
    resources::lambda::{
        EventSourceMapping,
        event_source_mapping::{DestinationConfig, Filter, FilterCriteria, OnFailure, ScalingConfig},
    },
    template::{Part, Reference, Resource, Stack, Text, list, set},
};

/// The settings that all sources have.
#[derive(Debug, Clone)]
struct Mapping {
    logical_id: String,
    source: Text,
    function: FunctionHandle,
    batch: u32,
    window: Option<u32>,
    filters: Vec<Value>,
}

impl Mapping {
    fn new(logical_id: &str, source: Text, function: &FunctionHandle, batch: u32) -> Self {
        let (logical_id, function) = (logical_id.to_owned(), function.clone());
        Self { logical_id, source, function, batch, window: None, filters: Vec::new() }
    }

    fn properties(&self) -> EventSourceMapping {
        let filter = |pattern: &Value| Filter { pattern: set(pattern.to_string()) };
        let filters: Vec<_> = self.filters.iter().map(filter).collect();
        EventSourceMapping {
            event_source_arn: set(&self.source),
            function_name: set(&self.function.alias),
            batch_size: set(i64::from(self.batch)),
            maximum_batching_window_in_seconds: self.window.map(|seconds| i64::from(seconds).into()),
            filter_criteria: (!filters.is_empty()).then_some(FilterCriteria { filters: Some(filters) }),
            function_response_types: list(["ReportBatchItemFailures"]),
            ..EventSourceMapping::default()
        }
    }
}

/// An `AWS::Lambda::EventSourceMapping` that sends messages to a function's alias in batches. Messages that the
/// function reports as failed are received again.
///
/// The function's role needs [`QueueHandle::feed`].
#[derive(Debug, Clone)]
pub struct EventSource {
    mapping: Mapping,
    concurrency: Option<u32>,
}

impl EventSource {
    /// Creates a mapping from `queue` to `function` with batches of up to ten messages.
    #[must_use]
    pub fn new(logical_id: &str, queue: &QueueHandle, function: &FunctionHandle) -> Self {
        Self { mapping: Mapping::new(logical_id, queue.arn(), function, 10), concurrency: None }
    }

    /// Sets the largest number of messages in a batch. More than ten require a [`window`](Self::window).
    #[must_use]
    pub fn batch(mut self, messages: u32) -> Self {
        self.mapping.batch = messages;
        self
    }

    /// Waits up to this many seconds, at most 300, until a batch is full (Lambda API reference, `CreateEventSourceMapping`).
    #[must_use]
    pub fn window(mut self, seconds: u32) -> Self {
        self.mapping.window = Some(seconds);
        self
    }

    /// Limits the number of simultaneous invocations by this queue, from 2 to 1000 (Lambda API reference, `ScalingConfig`).
    #[must_use]
    pub fn maximum_concurrency(mut self, invocations: u32) -> Self {
        self.concurrency = Some(invocations);
        self
    }

    /// Sends only messages that match this pattern, or one of several. The others are deleted. A pattern for the body of
    /// messages is `{"body": {"type": ["run"]}}` (Lambda developer guide, "Using event filtering with an Amazon SQS event
    /// source").
    #[must_use]
    pub fn filter(mut self, pattern: Value) -> Self {
        self.mapping.filters.push(pattern);
        self
    }
}

impl Part for EventSource {
    type Handle = Reference;

    fn add_to(self, stack: &mut Stack) -> Reference {
        let scaling = |invocations: u32| ScalingConfig { maximum_concurrency: set(i64::from(invocations)) };
        let properties =
            EventSourceMapping { scaling_config: self.concurrency.map(scaling), ..self.mapping.properties() };
        stack.resource(&self.mapping.logical_id, Resource::of(properties))
    }
}

/// An `AWS::Lambda::EventSourceMapping` that sends the changes of a table's items to a function's alias, in their order for
/// each item. The table needs [`Table::stream`](super::table::Table::stream).
///
/// The function's role needs [`TableHandle::consume_stream`].
#[derive(Debug, Clone)]
pub struct StreamSource {
    mapping: Mapping,
    position: &'static str,
    retries: Option<u32>,
    maximum_age: Option<u32>,
    is_bisected: bool,
    failures: Option<Text>,
}

impl StreamSource {
    /// Creates a mapping from the stream of `table` to `function` with batches of up to 100 changes, from now on.
    ///
    /// A failed batch is retried until its changes leave the stream after a day, and blocks later changes of the same shard,
    /// unless [`retries`](Self::retries) or [`maximum_age`](Self::maximum_age) limit that.
    #[must_use]
    pub fn new(logical_id: &str, table: &TableHandle, function: &FunctionHandle) -> Self {
        Self {
            mapping: Mapping::new(logical_id, table.stream_arn(), function, 100),
            position: "LATEST",
            retries: None,
            maximum_age: None,
            is_bisected: false,
            failures: None,
        }
    }

    /// Sets the largest number of changes in a batch.
    #[must_use]
    pub fn batch(mut self, changes: u32) -> Self {
        self.mapping.batch = changes;
        self
    }

    /// Waits up to this many seconds, at most 300, until a batch is full.
    #[must_use]
    pub fn window(mut self, seconds: u32) -> Self {
        self.mapping.window = Some(seconds);
        self
    }

    /// Sends only changes that match this pattern, or one of several, for example `{"eventName": ["INSERT"]}` (Lambda
    /// developer guide, "Using event filtering with a DynamoDB event source").
    #[must_use]
    pub fn filter(mut self, pattern: Value) -> Self {
        self.mapping.filters.push(pattern);
        self
    }

    /// Starts with the changes after the mapping is created: the default.
    #[must_use]
    pub fn starting_at_latest(mut self) -> Self {
        self.position = "LATEST";
        self
    }

    /// Starts with the oldest change of the stream, at most a day ago.
    #[must_use]
    pub fn from_start(mut self) -> Self {
        self.position = "TRIM_HORIZON";
        self
    }

    /// Gives a batch up after this many retries, at most 10000.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = Some(retries);
        self
    }

    /// Gives changes up at this age in seconds, 60 to 604800.
    #[must_use]
    pub fn maximum_age(mut self, seconds: u32) -> Self {
        self.maximum_age = Some(seconds);
        self
    }

    /// Splits a failed batch in two before it is retried, to isolate a change that always fails.
    #[must_use]
    pub fn bisect(mut self) -> Self {
        self.is_bisected = true;
        self
    }

    /// Sends the position in the stream of batches that were given up to a queue. The function's role needs
    /// [`QueueHandle::send`].
    #[must_use]
    pub fn on_failure(mut self, queue: &QueueHandle) -> Self {
        self.failures = Some(queue.arn());
        self
    }
}

impl Part for StreamSource {
    type Handle = Reference;

    fn add_to(self, stack: &mut Stack) -> Reference {
        let to = |queue| DestinationConfig { on_failure: Some(OnFailure { destination: Some(queue) }) };
        let properties = EventSourceMapping {
            starting_position: set(self.position),
            maximum_retry_attempts: self.retries.map(|retries| i64::from(retries).into()),
            maximum_record_age_in_seconds: self.maximum_age.map(|seconds| i64::from(seconds).into()),
            bisect_batch_on_function_error: self.is_bisected.then_some(true).and_then(set),
            destination_config: self.failures.map(to),
            ..self.mapping.properties()
        };
        stack.resource(&self.mapping.logical_id, Resource::of(properties))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        parts::{
            function::Function,
            queue::{FailureQueue, Queue},
            table::Table,
        },
        stage::Stage,
        template::System,
    };

    fn rendered(add: impl FnOnce(&mut Stack, &Stage, &FunctionHandle)) -> Value {
        let (stage, mut stack) = (Stage::example("dev"), Stack::new("work", "Work."));
        let environment = crate::example::FeedsFetch { stage: Text::from("dev") };
        let function = stack.add(Function::new(&stage, environment));
        add(&mut stack, &stage, &function);
        let system = System::new("shop", [stack]).render(&stage).expect("rendered");
        system.stacks[0].template["Resources"]["Mapping"]["Properties"].clone()
    }

    #[test]
    fn a_queue_s_mapping_has_a_window_filters_and_a_limit() {
        let mapping = rendered(|stack, stage, function| {
            let queue = stack.add(Queue::new(("Tasks", "tasks"), ("TasksDlq", "tasks-dlq"), stage)).main;
            let source = EventSource::new("Mapping", &queue, function).batch(5).window(10).maximum_concurrency(3);
            stack.add(source.filter(json!({ "body": { "type": ["run"] } })));
        });
        assert_eq!(
            mapping,
            json!({
                "EventSourceArn": { "Fn::GetAtt": ["Tasks", "Arn"] },
                "FunctionName": { "Ref": "FetchFunctionAlias" },
                "BatchSize": 5, "MaximumBatchingWindowInSeconds": 10,
                "ScalingConfig": { "MaximumConcurrency": 3 },
                "FilterCriteria": { "Filters": [{ "Pattern": r#"{"body":{"type":["run"]}}"# }] },
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
            })
        );
    }

    #[test]
    fn a_stream_s_mapping_has_a_position_and_says_when_changes_are_given_up() {
        let mapping = rendered(|stack, stage, function| {
            let table = stack.add(Table::new("Tasks", "tasks", ("PK", None), stage).stream());
            let queue = stack.add(FailureQueue::new("Failed", "failed", stage));
            let source = StreamSource::new("Mapping", &table, function).from_start().retries(3).maximum_age(3600);
            stack.add(source.bisect().on_failure(&queue).filter(json!({ "eventName": ["INSERT"] })));
        });
        assert_eq!(
            mapping,
            json!({
                "EventSourceArn": { "Fn::GetAtt": ["Tasks", "StreamArn"] },
                "FunctionName": { "Ref": "FetchFunctionAlias" },
                "StartingPosition": "TRIM_HORIZON",
                "BatchSize": 100, "MaximumRetryAttempts": 3, "MaximumRecordAgeInSeconds": 3600,
                "BisectBatchOnFunctionError": true,
                "DestinationConfig": { "OnFailure": { "Destination": { "Fn::GetAtt": ["Failed", "Arn"] } } },
                "FilterCriteria": { "Filters": [{ "Pattern": r#"{"eventName":["INSERT"]}"# }] },
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
            })
        );
    }
}
