//! Edits whose effects are in the documentation alone: those of the documented rules, and of names that are still taken.

use serde_json::{Map, Value, json};

use super::{
    super::names::table::{UNIQUE, Unique},
    Documented::{self, Conditional, Fails, Replacement, Update},
    Edit, edit, properties, property,
};

const TABLE: &str = "AWS::DynamoDB::Table";
const BUCKET: &str = "AWS::S3::Bucket";
const POOL: &str = "AWS::Cognito::UserPool";
const ALIAS: &str = "AWS::Lambda::Alias";
const MAPPING: &str = "AWS::Lambda::EventSourceMapping";

/// A global secondary index with this partition key.
fn index(name: &str, key: &str) -> Value {
    json!({ "IndexName": name, "KeySchema": [{ "AttributeName": key, "KeyType": "HASH" }] })
}

pub(super) fn storage() -> Vec<Edit> {
    let indexes = "GlobalSecondaryIndexes";
    let change = |what, documented, old: Value, new: Value| property(what, TABLE, indexes, documented, (old, new));
    let mut faster = index("a", "x");
    faster["ProvisionedThroughput"] = json!({ "ReadCapacityUnits": 5, "WriteCapacityUnits": 5 });
    let local = json!([{ "IndexName": "l", "KeySchema": [{ "AttributeName": "x", "KeyType": "RANGE" }] }]);
    let named = |schema: &str| json!({ "TableName": "t", "KeySchema": schema, "GlobalSecondaryIndexes": [] });
    let renamed = json!({ "TableName": "u", "GlobalSecondaryIndexes": [index("a", "x"), index("b", "y")] });
    let expiry = |attribute: &str| json!({ "AttributeName": attribute, "Enabled": true });
    let disabled = |attribute: &str| json!({ "AttributeName": attribute, "Enabled": false });
    let with_local = |value: Value| json!({ "TableName": "t", "LocalSecondaryIndexes": value });
    vec![
        change("add an index", Update, json!([]), json!([index("a", "x")])),
        change("remove an index", Update, json!([index("a", "x")]), json!([])),
        change("add two indexes", Fails, json!([]), json!([index("a", "x"), index("b", "y")])),
        change("remove two indexes", Fails, json!([index("a", "x"), index("b", "y")]), json!([])),
        change("replace an index with another one", Fails, json!([index("a", "x")]), json!([index("b", "y")])),
        change("change the key of an index", Fails, json!([index("a", "x")]), json!([index("a", "y")])),
        change("change an index's capacity", Update, json!([index("a", "x")]), json!([faster])),
        properties(("rename a table and add two indexes", TABLE, indexes), Replacement, (named("k"), renamed)),
        property(
            "add a local index to a table",
            TABLE,
            "LocalSecondaryIndexes",
            Replacement,
            (Value::Null, local.clone()),
        ),
        properties(
            ("add a local index to a table with a fixed name", TABLE, "LocalSecondaryIndexes"),
            Fails,
            (with_local(json!([])), with_local(local)),
        ),
        property(
            "change the attribute of the time to live",
            TABLE,
            "TimeToLiveSpecification",
            Fails,
            (expiry("a"), expiry("b")),
        ),
        property("disable the time to live", TABLE, "TimeToLiveSpecification", Update, (expiry("a"), Value::Null)),
        property(
            "enable the time to live with another attribute",
            TABLE,
            "TimeToLiveSpecification",
            Update,
            (disabled("a"), expiry("b")),
        ),
        property("disable Object Lock", BUCKET, "ObjectLockEnabled", Fails, (json!(true), json!(false))),
        properties(
            ("suspend versioning of a bucket with Object Lock", BUCKET, "VersioningConfiguration"),
            Fails,
            (
                json!({ "ObjectLockEnabled": true, "VersioningConfiguration": { "Status": "Enabled" } }),
                json!({ "ObjectLockEnabled": true, "VersioningConfiguration": { "Status": "Suspended" } }),
            ),
        ),
        property(
            "suspend versioning",
            BUCKET,
            "VersioningConfiguration",
            Update,
            (json!({ "Status": "Enabled" }), json!({ "Status": "Suspended" })),
        ),
        key("change the spec of a key", "KeySpec", json!("RSA_2048"), json!("RSA_4096")),
        key("change the use of a key", "KeyUsage", json!("ENCRYPT_DECRYPT"), json!("SIGN_VERIFY")),
        key("change the origin of a key", "Origin", json!("AWS_KMS"), json!("EXTERNAL")),
        key("make a key multi-Region", "MultiRegion", json!(false), json!(true)),
        property(
            "turn an advanced parameter into a standard one",
            "AWS::SSM::Parameter",
            "Tier",
            Fails,
            (json!("Advanced"), json!("Standard")),
        ),
        property(
            "turn a standard parameter into an advanced one",
            "AWS::SSM::Parameter",
            "Tier",
            Update,
            (json!("Standard"), json!("Advanced")),
        ),
    ]
}

