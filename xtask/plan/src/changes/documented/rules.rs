//! The rows of [`super`]: what AWS's documentation says of a change, beyond the resource schemas.
//!
//! Later rows of a property override earlier ones.

use super::{
    Effect::{InPlace, Refused, Replaces},
    Rule, When,
};
use crate::changes::Certainty::{Certain, Conditional};

/// All rows, by service.
pub(in crate::changes) const RULES: &[&[Rule]] = &[DYNAMODB, COGNITO, STORAGE, COMPUTE, NETWORK];

const TABLE: &str = "AWS::DynamoDB::Table";
const POOL: &str = "AWS::Cognito::UserPool";
const KEY: &str = "AWS::KMS::Key";

/// A row without a condition on another property.
const fn row(
    resource_type: &'static str,
    property: &'static str,
    when: When,
    effect: super::Effect,
    source: &'static str,
) -> Rule {
    Rule { resource_type, property, when, given: None, effect, source }
}

const TABLE_PAGE: &str = "CloudFormation template reference, AWS::DynamoDB::Table";

const DYNAMODB: &[Rule] = &[
    row(
        TABLE,
        "KeySchema",
        When::Changes,
        Replaces(Certain, "a table's key schema is fixed at its creation"),
        "CloudFormation template reference, AWS::DynamoDB::Table, KeySchema: replacement",
    ),
    row(TABLE, "AttributeDefinitions", When::Changes, InPlace, TABLE_PAGE),
    row(
        TABLE,
        "AttributeDefinitions",
        When::EditsItem { key: "AttributeName", except: &[] },
        Replaces(Certain, "an existing attribute is edited"),
        "CloudFormation template reference, AWS::DynamoDB::Table: replacement if you edit an existing AttributeDefinition",
    ),
    row(
        TABLE,
        "LocalSecondaryIndexes",
        When::Changes,
        Replaces(Certain, "local secondary indexes are fixed at the table's creation"),
        "DynamoDB developer guide, Local secondary indexes: they can be neither added to an existing table nor deleted",
    ),
    row(
        TABLE,
        "GlobalSecondaryIndexes",
        When::MovesSeveral { key: "IndexName" },
        Refused(
            "an update of a table can create or delete only one global secondary index, but this one changes {items}; deploy each step \
             separately: {steps}",
        ),
        "CloudFormation template reference, AWS::DynamoDB::Table, GlobalSecondaryIndexes; DynamoDB API reference, UpdateTable",
    ),
    row(
        TABLE,
        "GlobalSecondaryIndexes",
        When::EditsItem {
            key: "IndexName",
            except: &[
                "ContributorInsightsSpecification",
                "OnDemandThroughput",
                "ProvisionedThroughput",
                "WarmThroughput",
            ],
        },
        Refused(
            "DynamoDB cannot change the key or projection of an existing global secondary index: {items}; add the changed index under \
             a new name, use it, then remove the old one in a later deploy",
        ),
        "CloudFormation template reference, AWS::DynamoDB::Table, GlobalSecondaryIndexes: updates are not supported",
    ),
    Rule {
        resource_type: TABLE,
        property: "TimeToLiveSpecification/AttributeName",
        when: When::Differs,
        given: Some(("TimeToLiveSpecification/Enabled", "true")),
        effect: Refused(
            "DynamoDB cannot change the attribute of the time to live in one update; deploy twice, an hour apart: first without a time \
             to live, then with the new attribute",
        ),
        source: "CloudFormation template reference, TimeToLiveSpecification: first disable TTL; DynamoDB API reference, UpdateTimeToLive",
    },
];

const SIGN_IN: &str =
    "Cognito cannot change the sign-in settings of an existing user pool; create another pool under another logical ID";

const COGNITO: &[Rule] = &[
    // The template reference says "No interruption", which applies to additions.
    row(
        POOL,
        "Schema",
        When::EditsItem { key: "Name", except: &[] },
        Refused(
            "Cognito cannot change an existing attribute of a user pool: {items}; add an attribute with a new name",
        ),
        "Cognito developer guide, Working with user attributes",
    ),
    row(
        POOL,
        "Schema",
        When::RemovesItem { key: "Name" },
        Refused("Cognito cannot remove an attribute of a user pool: {items}; keep it in the definition, unused"),
        "Cognito developer guide, Working with user attributes",
    ),
    row(
        POOL,
        "Schema",
        When::AddsItemWith { key: "Name", field: "Required" },
        Refused(
            "Cognito cannot add a required attribute to an existing user pool: {items}; make it optional, or create another pool",
        ),
        "Cognito developer guide, Working with user attributes: custom attributes cannot be required",
    ),
    row(POOL, "AliasAttributes", When::Changes, Refused(SIGN_IN), POOL_PAGE),
    row(POOL, "UsernameAttributes", When::Changes, Refused(SIGN_IN), POOL_PAGE),
    row(POOL, "UsernameConfiguration", When::Changes, Refused(SIGN_IN), POOL_PAGE),
];

