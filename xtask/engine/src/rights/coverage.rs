//! The part of the systems that a recording reaches: routes that checks call, and functions that checks and schedules invoke.
//!
//! A role can only be compared with calls that were made. [`coverage`] lists the routes and functions without any, and [`scheduled`] the
//! invocations that no client can cause.

use std::collections::{BTreeMap, BTreeSet};

use contract::Method;
use model::rendered::{ParameterSource, RenderedStack, RenderedSystem, Served};
use serde::Serialize;
use serde_json::{Value, json};

use super::{calls::Place, recorder::Recorded};

/// The statuses of requests that are refused before the function does its work.
const REFUSALS: [u16; 2] = [401, 403];

/// Routes and functions whose calls a recording does not have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    /// The routes that no check and no demo calls, except to be refused.
    pub uncalled: Vec<Uncalled>,
    /// The functions that made no call, and that no check, demo or schedule invokes.
    pub uninvoked: Vec<String>,
    /// The event rules whose functions are among them, because no check causes an event that the rule selects.
    pub untriggered: Vec<Untriggered>,
}

/// An event rule that no check triggers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Untriggered {
    /// The function that the rule invokes.
    pub function: String,
    /// The rule's logical ID.
    pub rule: String,
}

/// A route that is not called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Uncalled {
    /// The function that serves the route.
    pub function: String,
    /// The method and the path, for example `POST /notes`.
    pub route: String,
}

/// The invocation of a function by a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheduled {
    /// The system.
    pub system: String,
    /// The rule's logical ID.
    pub rule: String,
    /// The function's name in Lambda.
    pub function: String,
    /// The event that the rule sends.
    pub event: Value,
}

/// Returns what a recording of systems did not reach. `demonstrated` has the routes that demos call, by system; `invoked` the functions
/// that were invoked by schedules.
#[must_use]
pub fn coverage(
    systems: &[RenderedSystem],
    demonstrated: &BTreeMap<String, BTreeSet<String>>,
    invoked: &BTreeSet<String>,
    recorded: &BTreeMap<String, Recorded>,
) -> Coverage {
    let (mut uncalled, mut invoked) = (BTreeSet::new(), invoked.clone());
    for system in systems {
        let called = called(system);
        for api in system.stacks.iter().flat_map(|stack| &stack.apis) {
            for route in &api.routes {
                let title = format!("{} {}", route.method.as_str(), route.path);
                let Some(Served { method, .. }) = api.serving(route.method, &route.path) else { continue };
                let is_demonstrated = demonstrated.get(&system.name).is_some_and(|routes| routes.contains(&title));
                let function = method.function.clone();
                if is_demonstrated || called.contains(&(api.logical_id.as_str(), method.title())) {
                    invoked.insert(function);
                } else {
                    uncalled.insert(Uncalled { function, route: title });
                }
            }
        }
    }
    let is_silent = |recorded: &Recorded| recorded.requests.is_empty() && recorded.unknown.is_empty();
    let silent = recorded.iter().filter(|(_, recorded)| is_silent(recorded)).map(|(function, _)| function);
    let uninvoked: Vec<_> = silent.filter(|function| !invoked.contains(*function)).cloned().collect();
    let rules = systems.iter().flat_map(selecting).filter(|rule| uninvoked.contains(&rule.function));
    let untriggered: BTreeSet<_> = rules.collect();
    Coverage { uncalled: uncalled.into_iter().collect(), untriggered: untriggered.into_iter().collect(), uninvoked }
}

/// Returns the rules of a system that select events by a pattern, each with every function that it invokes.
fn selecting(system: &RenderedSystem) -> Vec<Untriggered> {
    let mut selecting = Vec::new();
    for stack in &system.stacks {
        for (logical_id, rule) in rules(stack).filter(|(_, rule)| !rule["Properties"]["EventPattern"].is_null()) {
            for target in rule["Properties"]["Targets"].as_array().into_iter().flatten() {
                let function = function_of(&target["Arn"], stack, system);
                selecting.extend(function.map(|function| Untriggered { function, rule: logical_id.clone() }));
            }
        }
    }
    selecting
}

