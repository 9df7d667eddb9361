//! The functions of README's "Add a system". The README copies the code from these files, so it compiles.

// The files name the contract and the package by their crates.
extern crate self as notes;
extern crate self as notes_contract;

pub mod api;
#[expect(dead_code, reason = "the test does not call `main`")]
mod bin_api;
#[expect(dead_code, reason = "the test does not call `main`")]
mod bin_sweep;
#[path = "../../../../stacks/model/tests/guide/notes_contract.rs"]
mod contract_of_notes;

use aws_sdk_dynamodb::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region},
};
pub use contract_of_notes::*;
use lambda_runtime::{Context, LambdaEvent};
use serde_json::{Value, json};

#[tokio::test]
async fn the_api_of_the_guide_serves_its_route_and_no_other() {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
        .build();
    let client = Client::from_conf(config);
    let status = async |path: &str| {
        let router = api::router(api::Notes { client: client.clone(), table: "notes".to_owned() });
        let event = json!({
            "resource": path,
            "path": path,
            "httpMethod": "GET",
            "headers": {},
            "multiValueHeaders": {},
            "requestContext": { "httpMethod": "GET", "stage": "prod" },
        });
        let response: Value =
            common::http::answer::<Api>(router, LambdaEvent::new(event, Context::default())).await.expect("a response");
        response["statusCode"].clone()
    };
    // Without a caller, the handler refuses before it reads the table.
    assert_eq!(status("/notes/1").await, 401);
    assert_eq!(status("/other").await, 404);
}
