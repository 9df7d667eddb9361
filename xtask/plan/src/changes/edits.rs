//! Compares plans of real edits with CloudFormation's documentation, and checks the table in xtask/docs/edits.md.

use std::fmt::Write;

use resolve::Known;
use serde_json::{Value, json};

use super::*;

/// The documented outcome of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Documented {
    /// "Update requires: No interruption" or "Some interruptions".
    Update,
    /// "Update requires: Replacement".
    Replacement,
    /// Replacement under some conditions.
    Conditional,
    Create,
    Delete,
    Fails,
}

impl Documented {
    fn words(self) -> &'static str {
        match self {
            Self::Update => "updated in place",
            Self::Replacement => "replaced",
            Self::Conditional => "replaced under some conditions",
            Self::Create => "created",
            Self::Delete => "deleted",
            Self::Fails => "refused",
        }
    }

    /// The outcome that a plan predicts.
    fn predicted(change: &ResourceChange) -> Self {
        match (change.action, change.certainty) {
            _ if change.impossible.is_some() => Self::Fails,
            (ResourceAction::Create, _) => Self::Create,
            (ResourceAction::Delete, _) => Self::Delete,
            (ResourceAction::Update, _) => Self::Update,
            (ResourceAction::Replace, Certainty::Certain) => Self::Replacement,
            (ResourceAction::Replace, _) => Self::Conditional,
        }
    }
}

struct Edit {
    what: &'static str,
    resource_type: &'static str,
    /// The property, or the quoted section, that documents the outcome.
    source: &'static str,
    documented: Documented,
    old: Value,
    new: Value,
}

/// A change of one property of one resource.
fn property(
    what: &'static str,
    resource_type: &'static str,
    source: &'static str,
    documented: Documented,
    (old, new): (Value, Value),
) -> Edit {
    let of = |value: Value| {
        let mut properties = serde_json::Map::new();
        if !value.is_null() {
            properties.insert(source.to_owned(), value);
        }
        json!({ "A": { "Type": resource_type, "Properties": properties } })
    };
    Edit { what, resource_type, source, documented, old: of(old), new: of(new) }
}

fn storage() -> Vec<Edit> {
    use Documented::{Fails, Replacement, Update};
    const TABLE: &str = "AWS::DynamoDB::Table";
    const BUCKET: &str = "AWS::S3::Bucket";
    let key = |name: &str| json!([{ "AttributeName": name, "KeyType": "HASH" }]);
    let attribute = |name: &str, kind: &str| json!({ "AttributeName": name, "AttributeType": kind });
    let named = |key: Value| json!({ "A": { "Type": TABLE, "Properties": { "TableName": "t", "KeySchema": key } } });
    vec![
        property("rename a table", TABLE, "TableName", Replacement, (json!("a"), json!("b"))),
        property("change a key schema", TABLE, "KeySchema", Replacement, (key("a"), key("b"))),
        Edit {
            what: "change the key schema of a table with a fixed name",
            resource_type: TABLE,
            source: "TableName: \"you cannot perform updates that require replacement\"",
            documented: Fails,
            old: named(key("a")),
            new: named(key("b")),
        },
        property(
            "add an attribute for an index",
            TABLE,
            "AttributeDefinitions",
            Update,
            (json!([attribute("a", "S")]), json!([attribute("a", "S"), attribute("b", "S")])),
        ),
        property(
            "change the type of an attribute",
            TABLE,
            "AttributeDefinitions",
            Replacement,
            (json!([attribute("a", "S")]), json!([attribute("a", "N")])),
        ),
        property(
            "switch a table to on-demand billing",
            TABLE,
            "BillingMode",
            Update,
            (json!("PROVISIONED"), json!("PAY_PER_REQUEST")),
        ),
        property(
            "turn point-in-time recovery on",
            TABLE,
            "PointInTimeRecoverySpecification",
            Update,
            (Value::Null, json!({ "PointInTimeRecoveryEnabled": true })),
        ),
        property("change a bucket's name", BUCKET, "BucketName", Replacement, (json!("a"), json!("b"))),
        property(
            "expire old objects",
            BUCKET,
            "LifecycleConfiguration",
            Update,
            (Value::Null, json!({ "Rules": [{ "Status": "Enabled", "ExpirationInDays": 30 }] })),
        ),
        property("rename a secret", "AWS::SecretsManager::Secret", "Name", Replacement, (json!("a"), json!("b"))),
        property("rename a log group", "AWS::Logs::LogGroup", "LogGroupName", Replacement, (json!("a"), json!("b"))),
        property("extend log retention", "AWS::Logs::LogGroup", "RetentionInDays", Update, (json!(30), json!(90))),
    ]
}

fn users() -> Vec<Edit> {
    use Documented::{Fails, Replacement, Update};
    const POOL: &str = "AWS::Cognito::UserPool";
    let attribute = |name: &str, mutable: bool| json!({ "Name": name, "Mutable": mutable });
    vec![
        property(
            "add an attribute to a user pool",
            POOL,
            "Schema",
            Update,
            (json!([attribute("team", true)]), json!([attribute("team", true), attribute("role", true)])),
        ),
        property(
            "change an attribute of a user pool",
            POOL,
            "Schema",
            Fails,
            (json!([attribute("team", true)]), json!([attribute("team", false)])),
        ),
        property("rename a user pool", POOL, "UserPoolName", Update, (json!("a"), json!("b"))),
        property(
            "give an app client a secret",
            "AWS::Cognito::UserPoolClient",
            "GenerateSecret",
            Replacement,
            (json!(false), json!(true)),
        ),
    ]
}