fn rules(stack: &RenderedStack) -> impl Iterator<Item = (&String, &Value)> {
    let resources = stack.template["Resources"].as_object().into_iter().flatten();
    resources.filter(|(_, resource)| resource["Type"] == "AWS::Events::Rule")
}

/// The methods that a system's checks call, as [`RenderedMethod::title`](model::rendered::RenderedMethod::title) spells them, each with
/// its API. A request that an authorizer refuses, or that a function refuses for its caller, calls nothing.
fn called(system: &RenderedSystem) -> BTreeSet<(&str, String)> {
    let is_refusal = |statuses: &[u16]| statuses.iter().all(|status| REFUSALS.contains(status));
    let smoke = system.smoke.iter().filter(|check| !is_refusal(&[check.status]));
    let smoke = smoke.map(|check| (check.api.as_str(), Method::Get, check.path.as_str(), false));
    let live = system.live.iter().map(|check| (check, false));
    let signed_in = system.sign_in.iter().flat_map(|sign_in| {
        sign_in.exchange.iter().map(|exchange| &exchange.check).chain(&sign_in.checks).map(|check| (check, true))
    });
    // A check of an absent route accepts no status.
    let live = live.chain(signed_in).filter(|(check, _)| !is_refusal(&check.statuses));
    let live = live.map(|(check, has_token)| (check.api.as_str(), check.method, check.path.as_str(), has_token));
    let apis = || system.stacks.iter().flat_map(|stack| &stack.apis);
    let served = smoke.chain(live).filter_map(|(api, method, path, has_token)| {
        let served = apis().find(|own| own.logical_id == api)?.serving(method, path)?;
        (has_token || served.method.is_open).then(|| (api, served.method.title()))
    });
    served.collect()
}

/// Returns the invocations by the schedules of a system, each with the event of its target. `time` is that of the default event. A target
/// whose event is made from another one, or contains values that are known only in AWS, is left out.
#[must_use]
pub fn scheduled(system: &RenderedSystem, place: &Place, time: &str) -> Vec<Scheduled> {
    let mut scheduled = Vec::new();
    for stack in &system.stacks {
        for (logical_id, rule) in rules(stack) {
            let properties = &rule["Properties"];
            if properties["ScheduleExpression"].is_null() || properties["State"] == "DISABLED" {
                continue;
            }
            let name = properties["Name"].as_str().unwrap_or(logical_id);
            for target in properties["Targets"].as_array().into_iter().flatten() {
                let default = || default_event(name, place, time);
                let function = function_of(&target["Arn"], stack, system);
                if let (Some(function), Some(event)) = (function, event_of(target, default)) {
                    scheduled.push(Scheduled {
                        system: system.name.clone(),
                        rule: logical_id.clone(),
                        function,
                        event,
                    });
                }
            }
        }
    }
    scheduled
}

/// Returns the function whose alias an ARN refers to, in the same stack or through a parameter in another one.
fn function_of(arn: &Value, stack: &RenderedStack, system: &RenderedSystem) -> Option<String> {
    let name = arn["Ref"].as_str()?;
    if let Some(function) = stack.functions.iter().find(|function| function.alias_logical_id == name) {
        return Some(function.function_name.clone());
    }
    let ParameterSource::Output { stack: other, output } = stack.parameters.get(name)? else { return None };
    let other = system.stacks.iter().find(|stack| stack.stack == *other)?;
    function_of(&other.template["Outputs"][output]["Value"], other, system)
}

/// Returns the event that a target receives (EventBridge API reference, `Target`).
fn event_of(target: &Value, default: impl FnOnce() -> Value) -> Option<Value> {
    if !target["InputPath"].is_null() || !target["InputTransformer"].is_null() {
        return None;
    }
    match &target["Input"] {
        Value::Null => Some(default()),
        input => serde_json::from_str(input.as_str()?).ok(),
    }
}

/// The event of a rule with a schedule (EventBridge user guide, "Creating a rule that runs on a schedule").
fn default_event(rule: &str, place: &Place, time: &str) -> Value {
    json!({
        "version": "0",
        "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": place.account,
        "time": time,
        "region": place.region,
        "resources": [place.arn("events", &format!("rule/{rule}"))],
        "detail": {},
    })
}

