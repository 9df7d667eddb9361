//! Event source mappings: what Lambda checks when it creates one, about the queue or stream, the function and its role.

use serde_json::{Value, json};

use super::{
    Requirement, Subject, Violation,
    access::{plain, statements},
    form,
    patterns::{self, Fields},
    references::{Target, number},
    timeouts::timeout,
};
use crate::statements::{Decision, PolicyStatement, Request, decide, list};

const TABLE: &str = "AWS::DynamoDB::Table";

/// Types of sources, and the actions that the function's role needs (Lambda developer guide, "Configuring permissions for
/// an event source mapping": the managed policies `AWSLambdaSQSQueueExecutionRole`, `AWSLambdaDynamoDBExecutionRole` and
/// `AWSLambdaKinesisExecutionRole`, without the lists of streams).
const SOURCES: &[(&str, &[&str])] = &[
    ("AWS::SQS::Queue", &["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]),
    (TABLE, &["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]),
    ("AWS::Kinesis::Stream", &["kinesis:DescribeStream", "kinesis:GetRecords", "kinesis:GetShardIterator"]),
];
/// The fields of each source's events (Lambda developer guide, "Using event filtering with an Amazon SQS event source" and
/// "… a DynamoDB event source"); `$or` is an operator.
const FIELDS: &[(&str, Fields)] = &[
    (
        "AWS::SQS::Queue",
        &[
            "attributes",
            "awsRegion",
            "body",
            "eventSource",
            "eventSourceARN",
            "md5OfBody",
            "messageAttributes",
            "messageId",
            "receiptHandle",
        ],
    ),
    (
        TABLE,
        &[
            "awsRegion",
            "dynamodb",
            "eventID",
            "eventName",
            "eventSource",
            "eventSourceARN",
            "eventVersion",
            "userIdentity",
        ],
    ),
];
/// Types of policies that are attached to a role, and the property that names the role.
pub(super) const ATTACHED: &[(&str, &str)] =
    &[("AWS::IAM::ManagedPolicy", "Roles"), ("AWS::IAM::Policy", "Roles"), ("AWS::IAM::RolePolicy", "RoleName")];
/// The visibility timeout of a queue that sets none (SQS API reference, `SetQueueAttributes`).
const DEFAULT_VISIBILITY: i64 = 30;
/// The largest batch of a queue's messages without a batching window (Lambda API reference, `CreateEventSourceMapping`).
const SMALL_BATCH: i64 = 10;

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    if subject.resource_type() != "AWS::Lambda::EventSourceMapping" {
        return;
    }
    let scope = subject.target().scope;
    let Some(source) = scope.target(subject.property("EventSourceArn")) else { return };
    if source.kind() == "AWS::SQS::Queue" {
        batches(subject, found);
    }
    stream(subject, source, found);
    filters(subject, source, found);
    let Some(function) = scope.function(subject.property("FunctionName")) else { return };
    if source.kind() == "AWS::SQS::Queue" {
        visibility(subject, source, function, found);
    }
    let needed = SOURCES.iter().find(|(kind, _)| *kind == source.kind()).map_or(&[][..], |(_, actions)| actions);
    permissions(subject, source, function, needed, found);
    let failures = scope.target(&subject.property("DestinationConfig")["OnFailure"]["Destination"]);
    if let Some(queue) = failures.filter(|target| target.kind() == "AWS::SQS::Queue") {
        permissions(subject, queue, function, &["sqs:SendMessage"], found);
    }
    kinds(subject, source, function, found);
}

/// A table has a stream only with a setting, and without it no attribute `StreamArn`.
fn stream(subject: &Subject<'_>, source: Target<'_>, found: &mut Vec<Violation>) {
    let has_stream = !source.resource["Properties"]["StreamSpecification"].is_null();
    if source.kind() == TABLE && !has_stream {
        let message = format!("{} has no stream; enable one, for example with `.stream()`", source.logical_id);
        subject.violates(Requirement::EventSource, "EventSourceArn", message, found);
    }
}

/// Lambda developer guide, "Control which events Lambda sends to your function": a pattern is JSON in text.
fn filters(subject: &Subject<'_>, source: Target<'_>, found: &mut Vec<Violation>) {
    let fields = FIELDS.iter().find(|(kind, _)| *kind == source.kind()).map(|(_, fields)| *fields);
    for filter in list(&subject.property("FilterCriteria")["Filters"]) {
        let Some(text) = filter["Pattern"].as_str() else { continue };
        let reason = match (serde_json::from_str::<Value>(text), fields) {
            (Err(error), _) => Some(format!("is not JSON ({error}); write an object as text")),
            (Ok(pattern), Some(fields)) => patterns::refused(&pattern, fields),
            (Ok(_), None) => None,
        };
        if let Some(reason) = reason {
            let message = format!("the filter `{text}` {reason}");
            subject.violates(Requirement::EventSource, "FilterCriteria", message, found);
        }
    }
}

/// A handler parses one kind of event: messages, changes, the events of rules, or requests.
fn kinds(subject: &Subject<'_>, source: Target<'_>, function: Target<'_>, found: &mut Vec<Violation>) {
    let own = source.kind();
    let calls = |caller: Target<'_>| -> Option<String> {
        let properties = &caller.resource["Properties"];
        let (property, kind) = match caller.kind() {
            "AWS::Lambda::EventSourceMapping" => {
                let other = caller.scope.target(&properties["EventSourceArn"])?;
                ("FunctionName", Some(other.kind()).filter(|other| *other != own)?)
            }
            "AWS::Events::Rule" => ("Targets", "an event rule"),
            "AWS::ApiGateway::Method" => ("Integration", "an API"),
            "AWS::ApiGatewayV2::Integration" => ("IntegrationUri", "an API"),
            _ => return None,
        };
        let called = list(&properties[property]).iter().filter_map(|value| caller.scope.function(value));
        called.into_iter().any(|called| called.is(function)).then(|| format!("{} ({kind})", caller.logical_id))
    };
    let others: Vec<_> = subject.index.callers(function).filter_map(calls).collect();
    if !others.is_empty() {
        let message = format!(
            "{} also receives events of {}, which have another form than those of {own}; use a function for each",
            function.logical_id,
            others.join(", ")
        );
        subject.violates(Requirement::EventSource, "FunctionName", message, found);
    }
}

fn batches(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    let window = subject.property("MaximumBatchingWindowInSeconds");
    let has_window = !window.is_null() && number(window) != Some(0);
    if !has_window && number(subject.property("BatchSize")).is_some_and(|size| size > SMALL_BATCH) {
        let message = format!(
            "batches of more than {SMALL_BATCH} messages need a window; set MaximumBatchingWindowInSeconds to 1 or more"
        );
        subject.violates(Requirement::EventSource, "BatchSize", message, found);
    }
}

/// Lambda answers "Queue visibility timeout: 30 seconds is less than Function timeout: 60 seconds", and recommends six times the
/// timeout (Lambda developer guide, "Creating and configuring an Amazon SQS event source mapping").
fn visibility(subject: &Subject<'_>, queue: Target<'_>, function: Target<'_>, found: &mut Vec<Violation>) {
    let visibility = match &queue.resource["Properties"]["VisibilityTimeout"] {
        Value::Null => Some(DEFAULT_VISIBILITY),
        visibility => number(visibility),
    };
    let (Some(visibility), Some(timeout)) = (visibility, timeout(function.resource)) else { return };
    if visibility < timeout {
        let message = format!(
            "{} hides a message for {visibility} s, but {} may take {timeout} s, so Lambda refuses the mapping; set \
             VisibilityTimeout to {} s, six times the timeout",
            queue.logical_id,
            function.logical_id,
            6 * timeout
        );
        subject.violates(Requirement::EventSource, "EventSourceArn", message, found);
    }
}

fn permissions<'a>(
    subject: &Subject<'a>,
    source: Target<'a>,
    function: Target<'a>,
    actions: &[&str],
    found: &mut Vec<Violation>,
) {
    let role = function.scope.target(&function.resource["Properties"]["Role"]);
    let Some(role) = role.filter(|role| role.kind() == "AWS::IAM::Role") else { return };
    let Some(granted) = granted(subject, role, source) else { return };
    let is_missing = |action: &str| matches!(decide(&granted, &Request::new(action, SOURCE)), Decision::NotAllowed);
    let missing: Vec<_> = actions.iter().copied().filter(|action| is_missing(action)).collect();
    if !missing.is_empty() {
        let hint = match source.kind() {
            "AWS::SQS::Queue" if actions == ["sqs:SendMessage"] => ", for example with `.allow(queue.send())`",
            "AWS::SQS::Queue" => ", for example with `.allow(queue.feed())`",
            TABLE => ", for example with `.allow(table.consume_stream())`",
            _ => "",
        };
        let message = format!(
            "the role of {} must allow `{}` on {}, or Lambda refuses the mapping; allow it{hint}",
            function.logical_id,
            missing.join("`, `"),
            source.logical_id
        );
        subject.violates(Requirement::EventSource, "FunctionName", message, found);
    }
}

/// The source in statements: its references have several forms.
const SOURCE: &str = "source";

/// Returns the statements of a role, in which every reference to the source is [`SOURCE`]; `None` if it has policies that no template
/// of the system contains.
fn granted<'a>(subject: &Subject<'a>, role: Target<'a>, source: Target<'a>) -> Option<Vec<PolicyStatement>> {
    let mut documents = vec![(role, &role.resource["Properties"]["Policies"])];
    for arn in list(&role.resource["Properties"]["ManagedPolicyArns"]) {
        let policy = role.scope.target(arn)?;
        documents.push((policy, &policy.resource["Properties"]));
    }
    documents.extend(subject.index.role_policies(role).map(|policy| (policy, &policy.resource["Properties"])));
    let parsed = documents.into_iter().flat_map(|(owner, document)| {
        statements(document).into_iter().map(move |statement| {
            let resources = list(&statement["Resource"]).iter().map(|value| known(owner, value, source));
            let mut statement = statement.clone();
            statement["Resource"] = json!(resources.collect::<Vec<_>>());
            PolicyStatement::parse(&statement)
        })
    });
    Some(parsed.collect())
}

