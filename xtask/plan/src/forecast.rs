//! Forecasts a deploy: its order, and its slow resources.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::changes::{ResourceAction, StackChanges};

/// The expected course of a deploy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Forecast {
    /// The waves of a deploy, each the stacks that are deployed in parallel.
    pub waves: Vec<Vec<String>>,
    /// The chain of stacks that takes longest.
    pub critical_path: Vec<String>,
    /// Descriptions of the resources that take minutes.
    pub slow: Vec<String>,
}

/// Resource types that take long: minutes, and the reason.
const SLOW: &[(&str, u32, &str)] = &[
    ("AWS::CloudFront::Distribution", 5, "CloudFront deploys to every edge location"),
    ("AWS::CertificateManager::Certificate", 10, "ACM waits until DNS shows the validation record"),
    ("AWS::ApiGateway::DomainName", 5, "API Gateway provisions a custom domain"),
    ("AWS::ApiGatewayV2::DomainName", 5, "API Gateway provisions a custom domain"),
    ("AWS::Cognito::UserPoolDomain", 5, "a custom domain of a user pool is a CloudFront distribution"),
    ("AWS::RDS::DBInstance", 15, "RDS starts an instance"),
    ("AWS::OpenSearchService::Domain", 20, "OpenSearch starts a domain"),
];

/// A changing stack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChangingStack<'a> {
    pub(crate) name: &'a str,
    pub(crate) depends_on: &'a [String],
    pub(crate) changes: &'a StackChanges,
}

/// Forecasts the deploy of changing stacks; unchanged ones take no time.
pub(crate) fn forecast(stacks: &[ChangingStack<'_>]) -> Forecast {
    let names: Vec<_> = stacks.iter().map(|stack| stack.name).collect();
    let mut waves: Vec<Vec<String>> = Vec::new();
    let mut wave_of: BTreeMap<&str, usize> = BTreeMap::new();
    // Minutes until a stack is deployed, and the chain of stacks that takes them.
    let mut paths: BTreeMap<&str, (u32, Vec<String>)> = BTreeMap::new();
    for stack in stacks {
        let needed = stack.depends_on.iter().map(String::as_str).filter(|needed| names.contains(needed));
        let wave = needed.clone().filter_map(|needed| wave_of.get(needed)).map(|wave| wave + 1).max().unwrap_or(0);
        if waves.len() == wave {
            waves.push(Vec::new());
        }
        waves[wave].push(stack.name.to_owned());
        wave_of.insert(stack.name, wave);
        let (before, mut path) = needed
            .filter_map(|needed| paths.get(needed))
            .max_by_key(|(minutes, _)| *minutes)
            .cloned()
            .unwrap_or_default();
        path.push(stack.name.to_owned());
        paths.insert(stack.name, (before + minutes(stack.changes), path));
    }
    let critical_path = paths.into_values().max_by_key(|(minutes, path)| (*minutes, path.len())).map(|(_, path)| path);
    let slow = stacks.iter().flat_map(|stack| {
        slow(stack.changes).map(|(id, minutes, why)| format!("{}/{id}: about {minutes} min: {why}", stack.name))
    });
    Forecast { waves, critical_path: critical_path.unwrap_or_default(), slow: slow.collect() }
}

fn minutes(changes: &StackChanges) -> u32 {
    1 + slow(changes).map(|(_, minutes, _)| minutes).max().unwrap_or(0)
}

fn slow(changes: &StackChanges) -> impl Iterator<Item = (&str, u32, &'static str)> {
    let effective =
        changes.resources.iter().filter(|change| change.action != ResourceAction::Delete || !change.retained);
    effective.filter_map(|change| {
        let (_, minutes, why) = SLOW.iter().find(|(slow, _, _)| *slow == change.resource_type)?;
        Some((change.logical_id.as_str(), *minutes, *why))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn independent_stacks_share_a_wave() {
        let changes = StackChanges::default();
        let needs = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (none, both) = (needs(&[]), needs(&["a", "b"]));
        let stack = |name, depends_on| ChangingStack { name, depends_on, changes: &changes };
        let forecast = forecast(&[stack("a", &none), stack("b", &none), stack("c", &both)]);
        assert_eq!(forecast.waves, [vec!["a".to_owned(), "b".to_owned()], vec!["c".to_owned()]]);
        assert_eq!(forecast.critical_path.len(), 2);
    }
}
