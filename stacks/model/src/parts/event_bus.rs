//! An EventBridge event bus, and rules that send its events to functions.

use serde_json::{Map, Value, json};

use super::{function::FunctionHandle, policy::Statement, queue::QueueHandle};
use crate::{
    resources::events::{self, rule},
    template::{Part, Reference, Resource, Stack, Text, set},
};

/// An `AWS::Events::EventBus` for events of the system's own functions.
#[derive(Debug, Clone)]
pub struct EventBus {
    logical_id: String,
    name: String,
}

/// The values by which other parts refer to an event bus.
#[derive(Debug, Clone)]
pub struct EventBusHandle {
    bus: Reference,
}

impl EventBus {
    /// Creates a bus called `name`.
    #[must_use]
    pub fn new(logical_id: &str, name: &str) -> Self {
        Self { logical_id: logical_id.to_owned(), name: name.to_owned() }
    }
}

impl Part for EventBus {
    type Handle = EventBusHandle;

    fn add_to(self, stack: &mut Stack) -> EventBusHandle {
        let properties = events::EventBus { name: set(self.name), ..events::EventBus::default() };
        EventBusHandle { bus: stack.resource(&self.logical_id, Resource::of(properties)) }
    }
}

impl EventBusHandle {
    /// Returns the bus's name.
    #[must_use]
    pub fn name(&self) -> Text {
        self.bus.id()
    }

    /// Returns the bus's ARN.
    #[must_use]
    pub fn arn(&self) -> Text {
        self.bus.attribute("Arn")
    }

    /// Allows sending events to the bus.
    #[must_use]
    pub fn put(&self) -> Vec<Statement> {
        vec![Statement::allow(["events:PutEvents"], [self.arn()])]
    }
}

/// The events that a rule selects: those that match every field (EventBridge user guide, "Creating Amazon EventBridge event
/// patterns").
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventPattern {
    fields: Map<String, Value>,
}

impl EventPattern {
    /// Creates a pattern without fields. A rule requires at least one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Selects events of one of these sources.
    #[must_use]
    pub fn sources<'a>(self, sources: impl IntoIterator<Item = &'a str>) -> Self {
        self.field("source", sources.into_iter().collect::<Vec<_>>().into())
    }

    /// Selects events with one of these detail types.
    #[must_use]
    pub fn detail_types<'a>(self, types: impl IntoIterator<Item = &'a str>) -> Self {
        self.field("detail-type", types.into_iter().collect::<Vec<_>>().into())
    }

    /// Selects events whose detail matches a pattern, in EventBridge's JSON form.
    #[must_use]
    pub fn detail(self, pattern: Value) -> Self {
        self.field("detail", pattern)
    }

    fn field(mut self, name: &str, value: Value) -> Self {
        self.fields.insert(name.to_owned(), value);
        self
    }
}

/// An `AWS::Events::Rule` that sends events of a bus to functions, and the permissions for it.
#[derive(Debug, Clone)]
pub struct EventRule {
    logical_id: String,
    name: String,
    bus: EventBusHandle,
    pattern: EventPattern,
    functions: Vec<FunctionHandle>,
    retry: Option<(u32, u32)>,
    dead_letters: Option<QueueHandle>,
}

impl EventRule {
    /// Creates a rule called `name` for the events of `bus` that match `pattern`.
    #[must_use]
    pub fn new(logical_id: &str, name: &str, bus: &EventBusHandle, pattern: EventPattern) -> Self {
        Self {
            logical_id: logical_id.to_owned(),
            name: name.to_owned(),
            bus: bus.clone(),
            pattern,
            functions: Vec::new(),
            retry: None,
            dead_letters: None,
        }
    }

    /// Sends the events to a function's alias. A rule has up to five targets (EventBridge user guide, "Quotas for Amazon
    /// EventBridge").
    #[must_use]
    pub fn invoke(mut self, function: &FunctionHandle) -> Self {
        self.functions.push(function.clone());
        self
    }

    /// Sets how often the delivery of an event to a target is retried, at most 185 times, and the age in seconds at which it
    /// is given up, 60 to 86400 (EventBridge API reference, `RetryPolicy`). The defaults are 185 retries within a day.
    ///
    /// Lambda accepts an event before it runs the function. The retries of a function that fails are those of
    /// [`Function::asynchronous`](super::function::Function::asynchronous).
    #[must_use]
    pub fn retry(mut self, attempts: u32, max_age_seconds: u32) -> Self {
        self.retry = Some((attempts, max_age_seconds));
        self
    }

    /// Sends events that could not be delivered to a queue of the same stack, whose policy then allows it for this rule.
    #[must_use]
    pub fn dead_letters(mut self, queue: &QueueHandle) -> Self {
        self.dead_letters = Some(queue.clone());
        self
    }

    fn target(&self, function: &FunctionHandle) -> rule::Target {
        let policy = |(attempts, age): (u32, u32)| rule::RetryPolicy {
            maximum_retry_attempts: set(i64::from(attempts)),
            maximum_event_age_in_seconds: set(i64::from(age)),
        };
        rule::Target {
            id: set(function.logical_id()),
            arn: set(&function.alias),
            retry_policy: self.retry.map(policy),
            dead_letter_config: self
                .dead_letters
                .as_ref()
                .map(|queue| rule::DeadLetterConfig { arn: set(queue.arn()) }),
            ..rule::Target::default()
        }
    }
}

