//! Forecasts a deploy: its order, and its slow resources.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::changes::{ResourceAction, ResourceChange, StackChanges};

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

/// The minutes that CloudFormation waits until the network interfaces of a deleted function are gone: 20 to 40 (CloudFormation
/// template reference, "AWS::Lambda::Function VpcConfig"; Lambda developer guide, "Understanding Hyperplane Elastic Network
/// Interfaces").
const INTERFACES: (u32, &str) =
    (40, "Lambda deletes the network interfaces of a function in a VPC after 20 to 40 minutes");

/// A changing stack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChangingStack<'a> {
    pub(crate) name: &'a str,
    pub(crate) depends_on: &'a [String],
    pub(crate) changes: &'a StackChanges,
    /// The deployed template; null for a new stack.
    pub(crate) deployed: &'a Value,
}

/// Forecasts the deploy of changing stacks; unchanged ones take no time.
pub(crate) fn forecast(stacks: &[ChangingStack<'_>]) -> Forecast {
    let names: BTreeSet<_> = stacks.iter().map(|stack| stack.name).collect();
    let mut waves: Vec<Vec<String>> = Vec::new();
    let mut wave_of: BTreeMap<&str, usize> = BTreeMap::new();
    let mut chains: BTreeMap<&str, Chain<'_>> = BTreeMap::new();
    for stack in stacks {
        let needed = stack.depends_on.iter().map(String::as_str).filter(|needed| names.contains(needed));
        let wave = needed.clone().filter_map(|needed| wave_of.get(needed)).map(|wave| wave + 1).max().unwrap_or(0);
        if waves.len() == wave {
            waves.push(Vec::new());
        }
        waves[wave].push(stack.name.to_owned());
        wave_of.insert(stack.name, wave);
        let before = needed.filter_map(|needed| Some((needed, chains.get(needed)?)));
        let before = before.max_by_key(|(_, chain)| chain.minutes);
        let (minutes_before, length_before) = before.map_or((0, 0), |(_, chain)| (chain.minutes, chain.length));
        let previous = before.map(|(name, _)| name);
        let chain = Chain { minutes: minutes_before + minutes(stack), length: length_before + 1, previous };
        chains.insert(stack.name, chain);
    }
    let slow = stacks.iter().flat_map(|stack| {
        slow(stack).map(|(id, minutes, why)| format!("{}/{id}: about {minutes} min: {why}", stack.name))
    });
    Forecast { waves, critical_path: critical_path(&chains), slow: slow.collect() }
}

/// The chain of stacks that ends with one and takes longest.
struct Chain<'a> {
    /// The minutes until the last stack is deployed.
    minutes: u32,
    /// The number of stacks.
    length: usize,
    /// The stack before the last one.
    previous: Option<&'a str>,
}

fn critical_path(chains: &BTreeMap<&str, Chain<'_>>) -> Vec<String> {
    let last = chains.iter().max_by_key(|(_, chain)| (chain.minutes, chain.length)).map(|(name, _)| *name);
    let previous = |name: &&str| chains.get(*name)?.previous;
    let mut path: Vec<_> = std::iter::successors(last, previous).map(str::to_owned).collect();
    path.reverse();
    path
}

fn minutes(stack: &ChangingStack<'_>) -> u32 {
    1 + slow(stack).map(|(_, minutes, _)| minutes).max().unwrap_or(0)
}

fn slow<'a>(stack: &ChangingStack<'a>) -> impl Iterator<Item = (&'a str, u32, &'static str)> {
    let deployed = stack.deployed;
    let effective =
        stack.changes.resources.iter().filter(|change| change.action != ResourceAction::Delete || !change.retained);
    effective.filter_map(move |change| {
        let id = change.logical_id.as_str();
        if deletes_interfaces(change, deployed) {
            return Some((id, INTERFACES.0, INTERFACES.1));
        }
        let (_, minutes, why) = SLOW.iter().find(|(slow, _, _)| *slow == change.resource_type)?;
        Some((id, *minutes, *why))
    })
}

/// Returns whether a change deletes a function that is in a VPC.
fn deletes_interfaces(change: &ResourceChange, deployed: &Value) -> bool {
    let is_deleted = matches!(change.action, ResourceAction::Delete | ResourceAction::Replace);
    let network = &deployed["Resources"][&change.logical_id]["Properties"]["VpcConfig"];
    change.resource_type == "AWS::Lambda::Function" && is_deleted && network.is_object()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn independent_stacks_share_a_wave() {
        let changes = StackChanges::default();
        let needs = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (none, both) = (needs(&[]), needs(&["a", "b"]));
        let stack = |name, depends_on| ChangingStack { name, depends_on, changes: &changes, deployed: &Value::Null };
        let forecast = forecast(&[stack("a", &none), stack("b", &none), stack("c", &both)]);
        assert_eq!(forecast.waves, [vec!["a".to_owned(), "b".to_owned()], vec!["c".to_owned()]]);
        assert_eq!(forecast.critical_path.len(), 2);
    }

    #[test]
    fn a_deleted_function_in_a_network_takes_long() {
        let change = |action| {
            let change = serde_json::json!({
                "logicalId": "F", "resourceType": "AWS::Lambda::Function", "action": action, "certainty": "certain",
                "retained": false,
            });
            let resources = vec![serde_json::from_value(change).expect("a change")];
            StackChanges { resources, ..StackChanges::default() }
        };
        let function = |properties: Value| serde_json::json!({ "Resources": { "F": { "Type": "AWS::Lambda::Function", "Properties": properties } } });
        let attached = function(serde_json::json!({ "VpcConfig": { "SubnetIds": ["subnet-0a1b2c3d"] } }));
        let slow = |action, deployed: &Value| {
            let changes = change(action);
            forecast(&[ChangingStack { name: "a", depends_on: &[], changes: &changes, deployed }]).slow
        };
        for action in ["delete", "replace"] {
            let found = slow(action, &attached);
            assert!(found.len() == 1 && found[0].starts_with("a/F: about 40 min: Lambda deletes"), "{found:?}");
        }
        assert_eq!(slow("update", &attached), Vec::<String>::new());
        assert_eq!(slow("delete", &function(serde_json::json!({}))), Vec::<String>::new());
    }
}
