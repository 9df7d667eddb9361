//! Requirements for every template of every system: permissions, encryption, TLS, retention, tags, where certificates are, and what
//! services refuse, or accept without effect, although the resource schemas allow it.
//!
//! [`violations`] reads rendered templates, so a system fulfils them however its resources were made. A resource that has to
//! break one carries an exception with a reason: [`crate::template::Stack::except`], or for a statement of a policy
//! [`crate::parts::policy::Statement::because`]. Exceptions are part of the template, as metadata of their resource.

mod access;
mod alarms;
mod callers;
mod data;
mod event_rules;
mod event_sources;
mod http_apis;
mod index;
mod indexes;
mod keys;
mod limits;
mod metrics;
mod networks;
mod patterns;
mod references;
mod regions;
mod timeouts;
mod transport;
mod web_sockets;
mod wildcards;

use std::fmt;

pub(crate) use access::is_wildcard;
pub use access::{GrantedAction, granted_actions};
use index::Index;
use references::{Catalog, Scope, Target};
use serde_json::Value;
pub use wildcards::{Wildcard, wildcards};

use crate::{
    rendered::{RenderedStack, RenderedSystem},
    stage::Stage,
    template::{Rule, WILDCARD_RESOURCE, is_excepted},
};

/// A requirement for every template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Requirement {
    /// Policies allow actions by their full names.
    WildcardAction,
    /// Policies of roles name resources, unless the action has none.
    WildcardResource,
    /// Roles do not scan tables: the cost of a scan grows with the table.
    TableScan,
    /// Resources that hold data encrypt it, by AWS's default or by a setting.
    Encryption,
    /// Policies of keys name their principals.
    KeyPolicy,
    /// The material of keys is replaced every year.
    KeyRotation,
    /// Roles encrypt and decrypt data with a key only within an encryption context.
    EncryptionContext,
    /// Resources are reachable over TLS only, in version 1.2 or newer.
    Tls,
    /// Log groups have a retention, functions have a log group, and resources that hold data outlive their stack.
    Retention,
    /// In a protected stage, tables and user pools refuse their deletion.
    Protection,
    /// Resources have the `system`, `stack` and `stage` tags of their stack, by which permissions and lists find them. Where workflows
    /// deploy the stage, resources with generated IDs have them in the template.
    Tags,
    /// Code comes from the artifact bucket, not from the template.
    InlineCode,
    /// Events and requests reach a function through its alias, so that releases decide which version answers.
    Alias,
    /// Certificates and web ACLs are in the region and account where their user requires them.
    Region,
    /// Sizes, times and variables are within the limits of their service.
    Limit,
    /// Event rules select events, and send them to targets; their dead-letter queues let them in.
    EventRule,
    /// Lambda accepts event source mappings: the queue hides messages long enough, and the function's role may read the source.
    EventSource,
    /// A function behind an API responds before the gateway stops waiting.
    GatewayTimeout,
    /// Alarms watch metrics that exist, of resources that exist, in periods that CloudWatch accepts.
    Alarm,
    /// A route of an HTTP API has an authorizer, or says that it is open.
    RouteAuthorization,
    /// The stage of an HTTP API logs its requests.
    AccessLog,
    /// A function in a VPC reaches the tables and buckets of its system.
    Network,
    /// A WebSocket API has an authorizer, or a reason to be open.
    WebSocketAuthorizer,
    /// The indexes of a table have different names, and policies name indexes that exist.
    Index,
}

impl Requirement {
    /// Returns the requirement's name in messages and exceptions.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::WildcardAction => "wildcard-action",
            Self::WildcardResource => WILDCARD_RESOURCE,
            Self::TableScan => "table-scan",
            Self::Encryption => "encryption",
            Self::KeyPolicy => "key-policy",
            Self::KeyRotation => "key-rotation",
            Self::EncryptionContext => "encryption-context",
            Self::Tls => "tls",
            Self::Retention => "retention",
            Self::Protection => "protection",
            Self::Tags => "tags",
            Self::InlineCode => "inline-code",
            Self::Alias => "alias",
            Self::Region => "region",
            Self::Limit => "limit",
            Self::EventRule => "event-rule",
            Self::EventSource => "event-source",
            Self::GatewayTimeout => "gateway-timeout",
            Self::Alarm => "alarm",
            Self::RouteAuthorization => "route-authorization",
            Self::AccessLog => "access-log",
            Self::Network => "network",
            Self::WebSocketAuthorizer => "web-socket-authorizer",
            Self::Index => "index",
        }
    }
}

