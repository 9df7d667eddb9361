//! Usual edits, most of which CloudFormation makes.

use serde_json::{Value, json};

use super::{Documented, Edit, property};

pub(super) fn storage() -> Vec<Edit> {
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
            what: "change the key schema of a table with a fixed name".to_owned(),
            resource_type: TABLE,
            source: "TableName: \"you cannot perform updates that require replacement\"".to_owned(),
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

pub(super) fn users() -> Vec<Edit> {
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

pub(super) fn functions() -> Vec<Edit> {
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

pub(super) fn edge() -> Vec<Edit> {
    use Documented::{Create, Delete, Fails, Replacement, Update};
    const METHOD: &str = "AWS::ApiGateway::Method";
    const RESOURCE: &str = "AWS::ApiGateway::Resource";
    let route = json!({ "A": { "Type": METHOD, "Properties": { "HttpMethod": "GET" } } });
    let of_type = |kind: &str| json!({ "A": { "Type": kind } });
    vec![
        Edit {
            what: "add a route".to_owned(),
            resource_type: METHOD,
            source: "\"Update behaviors of stack resources\"".to_owned(),
            documented: Create,
            old: json!({}),
            new: route.clone(),
        },
        Edit {
            what: "remove a route".to_owned(),
            resource_type: METHOD,
            source: "\"Update behaviors of stack resources\"".to_owned(),
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
            what: "change the type behind a logical ID".to_owned(),
            resource_type: "AWS::SNS::Topic",
            source: "\"Update of resource type is not permitted\"".to_owned(),
            documented: Fails,
            old: of_type("AWS::SQS::Queue"),
            new: of_type("AWS::SNS::Topic"),
        },
    ]
}