#[cfg(test)]
mod tests {
    use model::{
        example::{Example, FEEDS, NOTES},
        rendered::{LiveCheck, RenderedFunction},
        statements::Request,
    };

    use super::*;

    fn system(name: &str) -> RenderedSystem {
        let systems = Example::systems(&Example::stage_named("local"));
        systems.into_iter().find(|system| system.name == name).expect("the system")
    }

    fn titles(coverage: &Coverage) -> Vec<&str> {
        coverage.uncalled.iter().map(|uncalled| uncalled.route.as_str()).collect()
    }

    fn of(system: RenderedSystem) -> Coverage {
        coverage(&[system], &BTreeMap::new(), &BTreeSet::new(), &BTreeMap::new())
    }

    #[test]
    fn a_route_that_no_check_calls_is_listed_with_its_function() {
        let expected = Uncalled { function: "notes-api-local".to_owned(), route: "PUT /notes/{id}".to_owned() };
        assert_eq!(of(system(NOTES)).uncalled, [expected]);
        let put = LiveCheck::responds("NotesApi", Method::Put, "/notes/1", &[200]);
        assert_eq!(of(RenderedSystem { live: vec![put], ..system(NOTES) }).uncalled, []);
    }

    #[test]
    fn a_route_is_not_called_by_a_request_that_is_refused() {
        let mut notes = system(NOTES);
        notes.smoke.clear();
        notes.sign_in = None;
        assert_eq!(titles(&of(notes.clone())), ["GET /notes/{id}", "PUT /notes/{id}"]);
        notes.live.push(LiveCheck::responds("NotesApi", Method::Get, "/notes/1", &[200]));
        assert_eq!(titles(&of(notes.clone())), ["PUT /notes/{id}"]);
        // Behind an authorizer, only a user's request reaches the function.
        let apis = notes.stacks.iter_mut().flat_map(|stack| &mut stack.apis);
        apis.flat_map(|api| &mut api.methods).for_each(|method| method.is_open = false);
        assert_eq!(titles(&of(notes.clone())), ["GET /notes/{id}", "PUT /notes/{id}"]);
        notes.sign_in = system(NOTES).sign_in;
        assert_eq!(titles(&of(notes)), ["PUT /notes/{id}"]);
    }

    #[test]
    fn a_route_of_a_demo_is_called() {
        let routes = BTreeSet::from(["PUT /notes/{id}".to_owned()]);
        for (name, expected) in [(NOTES, 0), (FEEDS, 1)] {
            let demonstrated = BTreeMap::from([(name.to_owned(), routes.clone())]);
            let coverage = coverage(&[system(NOTES)], &demonstrated, &BTreeSet::new(), &BTreeMap::new());
            assert_eq!(coverage.uncalled.len(), expected, "a demo of {name}");
        }
    }

    #[test]
    fn a_function_without_calls_is_listed_unless_it_was_invoked() {
        let calling = Recorded { requests: [Request::new("s3:GetObject", "arn:b")].into(), ..Recorded::default() };
        let silent = Recorded::default;
        let function = |name: &str| format!("{name}-local");
        let recorded = BTreeMap::from([
            (function("feeds-fetch"), silent()),
            (function("feeds-read"), calling),
            (function("feeds-sweep"), silent()),
            (function("notes-api"), silent()),
        ]);
        let invoked = BTreeSet::from([function("feeds-sweep")]);
        let coverage = coverage(&[system(NOTES), system(FEEDS)], &BTreeMap::new(), &invoked, &recorded);
        assert_eq!(coverage.uninvoked, ["feeds-fetch-local"]);
    }

    fn with_rule(properties: Value) -> RenderedSystem {
        let mut feeds = system(FEEDS);
        let stack = &mut feeds.stacks[0];
        stack.template["Resources"]["Rule"] = json!({ "Type": "AWS::Events::Rule", "Properties": properties });
        feeds
    }

    fn alias(feeds: &RenderedSystem) -> String {
        let [RenderedFunction { alias_logical_id, .. }] = &feeds.stacks[0].functions[..] else {
            panic!("one function")
        };
        alias_logical_id.clone()
    }

