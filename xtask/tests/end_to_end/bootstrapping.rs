//! The permissions of foundation, while a stage runs what an earlier commit said.

use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    cloud::{Cloud, text},
    pipeline::write_stage,
};

/// Stage `staging` of a cloud of its own.
struct World {
    cloud: Cloud,
    stages: TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { cloud: Cloud::new(), stages: tempfile::tempdir().expect("a temporary folder") };
        world.cloud.success(&["local", "up"]);
        world.write(&["portfolio", "thakii"]);
        world
    }

    /// The stage file, with these systems.
    fn write(&self, systems: &[&str]) {
        write_stage(self.stages.path(), "staging", |stage| {
            let all = stage["systems"].as_object_mut().expect("systems");
            all.retain(|name, _| systems.contains(&name.as_str()));
            assert_eq!(all.len(), systems.len(), "{all:?}");
        });
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.cloud.command(arguments);
        command.env("XTASK_STAGES", self.stages.path()).env("AWS_ENDPOINT_URL", self.cloud.endpoint());
        let output = command.output().expect("xtask starts");
        assert!(output.status.success(), "{arguments:?}\n{}", text(&output));
        output
    }

    fn deploy(&self, system: &str, stack: &str) -> String {
        text(&self.run(&["deploy", "--stage", "staging", "--system", system, "--stack", stack, "--yes"]))
    }

    fn bootstrap(&self) -> String {
        text(&self.run(&["bootstrap", "--stage", "staging", "--yes"]))
    }

    /// The deployed policies of the role that CloudFormation works with, and the boundary of the roles it makes.
    #[tokio::main(flavor = "current_thread")]
    async fn rights(&self) -> (String, String) {
        let client = aws_sdk_cloudformation::Client::new(&self.cloud.sdk());
        let got = client.get_template().stack_name("foundation-pipeline-staging").send().await.expect("a template");
        let template: Value = serde_json::from_str(got.template_body().expect("a body")).expect("JSON");
        let resources = template["Resources"].as_object().expect("resources");
        let execution = resources.iter().filter(|(id, _)| id.starts_with("ExecutionPolicy"));
        (execution.map(|(_, policy)| policy.to_string()).collect(), resources["RoleBoundary"].to_string())
    }

    #[tokio::main(flavor = "current_thread")]
    async fn delete(&self, stack: &str) {
        let client = aws_sdk_cloudformation::Client::new(&self.cloud.sdk());
        client.delete_stack().stack_name(stack).send().await.expect("it is deleted");
    }
}

#[test]
fn what_runs_keeps_its_rights_until_it_is_gone() {
    let world = World::new();
    world.bootstrap();
    world.deploy("thakii", "storage");
    world.deploy("thakii", "auth");
    let secrets = "secretsmanager:CreateSecret";
    assert!(world.rights().0.contains(secrets) && world.rights().0.contains("sqs:CreateQueue"));

    // The next commit has less: a deploy neither needs somebody to bootstrap first, nor takes anything away.
    world.write(&["portfolio"]);
    let planned = text(&world.run(&["plan", "--stage", "staging", "--online"]));
    assert!(planned.contains("The permissions in foundation stay unchanged"), "{planned}");
    assert!(!planned.contains("foundation-pipeline-staging will"), "{planned}");
    let deployed = world.deploy("portfolio", "data");
    assert!(!deployed.contains("foundation"), "{deployed}");
    assert!(world.rights().0.contains("sqs:CreateQueue"));

    // Bootstrap takes what nothing needs, and leaves what a deployed stack needs, though nothing defines it any longer.
    world.bootstrap();
    let (execution, boundary) = world.rights();
    assert!(execution.contains(secrets) && !execution.contains("sqs:CreateQueue"), "{execution}");
    assert!(boundary.contains("dynamodb:GetItem") && !boundary.contains("sqs:SendMessage"), "{boundary}");
    let again = world.bootstrap();
    assert!(again.contains("No change") && again.contains("Permissions that only deployed stacks need"), "{again}");

    for stack in ["thakii-auth-staging", "thakii-storage-staging"] {
        world.delete(stack);
    }
    let after = world.bootstrap();
    assert!(!after.contains("Permissions that only deployed stacks need"), "{after}");
    assert!(!world.rights().0.contains(secrets));
    let planned = text(&world.run(&["plan", "--stage", "staging", "--online"]));
    assert!(!planned.contains("The permissions in foundation"), "{planned}");

    // More is for people, as ever.
    world.write(&["portfolio", "thakii"]);
    let mut command = world.cloud.command(&["deploy", "--stage", "staging", "--system", "foundation", "--yes"]);
    command.env("XTASK_STAGES", world.stages.path()).env("AWS_ENDPOINT_URL", world.cloud.endpoint());
    crate::refusals::refused(&command.output().expect("xtask starts"), 1, &["the permissions of deploys to staging"]);
}
