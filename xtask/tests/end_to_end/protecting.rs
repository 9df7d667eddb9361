//! The protection of environments at GitHub, and the branch whose runs may take a role.

use std::process::Output;

use serde_json::json;
use tempfile::TempDir;

use crate::{
    cloud::Cloud,
    github::{Github, TOKEN},
    pipeline::write_stage,
    refusals::refused,
};

/// A stage with a pipeline, bootstrapped, and the GitHub that it asks.
struct Staging {
    cloud: Cloud,
    github: Github,
    stages: TempDir,
}

impl Staging {
    fn new() -> Self {
        let (cloud, stages) = (Cloud::new(), tempfile::tempdir().expect("a temporary folder"));
        write_stage(stages.path(), "staging", |stage| {
            stage["systems"] = json!({});
            stage["protected"] = json!(true);
        });
        cloud.success(&["local", "up"]);
        Self { cloud, github: Github::start(), stages }
    }

    fn run(&self, arguments: &[&str], token: Option<&str>) -> Output {
        let mut command = self.cloud.command(arguments);
        command
            .env("XTASK_STAGES", self.stages.path())
            .env("AWS_ENDPOINT_URL", self.cloud.endpoint())
            .envs(self.github.variables())
            .envs(token.map(|token| ("GITHUB_TOKEN", token)));
        command.output().expect("xtask starts")
    }

    fn bootstrap(&self, token: Option<&str>) -> Output {
        self.run(&["bootstrap", "--stage", "staging", "--yes"], token)
    }

    fn doctor(&self, token: Option<&str>) -> Output {
        self.run(&["doctor", "--stage", "staging"], token)
    }
}

#[test]
fn an_environment_without_protection_is_a_problem() {
    let world = Staging::new();
    let environment = "environment staging of example/backends";
    let unverified =
        "the reviewers and branches of environment staging of example/backends are not verified: set GITHUB_TOKEN";
    refused(&world.bootstrap(None), 0, &[unverified, "Set required reviewers and allowed branches"]);
    refused(&world.doctor(None), 0, &[unverified, "All is well"]);
    refused(&world.doctor(Some("another")), 0, &["are not verified: failed to call GitHub", "403"]);
    let missing = format!("{environment}: missing");
    refused(&world.doctor(Some(TOKEN)), 1, &[&missing, "create environment staging at GitHub"]);

    let open = json!({ "name": "staging", "protection_rules": [], "deployment_branch_policy": null });
    world.github.protect("staging", open, json!([]));
    let gaps = [": no reviewers: ", ": open to other branches: jobs of every branch and tag may use it"];
    let gaps = gaps.map(|gap| format!("{environment}{gap}"));
    let gaps: Vec<&str> = gaps.iter().map(String::as_str).collect();
    refused(&world.doctor(Some(TOKEN)), 1, &gaps);
    refused(&world.bootstrap(Some(TOKEN)), 0, &gaps);

    let reviewers = json!({ "type": "required_reviewers", "reviewers": [{ "type": "User", "reviewer": { "id": 1 } }] });
    let rules = json!({
        "name": "staging", "protection_rules": [{ "type": "branch_policy" }, reviewers],
        "deployment_branch_policy": { "protected_branches": false, "custom_branch_policies": true },
    });
    let pattern = |kind: &str, name: &str| json!({ "id": 1, "type": kind, "name": name });
    world.github.protect("staging", rules.clone(), json!([pattern("branch", "develop"), pattern("tag", "develop")]));
    refused(&world.doctor(Some(TOKEN)), 1, &["jobs of tag `develop` may use it"]);
    world.github.protect("staging", rules, json!([pattern("branch", "develop")]));
    refused(&world.doctor(Some(TOKEN)), 0, &["All is well"]);
    refused(&world.bootstrap(Some(TOKEN)), 0, &["its reviewers and branches are verified"]);
}

/// STS would refuse the role without a reason.
#[test]
fn a_run_of_another_branch_is_refused_before_it_takes_a_role() {
    let cloud = Cloud::new();
    let outputs = |reference: &str| {
        let mut command = cloud.command(&["bootstrap", "--stage", "prod", "--outputs"]);
        command.env("GITHUB_REF", reference).output().expect("xtask starts")
    };
    let expected = ["this run is for refs/heads/develop", "only branch main", "start the workflow from branch main"];
    refused(&outputs("refs/heads/develop"), 1, &expected);
    refused(&outputs("refs/tags/main"), 1, &["this run is for refs/tags/main"]);
    refused(&outputs("refs/heads/main"), 0, &["deploy-role=arn:aws:iam::333344445555:role/foundation-deploy-prod"]);
}
