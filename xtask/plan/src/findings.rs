//! What of a plan deserves a second look, and what of it is refused until it is named.

pub use model::stage::Refusal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    changes::{Certainty, ResourceAction, ResourceChange},
    policy,
    widening::{statements, widenings},
};

/// Types whose resources hold what cannot be made again: AWS's own list of stateful types, as its validator carries it,
/// hosted zones, and users of pools, who have a password. Queues are left out: what is in them is on its way.
const HOLDS_DATA: &[&str] = &[
    "AWS::Backup::BackupVault",
    "AWS::Cognito::IdentityPool",
    "AWS::Cognito::UserPool",
    "AWS::Cognito::UserPoolUser",
    "AWS::DocDB::DBCluster",
    "AWS::DocDB::DBInstance",
    "AWS::DynamoDB::GlobalTable",
    "AWS::DynamoDB::Table",
    "AWS::EC2::Volume",
    "AWS::EFS::FileSystem",
    "AWS::ElastiCache::CacheCluster",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::Elasticsearch::Domain",
    "AWS::FSx::FileSystem",
    "AWS::KMS::Key",
    "AWS::Kinesis::Stream",
    "AWS::Logs::LogGroup",
    "AWS::Neptune::DBCluster",
    "AWS::Neptune::DBInstance",
    "AWS::OpenSearchService::Domain",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::Redshift::Cluster",
    "AWS::Route53::HostedZone",
    "AWS::S3::Bucket",
    "AWS::SDB::Domain",
    "AWS::SecretsManager::Secret",
];

/// Do a type's resources hold what cannot be made again?
#[must_use]
pub fn is_stateful(resource_type: &str) -> bool {
    HOLDS_DATA.contains(&resource_type)
}

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// The stack.
    pub stack: String,
    /// The resource.
    pub logical_id: String,
    /// What would happen, in words.
    pub message: String,
    /// Is the plan refused for it, until it is named?
    pub refused: bool,
}

impl Finding {
    /// The option that lets it pass; `None` when nothing can.
    #[must_use]
    pub fn allow_option(&self) -> Option<String> {
        Some(format!("{} {}/{}", self.kind.option()?, self.stack, self.logical_id))
    }
}

/// A kind of finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// Something that holds data would be replaced.
    ReplacesData,
    /// Something that holds data would be deleted, or leave its stack.
    DeletesData,
    /// CloudFormation would refuse the change.
    Impossible,
    /// A policy would allow more.
    WidensIam,
    /// Something would be open to everybody.
    OpensToPublic,
    /// An alarm would go, or fall silent.
    DropsAlarm,
    /// A quota is near or passed.
    Quota,
}

impl FindingKind {
    /// The option that lets a refused finding pass; `None` when nothing can.
    #[must_use]
    pub fn option(self) -> Option<&'static str> {
        match self {
            Self::ReplacesData => Some("--allow-replace"),
            Self::DeletesData => Some("--allow-delete"),
            Self::WidensIam | Self::OpensToPublic | Self::DropsAlarm => Some("--allow"),
            Self::Impossible | Self::Quota => None,
        }
    }
}

/// A resource before and after.
#[derive(Debug, Clone, Copy)]
pub struct Sides<'a> {
    /// The stack's name.
    pub stack: &'a str,
    /// The resource in the old template.
    pub old: Option<&'a Value>,
    /// The resource in the new one.
    pub new: Option<&'a Value>,
    /// Is it a policy that goes while what it is about stays?
    pub leaves_open: bool,
}

/// What deserves a second look in one resource's change. `refused` are the kinds the stage refuses besides losing data.
#[must_use]
pub fn findings(change: &ResourceChange, sides: Sides<'_>, refused: &[Refusal]) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |kind: FindingKind, message: String, refused: bool| {
        let (stack, logical_id) = (sides.stack.to_owned(), change.logical_id.clone());
        found.push(Finding { kind, stack, logical_id, message, refused });
    };
    if let Some(why) = &change.impossible {
        add(FindingKind::Impossible, why.clone(), true);
    }
    if let Some((kind, message)) = data_loss(change) {
        add(kind, message, true);
    }
    let widened = widenings(sides.old, sides.new, sides.leaves_open);
    if !widened.is_empty() {
        let message = format!("{} would {}", change.logical_id, widened.join("; "));
        add(FindingKind::WidensIam, message, refused.contains(&Refusal::WidensIam));
    }
    let is_public = |side| policy::is_public(&statements(side));
    if is_public(sides.new) && !is_public(sides.old) || opens(change, sides) {
        let message = format!("{} would be open to everybody", change.logical_id);
        add(FindingKind::OpensToPublic, message, refused.contains(&Refusal::OpensToPublic));
    }
    if let Some(message) = silenced(change, sides) {
        add(FindingKind::DropsAlarm, message, refused.contains(&Refusal::DropsAlarm));
    }
    found
}

