//! Schemathesis against the description that the API serves of itself.

use std::{process::Command, sync::Arc};

use super::world::World;
use crate::{cloud::text, schemathesis};

/// The seed, so that every run sends the same requests.
const SEED: &str = "20261130";
/// Requests of each kind for each operation.
const EXAMPLES: &str = "25";
/// The checks of each response: no server error, and nothing that contradicts the description.
const CHECKS: &str = "not_a_server_error,status_code_conformance,response_schema_conformance,content_type_conformance";

pub(super) async fn fuzzing_the_description_finds_nothing(world: Arc<World>) {
    world.forget_sign_ins().await;
    let fuzzer = world.user("fuzzer", "admin").await;
    let document = world.anonymous.get("/openapi.json").await.ok(200);
    tokio::task::block_in_place(|| {
        let directory = tempfile::tempdir().expect("a temporary folder");
        let description = directory.path().join("openapi.json");
        std::fs::write(&description, document.to_string()).expect("a file");
        let output = Command::new(schemathesis::installed().join("bin/schemathesis"))
            .arg("run")
            .arg(&description)
            .args(["--url", &fuzzer.api, "--header", &format!("Authorization: Bearer {}", fuzzer.token())])
            .args([
                "--checks",
                CHECKS,
                "--seed",
                SEED,
                "--max-examples",
                EXAMPLES,
                "--no-color",
                "--continue-on-failure",
            ])
            .current_dir(directory.path())
            .env_remove("SCHEMATHESIS_HOOKS")
            .output()
            .expect("schemathesis starts");
        assert!(output.status.success(), "{}", text(&output));
    });
    world.forget_sign_ins().await;
    // The token was accepted: only an administrator lists bots.
    fuzzer.get("/api/admin/bots/list").await.ok(200);
}
