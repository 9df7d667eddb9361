//! Event rules: what EventBridge refuses, or accepts without effect.

use serde_json::Value;

use super::{
    Requirement, Subject, Violation,
    access::statements,
    patterns::{self, Fields},
    references::{Target, number},
};
use crate::statements::list;

/// The most targets of a rule (EventBridge user guide, "Quotas for Amazon EventBridge").
const TARGETS: usize = 5;
/// The fields of an event (EventBridge user guide, "Events": event structure).
const FIELDS: Fields = &["account", "detail", "detail-type", "id", "region", "resources", "source", "time", "version"];
/// The properties of a target's retry policy, with their bounds (EventBridge API reference, `RetryPolicy`).
const RETRY: [(&str, i64, i64); 2] = [("MaximumRetryAttempts", 0, 185), ("MaximumEventAgeInSeconds", 60, 86_400)];

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    if subject.resource_type() != "AWS::Events::Rule" {
        return;
    }
    if let Some(reason) = refused(subject.property("EventPattern")) {
        subject.violates(Requirement::EventRule, "EventPattern", reason, found);
    }
    let targets = list(subject.property("Targets"));
    if targets.is_empty() {
        let message = "it has no target, so its events reach no function; add one, for example with `.invoke(…)`";
        subject.violates(Requirement::EventRule, "Targets", message.to_owned(), found);
    }
    if targets.len() > TARGETS {
        let message = format!("it has {} targets, and EventBridge accepts {TARGETS}; add a second rule", targets.len());
        subject.violates(Requirement::EventRule, "Targets", message, found);
    }
    for target in targets {
        for (property, least, most) in RETRY {
            let value = number(&target["RetryPolicy"][property]);
            if let Some(value) = value.filter(|value| !(least..=most).contains(value)) {
                let message = format!("{property} is {value}, which EventBridge refuses; set it to {least}–{most}");
                subject.violates(Requirement::EventRule, "Targets", message, found);
            }
        }
        dead_letters(subject, target, found);
    }
}

/// Returns why a pattern is refused or matches no event.
fn refused(pattern: &Value) -> Option<String> {
    // A rule with a schedule has none, and an expression may be any pattern.
    if pattern.is_null() {
        return None;
    }
    patterns::refused(pattern, FIELDS).map(|reason| format!("EventPattern {reason}"))
}

/// EventBridge accepts a dead-letter queue that it may not send to, and then loses the events (EventBridge user guide, "Using
/// dead-letter queues to process undelivered events").
fn dead_letters<'a>(subject: &Subject<'a>, target: &'a Value, found: &mut Vec<Violation>) {
    let scope = subject.target().scope;
    let queue = scope.target(&target["DeadLetterConfig"]["Arn"]).filter(|queue| queue.kind() == "AWS::SQS::Queue");
    let Some(queue) = queue else { return };
    if !subject.index.queue_policies(queue).any(lets_events_in) {
        let message = format!(
            "no policy of {} lets EventBridge send messages, so undelivered events are lost; put the queue into the stack of \
             the rule and use `.dead_letters(…)`",
            queue.logical_id
        );
        subject.violates(Requirement::EventRule, "Targets", message, found);
    }
}

