//! A web ACL that limits the requests of each address to an API.

use serde_json::{Value, json};

use super::api::ApiHandle;
use crate::template::{Expression, Part, Reference, Resource, Stack};

/// An `AWS::WAFv2::WebACL` with limits of requests per address, and its association with an API. Blocked requests are
/// answered with status 429.
///
/// The properties are written in CloudFormation's JSON form, because the typed ones would be a thousand lines.
#[derive(Debug, Clone)]
pub struct WebAcl {
    logical_id: String,
    name: String,
    window: u32,
    limits: Vec<Limit>,
    api: ApiHandle,
}

/// A limit of one address's requests in the ACL's window.
#[derive(Debug, Clone)]
struct Limit {
    name: &'static str,
    requests: u32,
    scope: Option<Scope>,
}

/// The requests that a limit counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Requests whose path contains this text.
    Path(&'static str),
    /// Requests with this method.
    Method(&'static str),
    /// Requests that the scope does not count.
    Not(Box<Self>),
    /// Requests that all of these scopes count; two or more scopes.
    All(Vec<Self>),
}

impl Scope {
    fn statement(&self) -> Value {
        let matches = |field: &str, constraint: &str, text: &str, transformation: &str| {
            json!({ "ByteMatchStatement": {
                "FieldToMatch": { field: {} },
                "PositionalConstraint": constraint,
                "SearchString": text,
                "TextTransformations": [{ "Priority": 0, "Type": transformation }],
            } })
        };
        match self {
            // API Gateway decodes a path before it selects the route, so an encoded path must not escape the limit.
            Self::Path(text) => matches("UriPath", "CONTAINS", text, "URL_DECODE"),
            Self::Method(method) => matches("Method", "EXACTLY", method, "NONE"),
            Self::Not(scope) => json!({ "NotStatement": { "Statement": scope.statement() } }),
            Self::All(scopes) => {
                json!({ "AndStatement": { "Statements": scopes.iter().map(Self::statement).collect::<Vec<_>>() } })
            }
        }
    }
}

impl WebAcl {
    /// Creates an ACL called `name` for `api` that counts requests over `window` seconds: 60, 120, 300 or 600 (WAF API
    /// reference, `RateBasedStatement`).
    #[must_use]
    pub fn new(logical_id: &str, name: &str, window: u32, api: &ApiHandle) -> Self {
        Self { logical_id: logical_id.to_owned(), name: name.to_owned(), window, limits: Vec::new(), api: api.clone() }
    }

    /// Limits each address to this many requests in the window, at least 10. Without a scope, all requests count.
    #[must_use]
    pub fn limit(mut self, name: &'static str, requests: u32, scope: Option<Scope>) -> Self {
        self.limits.push(Limit { name, requests, scope });
        self
    }

    /// Returns the requests in a window of this many seconds at a rate per minute, at least the minimum of a limit, 10 (WAF API
    /// reference, `RateBasedStatement`).
    #[must_use]
    pub fn requests(per_minute: u32, window: u32) -> u32 {
        per_minute.saturating_mul(window / 60).clamp(10, 2_000_000_000)
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