/// Returns [`SOURCE`] for a resource of a statement that is, or may be, the source.
fn known<'a>(owner: Target<'a>, value: &'a Value, source: Target<'a>) -> String {
    let refers = || owner.scope.targets(value).iter().any(|target| target.is(source));
    let text = form(value).unwrap_or_else(|| plain(&value.to_string()));
    let name = ["QueueName", "TableName", "Name"].iter().find_map(|name| form(&source.resource["Properties"][*name]));
    let is_named = || text.contains('*') || name.is_some_and(|name| text.contains(&name));
    if refers() || is_named() { SOURCE.to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{found_in, of},
        *,
    };
    use crate::{
        parts::{
            event_source::{EventSource, StreamSource},
            function::{Function, FunctionHandle},
            policy::Statement,
            queue::{FailureQueue, Queue, QueueHandle},
            schedule::Schedule,
            table::{Table, TableHandle},
        },
        stage::Stage,
        template::{Stack, Text},
    };

    fn found(stack: Stack) -> Vec<String> {
        found_in("dev", stack).into_iter().filter(|found| found.starts_with("event-source")).collect()
    }

    /// A function with this timeout behind a queue with this visibility timeout.
    fn mapped(
        (visibility, timeout): (u32, u32),
        batch: u32,
        allowed: impl FnOnce(&QueueHandle) -> Vec<Statement>,
    ) -> Vec<String> {
        let (stage, mut stack) = (Stage::example("dev"), Stack::new("work", "Work."));
        let queue = Queue::new(("Tasks", "tasks"), ("TasksDlq", "tasks-dlq"), &stage).visibility(visibility);
        let queue = stack.add(queue).main;
        let environment = crate::example::FeedsFetch { stage: Text::from("dev") };
        let function = Function::new(&stage, environment).timeout(timeout).allow(allowed(&queue));
        let function = stack.add(function);
        stack.add(EventSource::new("Mapping", &queue, &function).batch(batch));
        found(stack)
    }

    #[test]
    fn a_queue_hides_messages_for_as_long_as_the_function_may_take() {
        let expected = "event-source: Mapping: Tasks hides a message for 30 s, but FetchFunction may take 60 s, so Lambda \
                        refuses the mapping; set VisibilityTimeout to 360 s, six times the timeout";
        assert_eq!(mapped((30, 60), 10, QueueHandle::feed), [expected]);
        assert_eq!(mapped((60, 60), 10, QueueHandle::feed), [""; 0]);
        assert_eq!(mapped((60, 60), 11, QueueHandle::feed).len(), 1);
    }

    #[test]
    fn the_role_of_the_function_may_receive_messages() {
        let expected = "event-source: Mapping: the role of FetchFunction must allow `sqs:ReceiveMessage`, `sqs:DeleteMessage`, \
                        `sqs:GetQueueAttributes` on Tasks, or Lambda refuses the mapping; allow it, for example with \
                        `.allow(queue.feed())`";
        assert_eq!(mapped((60, 60), 10, |_| Vec::new()), [expected]);
        let missing = mapped((60, 60), 10, QueueHandle::work);
        assert!(
            missing.len() == 1 && missing[0].contains("must allow `sqs:GetQueueAttributes` on Tasks"),
            "{missing:?}"
        );
        let feed = |arn: &'static str| {
            move |_: &QueueHandle| {
                let actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];
                vec![Statement::allow(actions, [Text::from(arn)])]
            }
        };
        assert_eq!(mapped((60, 60), 10, feed("arn:aws:sqs:eu-central-1:111122223333:other")).len(), 1);
        assert_eq!(mapped((60, 60), 10, feed("arn:aws:sqs:eu-central-1:111122223333:tasks")), [""; 0]);
    }

    #[test]
    fn policies_beside_the_role_count_too() {
        let with = |attached: Option<(&str, Value)>| {
            let mut stack = Stack::new("work", "Work.");
            let name = |id: &str| json!({ "Fn::GetAtt": [id, "Arn"] });
            let stream = json!({ "Fn::GetAtt": ["Table", "StreamArn"] });
            let table = json!({ "StreamSpecification": { "StreamViewType": "KEYS_ONLY" } });
            stack.resource("Table", of("AWS::DynamoDB::Table", table));
            stack.resource("Role", of("AWS::IAM::Role", json!({})));
            stack.resource("F", of("AWS::Lambda::Function", json!({ "Role": name("Role"), "FunctionName": "f" })));
            let mapping = json!({ "EventSourceArn": stream, "FunctionName": "f" });
            stack.resource("Mapping", of("AWS::Lambda::EventSourceMapping", mapping));
            let actions = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"];
            let statement = json!({ "Effect": "Allow", "Action": actions, "Resource": stream });
            if let Some((kind, role)) = attached {
                let policy =
                    json!({ "PolicyDocument": { "Statement": [statement] }, "Roles": [role], "RoleName": role });
                stack.resource("Policy", of(kind, policy));
            }
            found(stack)
        };
        assert_eq!(with(None).len(), 1);
        for (kind, _) in ATTACHED {
            assert_eq!(with(Some((kind, json!({ "Ref": "Role" })))), [""; 0], "{kind}");
            assert_eq!(with(Some((kind, json!({ "Ref": "Table" })))).len(), 1, "{kind}");
        }
    }
    /// A stream that a function consumes.
    fn streamed(
        table: impl FnOnce(Table) -> Table,
        allowed: impl FnOnce(&TableHandle) -> Vec<Statement>,
        change: impl FnOnce(StreamSource, &mut Stack, &FunctionHandle) -> StreamSource,
    ) -> Vec<String> {
        let (stage, mut stack) = (Stage::example("dev"), Stack::new("work", "Work."));
        let table = stack.add(table(Table::new("Tasks", "tasks", ("PK", None), &stage)));
        let environment = crate::example::FeedsFetch { stage: Text::from("dev") };
        let function = stack.add(Function::new(&stage, environment).allow(allowed(&table)));
        let source = change(StreamSource::new("Mapping", &table, &function), &mut stack, &function);
        stack.add(source);
        found(stack)
    }

    #[test]
    fn a_table_whose_changes_are_consumed_has_a_stream() {
        assert_eq!(streamed(Table::stream, TableHandle::consume_stream, |source, _, _| source), [""; 0]);
        let expected = "event-source: Mapping: Tasks has no stream; enable one, for example with `.stream()`";
        assert_eq!(streamed(|table| table, TableHandle::consume_stream, |source, _, _| source), [expected]);
        assert_eq!(streamed(Table::stream, |_| Vec::new(), |source, _, _| source).len(), 1);
    }

    #[test]
    fn filters_name_fields_of_the_source_s_events() {
        let filtered = |pattern: Value| {
            streamed(Table::stream, TableHandle::consume_stream, |source, _, _| source.filter(pattern))
        };
        assert_eq!(filtered(json!({ "eventName": ["INSERT"] })), [""; 0]);
        let expected = "event-source: Mapping: the filter `{\"body\":{\"a\":[1]}}` names `body`, which no event has, so it \
                        matches nothing";
        assert_eq!(filtered(json!({ "body": { "a": [1] } })), [expected]);
        assert_eq!(filtered(json!({ "dynamodb": { "NewImage": { "State": "done" } } })).len(), 1);
    }

    #[test]
    fn the_role_may_report_what_was_given_up() {
        let reported = |is_allowed: bool| {
            let (stage, mut stack) = (Stage::example("dev"), Stack::new("work", "Work."));
            let table = stack.add(Table::new("Tasks", "tasks", ("PK", None), &stage).stream());
            let queue = stack.add(FailureQueue::new("Failed", "failed", &stage));
            let environment = crate::example::FeedsFetch { stage: Text::from("dev") };
            let send = if is_allowed { queue.send() } else { Vec::new() };
            let function = stack.add(Function::new(&stage, environment).allow(table.consume_stream()).allow(send));
            stack.add(StreamSource::new("Mapping", &table, &function).on_failure(&queue));
            found(stack)
        };
        assert_eq!(reported(true), [""; 0]);
        let found = reported(false);
        assert!(found.len() == 1 && found[0].contains("must allow `sqs:SendMessage` on Failed"), "{found:?}");
    }

    #[test]
    fn a_function_receives_one_kind_of_events() {
        let found = streamed(Table::stream, TableHandle::consume_stream, |source, stack, function| {
            stack.add(Schedule::new("Daily", "daily", "rate(1 day)", function));
            source
        });
        let expected = "event-source: Mapping: FetchFunction also receives events of Daily (an event rule), which have another \
                        form than those of AWS::DynamoDB::Table; use a function for each";
        assert_eq!(found, [expected]);
    }
}