fn lets_events_in(policy: Target<'_>) -> bool {
    statements(&policy.resource["Properties"]["PolicyDocument"]).into_iter().any(|statement| {
        let has = |value: &Value, wanted: &str| list(value).iter().any(|item| item == wanted);
        statement["Effect"] == "Allow"
            && has(&statement["Principal"]["Service"], "events.amazonaws.com")
            && (has(&statement["Action"], "sqs:SendMessage") || has(&statement["Action"], "sqs:*"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::tests::{found_in, found_of, of},
        *,
    };
    use crate::template::Stack;

    fn rule(properties: Value) -> Vec<String> {
        found_of(Requirement::EventRule, "AWS::Events::Rule", properties)
    }

    fn with_pattern(pattern: &Value) -> Vec<String> {
        rule(json!({ "EventPattern": pattern, "Targets": [{ "Id": "a", "Arn": "arn:a" }] }))
    }

    #[test]
    fn a_rule_has_one_to_five_targets() {
        let schedule = |targets: usize| {
            let target = |index: usize| json!({ "Id": index.to_string(), "Arn": "arn:a" });
            let targets: Vec<_> = (0..targets).map(target).collect();
            rule(json!({ "ScheduleExpression": "rate(1 day)", "Targets": targets }))
        };
        let expected = "event-rule: A: it has no target, so its events reach no function; add one, for example with \
                        `.invoke(…)`";
        assert_eq!(schedule(0), [expected]);
        assert_eq!((schedule(1).len(), schedule(5).len(), schedule(6).len()), (0, 0, 1));
    }

    #[test]
    fn a_pattern_matches_events() {
        for right in [
            json!({ "source": ["app"] }),
            json!({ "detail": { "state": [{ "prefix": "fail" }], "tries": [{ "numeric": [">", 3] }] } }),
            json!({ "$or": [{ "source": ["a"] }, { "detail-type": ["b"] }] }),
            json!({ "Ref": "Pattern" }),
        ] {
            assert_eq!(with_pattern(&right), [""; 0], "{right}");
        }
        for (wrong, reason) in [
            (json!({}), "EventPattern is empty, which is refused; name the values of a field"),
            (json!({ "source": [] }), "EventPattern has an empty list `source`, which is refused; name its values"),
            (json!({ "source": "app" }), "EventPattern has a plain value `source`, which is refused; write a list"),
            (
                json!({ "detailType": ["a"] }),
                "EventPattern names `detailType`, which no event has, so it matches nothing; did you mean `detail-type`?",
            ),
            (json!({ "detail": {} }), "EventPattern has an empty object `detail`, which is refused; name its fields"),
        ] {
            assert_eq!(with_pattern(&wrong), [format!("event-rule: A: {reason}")], "{wrong}");
        }
    }

    #[test]
    fn retries_are_within_the_limits_of_the_service() {
        let retry = |attempts: i64, age: i64| {
            let policy = json!({ "MaximumRetryAttempts": attempts, "MaximumEventAgeInSeconds": age });
            rule(json!({ "Targets": [{ "Id": "a", "Arn": "arn:a", "RetryPolicy": policy }] }))
        };
        assert_eq!(retry(0, 60), [""; 0]);
        assert_eq!(retry(186, 59).len(), 2);
    }

    #[test]
    fn the_queue_of_undelivered_events_lets_them_in() {
        let with = |effect: &str, principal: Value| {
            let mut stack = Stack::new("work", "Work.");
            stack.resource("Q", of("AWS::SQS::Queue", json!({})));
            let statement = json!({ "Effect": effect, "Principal": principal, "Action": ["sqs:SendMessage"] });
            let policy = json!({ "Queues": [{ "Ref": "Q" }], "PolicyDocument": { "Statement": [statement] } });
            stack.resource("P", of("AWS::SQS::QueuePolicy", policy));
            let target =
                json!({ "Id": "a", "Arn": "arn:a", "DeadLetterConfig": { "Arn": { "Fn::GetAtt": ["Q", "Arn"] } } });
            stack.resource("A", of("AWS::Events::Rule", json!({ "Targets": [target] })));
            found_in("dev", stack).into_iter().filter(|found| found.starts_with("event-rule")).collect::<Vec<_>>()
        };
        let events = json!({ "Service": "events.amazonaws.com" });
        assert_eq!(with("Allow", events.clone()), [""; 0]);
        let found = with("Deny", events);
        assert!(found.len() == 1 && found[0].contains("no policy of Q lets EventBridge send messages"), "{found:?}");
        assert_eq!(with("Allow", json!({ "Service": "sns.amazonaws.com" })).len(), 1);
    }
}
