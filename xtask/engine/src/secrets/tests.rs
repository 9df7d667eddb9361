//! Rotations against a scripted Secrets Manager.

use std::sync::{Arc, Mutex};

use model::{example::Example, rendered::RenderedSystem};
use serde_json::json;

use super::*;
use crate::aws::scripted::{Endpoint, Received};

fn secret(logical_id: &str, name: &str) -> Secret {
    let recipe = json!({ "PasswordLength": 64, "ExcludePunctuation": true });
    let recipe = recipe.as_object().expect("an object").clone();
    let (logical_id, name) = (logical_id.to_owned(), name.to_owned());
    Secret { logical_id, name, system: "notes".to_owned(), region: None, recipe }
}

fn version(id: &str, label: &str) -> Value {
    json!({ "VersionId": id, "VersionStages": [label], "CreatedDate": 1_700_000_000.5 })
}

/// A Secrets Manager that keeps the labels of one secret's versions.
async fn manager(is_taken: bool) -> Endpoint {
    let versions = Arc::new(Mutex::new(vec![version("first", CURRENT)]));
    Endpoint::serve(move |request: &Received| {
        let input: Value = serde_json::from_str(&request.body).expect("JSON");
        let mut versions = versions.lock().expect("no panic");
        if request.is("ListSecretVersionIds") {
            (200, json!({ "Versions": *versions }).to_string())
        } else if request.is("GetRandomPassword") {
            (200, json!({ "RandomPassword": "generated-by-the-script" }).to_string())
        } else if request.is("PutSecretValue") && is_taken {
            (400, json!({ "__type": TOKEN_USED, "message": "already" }).to_string())
        } else if request.is("PutSecretValue") {
            let id = input["ClientRequestToken"].as_str().expect("a token");
            let old = versions.last().and_then(|version| version["VersionId"].as_str()).expect("a version").to_owned();
            *versions = vec![version(&old, PREVIOUS), version(id, CURRENT)];
            (200, "{}".to_owned())
        } else {
            assert!(request.is("UpdateSecretVersionStage"), "{request:?}");
            versions.retain(|version| version["VersionId"] != input["RemoveFromVersionId"]);
            (200, "{}".to_owned())
        }
    })
    .await
}

fn inputs(endpoint: &Endpoint, operation: &str) -> Vec<Value> {
    let requests = endpoint.received().into_iter().filter(|request| request.is(operation));
    requests.map(|request| serde_json::from_str(&request.body).expect("JSON")).collect()
}

/// The example's systems, with these resources in the first stack.
fn systems(resources: &[(&str, Value)]) -> Vec<RenderedSystem> {
    let mut systems = Example::systems(&Example::stage_named("dev"));
    let stack = systems.iter_mut().flat_map(|system| &mut system.stacks).next().expect("a stack");
    for (logical_id, resource) in resources {
        stack.template["Resources"][*logical_id] = resource.clone();
    }
    systems
}

#[test]
fn only_generated_secrets_are_found() {
    let of = |properties: Value| json!({ "Type": TYPE, "Properties": properties });
    let generated = of(json!({ "Name": "notes/dev/key", "GenerateSecretString": { "PasswordLength": 64 } }));
    // Only its owner knows the value of a secret that is not generated.
    let given = of(json!({ "Name": "notes/dev/given" }));
    let found = find(&systems(&[("Key", generated), ("Given", given)]));
    let names: Vec<_> = found.iter().map(|secret| (secret.logical_id.as_str(), secret.name.as_str())).collect();
    // The example has one of its own.
    assert_eq!(names, [("Key", "notes/dev/key"), ("Salt", "notes/dev/salt")]);
    assert_eq!(found[0].recipe, *json!({ "PasswordLength": 64 }).as_object().expect("an object"));
    assert_eq!(find(&systems(&[])).len(), 1);
}

