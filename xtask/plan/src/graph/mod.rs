//! The graph of a stage: its systems, stacks, functions, APIs and data, and the references between them.

mod mermaid;
mod svg;

use std::collections::{BTreeMap, BTreeSet};

pub use mermaid::mermaid;
use model::{
    parts::function::LIVE,
    rendered::{ParameterSource, RenderedStack, RenderedSystem},
};
use serde_json::Value;
pub use svg::svg;

use crate::{
    changes::references::{Reference, references},
    full_name,
    stateful::is_stateful,
};

/// The graph of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// The stage.
    pub stage: String,
    /// Every stack, in deploy order.
    pub stacks: Vec<GraphStack>,
    /// The references.
    pub edges: BTreeSet<Edge>,
}

/// A stack of the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphStack {
    /// The system.
    pub system: String,
    /// The name in CloudFormation.
    pub name: String,
    /// Its functions, APIs and data.
    pub nodes: BTreeSet<Node>,
}

/// A function, an API, or a resource that holds or carries data.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    /// The stack's name in CloudFormation.
    pub stack: String,
    /// The logical ID.
    pub logical_id: String,
    /// The label in drawings.
    pub label: String,
    /// The kind.
    pub kind: NodeKind,
}

/// The kind of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeKind {
    /// A Lambda function.
    Function,
    /// A REST, HTTP or WebSocket API.
    Api,
    /// A bucket, a table, a queue, a topic, a user pool.
    Data,
}

/// A reference from a node, or a stack without nodes, to another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// The referring end.
    pub from: Endpoint,
    /// The end that is referred to.
    pub to: Endpoint,
}

/// One end of an edge: a stack, or a node in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// The stack's name in CloudFormation.
    pub stack: String,
    /// The node's logical ID; `None` for the stack itself.
    pub node: Option<String>,
}

/// Resource types that carry data without storing it.
const CARRIES_DATA: &[&str] =
    &["AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::CloudFront::Distribution", "AWS::Events::EventBus"];

/// Returns the graph of a stage.
#[must_use]
pub fn graph(stage: &str, systems: &[RenderedSystem]) -> Graph {
    let rendered: Vec<_> = systems.iter().flat_map(|system| &system.stacks).collect();
    let owners: BTreeMap<&str, BTreeMap<String, String>> =
        rendered.iter().map(|stack| (stack.name.as_str(), owners(stack))).collect();
    let stacks = rendered.iter().map(|stack| GraphStack {
        system: stack.system.clone(),
        name: stack.name.clone(),
        nodes: nodes(stack),
    });
    let named: Vec<_> = rendered.iter().flat_map(|stack| named(stack)).collect();
    let mut edges = BTreeSet::new();
    for stack in &rendered {
        edges.extend(edges_of(stack, stage, &rendered, &owners));
        edges.extend(edges_by_name(stack, &owners[stack.name.as_str()], &named));
    }
    Graph { stage: stage.to_owned(), stacks: stacks.collect(), edges }
}

fn resources(stack: &RenderedStack) -> impl Iterator<Item = (&String, &Value)> {
    stack.template["Resources"].as_object().into_iter().flatten()
}

fn nodes(stack: &RenderedStack) -> BTreeSet<Node> {
    resources(stack)
        .filter_map(|(id, resource)| {
            let resource_type = resource["Type"].as_str()?;
            let kind = match resource_type {
                "AWS::Lambda::Function" => NodeKind::Function,
                "AWS::ApiGateway::RestApi" | "AWS::ApiGatewayV2::Api" => NodeKind::Api,
                "AWS::Logs::LogGroup" => return None,
                other if is_stateful(other) || CARRIES_DATA.contains(&other) => NodeKind::Data,
                _ => return None,
            };
            let name = resource["Properties"]["FunctionName"].as_str().unwrap_or(id);
            let short = name.strip_suffix(&format!("-{}", stage_of(stack))).unwrap_or(name);
            let short = short.strip_prefix(&format!("{}-", stack.system)).unwrap_or(short);
            Some(Node { stack: stack.name.clone(), logical_id: id.clone(), label: short.to_owned(), kind })
        })
        .collect()
}

fn stage_of(stack: &RenderedStack) -> &str {
    let prefix = format!("{}-{}-", stack.system, stack.stack);
    stack.name.strip_prefix(&prefix).unwrap_or_default()
}

/// Maps each resource to the node it belongs to: itself, or its function or API. The node of a mapping or a rule may be in another
/// stack; it is then the parameter for it.
fn owners(stack: &RenderedStack) -> BTreeMap<String, String> {
    let mut owners: BTreeMap<String, String> =
        nodes(stack).into_iter().map(|node| (node.logical_id.clone(), node.logical_id)).collect();
    for (id, resource) in resources(stack) {
        let properties = &resource["Properties"];
        let target = |property: &str| references(&properties[property]).into_iter().next().map(|found| found.target);
        match resource["Type"].as_str().unwrap_or_default() {
            "AWS::Lambda::Function" => {
                if let Some(role) = target("Role") {
                    owners.insert(role, id.clone());
                }
            }
            "AWS::Lambda::Alias" if properties["Name"] == LIVE => {
                if let Some(function) = target("FunctionName") {
                    owners.insert(id.clone(), function);
                }
            }
            // The parts of an API refer to it; the API of another stack is a parameter.
            part if part.starts_with("AWS::ApiGateway") => {
                if let Some(api) = target("RestApiId").or_else(|| target("ApiId")) {
                    owners.insert(id.clone(), api);
                }
            }
            // A mapping belongs to its source, which feeds the function.
            "AWS::Lambda::EventSourceMapping" => {
                if let Some(source) = target("EventSourceArn") {
                    owners.insert(id.clone(), source);
                }
            }
            // The same holds for a rule and its bus. A schedule has none.
            "AWS::Events::Rule" => {
                if let Some(bus) = target("EventBusName") {
                    owners.insert(id.clone(), bus);
                }
            }
            _ => {}
        }
    }
    owners
}