fn data_loss(change: &ResourceChange) -> Option<(FindingKind, String)> {
    if !is_stateful(&change.resource_type) {
        return None;
    }
    let (id, kind) = (&change.logical_id, &change.resource_type);
    match change.action {
        ResourceAction::Replace => {
            let may = if change.certainty == Certainty::Certain { "would" } else { "may" };
            let old = if change.retained {
                "its data stays in the old one, which leaves the stack"
            } else {
                "its data would be lost"
            };
            Some((FindingKind::ReplacesData, format!("{id} ({kind}) {may} be replaced by an empty one; {old}")))
        }
        ResourceAction::Delete => {
            let what = if change.retained {
                "would leave the stack, and stay with its data"
            } else {
                "would be deleted with its data"
            };
            Some((FindingKind::DeletesData, format!("{id} ({kind}) {what}")))
        }
        ResourceAction::Create | ResourceAction::Update => None,
    }
}

/// Ways of being open that are no policy's: the S3 user guide's "Blocking public access", Lambda permissions and
/// function URLs, security groups, API methods that lose their authorization.
fn opens(change: &ResourceChange, sides: Sides<'_>) -> bool {
    let (old, new) = (sides.old.map(|old| &old["Properties"]), sides.new.map(|new| &new["Properties"]));
    let Some(new) = new else { return false };
    let newly = |is_open: fn(&Value) -> bool| is_open(new) && !old.is_some_and(is_open);
    match change.resource_type.as_str() {
        "AWS::S3::Bucket" => newly(|bucket| {
            let block = &bucket["PublicAccessBlockConfiguration"];
            // Since April 2023 a bucket without the property is blocked; one that says false is not.
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
        "AWS::ApiGateway::Method" => {
            let open = |method: &Value| method["AuthorizationType"] == "NONE" && method["ApiKeyRequired"] != true;
            // A new open method is what an API is for; one that loses its authorization is not.
            open(new) && old.is_some_and(|old| !open(old))
        }
        _ => false,
    }
}

fn silenced(change: &ResourceChange, sides: Sides<'_>) -> Option<String> {
    if !matches!(change.resource_type.as_str(), "AWS::CloudWatch::Alarm" | "AWS::CloudWatch::CompositeAlarm") {
        return None;
    }
    let id = &change.logical_id;
    if change.action == ResourceAction::Delete {
        return Some(format!("alarm {id} would be deleted"));
    }
    let (old, new) = (&sides.old?["Properties"], &sides.new?["Properties"]);
    let actions = |alarm: &Value| alarm["AlarmActions"].as_array().map_or(0, Vec::len);
    let off = |alarm: &Value| alarm["ActionsEnabled"] == false;
    (actions(new) < actions(old) || off(new) && !off(old)).then(|| format!("alarm {id} would tell fewer"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::{
        changes::{compare, resolve::Known},
        widening::leaves_open,
    };

    fn kinds(old: &Value, new: &Value) -> Vec<FindingKind> {
        let none = BTreeMap::new();
        let side = |template| Some(Known { template, parameters: &none });
        let changes = compare(side(old), side(new), &BTreeMap::new());
        let of = |change: &ResourceChange| {
            let (old, new) = (old["Resources"].get(&change.logical_id), new["Resources"].get(&change.logical_id));
            let leaves_open = leaves_open(change, old, &changes);
            findings(change, Sides { stack: "s", old, new, leaves_open }, &[])
        };
        changes.resources.iter().flat_map(of).map(|finding| finding.kind).collect()
    }

    fn one(kind: &str, properties: &Value) -> Value {
        json!({ "Resources": { "A": { "Type": kind, "Properties": properties } } })
    }

    #[test]
    fn what_holds_data_is_neither_replaced_nor_deleted_unseen() {
        let bucket = |name: &str| one("AWS::S3::Bucket", &json!({ "BucketName": name }));
        assert_eq!(kinds(&bucket("a"), &bucket("b")), [FindingKind::ReplacesData]);
        assert_eq!(kinds(&bucket("a"), &json!({ "Resources": {} })), [FindingKind::DeletesData]);
        assert_eq!(kinds(&json!({ "Resources": {} }), &bucket("a")), []);
    }

    #[test]
    fn a_wider_policy_is_seen_and_a_narrower_one_is_not() {
        let role = |action: &str| {
            let statement = json!({ "Effect": "Allow", "Action": action, "Resource": "arn:x" });
            one("AWS::IAM::Role", &json!({ "Policies": [{ "PolicyDocument": { "Statement": [statement] } }] }))
        };
        assert_eq!(kinds(&role("s3:GetObject"), &role("s3:*")), [FindingKind::WidensIam]);
        assert_eq!(kinds(&role("s3:*"), &role("s3:GetObject")), []);
    }

    #[test]
    fn a_denial_that_goes_is_told_unless_what_it_was_for_goes_as_well() {
        let policy = |bucket: Value| {
            let statement = json!({ "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:x" });
            let properties = json!({ "Bucket": bucket, "PolicyDocument": { "Statement": [statement] } });
            json!({ "Type": "AWS::S3::BucketPolicy", "Properties": properties })
        };
        let queue = || json!({ "Type": "AWS::SQS::Queue" });
        let both = json!({ "Resources": { "A": policy(json!({ "Ref": "Q" })), "Q": queue() } });
        assert_eq!(kinds(&both, &json!({ "Resources": { "Q": queue() } })), [FindingKind::WidensIam]);
        assert_eq!(kinds(&both, &json!({ "Resources": {} })), []);
        let named = json!({ "Resources": { "A": policy(json!("a-bucket")) } });
        assert_eq!(kinds(&named, &json!({ "Resources": {} })), [FindingKind::WidensIam]);
        let mut kept = both.clone();
        kept["Resources"]["Q"]["DeletionPolicy"] = json!("Retain");
        assert_eq!(kinds(&kept, &json!({ "Resources": {} })), [FindingKind::WidensIam]);
    }

    #[test]
    fn what_opens_to_everybody_is_seen() {
        let method = |kind: &str| one("AWS::ApiGateway::Method", &json!({ "AuthorizationType": kind }));
        assert_eq!(kinds(&method("COGNITO_USER_POOLS"), &method("NONE")), [FindingKind::OpensToPublic]);
        assert_eq!(kinds(&json!({ "Resources": {} }), &method("NONE")), []);
        let bucket = |block: bool| {
            one("AWS::S3::Bucket", &json!({ "PublicAccessBlockConfiguration": { "BlockPublicPolicy": block } }))
        };
        assert_eq!(kinds(&bucket(true), &bucket(false)), [FindingKind::OpensToPublic]);
    }

    #[test]
    fn a_stage_refuses_what_it_says_until_it_is_named() {
        let role = |action: &str| {
            let statement = json!({ "Effect": "Allow", "Action": action, "Resource": "arn:x" });
            one("AWS::IAM::Role", &json!({ "Policies": [{ "PolicyDocument": { "Statement": [statement] } }] }))
        };
        let (old, new, none) = (role("s3:GetObject"), role("s3:*"), BTreeMap::new());
        let side = |template| Some(Known { template, parameters: &none });
        let changes = compare(side(&old), side(&new), &BTreeMap::new());
        let (old, new) = (old["Resources"].get("A"), new["Resources"].get("A"));
        let sides = Sides { stack: "s", old, new, leaves_open: false };
        let found = |refused: &[Refusal]| findings(&changes.resources[0], sides, refused);
        assert!(!found(&[])[0].refused && !found(&[Refusal::DropsAlarm])[0].refused);
        let refused = found(&[Refusal::WidensIam]);
        assert!(refused[0].refused);
        assert_eq!(refused[0].allow_option().as_deref(), Some("--allow s/A"));
    }

    #[test]
    fn a_dropped_alarm_is_seen() {
        let alarm = |actions: &Value| one("AWS::CloudWatch::Alarm", &json!({ "AlarmActions": actions }));
        assert_eq!(kinds(&alarm(&json!(["x"])), &json!({ "Resources": {} })), [FindingKind::DropsAlarm]);
        assert_eq!(kinds(&alarm(&json!(["x"])), &alarm(&json!([]))), [FindingKind::DropsAlarm]);
    }
}
