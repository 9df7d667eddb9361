//! An emulator lets everybody do everything, AWS only what a role says: so every call of every function is held against
//! the role it would have in `prod`.
//!
//! The engine records the calls while the acceptance list runs, and judges them with its own matcher. The tests read the
//! roles in their own way and judge once more: both must agree.

#![expect(clippy::print_stderr, reason = "a grant that no call used is reported, and fails nothing")]

mod agreement;
pub(crate) mod deploying;
mod policy;
mod roles;
mod verb;

use std::collections::{BTreeMap, BTreeSet};

use engine::{
    aws::Clients,
    rights::{self, Place, Recorder, Rendered, Role},
};
use model::{foundation, project::Project, rendered::RenderedSystem, stage::Stage, statements::Request};

use self::{
    policy::{Need, allows},
    roles::{Deployed, Templates, boundary},
};
use crate::cloud::{Cloud, workspace};

/// The emulator's account and region.
const ACCOUNT: &str = "000000000000";
const REGION: &str = "us-east-1";

/// A system whose functions' calls are recorded.
pub(crate) struct Watch {
    recorder: Recorder<'static>,
    /// As the engine reads them from what it renders.
    roles: Vec<Role>,
    /// As the tests read them from the committed templates.
    oracle: Oracle,
}

/// The tests' own view of roles.
struct Oracle {
    roles: Vec<roles::Role>,
    /// What the boundary calls otherwise.
    renamed: BTreeMap<String, String>,
    /// The system's user pools and keys here, whose tags in `prod` the boundary asks for.
    pools: BTreeSet<String>,
    system: String,
}

impl Watch {
    /// Records the calls of a system that is deployed, from now on.
    pub(crate) async fn start(cloud: &Cloud, system: &str) -> Self {
        let ((here, systems), (other, rendered)) = (stage("local"), stage("prod"));
        let systems: Vec<_> = systems.into_iter().filter(|rendered| rendered.name == system).collect();
        // Lives as long as the test's process.
        let clients: &'static Clients =
            Box::leak(Box::new(Clients::new(&here, Some(cloud.emulator())).await.expect("clients")));
        let deployed = rights::Deployed::read(&systems, clients).await.expect("resources");
        let own = Rendered { stage: &here, systems: &systems };
        let roles = rights::roles(Rendered { stage: &other, systems: &rendered }, own, &deployed).expect("roles");
        let recorder = Recorder::new(Place::of(&here), clients).expect("a recorder");
        for role in &roles {
            recorder.record(&role.function).await.expect("recorded");
        }
        Self { recorder, roles, oracle: Oracle::read(cloud, system).await }
    }

    /// Puts the functions back as they were deployed.
    pub(crate) async fn stop(self) {
        self.recorder.stop().await.expect("the functions are put back");
    }

    /// Fails when a function did what its role does not allow, or was not seen at all, or when engine and tests disagree.
    /// Prints the grants that no call used: an acceptance list need not go everywhere.
    pub(crate) fn assert_allowed(&self) {
        let recorded = self.recorder.recorded();
        let judged = rights::judge(&recorded, &self.roles);
        let refused = judged.refused.iter().chain(&judged.conditional);
        let mut wrong: Vec<String> = refused.map(|call| format!("{call:?}")).collect();
        wrong.extend(judged.unknown.iter().map(|call| format!("{call:?}")));
        wrong.extend(judged.silent.iter().map(|function| format!("{function} was never seen")));
        wrong.extend(judged.unread.iter().chain(&judged.absent).cloned());
        for (function, calls) in &recorded {
            let refused = judged.refused.iter().filter(|call| call.function == *function);
            let refused: BTreeSet<_> = refused.map(|call| (call.action.as_str(), call.resource.as_str())).collect();
            for request in &calls.requests {
                let is_allowed = !refused.contains(&(request.action(), request.resource()));
                if self.oracle.allows(function, request) != is_allowed {
                    wrong.push(format!(
                        "the tests disagree: {function}, {request:?}, allowed by the engine: {is_allowed}"
                    ));
                }
            }
            eprintln!("{function}: needed {} rights", calls.requests.len());
        }
        for unused in judged.unused.iter().filter(|unused| !unused.used_by_lambda) {
            eprintln!("{}: granted and not used here: {} on {}", unused.function, unused.action, unused.resource);
        }
        assert!(wrong.is_empty(), "AWS would have refused:\n{}", wrong.join("\n"));
    }
}

impl Oracle {
    async fn read(cloud: &Cloud, system: &str) -> Self {
        let templates = Templates::read(system);
        let deployed = deployed(cloud, &templates).await;
        let pools = templates.pools(&deployed);
        let (roles, renamed) = (templates.roles(&deployed), templates.renamed(&deployed));
        Self { roles, renamed, pools, system: system.to_owned() }
    }

    fn allows(&self, function: &str, request: &Request) -> bool {
        let role = self.roles.iter().find(|role| role.function == function).expect("a role");
        let need = Need::of(request);
        let rename = |resource: String, (here, there): (&String, &String)| resource.replace(here, there);
        let mut resource = self.renamed.iter().fold(need.resource.clone(), rename);
        if resource.contains(":secret:") {
            // AWS ends a secret's ARN with six characters of its own; the emulator does not.
            resource.push_str("-AbCdEf");
        }
        let is_own_pool = self.pools.contains(&resource);
        let in_boundary = Need { resource, ..need.clone() };
        let in_boundary = if is_own_pool {
            in_boundary.with("aws:ResourceTag/stage", "prod").with("aws:ResourceTag/system", &self.system)
        } else {
            in_boundary
        };
        allows(&role.statements, &need) && allows(&boundary(), &in_boundary)
    }
}

/// A stage of this repository and its systems, foundation included.
fn stage(name: &str) -> (Stage, Vec<RenderedSystem>) {
    let file = format!("stacks/stages/{name}.yaml");
    let text = std::fs::read_to_string(workspace().join(&file)).expect("a stage file");
    let stage = stacks::Project.stage(name, &text, &file).expect("a stage");
    let systems = stacks::Project.render(&stage).expect("systems");
    let systems = foundation::complete(&stage, systems, &[]).expect("foundation");
    (stage, systems)
}

/// The physical ids of what is deployed of a system.
async fn deployed(cloud: &Cloud, templates: &Templates) -> Deployed {
    let client = aws_sdk_cloudformation::Client::new(&cloud.sdk());
    let mut deployed = BTreeMap::new();
    for (stack, name) in templates.stack_names() {
        // Some stacks stage `local` does without.
        let Ok(answer) = client.describe_stack_resources().stack_name(&name).send().await else { continue };
        for resource in answer.stack_resources() {
            let ids = resource.logical_resource_id().zip(resource.physical_resource_id());
            deployed.extend(ids.map(|(logical, id)| ((stack.to_owned(), logical.to_owned()), id.to_owned())));
        }
    }
    assert!(!deployed.is_empty(), "nothing is deployed");
    deployed
}