fn edges_of(
    stack: &RenderedStack,
    stage: &str,
    all: &[&RenderedStack],
    owners: &BTreeMap<&str, BTreeMap<String, String>>,
) -> Vec<Edge> {
    let own = &owners[stack.name.as_str()];
    let within = |stack: &str, node: &str| Endpoint { stack: stack.to_owned(), node: Some(node.to_owned()) };
    let whole = |stack: &str| Endpoint { stack: stack.to_owned(), node: None };
    let to = |target: &str| -> Option<Endpoint> {
        let node = own.get(target).map_or(target, String::as_str);
        if own.contains_key(node) {
            return Some(within(&stack.name, node));
        }
        let ParameterSource::Output { stack: other, output } = stack.parameters.get(node)? else { return None };
        let name = full_name(&stack.system, other, stage);
        let other = all.iter().find(|candidate| candidate.name == name)?;
        let value = &other.template["Outputs"][output.as_str()]["Value"];
        let node = references(value).into_iter().find_map(|found| owners[name.as_str()].get(&found.target));
        Some(node.map_or_else(|| whole(&name), |node| within(&name, node)))
    };
    let mut edges = Vec::new();
    let mut referenced_stacks = BTreeSet::new();
    for (id, resource) in resources(stack) {
        if !own.contains_key(id) {
            continue;
        }
        let Some(from) = to(id) else { continue };
        for end in references(&resource["Properties"]).into_iter().filter_map(|Reference { target, .. }| to(&target)) {
            referenced_stacks.insert(end.stack.clone());
            if end != from {
                edges.push(Edge { from: from.clone(), to: end });
            }
        }
    }
    // A dependency without a reference between nodes becomes an edge between the stacks.
    for other in &stack.depends_on {
        let name = full_name(&stack.system, other, stage);
        if !referenced_stacks.contains(&name) {
            edges.push(Edge { from: whole(&stack.name), to: whole(&name) });
        }
    }
    edges
}

/// The nodes with fixed names, by name: a bucket that notifies a function that reads it cannot also be referred to by that
/// function, which has its name instead.
fn named(stack: &RenderedStack) -> Vec<(String, Endpoint)> {
    const NAMES: &[&str] = &["BucketName", "TableName", "QueueName", "TopicName"];
    nodes(stack)
        .into_iter()
        .filter_map(|node| {
            let properties = &stack.template["Resources"][&node.logical_id]["Properties"];
            let name = NAMES.iter().find_map(|name| properties.get(*name))?;
            let text = name.as_str().or_else(|| name["Fn::Sub"].as_str())?;
            Some((text.to_owned(), Endpoint { stack: stack.name.clone(), node: Some(node.logical_id) }))
        })
        .collect()
}

fn edges_by_name(stack: &RenderedStack, owners: &BTreeMap<String, String>, named: &[(String, Endpoint)]) -> Vec<Edge> {
    let mut edges = Vec::new();
    for (id, resource) in resources(stack) {
        let Some(owner) = owners.get(id).filter(|owner| owners.contains_key(*owner)) else { continue };
        let from = Endpoint { stack: stack.name.clone(), node: Some(owner.clone()) };
        // A table and a topic may share a name; each then means itself.
        let own: BTreeSet<_> = named.iter().filter(|(_, end)| *end == from).map(|(name, _)| name).collect();
        let others: Vec<_> = named.iter().filter(|(name, _)| !own.contains(name)).collect();
        let mut mentioned = BTreeSet::new();
        strings(&resource["Properties"], &mut |text| {
            mentioned.extend(others.iter().filter(|(name, _)| mentions(text, name)).map(|(_, end)| end));
        });
        edges.extend(mentioned.into_iter().map(|to| Edge { from: from.clone(), to: to.clone() }));
    }
    edges
}

/// Does the text contain the name, other than as a part of a longer name?
fn mentions(text: &str, name: &str) -> bool {
    let within_name = |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '-');
    text.match_indices(name).any(|(start, _)| {
        let (before, after) = (&text[..start], &text[start + name.len()..]);
        !within_name(before.chars().next_back()) && !within_name(after.chars().next())
    })
}

fn strings<'a>(value: &'a Value, each: &mut impl FnMut(&'a str)) {
    match value {
        Value::String(text) => each(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, each)),
        Value::Object(fields) => fields.values().for_each(|field| strings(field, each)),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
