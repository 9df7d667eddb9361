//! Schemathesis, a fuzzer for described APIs, against the contract that the front end is written against.

use std::{process::Command, sync::Arc};

use super::world::World;
use crate::{
    cloud::{text, workspace},
    schemathesis,
};

/// So that every run asks the same.
const SEED: &str = "20240315";
/// Requests of each kind for each operation.
const EXAMPLES: &str = "25";
/// What no answer may be: an error of the server's, or another than the contract says.
const CHECKS: &str = "not_a_server_error,response_schema_conformance,content_type_conformance";

pub(super) async fn fuzzing_the_contract_finds_nothing(world: Arc<World>) {
    let email = "fuzzer@example.com";
    world.add_user(email, Some("owner"), true).await;
    let signed_in = world.sign_in(email).await;
    let token = signed_in["token"].as_str().expect("a token");
    let api = format!("{}/v1", world.anonymous.api());
    tokio::task::block_in_place(|| {
        let directory = tempfile::tempdir().expect("a temporary folder");
        let contract = directory.path().join("contract.yml");
        std::fs::write(&contract, readable_contract()).expect("a file");
        let output = Command::new(schemathesis::installed().join("bin/schemathesis"))
            .arg("run")
            .arg(&contract)
            .args(["--url", &api, "--header", &format!("Authorization: Bearer {token}")])
            .args(["--checks", CHECKS, "--seed", SEED, "--max-examples", EXAMPLES, "--no-color"])
            // Signing out would take the token away from everything that comes after.
            .args(["--exclude-operation-id", "logout", "--continue-on-failure"])
            .current_dir(directory.path())
            .env_remove("SCHEMATHESIS_HOOKS")
            .output()
            .expect("schemathesis starts");
        assert!(output.status.success(), "{}", text(&output));
    });
    // It has really been let in: only the owner creates anything.
    let projects = world.owner.get("/v1/projects?status=all").await.ok(200);
    assert!(projects["total"].as_u64().is_some_and(|total| total > 2), "{}", projects["total"]);
}

/// The contract, mended where it contradicts itself: its examples hold control characters, which YAML does not allow,
/// and it calls a draft's `publishedAt` both a date and an empty text.
fn readable_contract() -> String {
    const CONTRADICTION: &str =
        "          format: date\n          description: Publication date (empty string for drafts)";
    let path = workspace().join("lambdas/portfolio/contract/openapi.yml");
    let text = std::fs::read_to_string(path).expect("the contract");
    assert!(text.contains(CONTRADICTION), "the contract has changed: is it still to be mended?");
    text.replace(CONTRADICTION, "          description: Publication date (empty string for drafts)")
        // The fuzzer guesses passwords for the address in the examples, which leads to pauses.
        .replace(super::world::OWNER, "guessed@example.com")
        .replace(|character: char| character.is_control() && character != '\n', "")
}
