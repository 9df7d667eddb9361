//! How the actions of the execution role are limited: by the names of resources, or by tags where AWS generates the IDs.
//!
//! The source is the Service Authorization Reference: the page "Actions, resources, and condition keys" of each service says which actions
//! support `aws:ResourceTag` (the condition keys of their resource types) and `aws:RequestTag`. An action that supports neither is allowed
//! with the reason, which becomes metadata of its policy.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    execution::{split, sub},
    tags::untagged_services,
};
use crate::{parts::policy::Statement, rendered::RenderedStack, requirements::is_wildcard, template::Text};

/// Creates resources with generated IDs; the tags are part of the request.
pub(super) const CREATING: [&str; 6] = [
    "cloudfront:CreateDistribution",
    "cloudfront:CreateDistributionWithTags",
    "cognito-identity:CreateIdentityPool",
    "cognito-idp:CreateUserPool",
    "kms:CreateKey",
    "resource-groups:CreateGroup",
];

/// Adds tags. A service also checks this action while it creates a resource with tags.
const TAGGING: [&str; 5] = [
    "acm:AddTagsToCertificate",
    "cloudfront:TagResource",
    "cognito-identity:TagResource",
    "cognito-idp:TagResource",
    "kms:TagResource",
];

/// Completes a new resource whose tags may not count yet. Tags of a key take up to five minutes to affect authorization (KMS developer
/// guide, "ABAC for AWS KMS"), and CloudFormation makes these calls right after the key's creation.
const COMPLETING: [&str; 2] = ["kms:CreateAlias", "kms:EnableKeyRotation"];

/// Why completing is allowed on resources without tags.
const COMPLETES: &str = "The tags of a new key take effect later, and its stack needs the actions at once; keys of other stages are excluded.";

/// Why reading is allowed on resources without tags.
const READS: &str = "A deleted resource has no tags, and its handler must see that it is deleted; resources of other stages are excluded.";
/// Why a service's resources are not bound to their tags.
const UNTAGGED: &str =
    "A deployed resource has no tags yet; the next `bootstrap` after a deploy binds the actions to tags.";
/// Why an action is not bound to tags that a resource does not have yet.
const ADDS_TAGS: &str = "The resource has no tags yet; it can only get those of this stage.";
/// Why creating is allowed on all resources.
pub(super) const CREATES: &str =
    "A resource that does not exist has no ARN; it can only be created with the tags of this stage.";

/// Resources of one service whose actions are limited alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    /// Resources whose names are known.
    Named,
    /// API Gateway's domains, whose names are in the ARN.
    Domains,
    /// CloudFront's functions, whose names are in the ARN.
    EdgeFunctions,
    /// The paths at which API Gateway creates resources.
    Collections,
    /// Resources with generated IDs and with tags.
    Tagged,
    /// API Gateway's paths for tags.
    TagPaths,
    /// HTTP and WebSocket APIs, their stages and their other parts, which do not inherit the API's tags (API Gateway developer guide,
    /// "API Gateway resources that can be tagged").
    HttpApis,
    /// CloudFront's origin access controls.
    AccessControls,
    /// Event source mappings.
    Mappings,
    /// Route 53's changes.
    Changes,
    /// Stages of APIs, to which a web ACL is attached.
    AttachedStages,
    /// Other resources with generated IDs.
    Other,
}

/// The tags that bind actions.
#[derive(Debug)]
pub(super) struct Tags<'a> {
    pub(super) stage: &'a str,
    pub(super) systems: BTreeSet<&'a str>,
    /// Services with deployed resources that lack a tag.
    pub(super) untagged: BTreeSet<String>,
}

impl<'a> Tags<'a> {
    /// Returns the tags of a stage with these stacks, rendered and deployed.
    pub(super) fn new(stage: &'a str, stacks: &[&'a RenderedStack]) -> Self {
        let systems = stacks.iter().map(|stack| stack.system.as_str()).collect();
        Self { stage, systems, untagged: untagged_services(stacks, stage) }
    }

    /// Returns the condition for actions on a service's resources with generated IDs, of these systems; `None` while a deployed one lacks
    /// a tag.
    pub(super) fn of_service(&self, service: &str, systems: &BTreeSet<String>) -> Option<Value> {
        let systems = systems.iter().map(String::as_str).collect();
        let of_systems = Tags { stage: self.stage, systems, untagged: BTreeSet::new() };
        (!self.untagged.contains(service)).then(|| of_systems.of_resource("StringEquals"))
    }

    /// The condition that a resource has the stage's tags.
    pub(super) fn of_resource(&self, operator: &str) -> Value {
        json!({ operator: { "aws:ResourceTag/stage": self.stage, "aws:ResourceTag/system": self.systems } })
    }

    /// The condition that a request gives a resource the stage's tags.
    pub(super) fn of_request(&self, operator: &str) -> Value {
        json!({ operator: { "aws:RequestTag/stage": self.stage, "aws:RequestTag/system": self.systems } })
    }
}

