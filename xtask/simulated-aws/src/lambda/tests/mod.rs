//! The model of Lambda through the SDK's client.

mod calls;
mod invocations;
mod releases;
mod stacks;

use std::time::Duration;

use aws_sdk_lambda::{Client, error::ProvideErrorMetadata, types::FunctionConfiguration};
use serde_json::json;

use super::{Behavior, Probed};
use crate::{
    Aws, Settings,
    testing::{config, create, function, upload},
};

/// An account with the function `f`, whose code is `1.zip`; `2.zip` is another code that works, and three codes do not.
fn account() -> (Aws, Client) {
    let aws = Aws::new(Settings::default());
    let working = |code| Behavior::working("notes", "list", code);
    let probed = |probe| Behavior { probe, code: 3, ..working(3) };
    for (key, behavior) in [
        ("1.zip", working(1)),
        ("2.zip", working(2)),
        ("fails.zip", probed(Probed::Fails)),
        ("hangs.zip", probed(Probed::Hangs)),
        ("other.zip", probed(Probed::OtherFunction)),
        ("errors.zip", Behavior { errors: 1.0, ..working(4) }),
    ] {
        upload(&aws, "artifacts", key, behavior.zip());
    }
    create(&aws, "AWS::Lambda::Function", &function("f", "1.zip")).expect("created");
    let client = Client::new(&config(&aws));
    (aws, client)
}

/// The same account, in which the version 1 is live.
async fn released() -> (Aws, Client) {
    let (aws, client) = account();
    create(&aws, "AWS::Lambda::Version", &json!({ "FunctionName": "f" })).expect("published");
    let alias = json!({ "FunctionName": "f", "Name": "live", "FunctionVersion": "1" });
    create(&aws, "AWS::Lambda::Alias", &alias).expect("created");
    settled().await;
    (aws, client)
}

/// Waits until every transition has ended.
async fn settled() {
    tokio::time::sleep(Duration::from_secs(10)).await;
}

/// Updates the code of `f`, and publishes it; returns the number.
async fn publish(client: &Client, key: &str) -> String {
    update_code(client, key).await.expect("updated");
    settled().await;
    let published = client.publish_version().function_name("f").send().await.expect("published");
    settled().await;
    published.version().expect("a number").to_owned()
}

async fn update_code(client: &Client, key: &str) -> Result<String, (u16, String, String)> {
    let updated = client.update_function_code().function_name("f").s3_bucket("artifacts").s3_key(key).send().await;
    updated.map(|updated| updated.code_sha256().unwrap_or_default().to_owned()).map_err(refused)
}

/// The status, code and message of a refusal.
fn refused<E: ProvideErrorMetadata + std::fmt::Debug>(
    error: aws_sdk_lambda::error::SdkError<E>,
) -> (u16, String, String) {
    let status = error.raw_response().map(|response| response.status().as_u16()).unwrap_or_default();
    (status, error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
}

/// The names of the versions in a list.
fn names(versions: &[FunctionConfiguration]) -> Vec<&str> {
    versions.iter().filter_map(FunctionConfiguration::version).collect()
}