    fn invocations(system: &RenderedSystem) -> Vec<Scheduled> {
        let place = Place { account: "000000000000".to_owned(), region: "us-east-1".to_owned() };
        scheduled(system, &place, "2026-11-30T10:00:00Z")
    }

    #[test]
    fn a_schedule_invokes_its_function_with_the_event_of_its_target() {
        let arn = json!({ "Ref": alias(&system(FEEDS)) });
        let rule = |target: Value| json!({ "Name": "fetch", "ScheduleExpression": "rate(1 hour)", "State": "ENABLED", "Targets": [target] });
        let found = invocations(&with_rule(rule(json!({ "Id": "live", "Arn": arn, "Input": r#"{"full":true}"# }))));
        let [Scheduled { system, rule: logical_id, function, event }] = &found[..] else { panic!("{found:?}") };
        assert_eq!((system.as_str(), logical_id.as_str(), function.as_str()), (FEEDS, "Rule", "feeds-fetch-local"));
        assert_eq!(*event, json!({ "full": true }));

        let found = invocations(&with_rule(rule(json!({ "Id": "live", "Arn": arn }))));
        assert_eq!(found[0].event["detail-type"], "Scheduled Event");
        assert_eq!(found[0].event["resources"], json!(["arn:aws:events:us-east-1:000000000000:rule/fetch"]));
        assert_eq!(found[0].event["time"], "2026-11-30T10:00:00Z");

        let transformed = json!({ "Id": "live", "Arn": arn, "InputTransformer": { "InputTemplate": "1" } });
        assert_eq!(invocations(&with_rule(rule(transformed))), []);
    }

    #[test]
    fn other_rules_and_targets_invoke_nothing() {
        let feeds = system(FEEDS);
        assert_eq!(invocations(&feeds), []);
        let own = json!({ "Id": "live", "Arn": { "Ref": alias(&feeds) } });
        for properties in [
            json!({ "EventPattern": { "source": ["aws.s3"] }, "Targets": [own] }),
            json!({ "ScheduleExpression": "rate(1 hour)", "State": "DISABLED", "Targets": [own] }),
            json!({ "ScheduleExpression": "rate(1 hour)", "Targets": [{ "Id": "q", "Arn": { "Ref": "AlarmTopic" } }] }),
        ] {
            assert_eq!(invocations(&with_rule(properties.clone())), [], "{properties}");
        }
    }

    #[test]
    fn a_rule_whose_function_is_not_invoked_is_listed() {
        let target = json!({ "Id": "a", "Arn": { "Ref": alias(&system(FEEDS)) } });
        let feeds = with_rule(json!({ "EventPattern": { "source": ["feeds"] }, "Targets": [target] }));
        let function = "feeds-fetch-local".to_owned();
        let recorded = BTreeMap::from([(function.clone(), Recorded::default())]);
        let untriggered = |invoked: BTreeSet<String>| {
            coverage(std::slice::from_ref(&feeds), &BTreeMap::new(), &invoked, &recorded).untriggered
        };
        let expected = Untriggered { function: function.clone(), rule: "Rule".to_owned() };
        assert_eq!(untriggered(BTreeSet::new()), [expected]);
        assert_eq!(untriggered(BTreeSet::from([function])), []);
    }

    #[test]
    fn a_schedule_finds_its_function_in_another_stack() {
        let mut feeds = system(FEEDS);
        let alias = alias(&feeds);
        let mut other = feeds.stacks[0].clone();
        feeds.stacks[0].template["Outputs"]["Alias"] = json!({ "Value": { "Ref": alias } });
        other.stack = "schedule".to_owned();
        other.functions.clear();
        let source = ParameterSource::Output { stack: feeds.stacks[0].stack.clone(), output: "Alias".to_owned() };
        other.parameters = BTreeMap::from([("FetchAlias".to_owned(), source)]);
        let target = json!({ "Id": "live", "Arn": { "Ref": "FetchAlias" } });
        let properties = json!({ "ScheduleExpression": "rate(1 hour)", "Targets": [target] });
        other.template = json!({ "Resources": { "Rule": { "Type": "AWS::Events::Rule", "Properties": properties } } });
        feeds.stacks.push(other);
        assert_eq!(invocations(&feeds)[0].function, "feeds-fetch-local");
    }
}
