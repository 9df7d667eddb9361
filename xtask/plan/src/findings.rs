//! Findings: the changes of a plan that need a review, and those that are refused until they are allowed by name.

use model::stage::Refusal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    changes::{Certainty, ResourceAction, ResourceChange},
    policy::Policies,
    reached::consequence,
    sides::Sides,
    stateful::is_stateful,
    widening::widenings,
};

/// A change that needs a review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The kind of change.
    pub kind: FindingKind,
    /// The stack's name in CloudFormation.
    pub stack: String,
    /// The resource's logical ID; empty when the finding is about the whole template.
    pub logical_id: String,
    /// What would happen.
    pub message: String,
    /// The parts that the message ends with, where it is a list.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub parts: Vec<String>,
    /// Is the plan refused until this finding is allowed?
    pub refused: bool,
}

impl Finding {
    /// A finding whose message lists several changes.
    pub(crate) fn listing(kind: FindingKind, message: &str, parts: Vec<String>) -> Self {
        Self { message: format!("{message} {}", parts.join(SEPARATOR)), parts, ..Self::new(kind, String::new()) }
    }

    /// A finding about a deployed stack that is no longer defined.
    pub(crate) fn orphaned(stack: &str) -> Self {
        let message = "no system of the stage defines it; its resources remain, with their data and their costs";
        Self { stack: stack.to_owned(), ..Self::new(FindingKind::Orphaned, message.to_owned()) }
    }

    fn new(kind: FindingKind, message: String) -> Self {
        let (stack, logical_id) = Default::default();
        Self { kind, stack, logical_id, message, parts: Vec::new(), refused: false }
    }

    /// The option that allows the change; `None` when no option does.
    #[must_use]
    pub fn allow_option(&self) -> Option<String> {
        Some(format!("{} {}/{}", self.kind.option()?, self.stack, self.logical_id))
    }

    /// Returns the message with the first of its parts and the number of the others.
    #[must_use]
    pub fn brief(&self) -> String {
        let hidden = self.parts.len().saturating_sub(FOLD);
        let start = self.message.strip_suffix(&self.parts.join(SEPARATOR));
        match start.filter(|_| hidden > 0) {
            Some(start) => format!("{start}{}; … and {hidden} more", self.parts[..FOLD].join(SEPARATOR)),
            None => self.message.clone(),
        }
    }
}

/// The number of parts in a brief message.
const FOLD: usize = 3;
/// Separates the parts of a message.
const SEPARATOR: &str = "; ";

/// The kind of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// A stateful resource would be replaced.
    ReplacesData,
    /// A stateful resource would be deleted, or removed from its stack.
    DeletesData,
    /// CloudFormation would refuse the change.
    Impossible,
    /// A policy would allow more.
    WidensIam,
    /// A resource would become public.
    OpensToPublic,
    /// An alarm would be deleted, or notify fewer targets.
    DropsAlarm,
    /// A resource that clients or events reach would be deleted.
    BreaksClients,
    /// A deployed stack is no longer defined, so it remains as it is.
    Orphaned,
    /// Clients of an API get its changes before new versions are probed, or not at all.
    Api,
    /// A quota is nearly or fully used.
    Quota,
}

impl FindingKind {
    /// The option that allows a refused finding; `None` when no option does.
    #[must_use]
    pub(crate) fn option(self) -> Option<&'static str> {
        match self {
            Self::ReplacesData => Some("--allow-replace"),
            Self::DeletesData => Some("--allow-delete"),
            Self::WidensIam | Self::OpensToPublic | Self::DropsAlarm | Self::BreaksClients => Some("--allow"),
            Self::Impossible | Self::Orphaned | Self::Api | Self::Quota => None,
        }
    }

    /// A heading for findings of this kind.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::ReplacesData => "Replacement of stateful resources (replaces-data)",
            Self::DeletesData => "Deletion of stateful resources (deletes-data)",
            Self::Impossible => "Updates that would fail (impossible)",
            Self::WidensIam => "Wider permissions (widens-iam)",
            Self::OpensToPublic => "Public access (opens-to-public)",
            Self::DropsAlarm => "Deleted or silenced alarms (drops-alarm)",
            Self::BreaksClients => "Deletion of resources that clients or events use (breaks-clients)",
            Self::Orphaned => "Stacks that are no longer defined (orphaned)",
            Self::Api => "Effects on clients of APIs (api)",
            Self::Quota => "Quotas (quota)",
        }
    }
}