impl From<Requirement> for Rule {
    fn from(requirement: Requirement) -> Self {
        requirement.id().into()
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.id())
    }
}

/// A resource that breaks a requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The requirement.
    pub requirement: Requirement,
    /// The stack's name in CloudFormation.
    pub stack: String,
    /// The resource's logical ID.
    pub logical_id: String,
    /// The property's path, with dots between steps; `None` for the resource as a whole.
    pub property: Option<String>,
    /// What is wrong, and what is right.
    pub message: String,
}

/// A resource of a template, with everything that its requirements depend on.
#[derive(Clone, Copy)]
struct Subject<'a> {
    stage: &'a Stage,
    system: &'a RenderedSystem,
    stack: &'a RenderedStack,
    logical_id: &'a str,
    resource: &'a Value,
    catalog: &'a Catalog<'a>,
    index: &'a Index<'a>,
}

const CHECKS: [fn(&Subject<'_>, &mut Vec<Violation>); 15] = [
    access::check,
    alarms::check,
    callers::check,
    data::check,
    event_rules::check,
    event_sources::check,
    http_apis::check,
    indexes::check,
    keys::check,
    limits::check,
    networks::check,
    regions::check,
    timeouts::check,
    transport::check,
    web_sockets::check,
];

/// Returns the resources that break a requirement without an exception.
#[must_use]
pub fn violations(stage: &Stage, systems: &[RenderedSystem]) -> Vec<Violation> {
    let mut found = Vec::new();
    for system in systems {
        let Some(first) = system.stacks.first() else { continue };
        let catalog = Catalog::of(system);
        let index = Index::of(Scope { system, stack: first, catalog: &catalog });
        for stack in &system.stacks {
            let resources = stack.template["Resources"].as_object().into_iter().flatten();
            for (logical_id, resource) in resources {
                let (catalog, index) = (&catalog, &index);
                let subject = Subject { stage, system, stack, logical_id, resource, catalog, index };
                for check in CHECKS {
                    check(&subject, &mut found);
                }
            }
        }
    }
    found
}

/// Returns the text of a value as `Fn::Sub` writes it, so that different functions with one meaning are the same text; `None` for
/// other functions.
fn form(value: &Value) -> Option<String> {
    if let Some(text) = value.as_str() {
        return Some(text.to_owned());
    }
    let (function, argument) = value.as_object().filter(|fields| fields.len() == 1)?.iter().next()?;
    match (function.as_str(), argument) {
        ("Ref", Value::String(name)) => Some(format!("${{{name}}}")),
        ("Fn::GetAtt", Value::String(path)) => Some(format!("${{{path}}}")),
        ("Fn::GetAtt", Value::Array(path)) => {
            let path: Option<Vec<_>> = path.iter().map(Value::as_str).collect();
            Some(format!("${{{}}}", path?.join(".")))
        }
        ("Fn::Sub", Value::String(text)) => Some(text.clone()),
        ("Fn::Join", Value::Array(parts)) => {
            let texts: Option<Vec<_>> = parts.get(1)?.as_array()?.iter().map(form).collect();
            Some(texts?.join(parts.first()?.as_str()?))
        }
        _ => None,
    }
}

impl<'a> Subject<'a> {
    /// Returns the resource as the target of references.
    fn target(&self) -> Target<'a> {
        let scope = Scope { system: self.system, stack: self.stack, catalog: self.catalog };
        Target { scope, logical_id: self.logical_id, resource: self.resource, attribute: None }
    }

    fn resource_type(&self) -> &'a str {
        self.resource["Type"].as_str().unwrap_or_default()
    }

    /// Returns the value at a path of the properties, with dots between steps.
    fn property(&self, path: &str) -> &'a Value {
        static NOTHING: Value = Value::Null;
        let properties = self.resource.get("Properties").unwrap_or(&NOTHING);
        path.split('.').try_fold(properties, |value, step| value.get(step)).unwrap_or(&NOTHING)
    }

    /// Adds a violation, unless the resource has an exception.
    fn violates(&self, requirement: Requirement, property: &str, message: String, found: &mut Vec<Violation>) {
        if is_excepted(self.resource, requirement.id()) {
            return;
        }
        found.push(Violation {
            requirement,
            stack: self.stack.name.clone(),
            logical_id: self.logical_id.to_owned(),
            property: (!property.is_empty()).then(|| format!("Properties.{property}")),
            message,
        });
    }
}

#[cfg(test)]
mod growth;
#[cfg(test)]
mod tests;