const POOL_PAGE: &str = "CloudFormation template reference, AWS::Cognito::UserPool: this property cannot be updated";
const LOCK: &str = "S3 user guide, Configuring S3 Object Lock: it cannot be disabled, nor versioning suspended";
const KEY_PAGE: &str = "CloudFormation template reference, AWS::KMS::Key: the update request fails";
const IMMUTABLE_KEY: &str = "KMS cannot change the kind of an existing key; create another key under another logical ID, and keep this one for the data that it encrypts";

const STORAGE: &[Rule] = &[
    row(
        "AWS::S3::Bucket",
        "ObjectLockEnabled",
        When::Leaves("true"),
        Refused(
            "S3 cannot disable Object Lock; keep it enabled, or create another bucket under another logical ID and name",
        ),
        LOCK,
    ),
    Rule {
        resource_type: "AWS::S3::Bucket",
        property: "VersioningConfiguration/Status",
        when: When::Leaves("Enabled"),
        given: Some(("ObjectLockEnabled", "true")),
        effect: Refused("S3 cannot suspend versioning of a bucket with Object Lock; keep it enabled"),
        source: LOCK,
    },
    row(KEY, "KeySpec", When::ChangesFrom { default: "SYMMETRIC_DEFAULT" }, Refused(IMMUTABLE_KEY), KEY_PAGE),
    row(KEY, "KeyUsage", When::ChangesFrom { default: "ENCRYPT_DECRYPT" }, Refused(IMMUTABLE_KEY), KEY_PAGE),
    row(KEY, "Origin", When::ChangesFrom { default: "AWS_KMS" }, Refused(IMMUTABLE_KEY), KEY_PAGE),
    row(KEY, "MultiRegion", When::ChangesFrom { default: "false" }, Refused(IMMUTABLE_KEY), KEY_PAGE),
    row(
        "AWS::SSM::Parameter",
        "Tier",
        When::Moves("Advanced", "Standard"),
        Refused(
            "Parameter Store cannot turn an advanced parameter into a standard one; keep the tier, or create another parameter under \
             another logical ID and name",
        ),
        "Systems Manager API reference, PutParameter: you can't revert an advanced parameter to a standard parameter",
    ),
];

const CONCURRENCY: &str = "ProvisionedConcurrencyConfig";

const COMPUTE: &[Rule] = &[
    row(
        "AWS::Logs::LogGroup",
        "LogGroupClass",
        When::ChangesFrom { default: "STANDARD" },
        Refused(
            "CloudWatch Logs cannot change the class of an existing log group; create another one under another name",
        ),
        "CloudWatch Logs API reference, CreateLogGroup: the value can't be changed after a log group is created",
    ),
    row(
        "AWS::Lambda::Alias",
        CONCURRENCY,
        When::Together("RoutingConfig"),
        Refused(
            "Lambda refuses provisioned concurrency for an alias with weights; remove RoutingConfig or provisioned concurrency",
        ),
        "Lambda's error \"Alias with weights can not be used with Provisioned Concurrency\" (PutProvisionedConcurrencyConfig)",
    ),
    Rule {
        resource_type: "AWS::Lambda::Alias",
        property: CONCURRENCY,
        when: When::Together("FunctionVersion"),
        given: Some(("FunctionVersion", "$LATEST")),
        effect: Refused("Lambda refuses provisioned concurrency for $LATEST; point the alias to a published version"),
        source: "Lambda developer guide, Configuring provisioned concurrency: for a published version or an alias",
    },
    Rule {
        resource_type: "AWS::Lambda::Alias",
        property: "RoutingConfig",
        when: When::Together("FunctionVersion"),
        given: Some(("FunctionVersion", "$LATEST")),
        effect: Refused("Lambda refuses weights for an alias that points to $LATEST; point it to a published version"),
        source: "Lambda developer guide, Implement Lambda canary deployments using a weighted alias: both versions are published",
    },
];

const NETWORK: &[Rule] = &[
    row(
        "AWS::CertificateManager::Certificate",
        "ValidationMethod",
        When::Changes,
        Replaces(Certain, "a certificate's validation method is fixed when it is requested"),
        "CloudFormation template reference, AWS::CertificateManager::Certificate, ValidationMethod: replacement",
    ),
    row(
        "AWS::Route53::RecordSet",
        "Name",
        When::Changes,
        Replaces(Conditional, "a record with another name is another record"),
        "CloudFormation template reference, AWS::Route53::RecordSet, Name: replacement",
    ),
];