/// Returns the findings of one resource's change. `refused` are the kinds that the stage refuses besides the loss of data.
#[must_use]
pub(crate) fn findings(change: &ResourceChange, sides: &Sides<'_>, refused: &[Refusal]) -> Vec<Finding> {
    let id = &change.logical_id;
    let (before, after) = (Policies::of(sides.old), Policies::of(sides.new));
    let mut found = Vec::new();
    if let Some(why) = &change.impossible {
        let verb = match change.action {
            ResourceAction::Create => "created",
            ResourceAction::Replace => "replaced",
            ResourceAction::Update | ResourceAction::Delete => "updated",
        };
        found.push(Finding::new(FindingKind::Impossible, format!("{id} cannot be {verb}: {why}")));
    }
    found.extend(data_loss(change));
    let widened = widenings(sides, &before, &after);
    if !widened.is_empty() {
        found.push(Finding::listing(FindingKind::WidensIam, &format!("{id} would"), widened));
    }
    if after.is_public() && !before.is_public() || becomes_public(change, sides) {
        found.push(Finding::new(FindingKind::OpensToPublic, format!("{id} would be open to everyone")));
    }
    found.extend(silenced(change, sides));
    found.extend(broken(change));
    for finding in &mut found {
        finding.stack = sides.stack.to_owned();
        finding.logical_id.clone_from(id);
        finding.refused = is_refused(finding.kind, refused);
    }
    found
}

fn is_refused(kind: FindingKind, refused: &[Refusal]) -> bool {
    match kind {
        FindingKind::ReplacesData | FindingKind::DeletesData | FindingKind::Impossible => true,
        FindingKind::WidensIam => refused.contains(&Refusal::WidensIam),
        FindingKind::OpensToPublic => refused.contains(&Refusal::OpensToPublic),
        FindingKind::DropsAlarm => refused.contains(&Refusal::DropsAlarm),
        FindingKind::BreaksClients => refused.contains(&Refusal::BreaksClients),
        FindingKind::Orphaned | FindingKind::Api | FindingKind::Quota => false,
    }
}

fn data_loss(change: &ResourceChange) -> Option<Finding> {
    if !is_stateful(&change.resource_type) {
        return None;
    }
    let (id, resource_type) = (&change.logical_id, &change.resource_type);
    match change.action {
        ResourceAction::Replace => {
            let would = if change.certainty == Certainty::Certain { "would" } else { "may" };
            let old = if change.retained {
                "the old one and its data remain, outside the stack"
            } else {
                "its data would be lost"
            };
            let message = format!("{id} ({resource_type}) {would} be replaced by an empty resource; {old}");
            Some(Finding::new(FindingKind::ReplacesData, message))
        }
        ResourceAction::Delete => {
            let what = if change.retained {
                "would be removed from the stack; it remains with its data"
            } else {
                "would be deleted with its data"
            };
            Some(Finding::new(FindingKind::DeletesData, format!("{id} ({resource_type}) {what}")))
        }
        ResourceAction::Create | ResourceAction::Update => None,
    }
}

/// Ways of becoming public without a policy: the S3 user guide's "Blocking public access", Lambda permissions and
/// function URLs, security groups, API methods that lose their authorization.
fn becomes_public(change: &ResourceChange, sides: &Sides<'_>) -> bool {
    let (old, new) = (sides.old.map(|old| &old["Properties"]), sides.new.map(|new| &new["Properties"]));
    let Some(new) = new else { return false };
    let newly = |is_open: fn(&Value) -> bool| is_open(new) && !old.is_some_and(is_open);
    match change.resource_type.as_str() {
        "AWS::S3::Bucket" => newly(|bucket| {
            let block = &bucket["PublicAccessBlockConfiguration"];
            // Since April 2023 a bucket without the property is blocked.
            ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"]
                .iter()
                .any(|field| block[*field] == false || block[*field] == "false")
        }),
        "AWS::Lambda::Permission" => newly(|permission| permission["Principal"] == "*"),
        "AWS::Lambda::Url" => newly(|url| url["AuthType"] == "NONE"),
        "AWS::EC2::SecurityGroup" => newly(|group| {
            let rules = group["SecurityGroupIngress"].as_array();
            rules.into_iter().flatten().any(|rule| rule["CidrIp"] == "0.0.0.0/0" || rule["CidrIpv6"] == "::/0")
        }),
        "AWS::ApiGateway::Method" | "AWS::ApiGatewayV2::Route" => {
            // A route without a type is open as well.
            let is_open = |method: &Value| {
                let kind = &method["AuthorizationType"];
                (*kind == "NONE" || kind.is_null()) && method["ApiKeyRequired"] != true
            };
            // A new method may be open on purpose; one that loses its authorization is reported.
            is_open(new) && old.is_some_and(|old| !is_open(old))
        }
        _ => false,
    }
}

