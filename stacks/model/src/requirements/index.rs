//! The resources of a system by the questions that requirements ask about them, collected once: a system may have many of each type.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    alarms,
    event_sources::ATTACHED,
    form,
    references::{Scope, Target},
    transport,
};
use crate::{parts::web_socket_api::CONNECT, rendered::RenderedFunction, statements::list};

/// A resource by its stack's name in CloudFormation and its logical ID.
type Key<'a> = (&'a str, &'a str);
/// The resources that refer to a resource, in the order of the system.
type Referring<'a> = BTreeMap<Key<'a>, Vec<Target<'a>>>;

/// The index of a system.
#[derive(Default)]
pub(super) struct Index<'a> {
    callers: Referring<'a>,
    queue_policies: Referring<'a>,
    role_policies: Referring<'a>,
    connect_routes: Referring<'a>,
    /// The tables by name.
    tables: BTreeMap<String, Target<'a>>,
    /// The names of log groups, with their stack's name.
    log_groups: BTreeSet<(&'a str, String)>,
    /// The policies that deny requests without TLS: their stack's name, their type, and the form of a resource that they protect.
    tls_policies: BTreeSet<(&'a str, &'a str, String)>,
    /// The names of resources that dimensions of metrics have, by type and property.
    names: BTreeMap<(&'static str, &'static str), BTreeSet<String>>,
    /// The functions of stacks, each with its place in its stack.
    functions: BTreeMap<Key<'a>, (usize, &'a RenderedFunction)>,
}

impl<'a> Index<'a> {
    /// Collects the resources of a system.
    pub(super) fn of(scope: Scope<'a>) -> Self {
        let mut index = Self::default();
        for stack in &scope.system.stacks {
            for (place, function) in stack.functions.iter().enumerate() {
                index.functions.insert((&stack.name, &function.id.logical_id), (place, function));
            }
        }
        scope.resources().for_each(|resource| index.add(resource));
        index
    }

    fn add(&mut self, resource: Target<'a>) {
        let properties = &resource.resource["Properties"];
        let stack = resource.scope.stack.name.as_str();
        refer(&mut self.callers, resource, called(resource, properties));
        match resource.kind() {
            "AWS::SQS::QueuePolicy" => {
                refer(&mut self.queue_policies, resource, resource.scope.targets(&properties["Queues"]));
            }
            "AWS::ApiGatewayV2::Route" if properties["RouteKey"] == CONNECT => {
                refer(&mut self.connect_routes, resource, resource.scope.target(&properties["ApiId"]));
            }
            "AWS::DynamoDB::Table" => {
                if let Some(name) = form(&properties["TableName"]) {
                    self.tables.entry(name).or_insert(resource);
                }
            }
            "AWS::Logs::LogGroup" => {
                self.log_groups.extend(form(&properties["LogGroupName"]).map(|name| (stack, name)));
            }
            _ => {}
        }
        if let Some((_, property)) = ATTACHED.iter().find(|(kind, _)| *kind == resource.kind()) {
            refer(&mut self.role_policies, resource, resource.scope.targets(&properties[*property]));
        }
        let protected = transport::protected_by(resource).into_iter().map(|form| (stack, resource.kind(), form));
        self.tls_policies.extend(protected);
        for (kind, property) in alarms::named(resource.kind()) {
            self.names.entry((kind, property)).or_default().extend(form(&properties[property]));
        }
    }

    /// Returns the resources that call a function with events or requests.
    pub(super) fn callers(&self, function: Target<'a>) -> impl Iterator<Item = Target<'a>> {
        of(&self.callers, function)
    }

    /// Returns the policies of a queue.
    pub(super) fn queue_policies(&self, queue: Target<'a>) -> impl Iterator<Item = Target<'a>> {
        of(&self.queue_policies, queue)
    }

    /// Returns the policies that are attached to a role and name it.
    pub(super) fn role_policies(&self, role: Target<'a>) -> impl Iterator<Item = Target<'a>> {
        of(&self.role_policies, role)
    }

    /// Returns the routes `$connect` of a WebSocket API.
    pub(super) fn connect_routes(&self, api: Target<'a>) -> impl Iterator<Item = Target<'a>> {
        of(&self.connect_routes, api)
    }

    /// Returns the table with a name.
    pub(super) fn table(&self, name: &str) -> Option<Target<'a>> {
        self.tables.get(name).copied()
    }

    /// Returns whether a stack has a log group with one of these names.
    pub(super) fn has_log_group(&self, stack: &'a str, names: impl IntoIterator<Item = String>) -> bool {
        names.into_iter().any(|name| self.log_groups.contains(&(stack, name)))
    }

    /// Returns whether a policy of this type, in the same stack, denies requests without TLS to a resource of one of these forms.
    pub(super) fn denies_without_tls(
        &self,
        stack: &'a str,
        policy: &'a str,
        forms: impl IntoIterator<Item = String>,
    ) -> bool {
        forms.into_iter().any(|form| self.tls_policies.contains(&(stack, policy, form)))
    }

    /// Returns the names of the resources of a type.
    pub(super) fn names(&self, kind: &'static str, property: &'static str) -> Option<&BTreeSet<String>> {
        self.names.get(&(kind, property))
    }

    /// Returns those functions of a stack that have these logical IDs, in the stack's order.
    pub(super) fn functions(&self, stack: &'a str, ids: &BTreeSet<&'a str>) -> Vec<&'a RenderedFunction> {
        let mut found: Vec<_> = ids.iter().filter_map(|id| self.functions.get(&(stack, *id))).collect();
        found.sort_by_key(|(place, _)| *place);
        found.into_iter().map(|(_, function)| *function).collect()
    }
}

fn refer<'a>(referring: &mut Referring<'a>, resource: Target<'a>, targets: impl IntoIterator<Item = Target<'a>>) {
    for target in targets {
        let all = referring.entry(target.key()).or_default();
        // A resource may refer to the same one in several places.
        if all.last().is_none_or(|last| !last.is(resource)) {
            all.push(resource);
        }
    }
}

fn of<'i, 'a: 'i>(referring: &'i Referring<'a>, target: Target<'a>) -> impl Iterator<Item = Target<'a>> + use<'i, 'a> {
    referring.get(&target.key()).into_iter().flatten().copied()
}

/// Returns the functions that a resource calls, or may call.
fn called<'a>(caller: Target<'a>, properties: &'a Value) -> Vec<Target<'a>> {
    let values: Vec<&Value> = match caller.kind() {
        "AWS::ApiGateway::Method" => vec![&properties["Integration"], &properties["Integration"]["Uri"]],
        "AWS::ApiGatewayV2::Authorizer" => vec![&properties["AuthorizerUri"]],
        "AWS::ApiGatewayV2::Integration" => vec![&properties["IntegrationUri"]],
        "AWS::Events::Rule" => list(&properties["Targets"]).iter().collect(),
        "AWS::Lambda::EventSourceMapping" => vec![&properties["FunctionName"]],
        _ => Vec::new(),
    };
    values.into_iter().filter_map(|value| caller.scope.function(value)).collect()
}