#[test]
fn a_secret_is_selected_by_name_or_logical_id() {
    let secrets = [secret("Key", "notes/dev/key"), secret("Salt", "notes/dev/salt"), secret("Key", "tasks/dev/key")];
    assert_eq!(select(&secrets, "Salt").expect("one").name, "notes/dev/salt");
    assert_eq!(select(&secrets, "tasks/dev/key").expect("one").name, "tasks/dev/key");
    let ambiguous = select(&secrets, "Key").expect_err("two").to_string();
    assert!(ambiguous.contains("notes/dev/key, tasks/dev/key"), "{ambiguous}");
    let unknown = select(&secrets[..1], "Other").expect_err("none").to_string();
    assert_eq!(
        unknown,
        "failed to find secret Other: the stage's templates generate notes/dev/key; nothing was changed"
    );
    let none = select(&[], "Other").expect_err("none").to_string();
    assert!(none.contains("the stage's templates generate no secret"), "{none}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_rotation_keeps_the_previous_value_until_it_is_revoked() {
    let endpoint = manager(false).await;
    let clients = endpoint.clients().await;
    let (secret, secrets) = (secret("Key", "notes/dev/key"), clients.secrets(None));
    let replaced = rotate(&secret, "dev", &secrets).await.expect("rotated");
    assert_eq!(replaced, "first");
    assert_eq!(inputs(&endpoint, "GetRandomPassword"), [json!({ "PasswordLength": 64, "ExcludePunctuation": true })]);
    let [stored] = inputs(&endpoint, "PutSecretValue").try_into().expect("one");
    assert_eq!(
        (&stored["SecretId"], &stored["SecretString"]),
        (&json!("notes/dev/key"), &json!("generated-by-the-script"))
    );
    assert_eq!(stored["ClientRequestToken"].as_str().map(str::len), Some(64));
    let versions = secrets.versions(&secret.name).await.expect("listed").expect("a secret");
    assert_eq!(labelled(&versions, PREVIOUS).map(|version| version.id.as_str()), Some("first"));

    assert_eq!(revoke(&secret, "dev", &secrets).await.expect("revoked"), Revoked::Yes);
    let expected =
        json!({ "SecretId": "notes/dev/key", "VersionStage": "AWSPREVIOUS", "RemoveFromVersionId": "first" });
    assert_eq!(inputs(&endpoint, "UpdateSecretVersionStage"), [expected]);
    assert_eq!(revoke(&secret, "dev", &secrets).await.expect("again"), Revoked::Nothing);
    assert_eq!(endpoint.count("UpdateSecretVersionStage"), 1);
    assert_eq!(endpoint.count("GetSecretValue"), 0);
}

/// After a leak, a list that does not show the new labels yet must not leave the leaked value readable.
#[tokio::test(flavor = "current_thread")]
async fn the_replaced_value_is_revoked_without_a_list() {
    let endpoint = manager(false).await;
    let clients = endpoint.clients().await;
    revoke_replaced(&secret("Key", "notes/dev/key"), "first", &clients.secrets(None)).await.expect("revoked");
    let expected =
        json!({ "SecretId": "notes/dev/key", "VersionStage": "AWSPREVIOUS", "RemoveFromVersionId": "first" });
    assert_eq!(inputs(&endpoint, "UpdateSecretVersionStage"), [expected]);
    assert_eq!(endpoint.count("ListSecretVersionIds"), 0);
}

#[tokio::test(flavor = "current_thread")]
async fn a_rotation_at_the_same_time_is_reported() {
    let endpoint = manager(true).await;
    let clients = endpoint.clients().await;
    let error = rotate(&secret("Key", "notes/dev/key"), "dev", &clients.secrets(None)).await.expect_err("taken");
    assert!(matches!(error, SecretError::Concurrent { .. }), "{error:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_secret_that_is_not_deployed_is_named_with_the_next_step() {
    let refusal =
        r#"{"__type":"ResourceNotFoundException","Message":"Secrets Manager can't find the specified secret."}"#;
    let endpoint = Endpoint::serve(|_: &Received| (400, refusal.to_owned())).await;
    let clients = endpoint.clients().await;
    let (secret, secrets) = (secret("Key", "notes/dev/key"), clients.secrets(None));
    let rotated = rotate(&secret, "dev", &secrets).await.map(drop);
    let revoked = revoke(&secret, "dev", &secrets).await.map(drop);
    for result in [rotated, revoked] {
        let error = result.expect_err("refused");
        assert_eq!(error.to_string(), "secret notes/dev/key is not deployed; nothing was changed");
        let hint = error.help().map(|help| help.to_string());
        assert!(hint.is_some_and(|hint| hint.contains("`cargo xtask deploy --stage dev --system notes`")), "{error}");
    }
    assert_eq!(endpoint.count("ListSecretVersionIds"), endpoint.received().len());
}

#[tokio::test(flavor = "current_thread")]
async fn a_document_is_not_replaced_by_a_password() {
    let endpoint = manager(false).await;
    let clients = endpoint.clients().await;
    let mut document = secret("Key", "notes/dev/key");
    document.recipe.insert("GenerateStringKey".to_owned(), json!("password"));
    let error = rotate(&document, "dev", &clients.secrets(None)).await.expect_err("refused");
    assert!(matches!(error, SecretError::Document { .. }), "{error:?}");
    assert!(endpoint.received().is_empty());
}
