//! Secrets through calls, as the engine rotates them.

use aws_call::{Call, CallError, services::SECRETS_MANAGER};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use serde_json::{Value, json};

use super::*;
use crate::{Aws, Settings, testing::config};

async fn call(aws: &Aws, operation: &'static str, input: Value) -> Result<Value, CallError> {
    Call::json(SECRETS_MANAGER, operation, &input).receive(&config(aws)).await
}

/// Creates the secret of a template; returns its ARN.
fn secret(aws: &Aws) -> String {
    let recipe = json!({ "PasswordLength": 64, "ExcludePunctuation": true, "ExcludeUppercase": true,
                         "ExcludeCharacters": "ghijklmnopqrstuvwxyz" });
    let properties = json!({ "Name": "notes/dev/salt", "GenerateSecretString": recipe });
    let (region, stack, logical_id) = ("eu-west-1", "notes-dev", "Salt");
    let wanted = Wanted { region, stack, logical_id, resource_type: TYPE, properties: &properties };
    aws.change(|account| create(account, wanted)).expect("created").physical_id
}

#[tokio::test(start_paused = true)]
async fn a_generated_value_follows_its_recipe() {
    let aws = Aws::new(Settings::default());
    let arn = secret(&aws);
    assert!(arn.starts_with("arn:aws:secretsmanager:eu-west-1:123456789012:secret:notes/dev/salt-"), "{arn}");
    for id in [arn.as_str(), "notes/dev/salt", arn.rsplit_once('-').expect("a suffix").0] {
        let value = call(&aws, "GetSecretValue", json!({ "SecretId": id })).await.expect("a value");
        let value = value["SecretString"].as_str().expect("a text").to_owned();
        assert!(value.len() == 64 && value.chars().all(|digit| digit.is_ascii_hexdigit()), "{value}");
    }
    let password = call(&aws, "GetRandomPassword", json!({ "PasswordLength": 8 })).await.expect("a password");
    let password = password["RandomPassword"].as_str().expect("a text").to_owned();
    let has = |is: fn(&char) -> bool| password.chars().any(|found| is(&found));
    assert!(password.len() == 8 && has(char::is_ascii_lowercase) && has(char::is_ascii_uppercase), "{password}");
    assert!(has(char::is_ascii_digit) && has(char::is_ascii_punctuation), "{password}");
}

#[tokio::test(start_paused = true)]
async fn a_new_value_is_current_and_the_previous_one_readable_until_its_label_is_removed() {
    let aws = Aws::new(Settings::default());
    secret(&aws);
    let id = "notes/dev/salt";
    let versions = async || call(&aws, "ListSecretVersionIds", json!({ "SecretId": id })).await.expect("versions");
    let first = versions().await["Versions"][0]["VersionId"].clone();
    let put = async |value: &str| {
        let input = json!({ "SecretId": id, "SecretString": value, "ClientRequestToken": "0".repeat(32) });
        call(&aws, "PutSecretValue", input).await
    };
    put("second").await.expect("stored");
    put("second").await.expect("a repeated call stores nothing");
    assert_eq!(put("third").await.expect_err("another value").code(), Some("ResourceExistsException"));
    let listed = versions().await;
    let labels: Vec<_> = listed["Versions"].as_array().expect("a list").iter().map(|it| &it["VersionStages"]).collect();
    assert_eq!(labels, [&json!([PREVIOUS]), &json!([CURRENT])]);
    let previous = json!({ "SecretId": id, "VersionStage": PREVIOUS });
    call(&aws, "GetSecretValue", previous.clone()).await.expect("the previous value");

    let remove =
        |label: &str, from: &Value| json!({ "SecretId": id, "VersionStage": label, "RemoveFromVersionId": from });
    let wrong = call(&aws, "UpdateSecretVersionStage", remove(CURRENT, &first)).await.expect_err("another version");
    assert_eq!(wrong.code(), Some("InvalidParameterException"));
    call(&aws, "UpdateSecretVersionStage", remove(PREVIOUS, &first)).await.expect("removed");
    let gone = call(&aws, "GetSecretValue", previous).await.expect_err("no version has the label");
    assert_eq!(gone.code(), Some("ResourceNotFoundException"));
    assert_eq!(versions().await["Versions"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(start_paused = true)]
async fn names_are_unique_and_versions_are_listed_in_pages() {
    let aws = Aws::new(Settings::default());
    let create = json!({ "Name": "given", "SecretString": "a", "ClientRequestToken": "first" });
    call(&aws, "CreateSecret", create.clone()).await.expect("created");
    let again = call(&aws, "CreateSecret", create).await.expect_err("it exists");
    assert_eq!(again.code(), Some("ResourceExistsException"));
    let put = json!({ "SecretId": "given", "SecretString": "b", "ClientRequestToken": "second" });
    call(&aws, "PutSecretValue", put).await.expect("stored");
    let page = json!({ "SecretId": "given", "MaxResults": 1 });
    let page = call(&aws, "ListSecretVersionIds", page).await.expect("a page");
    let next = json!({ "SecretId": "given", "MaxResults": 1, "NextToken": page["NextToken"] });
    let next = call(&aws, "ListSecretVersionIds", next).await.expect("a page");
    assert_eq!((&next["Versions"][0]["VersionId"], &next["NextToken"]), (&json!("second"), &Value::Null));
    let missing = call(&aws, "GetSecretValue", json!({ "SecretId": "other" })).await.expect_err("missing");
    assert_eq!(missing.code(), Some("ResourceNotFoundException"));
}
