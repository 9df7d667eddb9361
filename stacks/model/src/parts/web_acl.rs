//! A web ACL that slows down whoever asks too much of an API.

use serde_json::{Value, json};

use super::api::ApiHandle;
use crate::template::{Expression, Part, Reference, Resource, Stack};

/// Limits of requests per address, checked before an API is asked.
///
/// Its properties are written in CloudFormation's own form: the typed ones would be a thousand lines for one statement.
#[derive(Debug, Clone)]
pub struct WebAcl {
    logical_id: String,
    name: String,
    window: u32,
    limits: Vec<Limit>,
    api: ApiHandle,
}

/// So many requests of one address in the ACL's window.
#[derive(Debug, Clone)]
struct Limit {
    name: &'static str,
    requests: u32,
    scope: Option<Scope>,
}

/// Which requests a limit counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Those whose path contains this.
    Path(&'static str),
    /// Those with this method.
    Method(&'static str),
    /// Those that the other does not count.
    Not(Box<Self>),
    /// Those that all of them count; there must be two or more.
    All(Vec<Self>),
}

impl Scope {
    fn statement(&self) -> Value {
        let matches = |field: &str, constraint: &str, text: &str| {
            json!({ "ByteMatchStatement": {
                "FieldToMatch": { field: {} },
                "PositionalConstraint": constraint,
                "SearchString": text,
                "TextTransformations": [{ "Priority": 0, "Type": "NONE" }],
            } })
        };
        match self {
            Self::Path(text) => matches("UriPath", "CONTAINS", text),
            Self::Method(method) => matches("Method", "EXACTLY", method),
            Self::Not(scope) => json!({ "NotStatement": { "Statement": scope.statement() } }),
            Self::All(scopes) => {
                json!({ "AndStatement": { "Statements": scopes.iter().map(Self::statement).collect::<Vec<_>>() } })
            }
        }
    }
}

impl WebAcl {
    /// An ACL called `name` that guards `api` and counts over `window` seconds: 60, 120, 300 or 600 (WAF API reference,
    /// `RateBasedStatement`).
    #[must_use]
    pub fn new(logical_id: &str, name: &str, window: u32, api: &ApiHandle) -> Self {
        Self { logical_id: logical_id.to_owned(), name: name.to_owned(), window, limits: Vec::new(), api: api.clone() }
    }

    /// Lets an address make this many of these requests in the window, 10 at least; all requests, if `scope` is none.
    #[must_use]
    pub fn limit(mut self, name: &'static str, requests: u32, scope: Option<Scope>) -> Self {
        self.limits.push(Limit { name, requests, scope });
        self
    }

    fn rule(&self, priority: usize, limit: &Limit) -> Value {
        let mut rate = json!({
            "AggregateKeyType": "IP", "Limit": limit.requests, "EvaluationWindowSec": self.window,
        });
        if let Some(scope) = &limit.scope {
            rate["ScopeDownStatement"] = scope.statement();
        }
        json!({
            "Name": limit.name,
            "Priority": priority,
            "Statement": { "RateBasedStatement": rate },
            "Action": { "Block": { "CustomResponse": {
                "ResponseCode": 429,
                "ResponseHeaders": [{ "Name": "Retry-After", "Value": self.window.to_string() }],
            } } },
            "VisibilityConfig": visibility(&format!("{}-{}", self.name, limit.name)),
        })
    }
}

fn visibility(name: &str) -> Value {
    json!({ "CloudWatchMetricsEnabled": true, "SampledRequestsEnabled": true, "MetricName": name })
}

impl Part for WebAcl {
    type Handle = Reference;

    fn add_to(self, stack: &mut Stack) -> Reference {
        let rules: Vec<_> = self.limits.iter().enumerate().map(|(index, limit)| self.rule(index, limit)).collect();
        let acl = Resource::new(
            "AWS::WAFv2::WebACL",
            json!({
                "Name": self.name,
                "Scope": "REGIONAL",
                "DefaultAction": { "Allow": {} },
                "VisibilityConfig": visibility(&self.name),
                "Rules": rules,
            }),
        );
        let acl = stack.resource(&self.logical_id, acl);
        let arn = "arn:${AWS::Partition}:apigateway:${AWS::Region}::/restapis/${Api}/stages/${Stage}";
        let arn = Expression::sub(arn, [("Api", self.api.id.clone()), ("Stage", self.api.stage_name.clone())]);
        let association = json!({ "ResourceArn": arn, "WebACLArn": acl.attribute("Arn") });
        let association = Resource::new("AWS::WAFv2::WebACLAssociation", association);
        stack.resource(&format!("{}Association", self.logical_id), association);
        acl
    }
}