/// Returns the statements for a service's actions on the resources with these ARNs.
pub(super) fn statements(
    service: &str,
    actions: &BTreeSet<&'static str>,
    arns: &BTreeSet<String>,
    tags: &Tags<'_>,
) -> Vec<Statement> {
    let mut families: BTreeMap<Family, BTreeSet<&String>> = BTreeMap::new();
    for arn in arns {
        families.entry(Family::of(service, arn)).or_default().insert(arn);
    }
    let mut statements = Vec::new();
    for (family, arns) in families {
        let actions: BTreeSet<_> = actions.iter().copied().filter(|action| family.has(action)).collect();
        let arns: Vec<_> = arns.into_iter().map(|arn| sub(arn)).collect();
        statements.extend(family.statements(service, &actions, &arns, tags));
    }
    statements
}

impl Family {
    fn of(service: &str, arn: &str) -> Self {
        let ends = |tails: &[&str]| tails.iter().any(|tail| arn.ends_with(tail));
        match service {
            "acm" | "cognito-identity" | "cognito-idp" => Self::Tagged,
            "apigateway" if ends(&["/tags/*"]) => Self::TagPaths,
            "apigateway" if ends(&["/apikeys/*", "/restapis/*", "/usageplans/*"]) => Self::Tagged,
            "apigateway" if ends(&["/apikeys", "/apis", "/restapis", "/usageplans"]) => Self::Collections,
            "apigateway" if ends(&["/apis/*"]) => Self::HttpApis,
            "apigateway" => Self::Domains,
            "cloudfront" if ends(&[":distribution/*"]) => Self::Tagged,
            "cloudfront" if ends(&[":origin-access-control/*"]) => Self::AccessControls,
            "cloudfront" if arn.contains(":function/") => Self::EdgeFunctions,
            "kms" if ends(&[":key/*"]) => Self::Tagged,
            "lambda" if ends(&[":event-source-mapping:*"]) => Self::Mappings,
            "route53" if ends(&[":change/*"]) => Self::Changes,
            "wafv2" if arn.contains(":apigateway:") => Self::AttachedStages,
            _ if is_wildcard(arn) => Self::Other,
            _ => Self::Named,
        }
    }

    /// Returns whether an action of the service concerns these resources.
    fn has(self, action: &str) -> bool {
        let name = action.split_once(':').map_or(action, |(_, name)| name);
        let is_method = ["DELETE", "GET", "PATCH", "POST", "PUT"].contains(&name);
        let is_edge_function = action.starts_with("cloudfront:") && name.contains("Function");
        let is_access_control = name.contains("OriginAccessControl");
        let is_of_domain = name.ends_with("CertificateToDomain") || name.ends_with("CertificateFromDomain");
        match self {
            // An alias is the only resource of KMS with a name.
            Self::Named if action.starts_with("kms:") => name.ends_with("Alias"),
            Self::Named | Self::Other => name != "GetChange",
            Self::Domains => is_method || is_of_domain,
            Self::EdgeFunctions => is_edge_function || name.ends_with("agResource") || name == "ListTagsForResource",
            Self::Collections => ["GET", "POST"].contains(&name),
            Self::Tagged => {
                let is_tag_of_path = ["apigateway:TagResource", "apigateway:UntagResource"].contains(&action);
                !(is_edge_function || is_access_control || is_of_domain || is_tag_of_path)
            }
            Self::TagPaths => (is_method && name != "PATCH") || name.ends_with("agResource"),
            Self::HttpApis => is_method || name.ends_with("agResource"),
            Self::AccessControls => is_access_control,
            Self::Mappings => ["ListTags", "TagResource", "UntagResource"].contains(&name),
            Self::Changes => name == "GetChange",
            Self::AttachedStages => name.ends_with("ssociateWebACL") || name == "GetWebACLForResource",
        }
    }

