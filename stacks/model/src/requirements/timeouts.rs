//! Timeouts of functions behind an API: the gateway waits for a response for a shorter time than a function may run.

use super::{
    Requirement, Subject, Violation,
    references::{Target, number},
};

/// Types that wait for a function: its property, the property of the waiting time in milliseconds, and its default.
///
/// API Gateway developer guide, "Quotas for configuring and running a REST API" and "… an HTTP API". The time for an authorizer is fixed.
const WAITING: &[(&str, &str, &str, i64)] = &[
    ("AWS::ApiGateway::Method", "/Integration/Uri", "/Integration/TimeoutInMillis", 29_000),
    (AUTHORIZER, "/AuthorizerUri", "/TimeoutInMillis", 10_000),
    ("AWS::ApiGatewayV2::Integration", "/IntegrationUri", "/TimeoutInMillis", 30_000),
];
const AUTHORIZER: &str = "AWS::ApiGatewayV2::Authorizer";
/// The milliseconds that a function may run on when no caller waits any longer, to end by itself.
const GRACE: i64 = 1000;
/// The timeout in seconds of a function that sets none (Lambda API reference, `CreateFunction`).
const DEFAULT_TIMEOUT: i64 = 3;

pub(super) fn check(subject: &Subject<'_>, found: &mut Vec<Violation>) {
    if subject.resource_type() != "AWS::Lambda::Function" {
        return;
    }
    let timeout = timeout(subject.resource);
    let Some(own) = timeout.map(|timeout| timeout * 1000) else { return };
    let target = subject.target();
    let shorter = |caller: Target<'_>| waits(caller, target).filter(|waits| waits + GRACE < own);
    let shortest = subject.index.callers(target).filter_map(|caller| Some((shorter(caller)?, caller.logical_id))).min();
    if let Some((waits, caller)) = shortest {
        let seconds = waits / 1000;
        let message = format!(
            "Timeout is {} s, but {caller} waits {seconds} s for a response, so its client gets an error while the function \
             still runs; set it to {} s or less, or answer before the work is done",
            own / 1000,
            (waits + GRACE) / 1000
        );
        subject.violates(Requirement::GatewayTimeout, "Timeout", message, found);
    }
}

/// Returns a function's timeout in seconds; `None` if an expression decides.
pub(super) fn timeout(function: &serde_json::Value) -> Option<i64> {
    match &function["Properties"]["Timeout"] {
        serde_json::Value::Null => Some(DEFAULT_TIMEOUT),
        timeout => number(timeout),
    }
}

/// Returns the milliseconds for which a resource waits for the whole response of `function`.
fn waits(caller: Target<'_>, function: Target<'_>) -> Option<i64> {
    let (_, uri, time, default) = WAITING.iter().find(|(kind, ..)| *kind == caller.kind())?;
    let properties = &caller.resource["Properties"];
    if caller.kind() != AUTHORIZER && !is_answered_at_once(properties) {
        return None;
    }
    caller.scope.function(properties.pointer(uri)?).filter(|called| called.is(function))?;
    properties.pointer(time).map_or(Some(*default), number)
}

/// Does an integration pass on the whole response of its function? One that is streamed may take longer (API Gateway developer guide,
/// "Stream the integration response").
fn is_answered_at_once(properties: &serde_json::Value) -> bool {
    let integration = properties.get("Integration").unwrap_or(properties);
    let kind = integration.get("Type").or_else(|| integration.get("IntegrationType"));
    kind.is_some_and(|kind| kind == "AWS_PROXY") && integration["ResponseTransferMode"] != "STREAM"
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{
        super::tests::{found_in, of},
        *,
    };
    use crate::{
        example::NotesRoute,
        parts::function,
        stage::Stage,
        template::{Stack, System, Text},
    };

    fn found(function: &Value, method: &Value) -> Vec<String> {
        let mut stack = Stack::new("api", "Api.");
        stack.resource("F", of("AWS::Lambda::Function", function.clone()));
        stack.resource("M", of("AWS::ApiGateway::Method", json!({ "Integration": method })));
        let found = found_in("dev", stack);
        found.into_iter().filter(|found| found.starts_with("gateway-timeout")).collect()
    }

    #[test]
    fn a_function_answers_before_the_gateway_gives_up() {
        let uri = json!({ "Fn::Sub": "arn:aws:apigateway:${AWS::Region}:lambda:path/functions/${F.Arn}/invocations" });
        let plain = json!({ "Type": "AWS_PROXY", "Uri": uri });
        let expected = "gateway-timeout: F: Timeout is 60 s, but M waits 29 s for a response, so its client gets an error \
                        while the function still runs; set it to 30 s or less, or answer before the work is done";
        assert_eq!(found(&json!({ "Timeout": 60 }), &plain), [expected]);
        assert_eq!(found(&json!({ "Timeout": 30 }), &plain), [""; 0]);
        assert_eq!(found(&json!({}), &plain), [""; 0]);
        let with = |field: &str, value: Value| {
            let mut method = plain.clone();
            method[field] = value;
            method
        };
        for method in [
            with("TimeoutInMillis", json!(60_000)),
            with("ResponseTransferMode", json!("STREAM")),
            with("Type", json!("AWS")),
        ] {
            assert_eq!(found(&json!({ "Timeout": 60 }), &method), [""; 0], "{method}");
        }
        for (timeout, is_short) in [(2, true), (3, false)] {
            let found = found(&json!({ "Timeout": timeout }), &with("TimeoutInMillis", json!(1000)));
            assert_eq!(found.is_empty(), is_short, "{timeout}");
        }
    }

    #[test]
    fn an_authorizer_has_ten_seconds_and_an_integration_of_an_http_api_thirty() {
        let found = |timeout: i64, kind: &str, caller: Value| {
            let mut stack = Stack::new("api", "Api.");
            stack.resource("F", of("AWS::Lambda::Function", json!({ "Timeout": timeout })));
            stack.resource("C", of(kind, caller));
            let found = found_in("dev", stack);
            found.into_iter().filter(|found| found.starts_with("gateway-timeout")).count()
        };
        let uri = json!({ "Fn::GetAtt": ["F", "Arn"] });
        for (timeout, expected) in [(11, 0), (12, 1)] {
            assert_eq!(found(timeout, AUTHORIZER, json!({ "AuthorizerUri": uri })), expected, "{timeout}");
        }
        let integration = json!({ "IntegrationType": "AWS_PROXY", "IntegrationUri": uri });
        for (timeout, expected) in [(31, 0), (32, 1)] {
            let kind = "AWS::ApiGatewayV2::Integration";
            assert_eq!(found(timeout, kind, integration.clone()), expected, "{timeout}");
        }
    }

    #[test]
    fn the_alias_of_another_stack_s_function_counts_too() {
        let stage = Stage::example("dev");
        let [mut functions, mut api] = ["work", "api"].map(|name| Stack::new(name, name));
        let environment = crate::example::FeedsFetch { stage: Text::from("dev") };
        let function = functions.add(function::Function::new(&stage, environment).timeout(60));
        api.add(crate::parts::api::RestApi::new("Api", "api".to_owned(), &stage).routes::<NotesRoute>(&function));
        let system = System::new("shop", [functions, api]).render(&stage).expect("rendered");
        let found = super::super::violations(&stage, &[system]);
        let found: Vec<_> = found.iter().filter(|found| found.requirement == Requirement::GatewayTimeout).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].logical_id, "FetchFunction");
    }
}
