//! Detects manual changes of functions and aliases since the last deploy.
//!
//! Uses only the observed state. CloudFormation's drift detection finds more, but takes minutes.

use serde_json::Value;

use crate::{
    changes::resolve::Known,
    observed::{Observed, ObservedFunction, ObservedSettings, ObservedStack, fingerprint},
};

/// Describes the differences between deployed templates and the functions. Values of environment variables are not included:
/// they may be secret.
#[must_use]
pub fn drift(observed: &Observed) -> Vec<String> {
    let stacks = observed.stacks.values().filter(|stack| !stack.was_never_created());
    let mut found: Vec<_> = stacks.flat_map(|stack| of_stack(stack, observed)).collect();
    for (name, function) in &observed.functions {
        found.extend(of_alias(name, function));
    }
    found
}

fn of_stack(stack: &ObservedStack, observed: &Observed) -> Vec<String> {
    let Some(template) = &stack.template else { return Vec::new() };
    let known = Known { template, parameters: &stack.parameters };
    let resources = template["Resources"].as_object().into_iter().flatten();
    let functions = resources.filter(|(_, resource)| resource["Type"] == "AWS::Lambda::Function");
    functions
        .flat_map(|(_, resource)| {
            let properties = known.resolve(&resource["Properties"]);
            let name = properties["FunctionName"].as_str().unwrap_or_default().to_owned();
            let settings = observed.functions.get(&name).and_then(|function| function.settings.as_ref());
            settings.map(|settings| of_function(&name, &properties, settings)).unwrap_or_default()
        })
        .collect()
}

fn of_function(name: &str, properties: &Value, settings: &ObservedSettings) -> Vec<String> {
    let mut found = Vec::new();
    let numbers = [("MemorySize", settings.memory), ("Timeout", settings.timeout)];
    for (property, is) in numbers {
        if let Some(wanted) = properties[property].as_i64().filter(|wanted| *wanted != i64::from(is)) {
            found.push(format!("{name}: {property} is {is}, but was deployed as {wanted}"));
        }
    }
    if let Some(wanted) = properties["TracingConfig"]["Mode"].as_str()
        && !settings.tracing.is_empty()
        && wanted != settings.tracing
    {
        found.push(format!("{name}: tracing is {}, but was deployed as {wanted}", settings.tracing));
    }
    let variables = properties["Environment"]["Variables"].as_object();
    for (variable, value) in variables.into_iter().flatten() {
        match (settings.environment.get(variable), value.as_str()) {
            (None, _) => found.push(format!("{name}: environment variable {variable} was removed")),
            (Some(is), Some(wanted)) if *is != fingerprint(wanted) => {
                found.push(format!("{name}: environment variable {variable} differs from the deployed value"));
            }
            _ => {}
        }
    }
    let deployed = |variable: &&String| variables.is_some_and(|variables| variables.contains_key(*variable));
    let added = settings.environment.keys().filter(|variable| !deployed(variable));
    found.extend(added.map(|variable| format!("{name}: environment variable {variable} was added")));
    found
}

fn of_alias(name: &str, function: &ObservedFunction) -> Vec<String> {
    let mut found = Vec::new();
    let Some(live) = &function.live else { return found };
    if function.live_code_sha256.as_ref().is_some_and(|released| *released != function.code_sha256) {
        found.push(format!("{name}: `live` points to version {live}, whose code is not the last deployed code: after a rollback, a reverted release \
             or a manual change"));
    }
    if !function.weights.is_empty() {
        let shares: Vec<_> = function
            .weights
            .iter()
            .map(|(version, weight)| format!("{:.0} % to version {version}", weight * 100.0))
            .collect();
        found.push(format!("{name}: `live` sends {}", shares.join(", ")));
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn observed(change: impl FnOnce(&mut ObservedFunction)) -> Observed {
        let template = json!({
            "Parameters": { "Level": { "Type": "String" } },
            "Resources": { "F": { "Type": "AWS::Lambda::Function", "Properties": {
                "FunctionName": "f", "MemorySize": 128, "Timeout": 3, "TracingConfig": { "Mode": "Active" },
                "Environment": { "Variables": { "LEVEL": { "Ref": "Level" }, "ARN": { "Fn::GetAtt": ["F", "Arn"] } } },
            } } },
        });
        let environment = [("LEVEL", "info"), ("ARN", "arn:x")];
        let settings = ObservedSettings {
            memory: 128,
            timeout: 3,
            tracing: "Active".to_owned(),
            environment: environment.iter().map(|(name, value)| ((*name).to_owned(), fingerprint(value))).collect(),
        };
        let mut function = ObservedFunction {
            code_sha256: "one".to_owned(),
            live: Some("4".to_owned()),
            live_code_sha256: Some("one".to_owned()),
            is_unreleased: false,
            weights: BTreeMap::new(),
            settings: Some(settings),
        };
        change(&mut function);
        let stack = ObservedStack {
            status: "UPDATE_COMPLETE".to_owned(),
            reason: None,
            is_express: false,
            template: Some(template),
            parameters: BTreeMap::from([("Level".to_owned(), "info".to_owned())]),
            outputs: BTreeMap::new(),
            is_protected: false,
        };
        Observed {
            stacks: BTreeMap::from([("s".to_owned(), stack)]),
            functions: BTreeMap::from([("f".to_owned(), function)]),
            ..Observed::default()
        }
    }

    fn drifted(change: impl FnOnce(&mut ObservedSettings)) -> Vec<String> {
        drift(&observed(|function| change(function.settings.as_mut().expect("settings"))))
    }

    #[test]
    fn a_deployed_function_has_no_drift() {
        assert_eq!(drift(&observed(|_| {})), Vec::<String>::new());
    }

    #[test]
    fn changed_settings_are_reported_without_secret_values() {
        assert_eq!(drifted(|settings| settings.memory = 256), ["f: MemorySize is 256, but was deployed as 128"]);
        let found = drifted(|settings| drop(settings.environment.insert("LEVEL".to_owned(), fingerprint("debug"))));
        assert_eq!(found, ["f: environment variable LEVEL differs from the deployed value"]);
        let found = drifted(|settings| drop(settings.environment.insert("MORE".to_owned(), fingerprint("x"))));
        assert_eq!(found, ["f: environment variable MORE was added"]);
        assert_eq!(
            drifted(|settings| drop(settings.environment.remove("ARN"))),
            ["f: environment variable ARN was removed"]
        );
    }

    #[test]
    fn a_changed_alias_is_reported() {
        let found = drift(&observed(|function| function.live_code_sha256 = Some("two".to_owned())));
        assert!(
            found[0].starts_with("f: `live` points to version 4, whose code is not the last deployed"),
            "{found:?}"
        );
        let found = drift(&observed(|function| function.weights = BTreeMap::from([("3".to_owned(), 0.05)])));
        assert_eq!(found, ["f: `live` sends 5 % to version 3"]);
    }
}