    /// Returns the reason why actions on these resources have no condition.
    fn reason(self) -> Option<&'static str> {
        match self {
            Self::HttpApis => Some(
                "Routes, integrations and authorizers do not inherit the API's tags; APIs and stages of other stages are excluded.",
            ),
            Self::AccessControls => Some("An origin access control has a generated ID and no tags."),
            Self::Mappings => Some("An event source mapping has a generated ID, and its tags are no condition key."),
            Self::Changes => Some("A change has a generated ID; the call only reads its status."),
            Self::AttachedStages => Some(
                "The stage's tags are no condition key of AWS WAF; API Gateway requires SetWebACL too, which is bound to them.",
            ),
            Self::Other => Some("The resource has a generated ID, which no template contains."),
            Self::Named | Self::Domains | Self::EdgeFunctions | Self::Collections | Self::Tagged | Self::TagPaths => {
                None
            }
        }
    }

    fn statements(
        self,
        service: &str,
        actions: &BTreeSet<&'static str>,
        arns: &[Text],
        tags: &Tags<'_>,
    ) -> Vec<Statement> {
        let those = |is_it: &dyn Fn(&str) -> bool| -> BTreeSet<&'static str> {
            actions.iter().copied().filter(|action| is_it(action)).collect()
        };
        let (reads, writes) = (those(&is_reading), those(&|action| !is_reading(action)));
        match self {
            Self::Collections => [
                allow(&reads, arns, None, Some(READS)),
                allow(&writes, arns, Some(tags.of_request("StringEquals")), Some(CREATES)),
            ]
            .concat(),
            // The reference names `aws:RequestTag` for these paths, and no key for the tags of the resource.
            Self::TagPaths => {
                let removes = those(&|action| is_reading(action) || is_removing(action));
                let adds: BTreeSet<_> = actions.difference(&removes).copied().collect();
                let reason =
                    "A path contains the ARN of the tagged resource, whose tags are no condition key of the path.";
                let own = tags.of_request("StringEqualsIfExists");
                [allow(&removes, arns, None, Some(reason)), allow(&adds, arns, Some(own), Some(reason))].concat()
            }
            Self::HttpApis if tags.untagged.contains(service) => allow(actions, arns, None, Some(UNTAGGED)),
            Self::HttpApis => {
                let mut own = tags.of_resource("StringEqualsIfExists");
                // The request that creates a stage has its tags.
                for (key, value) in [("stage", json!(tags.stage)), ("system", json!(tags.systems))] {
                    own["StringEqualsIfExists"][format!("aws:RequestTag/{key}")] = value;
                }
                allow(actions, arns, Some(own), self.reason())
            }
            Self::Tagged if tags.untagged.contains(service) => allow(actions, arns, None, Some(UNTAGGED)),
            Self::Tagged => {
                let mut new = tags.of_request("StringEquals");
                new["Null"] = json!({ "aws:ResourceTag/stage": "true" });
                let adds = those(&|action| TAGGING.contains(&action));
                let completes = those(&|action| COMPLETING.contains(&action));
                let writes = writes.difference(&completes).copied().collect();
                [
                    allow(&writes, arns, Some(tags.of_resource("StringEquals")), None),
                    allow(&completes, arns, Some(tags.of_resource("StringEqualsIfExists")), Some(COMPLETES)),
                    allow(&adds, arns, Some(new), Some(ADDS_TAGS)),
                    allow(&reads, arns, Some(tags.of_resource("StringEqualsIfExists")), Some(READS)),
                ]
                .concat()
            }
            _ => allow(actions, arns, None, self.reason()),
        }
    }
}

/// Returns statements for these actions, none for no action.
fn allow(actions: &BTreeSet<&str>, arns: &[Text], condition: Option<Value>, reason: Option<&str>) -> Vec<Statement> {
    let complete = |statement: Statement| {
        let statement = match &condition {
            Some(condition) => statement.when(condition.clone()),
            None => statement,
        };
        match reason {
            Some(reason) => statement.because(reason),
            None => statement,
        }
    };
    split(actions, arns).into_iter().map(complete).collect()
}

fn is_reading(action: &str) -> bool {
    let name = action.split_once(':').map_or(action, |(_, name)| name);
    name == "GET" || ["Get", "List", "Describe"].iter().any(|verb| name.starts_with(verb))
}

fn is_removing(action: &str) -> bool {
    action.ends_with(":DELETE") || action.to_ascii_lowercase().ends_with(":untagresource")
}

#[cfg(test)]
mod tests;