fn functions() -> Vec<Edit> {
    use Documented::{Conditional, Replacement, Update};
    const FUNCTION: &str = "AWS::Lambda::Function";
    const MAPPING: &str = "AWS::Lambda::EventSourceMapping";
    vec![
        property("change memory", FUNCTION, "MemorySize", Update, (json!(128), json!(256))),
        property("change architecture", FUNCTION, "Architectures", Update, (json!(["x86_64"]), json!(["arm64"]))),
        property("rename a function", FUNCTION, "FunctionName", Replacement, (json!("a"), json!("b"))),
        property(
            "switch a function to a container image",
            FUNCTION,
            "PackageType",
            Replacement,
            (json!("Zip"), json!("Image")),
        ),
        property("shift an alias", "AWS::Lambda::Alias", "FunctionVersion", Update, (json!("1"), json!("2"))),
        property(
            "change the files of a layer",
            "AWS::Lambda::LayerVersion",
            "Content",
            Replacement,
            (json!({ "S3Key": "a" }), json!({ "S3Key": "b" })),
        ),
        property(
            "change the service that may invoke a function",
            "AWS::Lambda::Permission",
            "Principal",
            Replacement,
            (json!("s3.amazonaws.com"), json!("sns.amazonaws.com")),
        ),
        property("increase the batch size", MAPPING, "BatchSize", Update, (json!(10), json!(100))),
        property("read from another queue", MAPPING, "EventSourceArn", Replacement, (json!("a"), json!("b"))),
        property(
            "change a role's trust policy",
            "AWS::IAM::Role",
            "AssumeRolePolicyDocument",
            Update,
            (json!({ "Statement": [] }), json!({ "Statement": [{ "Effect": "Deny" }] })),
        ),
        property("rename a role", "AWS::IAM::Role", "RoleName", Replacement, (json!("a"), json!("b"))),
        // "from dedicated to default" in place, "from default to dedicated" by replacement.
        property(
            "change a network's tenancy",
            "AWS::EC2::VPC",
            "InstanceTenancy",
            Conditional,
            (json!("default"), json!("dedicated")),
        ),
    ]
}

fn edge() -> Vec<Edit> {
    use Documented::{Create, Delete, Fails, Replacement, Update};
    const METHOD: &str = "AWS::ApiGateway::Method";
    const RESOURCE: &str = "AWS::ApiGateway::Resource";
    let route = json!({ "A": { "Type": METHOD, "Properties": { "HttpMethod": "GET" } } });
    let of_type = |kind: &str| json!({ "A": { "Type": kind } });
    vec![
        Edit {
            what: "add a route",
            resource_type: METHOD,
            source: "\"Update behaviors of stack resources\"",
            documented: Create,
            old: json!({}),
            new: route.clone(),
        },
        Edit {
            what: "remove a route",
            resource_type: METHOD,
            source: "\"Update behaviors of stack resources\"",
            documented: Delete,
            old: route,
            new: json!({}),
        },
        property("change a route's path", RESOURCE, "PathPart", Replacement, (json!("photos"), json!("images"))),
        property(
            "change a route's authorization",
            METHOD,
            "AuthorizationType",
            Update,
            (json!("NONE"), json!("AWS_IAM")),
        ),
        property("rename an API", "AWS::ApiGateway::RestApi", "Name", Update, (json!("a"), json!("b"))),
        property(
            "change a distribution's origin",
            "AWS::CloudFront::Distribution",
            "DistributionConfig",
            Update,
            (json!({ "Comment": "a" }), json!({ "Comment": "b" })),
        ),
        property(
            "change a certificate's domain name",
            "AWS::CertificateManager::Certificate",
            "DomainName",
            Replacement,
            (json!("a.example.com"), json!("b.example.com")),
        ),
        property("rename a queue", "AWS::SQS::Queue", "QueueName", Replacement, (json!("a"), json!("b"))),
        property(
            "increase the visibility timeout",
            "AWS::SQS::Queue",
            "VisibilityTimeout",
            Update,
            (json!(30), json!(60)),
        ),
        property("rename an alarm", "AWS::CloudWatch::Alarm", "AlarmName", Replacement, (json!("a"), json!("b"))),
        property("raise an alarm's threshold", "AWS::CloudWatch::Alarm", "Threshold", Update, (json!(1), json!(5))),
        Edit {
            what: "change the type behind a logical ID",
            resource_type: "AWS::SNS::Topic",
            source: "\"Update of resource type is not permitted\"",
            documented: Fails,
            old: of_type("AWS::SQS::Queue"),
            new: of_type("AWS::SNS::Topic"),
        },
    ]
}

fn planned(edit: &Edit) -> Documented {
    let (old, new) = (json!({ "Resources": edit.old }), json!({ "Resources": edit.new }));
    let none = BTreeMap::new();
    let side = |template| Some(Known { template, parameters: &none });
    let changes = compare(side(&old), side(&new), &BTreeMap::new());
    Documented::predicted(changes.of("A").expect("the edit changes the resource"))
}

#[test]
fn plans_match_the_documentation() {
    let edits: Vec<_> = [storage(), users(), functions(), edge()].into_iter().flatten().collect();
    assert!(edits.len() >= 25, "{}", edits.len());
    let mut table =
        String::from("| Edit | Type | Property or section | Documentation | Plan |\n|---|---|---|---|---|\n");
    for edit in &edits {
        let planned = planned(edit);
        assert_eq!(planned, edit.documented, "{} ({})", edit.what, edit.resource_type);
        let (documented, planned) = (edit.documented.words(), planned.words());
        // Writing to a string cannot fail.
        let _never = writeln!(
            table,
            "| {} | `{}` | {} | {documented} | {planned} |",
            edit.what, edit.resource_type, edit.source
        );
    }
    let page = include_str!("../../../docs/edits.md");
    assert!(page.contains(&table), "xtask/docs/edits.md should have this table:\n{table}");
}
