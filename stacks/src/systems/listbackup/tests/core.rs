//! Tables, bucket, queues, bus and secrets.

use listbackup_contract::tables;
use serde_json::{Value, json};

use super::*;

#[test]
fn row_01_eleven_tables_have_the_specified_keys_and_indexes() {
    type Indexes = &'static [(&'static str, &'static str, Option<&'static str>)];
    type Expected = (&'static str, &'static str, Option<&'static str>, Indexes, bool);
    const TIME: Option<&str> = Some("createdAt");
    let expected: [Expected; 11] = [
        ("users", "userId", None, &[("EmailIndex", "email", None), ("CognitoUserIndex", "cognitoUserId", None)], true),
        (
            "accounts",
            "accountId",
            None,
            &[("ParentAccountIndex", "parentAccountId", None), ("OwnerIndex", "ownerUserId", None)],
            false,
        ),
        (
            "sources",
            "sourceId",
            None,
            &[("AccountIndex", "accountId", None), ("UserIndex", "userId", None), ("GroupIndex", "groupId", None)],
            false,
        ),
        (
            "jobs",
            "jobId",
            None,
            &[
                ("AccountIndex", "accountId", None),
                ("UserIndex", "userId", None),
                ("SourceIndex", "sourceId", None),
                ("StatusTimeIndex", "status", TIME),
                ("AccountTimeIndex", "accountId", TIME),
            ],
            false,
        ),
        (
            "runs",
            "runId",
            None,
            &[
                ("JobIndex", "jobId", TIME),
                ("AccountTimeIndex", "accountId", TIME),
                ("StatusIndex", "status", Some("updatedAt")),
            ],
            true,
        ),
        ("files", "fileId", None, &[("AccountIndex", "accountId", TIME), ("SourceIndex", "sourceId", TIME)], false),
        ("activity", "eventId", None, &[("AccountIndex", "accountId", Some("timestamp"))], true),
        ("oauth-states", "state", None, &[], true),
        ("api-keys", "keyId", None, &[("AccountIndex", "accountId", None)], false),
        ("analytics-aggregates", "accountId", Some("bucket"), &[], true),
        ("reports", "reportId", None, &[("AccountTimeIndex", "accountId", TIME)], true),
    ];
    for stage_name in STAGES {
        let system = rendered(SYSTEM, stage_name);
        let core = stack(&system, "core");
        let all = of_type(core, "AWS::DynamoDB::Table");
        assert_eq!((all.len(), tables::ALL.len()), (expected.len(), expected.len()));
        for (name, partition, sort, indexes, expires) in expected {
            let full = format!("listbackup-{stage_name}-{name}");
            let found = all.iter().find(|(_, table)| table["Properties"]["TableName"] == full);
            let (id, table) = found.unwrap_or_else(|| panic!("no {full}"));
            let table = &table["Properties"];
            assert_eq!(key(&table["KeySchema"]), (partition.to_owned(), sort.map(str::to_owned)), "{id}");
            let of = |index: &Value| {
                assert_eq!(index["Projection"]["ProjectionType"], "ALL", "{id}");
                (index["IndexName"].as_str().expect("a name").to_owned(), key(&index["KeySchema"]))
            };
            let found: Vec<_> = table["GlobalSecondaryIndexes"].as_array().into_iter().flatten().map(of).collect();
            let wanted = indexes.iter().map(|(index, partition, sort)| {
                ((*index).to_owned(), ((*partition).to_owned(), sort.map(str::to_owned)))
            });
            assert_eq!(found, wanted.collect::<Vec<_>>(), "{id}");
            let ttl = if expires { json!({ "AttributeName": "ttl", "Enabled": true }) } else { Value::Null };
            assert_eq!(table["TimeToLiveSpecification"], ttl, "{id}");
            assert_eq!(table["BillingMode"], "PAY_PER_REQUEST");
            let is_protected = ["staging", "prod"].contains(&stage_name);
            let recovery = &table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"];
            assert_eq!(*recovery == true, is_protected, "{id} in {stage_name}");
            let tags = table["Tags"].as_array().expect("tags");
            assert!(tags.contains(&json!({ "Key": "Service", "Value": "core" })), "{tags:?}");
            assert!(tags.contains(&json!({ "Key": "Stage", "Value": stage_name })), "{tags:?}");
        }
    }
}

/// The attributes of a key: partition and sort.
fn key(schema: &Value) -> (String, Option<String>) {
    let attribute = |index: usize| schema[index]["AttributeName"].as_str().map(str::to_owned);
    assert_eq!(schema[0]["KeyType"], "HASH");
    (attribute(0).expect("a partition key"), attribute(1))
}

#[test]
fn the_time_of_activity_is_a_number_and_all_other_keys_are_strings() {
    let prod = rendered(SYSTEM, "prod");
    for (id, table) in of_type(stack(&prod, "core"), "AWS::DynamoDB::Table") {
        for attribute in table["Properties"]["AttributeDefinitions"].as_array().expect("attributes") {
            let expected = if attribute["AttributeName"] == "timestamp" { "N" } else { "S" };
            assert_eq!(attribute["AttributeType"], expected, "{id}: {attribute}");
        }
    }
}

