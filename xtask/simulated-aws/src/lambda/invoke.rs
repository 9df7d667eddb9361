//! Invocations.

use std::time::Duration;

use contract::probe::{Probe, Ready};
use serde_json::{Value, json};

use super::{Behavior, LATEST, Probed, Routing, State, Target, function::timeout, function_not_found, transitions};
use crate::{
    account::Account,
    chance::Chance,
    wire::{Call, Handled, Refusal, Reply},
};

/// The result of an invocation.
#[derive(Debug, Clone, PartialEq)]
pub struct Invoked {
    /// The version that was executed.
    pub version: String,
    /// The response of the function, or its error.
    pub payload: Value,
    /// `Unhandled` if the function failed.
    pub error: Option<&'static str>,
    /// How long it took.
    pub takes: Duration,
}

/// Lambda API reference, `Invoke`.
pub(super) fn invoke_call(account: &mut Account, target: &Target, call: &Call) -> Handled {
    let event = if call.body.is_empty() { Value::Null } else { call.json() };
    match call.header("x-amz-invocation-type") {
        Some("DryRun") => {
            super::read::resolve(account, target)?;
            return Ok(Reply::empty(204));
        }
        Some("Event") => {
            run(account, target, &event)?;
            return Ok(Reply::empty(202));
        }
        _ => {}
    }
    let invoked = run(account, target, &event)?;
    let reply = Reply::json(200, &invoked.payload).header("x-amz-executed-version", invoked.version);
    let reply = match invoked.error {
        Some(error) => reply.header("x-amz-function-error", error),
        None => reply,
    };
    Ok(reply.after(invoked.takes))
}

/// Invokes a function: `function` is a name or an ARN, with or without a qualifier. Other services call functions in this way.
///
/// # Errors
///
/// When the function, version or alias does not exist, or is not active.
pub fn invoke(account: &mut Account, region: &str, function: &str, event: &Value) -> Result<Invoked, Refusal> {
    run(account, &Target::parse(region, function), event)
}

/// Invokes a function for API Gateway, which passes its payload on, and not its error.
pub(crate) fn invoke_for_api(account: &mut Account, function: &str, event: &[u8]) -> Result<Vec<u8>, String> {
    let region = function.split(':').nth(3).unwrap_or_default().to_owned();
    let event = serde_json::from_slice(event).unwrap_or_default();
    match invoke(account, &region, function, &event) {
        Ok(Invoked { error: None, payload, .. }) => Ok(payload.to_string().into_bytes()),
        Ok(Invoked { payload, .. }) => Err(payload.to_string()),
        Err(refusal) => Err(refusal.message),
    }
}

fn run(account: &mut Account, target: &Target, event: &Value) -> Result<Invoked, Refusal> {
    let absent = function_not_found(&target.arn(account));
    let Account { lambda, chance, .. } = account;
    let function = lambda.function(&target.region, &target.name).ok_or_else(|| absent.clone())?;
    let qualifier = target.qualifier.as_deref().unwrap_or(LATEST);
    let name = match function.aliases.get(qualifier) {
        Some(alias) => choose(alias.routing(), chance),
        None => qualifier,
    }
    .to_owned();
    let version = function.version(&name).ok_or_else(|| absent.clone())?;
    // Developer guide, "Lambda function states": functions can only be invoked while active.
    if version.state != State::Active {
        return Err(transitions::not_active(&version.state));
    }
    let (code, settings) = version.running();
    let limit = Duration::from_secs(timeout(settings));
    let mut invoked = respond(&code.behavior, event, limit, chance);
    let is_warm = version.is_warm;
    if !is_warm {
        invoked.takes += Duration::from_millis(code.behavior.cold_ms.into());
        if let Some(version) = lambda.function_mut(&target.region, &target.name).and_then(|it| it.version_mut(&name)) {
            version.is_warm = invoked.error.is_none();
        }
    }
    invoked.version = name;
    Ok(invoked)
}

/// Chooses the version of an invocation (developer guide, "Implement Lambda canary deployments using a weighted alias").
fn choose<'a>(routing: &'a Routing, chance: &mut Chance) -> &'a str {
    if routing.weights.is_empty() {
        return &routing.version;
    }
    let mut at = chance.fraction();
    for (version, weight) in &routing.weights {
        if at < *weight {
            return version;
        }
        at -= weight;
    }
    &routing.version
}

/// What the code answers. The errors are those of the runtime (recorded responses: `test_lambda_runtime_wrapper_not_found`,
/// `test_lambda_runtime_exit_segfault`, `test_lambda_handler_error`).
fn respond(behavior: &Behavior, event: &Value, limit: Duration, chance: &mut Chance) -> Invoked {
    let typical = Duration::from_millis(behavior.duration_ms.into());
    let takes = typical.mul_f64(0.7 + 0.6 * chance.fraction());
    let answered = |payload| Invoked { version: String::new(), payload, error: None, takes };
    let failed = |payload, takes| Invoked { version: String::new(), payload, error: Some("Unhandled"), takes };
    let id = chance.uuid();
    if behavior.probe == Probed::Hangs || takes > limit {
        let message = format!("RequestId: {id} Error: Task timed out after {:.2} seconds", limit.as_secs_f64());
        return failed(json!({ "errorType": "Sandbox.Timedout", "errorMessage": message }), limit);
    }
    if behavior.probe == Probed::Fails {
        let message = format!("RequestId: {id} Error: Runtime exited with error: exit status 1");
        return failed(json!({ "errorType": "Runtime.ExitError", "errorMessage": message }), takes);
    }
    if serde_json::from_value::<Probe>(event.clone()).is_ok() {
        let ready = Ready { ready: true, function: behavior.binary() };
        return answered(serde_json::to_value(ready).unwrap_or_default());
    }
    if chance.happens(behavior.errors) {
        return failed(json!({ "errorType": "Error", "errorMessage": "the request failed" }), takes);
    }
    let body = json!({ "status": "healthy", "code": behavior.code, "function": behavior.binary() });
    answered(json!({
        "statusCode": 200,
        "headers": { "content-type": "application/json" },
        "body": body.to_string(),
        "isBase64Encoded": false,
    }))
}