fn silenced(change: &ResourceChange, sides: &Sides<'_>) -> Option<Finding> {
    if !matches!(change.resource_type.as_str(), "AWS::CloudWatch::Alarm" | "AWS::CloudWatch::CompositeAlarm") {
        return None;
    }
    let id = &change.logical_id;
    if change.action == ResourceAction::Delete {
        return Some(Finding::new(FindingKind::DropsAlarm, format!("alarm {id} would be deleted")));
    }
    let (old, new) = (&sides.old?["Properties"], &sides.new?["Properties"]);
    let actions = |alarm: &Value| alarm["AlarmActions"].as_array().map_or(0, Vec::len);
    let is_off = |alarm: &Value| alarm["ActionsEnabled"] == false;
    let message = if is_off(new) && !is_off(old) {
        format!("alarm {id} would notify no target")
    } else if actions(new) < actions(old) {
        format!("alarm {id} would notify fewer targets")
    } else {
        return None;
    };
    Some(Finding::new(FindingKind::DropsAlarm, message))
}

fn broken(change: &ResourceChange) -> Option<Finding> {
    let (id, resource_type) = (&change.logical_id, &change.resource_type);
    let what = match change.action {
        ResourceAction::Delete if !change.retained => "deleted",
        ResourceAction::Replace if change.certainty == Certainty::Certain => "replaced by a new resource",
        _ => return None,
    };
    let consequence = consequence(resource_type, change.action == ResourceAction::Replace)?;
    let message = format!("{id} ({resource_type}) would be {what}: {consequence}");
    Some(Finding::new(FindingKind::BreaksClients, message))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::{
        changes::{compare, resolve::Known},
        widening::loses_protection,
    };

    fn kinds(old: &Value, new: &Value) -> Vec<FindingKind> {
        let none = BTreeMap::new();
        let side = |template| Some(Known { template, parameters: &none });
        let changes = compare(side(old), side(new), &BTreeMap::new());
        let of = |change: &ResourceChange| {
            let (old, new) = (old["Resources"].get(&change.logical_id), new["Resources"].get(&change.logical_id));
            let loses_protection = loses_protection(change, old, &changes);
            findings(change, &Sides { stack: "s", old, new, loses_protection }, &[])
        };
        changes.resources.iter().flat_map(of).map(|finding| finding.kind).collect()
    }

    fn one(kind: &str, properties: &Value) -> Value {
        json!({ "Resources": { "A": { "Type": kind, "Properties": properties } } })
    }

    #[test]
    fn replaced_and_deleted_stateful_resources_are_found() {
        let bucket = |name: &str| one("AWS::S3::Bucket", &json!({ "BucketName": name }));
        assert_eq!(kinds(&bucket("a"), &bucket("b")), [FindingKind::ReplacesData]);
        assert_eq!(kinds(&bucket("a"), &json!({ "Resources": {} })), [FindingKind::DeletesData]);
        assert_eq!(kinds(&json!({ "Resources": {} }), &bucket("a")), []);
    }

    #[test]
    fn wider_policies_are_found_and_narrower_ones_are_not() {
        let role = |action: &str| {
            let statement = json!({ "Effect": "Allow", "Action": action, "Resource": "arn:x" });
            one("AWS::IAM::Role", &json!({ "Policies": [{ "PolicyDocument": { "Statement": [statement] } }] }))
        };
        assert_eq!(kinds(&role("s3:GetObject"), &role("s3:*")), [FindingKind::WidensIam]);
        assert_eq!(kinds(&role("s3:*"), &role("s3:GetObject")), []);
    }

    #[test]
    fn a_deleted_denial_is_found_unless_its_resource_is_deleted_too() {
        let policy = |bucket: Value| {
            let statement = json!({ "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:x" });
            let properties = json!({ "Bucket": bucket, "PolicyDocument": { "Statement": [statement] } });
            json!({ "Type": "AWS::S3::BucketPolicy", "Properties": properties })
        };
        let queue = || json!({ "Type": "AWS::SQS::Queue" });
        let both = json!({ "Resources": { "A": policy(json!({ "Ref": "Q" })), "Q": queue() } });
        assert_eq!(kinds(&both, &json!({ "Resources": { "Q": queue() } })), [FindingKind::WidensIam]);
        assert!(!kinds(&both, &json!({ "Resources": {} })).contains(&FindingKind::WidensIam));
        let named = json!({ "Resources": { "A": policy(json!("a-bucket")) } });
        assert_eq!(kinds(&named, &json!({ "Resources": {} })), [FindingKind::WidensIam]);
        let mut kept = both.clone();
        kept["Resources"]["Q"]["DeletionPolicy"] = json!("Retain");
        assert_eq!(kinds(&kept, &json!({ "Resources": {} })), [FindingKind::WidensIam]);
    }

    #[test]
    fn resources_that_become_public_are_found() {
        let route = |kind: Value| one("AWS::ApiGatewayV2::Route", &json!({ "AuthorizationType": kind }));
        for open in [json!("NONE"), Value::Null] {
            assert_eq!(kinds(&route(json!("JWT")), &route(open)), [FindingKind::OpensToPublic]);
        }
        let method = |kind: &str| one("AWS::ApiGateway::Method", &json!({ "AuthorizationType": kind }));
        assert_eq!(kinds(&method("COGNITO_USER_POOLS"), &method("NONE")), [FindingKind::OpensToPublic]);
        assert_eq!(kinds(&json!({ "Resources": {} }), &method("NONE")), []);
        let bucket = |block: bool| {
            one("AWS::S3::Bucket", &json!({ "PublicAccessBlockConfiguration": { "BlockPublicPolicy": block } }))
        };
        assert_eq!(kinds(&bucket(true), &bucket(false)), [FindingKind::OpensToPublic]);
    }

    #[test]
    fn a_stage_refuses_the_kinds_in_its_file_until_they_are_allowed() {
        let role = |action: &str| {
            let statement = json!({ "Effect": "Allow", "Action": action, "Resource": "arn:x" });
            one("AWS::IAM::Role", &json!({ "Policies": [{ "PolicyDocument": { "Statement": [statement] } }] }))
        };
        let (old, new, none) = (role("s3:GetObject"), role("s3:*"), BTreeMap::new());
        let side = |template| Some(Known { template, parameters: &none });
        let changes = compare(side(&old), side(&new), &BTreeMap::new());
        let (old, new) = (old["Resources"].get("A"), new["Resources"].get("A"));
        let sides = Sides { stack: "s", old, new, loses_protection: false };
        let found = |refused: &[Refusal]| findings(&changes.resources[0], &sides, refused);
        assert!(!found(&[])[0].refused && !found(&[Refusal::DropsAlarm])[0].refused);
        let refused = found(&[Refusal::WidensIam]);
        assert!(refused[0].refused);
        assert_eq!(refused[0].allow_option().as_deref(), Some("--allow s/A"));
    }

    #[test]
    fn deleted_and_silenced_alarms_are_found() {
        let alarm = |actions: &Value| one("AWS::CloudWatch::Alarm", &json!({ "AlarmActions": actions }));
        assert_eq!(kinds(&alarm(&json!(["x"])), &json!({ "Resources": {} })), [FindingKind::DropsAlarm]);
        assert_eq!(kinds(&alarm(&json!(["x"])), &alarm(&json!([]))), [FindingKind::DropsAlarm]);
        let enabled = |is: bool| one("AWS::CloudWatch::Alarm", &json!({ "ActionsEnabled": is }));
        assert_eq!(kinds(&enabled(true), &enabled(false)), [FindingKind::DropsAlarm]);
        assert_eq!(kinds(&enabled(false), &enabled(true)), []);
    }

    #[test]
    fn deleted_resources_that_clients_and_events_reach_are_found() {
        let gone = json!({ "Resources": {} });
        let queue = |name: &str| one("AWS::SQS::Queue", &json!({ "QueueName": name }));
        assert_eq!(kinds(&queue("a"), &gone), [FindingKind::BreaksClients]);
        assert_eq!(kinds(&queue("a"), &queue("b")), [FindingKind::BreaksClients]);
        assert_eq!(kinds(&gone, &queue("a")), []);
        for kind in ["AWS::SNS::Topic", "AWS::ApiGateway::RestApi", "AWS::Cognito::UserPoolClient", "AWS::Events::Rule"]
        {
            assert_eq!(kinds(&one(kind, &json!({})), &gone), [FindingKind::BreaksClients], "{kind}");
        }
        let mut retained = queue("a");
        retained["Resources"]["A"]["DeletionPolicy"] = json!("Retain");
        assert_eq!(kinds(&retained, &gone), []);
        let rule = |name: &str| one("AWS::Events::Rule", &json!({ "Name": name }));
        assert_eq!(kinds(&rule("a"), &rule("b")), []);
    }

    #[test]
    fn a_long_message_is_folded() {
        let of = |parts: &[&str]| {
            let parts = parts.iter().map(|part| (*part).to_owned()).collect();
            Finding::listing(FindingKind::WidensIam, "Role would", parts)
        };
        assert_eq!(of(&["a", "b", "c", "d", "e"]).message, "Role would a; b; c; d; e");
        assert_eq!(of(&["a", "b", "c", "d", "e"]).brief(), "Role would a; b; c; … and 2 more");
        assert_eq!(of(&["a", "b", "c"]).brief(), "Role would a; b; c");
        let plain = Finding::new(FindingKind::OpensToPublic, "Bucket would be open to everyone".to_owned());
        assert_eq!(plain.brief(), plain.message);
    }
}