#[test]
fn row_01_the_bucket_is_versioned_encrypted_private_and_tiered() {
    for name in STAGES {
        let system = rendered(SYSTEM, name);
        let bucket = properties(stack(&system, "core"), "DataBucket");
        assert_eq!(bucket["BucketName"], format!("listbackup-data-{name}"));
        assert_eq!(bucket["VersioningConfiguration"]["Status"], "Enabled");
        let encryption = &bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0];
        assert_eq!(encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256");
        let block = bucket["PublicAccessBlockConfiguration"].as_object().expect("blocks");
        assert!(block.len() == 4 && block.values().all(|value| *value == true), "{block:?}");
        let rules = bucket["LifecycleConfiguration"]["Rules"].as_array().expect("rules");
        let with = |field: &str| rules.iter().find(|rule| !rule[field].is_null()).expect(field).clone();
        let tiering = json!([{ "StorageClass": "INTELLIGENT_TIERING", "TransitionInDays": 0 }]);
        assert_eq!(with("Transitions")["Transitions"], tiering);
        assert_eq!(with("NoncurrentVersionTransitions")["NoncurrentVersionTransitions"], tiering);
        let expiry = with("NoncurrentVersionExpiration");
        assert_eq!(expiry["NoncurrentVersionExpiration"]["NoncurrentDays"], 730);
        let abort = with("AbortIncompleteMultipartUpload");
        assert_eq!(abort["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"], 7);
        // Archive tiers would make downloads fail until the object is restored.
        assert!(bucket["IntelligentTieringConfigurations"].is_null());
    }
    let prod = rendered(SYSTEM, "prod");
    let policy = properties(stack(&prod, "core"), "DataBucketPolicy");
    let denied = &policy["PolicyDocument"]["Statement"][0];
    assert_eq!((&denied["Effect"], &denied["Action"]), (&json!("Deny"), &json!("s3:*")));
    assert_eq!(denied["Condition"]["Bool"]["aws:SecureTransport"], "false");
}

#[test]
fn row_01_both_queues_have_dead_letter_queues_after_three_receives() {
    for (name, job, data) in [("local", 60, 30), ("prod", 5400, 1800)] {
        let system = rendered(SYSTEM, name);
        let core = stack(&system, "core");
        for (id, queue_name, visibility, dead_letters) in
            [("JobQueue", "job-queue", job, "JobDlq"), ("DataQueue", "data-queue", data, "DataDlq")]
        {
            let queue = properties(core, id);
            assert_eq!(queue["QueueName"], format!("listbackup-{queue_name}-{name}"));
            assert_eq!(queue["VisibilityTimeout"], visibility);
            assert_eq!(queue["RedrivePolicy"]["maxReceiveCount"], 3);
            let target = json!({ "Fn::GetAtt": [dead_letters, "Arn"] });
            assert_eq!(queue["RedrivePolicy"]["deadLetterTargetArn"], target);
            for queue in [queue, properties(core, dead_letters)] {
                assert_eq!(queue["MessageRetentionPeriod"], 1_209_600);
                assert_eq!(queue["ReceiveMessageWaitTimeSeconds"], 20);
                assert_eq!(queue["SqsManagedSseEnabled"], true);
            }
        }
        assert_eq!(properties(core, "JobDlq")["QueueName"], format!("listbackup-job-dlq-{name}"));
        assert_eq!(properties(core, "DataDlq")["QueueName"], format!("listbackup-data-dlq-{name}"));
        assert_eq!(properties(core, "EventBus")["Name"], format!("listbackup-events-{name}"));
    }
}

#[test]
fn every_stateful_resource_outlives_its_stack() {
    let types = ["AWS::S3::Bucket", "AWS::DynamoDB::Table", "AWS::Cognito::UserPool", "AWS::SecretsManager::Secret"];
    assert_retained(&rendered(SYSTEM, "prod"), &types);
}

#[test]
fn secrets_are_generated_and_no_parameter_holds_one() {
    let prod = rendered(SYSTEM, "prod");
    let core = stack(&prod, "core");
    let secrets: Vec<_> = of_type(core, "AWS::SecretsManager::Secret").into_iter().map(|(_, secret)| secret).collect();
    let names: Vec<_> = secrets.iter().map(|secret| &secret["Properties"]["Name"]).collect();
    assert_eq!(names, ["listbackup/prod/jwt-secret", "listbackup/prod/jwt-refresh-secret"]);
    for secret in secrets {
        assert_eq!(secret["Properties"]["GenerateSecretString"]["PasswordLength"], 64);
    }
    let parameters = |name: &str| {
        let parameters = of_type(stack(&prod, name), "AWS::SSM::Parameter").into_iter();
        let named = parameters.map(|(_, it)| (it["Properties"]["Name"].clone(), it["Properties"]["Value"].clone()));
        named.collect::<Vec<_>>()
    };
    let named = |name: &str, value: Value| (json!(format!("/listbackup/prod/{name}")), value);
    assert_eq!(
        parameters("core"),
        [
            named("cors-origin", json!("https://backup.example.com")),
            named("ses-from-email", json!("noreply@example.com"))
        ]
    );
    assert_eq!(
        parameters("auth"),
        [
            named("cognito-client-id", json!({ "Ref": "UserPoolClient" })),
            named("cognito-user-pool-id", json!({ "Ref": "UserPool" })),
        ]
    );
}