impl Part for EventRule {
    type Handle = Reference;

    fn add_to(self, stack: &mut Stack) -> Reference {
        let targets: Vec<_> = self.functions.iter().map(|function| self.target(function)).collect();
        let properties = events::Rule {
            name: set(&self.name),
            event_bus_name: set(self.bus.name()),
            event_pattern: Some(Value::Object(self.pattern.fields)),
            state: set("ENABLED"),
            targets: (!targets.is_empty()).then_some(targets),
            ..events::Rule::default()
        };
        let rule = stack.resource(&self.logical_id, Resource::of(properties));
        for function in &self.functions {
            let permission = format!("{}{}Permission", self.logical_id, function.logical_id());
            function.permit(stack, &permission, "events.amazonaws.com", rule.attribute("Arn"), false);
        }
        if let Some(queue) = &self.dead_letters {
            queue.permit(stack, from_rule(&self.logical_id, queue, &rule));
        }
        rule
    }
}

/// EventBridge user guide, "Using dead-letter queues to process undelivered events": permissions.
fn from_rule(id: &str, queue: &QueueHandle, rule: &Reference) -> Value {
    json!({
        "Sid": format!("DeadLettersOf{id}"),
        "Effect": "Allow",
        "Principal": { "Service": "events.amazonaws.com" },
        "Action": "sqs:SendMessage",
        "Resource": queue.arn(),
        "Condition": { "ArnEquals": { "aws:SourceArn": rule.attribute("Arn") } },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        parts::{function::Function, queue::FailureQueue},
        stage::Stage,
        template::System,
    };

    fn rendered(stage: &str, rule: impl FnOnce(EventRule, &QueueHandle) -> EventRule) -> Value {
        let (stage, mut stack) = (Stage::example(stage), Stack::new("work", "Work."));
        let bus = stack.add(EventBus::new("Bus", "jobs"));
        let queue = stack.add(FailureQueue::new("Failed", "failed", &stage));
        let environment = crate::example::FeedsFetch { stage: Text::from("dev") };
        let function = stack.add(Function::new(&stage, environment).allow(bus.put()));
        let pattern = EventPattern::new().sources(["app.jobs"]).detail_types(["Job Completed", "Job Failed"]);
        stack.add(rule(EventRule::new("Completed", "completed", &bus, pattern), &queue).invoke(&function));
        let system = System::new("shop", [stack]).render(&stage).expect("rendered");
        system.stacks[0].template["Resources"].clone()
    }

    #[test]
    fn a_rule_sends_the_events_of_its_bus_to_the_alias_that_it_may_invoke() {
        let resources = rendered("dev", |rule, _| rule.retry(4, 3600));
        let rule = &resources["Completed"]["Properties"];
        assert_eq!(rule["EventBusName"], json!({ "Ref": "Bus" }));
        let pattern = json!({ "source": ["app.jobs"], "detail-type": ["Job Completed", "Job Failed"] });
        assert_eq!(rule["EventPattern"], pattern);
        let target = json!({
            "Id": "FetchFunction", "Arn": { "Ref": "FetchFunctionAlias" },
            "RetryPolicy": { "MaximumRetryAttempts": 4, "MaximumEventAgeInSeconds": 3600 },
        });
        assert_eq!(rule["Targets"], json!([target]));
        let permission = &resources["CompletedFetchFunctionPermission"]["Properties"];
        assert_eq!(permission["Principal"], "events.amazonaws.com");
        assert_eq!(permission["SourceArn"], json!({ "Fn::GetAtt": ["Completed", "Arn"] }));
        let statements = &resources["FetchFunctionRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"];
        let put = statements.as_array().expect("statements").last().expect("a statement");
        assert_eq!(
            (&put["Action"][0], &put["Resource"][0]["Fn::GetAtt"]),
            (&json!("events:PutEvents"), &json!(["Bus", "Arn"]))
        );
    }

    #[test]
    fn the_queue_of_undelivered_events_accepts_those_of_the_rule_only() {
        for (stage, statements) in [("dev", 2), ("local", 1)] {
            let resources = rendered(stage, |rule, queue| rule.dead_letters(queue));
            let target = &resources["Completed"]["Properties"]["Targets"][0];
            assert_eq!(target["DeadLetterConfig"]["Arn"], json!({ "Fn::GetAtt": ["Failed", "Arn"] }));
            let policy = &resources["FailedPolicy"]["Properties"];
            assert_eq!(policy["Queues"], json!([{ "Ref": "Failed" }]), "{stage}");
            let all = policy["PolicyDocument"]["Statement"].as_array().expect("statements");
            assert_eq!(all.len(), statements, "{stage}");
            let own = all.last().expect("a statement");
            assert_eq!((&own["Effect"], &own["Action"]), (&json!("Allow"), &json!("sqs:SendMessage")));
            assert_eq!(own["Condition"]["ArnEquals"]["aws:SourceArn"], json!({ "Fn::GetAtt": ["Completed", "Arn"] }));
        }
    }
}
