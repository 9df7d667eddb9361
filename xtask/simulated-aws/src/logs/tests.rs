//! The model of CloudWatch Logs.

use aws_call::{Call, CallError, services::CLOUD_WATCH_LOGS};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use serde_json::{Value, json};

use crate::{
    Aws, Settings,
    testing::{config, create, delete, update},
};

async fn call(aws: &Aws, operation: &'static str, input: Value) -> Result<Vec<u8>, CallError> {
    Call::json(CLOUD_WATCH_LOGS, operation, &input).send(&config(aws)).await
}

async fn describe(aws: &Aws, input: Value) -> Value {
    serde_json::from_slice(&call(aws, "DescribeLogGroups", input).await.expect("groups")).expect("JSON")
}

#[tokio::test(start_paused = true)]
async fn groups_are_listed_by_prefix_in_pages() {
    let aws = Aws::new(Settings::default());
    aws.change(|account| {
        for number in 0..60 {
            super::put(account, "eu-west-1", &format!("/aws/lambda/f{number:02}"), number);
        }
        super::put(account, "eu-west-1", "/other", 1);
        super::put(account, "us-east-1", "/aws/lambda/f99", 1);
    });
    let first = describe(&aws, json!({ "logGroupNamePrefix": "/aws/lambda/" })).await;
    let groups = first["logGroups"].as_array().expect("groups");
    assert_eq!((groups.len(), &groups[3]["storedBytes"]), (50, &json!(3)));
    let next = json!({ "logGroupNamePrefix": "/aws/lambda/", "nextToken": first["nextToken"] });
    let second = describe(&aws, next).await;
    assert_eq!(second["logGroups"].as_array().map(Vec::len), Some(10));
    assert!(second["nextToken"].is_null());
}

#[tokio::test(start_paused = true)]
async fn a_group_exists_once_and_is_deleted_once() {
    let aws = Aws::new(Settings::default());
    let properties = json!({ "LogGroupName": "/aws/lambda/f", "RetentionInDays": 30 });
    let created = create(&aws, "AWS::Logs::LogGroup", &properties).expect("created");
    assert_eq!(created.attributes["Arn"], "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/f:*");
    let again = create(&aws, "AWS::Logs::LogGroup", &properties).expect_err("exists");
    assert!(again.contains("already exists"), "{again}");
    update(&aws, "AWS::Logs::LogGroup", "/aws/lambda/f", &json!({ "RetentionInDays": "7" })).expect("updated");
    assert_eq!(describe(&aws, json!({})).await["logGroups"][0]["retentionInDays"], 7);
    call(&aws, "DeleteLogGroup", json!({ "logGroupName": "/aws/lambda/f" })).await.expect("deleted");
    let gone = call(&aws, "DeleteLogGroup", json!({ "logGroupName": "/aws/lambda/f" })).await.expect_err("gone");
    let gone = gone.as_service_error().expect("an answer");
    assert_eq!(
        (gone.code(), gone.message()),
        (Some("ResourceNotFoundException"), Some("The specified log group does not exist."))
    );
    delete(&aws, "AWS::Logs::LogGroup", "/aws/lambda/f").expect("one that does not exist is deleted");
    assert!(update(&aws, "AWS::Logs::LogGroup", "/aws/lambda/f", &properties).is_err());
}