fn key(what: &'static str, source: &'static str, old: Value, new: Value) -> Edit {
    property(what, "AWS::KMS::Key", source, Fails, (old, new))
}

pub(super) fn users() -> Vec<Edit> {
    let attribute = |name: &str| json!({ "Name": name, "Mutable": true });
    let mut required = attribute("role");
    required["Required"] = json!(true);
    let mut longer = attribute("team");
    longer["StringAttributeConstraints"] = json!({ "MaxLength": "200" });
    let schema = |what, old: Value, new: Value| property(what, POOL, "Schema", Fails, (old, new));
    let sign_in = |what, source, old: Value, new: Value| property(what, POOL, source, Fails, (old, new));
    vec![
        schema("remove an attribute of a user pool", json!([attribute("team")]), json!([])),
        schema("limit an attribute's length", json!([attribute("team")]), json!([longer])),
        schema("add a required attribute", json!([attribute("team")]), json!([attribute("team"), required])),
        sign_in("let users sign in with another alias", "AliasAttributes", json!(["email"]), json!(["phone_number"])),
        sign_in("let users sign in with their email address", "UsernameAttributes", Value::Null, json!(["email"])),
        sign_in(
            "make user names case-sensitive",
            "UsernameConfiguration",
            json!({ "CaseSensitive": false }),
            json!({ "CaseSensitive": true }),
        ),
        property("require a second factor", POOL, "MfaConfiguration", Update, (json!("OPTIONAL"), json!("ON"))),
        property("rename a group", "AWS::Cognito::UserPoolGroup", "GroupName", Replacement, (json!("a"), json!("b"))),
        property("rename a user", "AWS::Cognito::UserPoolUser", "Username", Replacement, (json!("a"), json!("b"))),
        property(
            "allow anonymous identities",
            "AWS::Cognito::IdentityPool",
            "AllowUnauthenticatedIdentities",
            Update,
            (json!(false), json!(true)),
        ),
        property(
            "attach roles to another identity pool",
            "AWS::Cognito::IdentityPoolRoleAttachment",
            "IdentityPoolId",
            Replacement,
            (json!("a"), json!("b")),
        ),
        properties(
            ("move a role with a fixed name to another path", "AWS::IAM::Role", "Path"),
            Fails,
            (json!({ "RoleName": "r", "Path": "/a/" }), json!({ "RoleName": "r", "Path": "/b/" })),
        ),
        properties(
            ("change the description of a managed policy with a fixed name", "AWS::IAM::ManagedPolicy", "Description"),
            Fails,
            (json!({ "ManagedPolicyName": "p" }), json!({ "ManagedPolicyName": "p", "Description": "d" })),
        ),
    ]
}

pub(super) fn functions() -> Vec<Edit> {
    let concurrency = json!({ "ProvisionedConcurrentExecutions": 1 });
    let weights = json!({ "AdditionalVersionWeights": [{ "FunctionVersion": "2", "FunctionWeight": 0.1 }] });
    let alias = |version: &str, more: &[(&str, &Value)]| {
        let mut properties = json!({ "FunctionName": "f", "Name": "live", "FunctionVersion": version });
        more.iter().for_each(|(name, value)| properties[*name] = (*value).clone());
        properties
    };
    let source = "ProvisionedConcurrencyConfig";
    let mapping = |position: &str, source: &str| json!({ "EventSourceArn": source, "FunctionName": "f", "StartingPosition": position });
    vec![
        properties(
            ("provision concurrency for an alias", ALIAS, source),
            Update,
            (alias("1", &[]), alias("1", &[(source, &concurrency)])),
        ),
        properties(
            ("provision concurrency for an alias with weights", ALIAS, source),
            Fails,
            (alias("1", &[]), alias("1", &[(source, &concurrency), ("RoutingConfig", &weights)])),
        ),
        properties(
            ("provision concurrency for $LATEST", ALIAS, source),
            Fails,
            (alias("$LATEST", &[]), alias("$LATEST", &[(source, &concurrency)])),
        ),
        properties(
            ("add weights to an alias of $LATEST", ALIAS, "RoutingConfig"),
            Fails,
            (alias("$LATEST", &[]), alias("$LATEST", &[("RoutingConfig", &weights)])),
        ),
        property("rename an alias", ALIAS, "Name", Replacement, (json!("a"), json!("b"))),
        properties(
            ("change the package type of a function with a fixed name", "AWS::Lambda::Function", "PackageType"),
            Fails,
            (
                json!({ "FunctionName": "f", "PackageType": "Zip" }),
                json!({ "FunctionName": "f", "PackageType": "Image" }),
            ),
        ),
        property(
            "filter the events of a mapping",
            MAPPING,
            "FilterCriteria",
            Update,
            (Value::Null, json!({ "Filters": [{ "Pattern": "{}" }] })),
        ),
        properties(
            ("read a stream from another position", MAPPING, "StartingPosition"),
            Fails,
            (mapping("LATEST", "a"), mapping("TRIM_HORIZON", "a")),
        ),
        properties(
            ("read another stream from another position", MAPPING, "StartingPosition"),
            Replacement,
            (mapping("LATEST", "a"), mapping("TRIM_HORIZON", "b")),
        ),
        property(
            "change the class of a log group",
            "AWS::Logs::LogGroup",
            "LogGroupClass",
            Fails,
            (Value::Null, json!("INFREQUENT_ACCESS")),
        ),
        property(
            "configure the retries of another alias",
            "AWS::Lambda::EventInvokeConfig",
            "Qualifier",
            Replacement,
            (json!("a"), json!("b")),
        ),
    ]
}

pub(super) fn edge() -> Vec<Edit> {
    const CERTIFICATE: &str = "AWS::CertificateManager::Certificate";
    let acl = |scope: &str, name: &str| json!({ "Name": name, "Scope": scope });
    let aliases = |names: &[&str]| {
        json!({ "Type": "AWS::CloudFront::Distribution", "Properties": {
        "DistributionConfig": { "Aliases": names } } })
    };
    vec![
        property(
            "add a domain to a certificate",
            CERTIFICATE,
            "SubjectAlternativeNames",
            Replacement,
            (Value::Null, json!(["b.example.com"])),
        ),
        property(
            "validate a certificate by email",
            CERTIFICATE,
            "ValidationMethod",
            Replacement,
            (json!("DNS"), json!("EMAIL")),
        ),
        property(
            "validate a certificate in another zone",
            CERTIFICATE,
            "DomainValidationOptions",
            Replacement,
            (json!([{ "HostedZoneId": "a" }]), json!([{ "HostedZoneId": "b" }])),
        ),
        edit(
            ("move an alternate name to another distribution", "AWS::CloudFront::Distribution", "DistributionConfig"),
            Fails,
            json!({ "A": aliases(&["x.example.com"]), "B": aliases(&[]) }),
            json!({ "A": aliases(&[]), "B": aliases(&["x.example.com"]) }),
        ),
        property(
            "change the domain of a record",
            "AWS::Route53::RecordSet",
            "Name",
            Conditional,
            (json!("a.example.com"), json!("b.example.com")),
        ),
        property(
            "map a domain to another API",
            "AWS::ApiGatewayV2::ApiMapping",
            "ApiId",
            Update,
            (json!("a"), json!("b")),
        ),
        property(
            "map another domain",
            "AWS::ApiGatewayV2::ApiMapping",
            "DomainName",
            Replacement,
            (json!("a.example.com"), json!("b.example.com")),
        ),
        property(
            "change the certificate of a domain",
            "AWS::ApiGatewayV2::DomainName",
            "DomainNameConfigurations",
            Update,
            (json!([{ "CertificateArn": "a" }]), json!([{ "CertificateArn": "b" }])),
        ),
        property("make a queue FIFO", "AWS::SQS::Queue", "FifoQueue", Replacement, (Value::Null, json!(true))),
        properties(
            ("make a topic FIFO", "AWS::SNS::Topic", "FifoTopic"),
            Replacement,
            (json!({ "TopicName": "t" }), json!({ "TopicName": "t.fifo", "FifoTopic": true })),
        ),
        properties(
            ("subscribe another endpoint", "AWS::SNS::Subscription", "Endpoint"),
            Replacement,
            (json!({ "Endpoint": "a" }), json!({ "Endpoint": "b" })),
        ),
        properties(
            ("change the scope of a web ACL", "AWS::WAFv2::WebACL", "Scope"),
            Replacement,
            (acl("REGIONAL", "w"), acl("CLOUDFRONT", "w")),
        ),
        property("rename a rule", "AWS::Events::Rule", "Name", Replacement, (json!("a"), json!("b"))),
        property("rename an event bus", "AWS::Events::EventBus", "Name", Replacement, (json!("a"), json!("b"))),
        property("describe an event bus", "AWS::Events::EventBus", "Description", Update, (json!("a"), json!("b"))),
        property(
            "select other events",
            "AWS::Events::Rule",
            "EventPattern",
            Update,
            (json!({ "source": ["a"] }), json!({ "source": ["b"] })),
        ),
        property(
            "send events to another function",
            "AWS::Events::Rule",
            "Targets",
            Update,
            (json!([{ "Id": "a", "Arn": "a" }]), json!([{ "Id": "b", "Arn": "b" }])),
        ),
    ]
}

pub(super) fn http_apis() -> Vec<Edit> {
    vec![
        property("rename an HTTP API", "AWS::ApiGatewayV2::Api", "Name", Update, (json!("a"), json!("b"))),
        property(
            "make an HTTP API a WebSocket API",
            "AWS::ApiGatewayV2::Api",
            "ProtocolType",
            Replacement,
            (json!("HTTP"), json!("WEBSOCKET")),
        ),
        property(
            "change the path of a route",
            "AWS::ApiGatewayV2::Route",
            "RouteKey",
            Update,
            (json!("GET /a"), json!("GET /b")),
        ),
        property(
            "integrate a route with another function",
            "AWS::ApiGatewayV2::Integration",
            "IntegrationUri",
            Update,
            (json!("arn:a"), json!("arn:b")),
        ),
        property(
            "cache the decisions of an authorizer",
            "AWS::ApiGatewayV2::Authorizer",
            "AuthorizerResultTtlInSeconds",
            Update,
            (json!(0), json!(300)),
        ),
        property(
            "move a route to another API",
            "AWS::ApiGatewayV2::Route",
            "ApiId",
            Replacement,
            (json!("a"), json!("b")),
        ),
        property(
            "throttle an HTTP API",
            "AWS::ApiGatewayV2::Stage",
            "DefaultRouteSettings",
            Update,
            (json!({ "ThrottlingRateLimit": 1.0 }), json!({ "ThrottlingRateLimit": 2.0 })),
        ),
    ]
}

/// For each unique name, another logical ID with the same name.
pub(super) fn names() -> Vec<Edit> {
    UNIQUE.iter().map(renamed_logical_id).collect()
}

fn renamed_logical_id(unique: &'static Unique) -> Edit {
    let mut properties = Value::Object(Map::new());
    for path in unique.properties {
        set(&mut properties, path);
    }
    let resource = json!({ "Type": unique.resource_type, "Properties": properties });
    Edit {
        what: "rename a logical ID and keep the name".to_owned(),
        resource_type: unique.resource_type,
        source: format!("{}: \"Name type\"", unique.properties.join(", ")),
        documented: Documented::Fails,
        old: json!({ "A": resource }),
        new: json!({ "B": resource }),
    }
}

/// Sets a text at a path of objects; a path that ends with `/*` is a list.
fn set(properties: &mut Value, path: &str) {
    let mut place = properties;
    for step in path.trim_end_matches("/*").split('/') {
        place = &mut place[step];
    }
    *place = if path.ends_with("/*") { json!(["name"]) } else { json!("name") };
}
