//! An emulator lets everybody do everything, AWS only what a role says: so every call of every function is held against
//! the role it would have in `prod`.
//!
//! Each function of a deployed system is given a proxy of its own by its environment (`AWS_ENDPOINT_URL_<SERVICE>` beats
//! the address the emulator hands out), so whose call it is needs no guessing; links that functions sign lead through it
//! too. What the acceptance list makes functions do is then what is judged.

#![expect(clippy::print_stderr, reason = "what is allowed and not needed is told, and fails nothing")]

mod calls;
pub(crate) mod deploying;
mod policy;
mod roles;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use self::{
    policy::{Need, Statement, allows, unused},
    roles::{Deployed, Templates, boundary},
};
use crate::{
    cloud::{Cloud, workspace},
    proxy::Proxy,
};

/// The emulator's account and region.
const ACCOUNT: &str = "000000000000";
const REGION: &str = "us-east-1";

/// How each client's address is set: by its crate, the variables. Those without a prefix are the systems' own.
const ADDRESSES: &[(&str, &[&str])] = &[
    ("aws-sdk-cognitoidentityprovider", &["AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", "COGNITO_ENDPOINT"]),
    ("aws-sdk-dynamodb", &["AWS_ENDPOINT_URL_DYNAMODB", "DYNAMODB_ENDPOINT"]),
    ("aws-sdk-lambda", &["AWS_ENDPOINT_URL_LAMBDA"]),
    ("aws-sdk-s3", &["AWS_ENDPOINT_URL_S3", "S3_PUBLIC_ENDPOINT", "PUBLIC_S3_ENDPOINT"]),
    ("aws-sdk-secretsmanager", &["AWS_ENDPOINT_URL_SECRETS_MANAGER"]),
    ("aws-sdk-sns", &["AWS_ENDPOINT_URL_SNS"]),
    ("aws-sdk-sqs", &["AWS_ENDPOINT_URL_SQS"]),
    ("aws-call", &["AWS_ENDPOINT_URL_SSM"]),
];

/// What a function has been seen to need, and calls nobody understood.
#[derive(Debug, Default)]
struct Seen {
    needs: BTreeSet<Need>,
    odd: BTreeSet<String>,
}

/// One function, and what it is seen to do.
struct Watched {
    function: String,
    statements: Vec<Statement>,
    /// What the boundary calls otherwise.
    renamed: BTreeMap<String, String>,
    seen: Arc<Mutex<Seen>>,
    _proxy: Proxy,
}

/// A system whose functions are watched.
pub(crate) struct Watch(Vec<Watched>);

impl Watch {
    /// Watches the functions of a system that is deployed, from now on.
    pub(crate) async fn start(cloud: &Cloud, system: &str) -> Self {
        let templates = Templates::read(system);
        let deployed = deployed(cloud, &templates).await;
        let variables = variables(system);
        let mut watched = Vec::new();
        for role in templates.roles(&deployed) {
            let seen = Arc::<Mutex<Seen>>::default();
            let notes = Arc::clone(&seen);
            let proxy = Proxy::watching(&cloud.endpoint(), move |call| {
                let mut notes = notes.lock().expect("notes");
                match calls::needs(call) {
                    Ok(needs) => notes.needs.extend(needs),
                    Err(odd) => {
                        notes.odd.insert(odd);
                    }
                }
            });
            let endpoint = proxy.endpoint();
            let changes: Vec<_> = variables.iter().map(|name| (*name, endpoint.clone())).collect();
            cloud.reconfigure(&role.function, &changes).await;
            let (function, statements, renamed) = (role.function, role.statements, templates.renamed(&deployed));
            watched.push(Watched { function, statements, renamed, seen, _proxy: proxy });
        }
        Self(watched)
    }

    /// Fails when a function did what its role does not allow, or was not seen at all. Says what is allowed and was not
    /// needed: an acceptance list need not go everywhere, and Lambda itself polls queues and writes logs.
    pub(crate) fn assert_allowed(&self) {
        let (mut wrong, boundary) = (Vec::new(), boundary());
        for watched in &self.0 {
            let seen = watched.seen.lock().expect("notes");
            let function = &watched.function;
            if seen.needs.is_empty() {
                wrong.push(format!("{function} was never seen"));
            }
            wrong.extend(seen.odd.iter().map(|odd| format!("{function}: {odd}")));
            let needs: Vec<Need> = seen.needs.iter().cloned().collect();
            let refused = needs.iter().filter(|need| !allows(&watched.statements, need));
            wrong.extend(refused.map(|need| format!("{function} may not {} on {}", need.action, need.resource)));
            let named = |need: &Need| {
                let rename = |resource: String, (here, there): (&String, &String)| resource.replace(here, there);
                let mut resource = watched.renamed.iter().fold(need.resource.clone(), rename);
                if resource.contains(":secret:") {
                    // AWS ends a secret's ARN with six characters of its own; the emulator does not.
                    resource.push_str("-AbCdEf");
                }
                Need { resource, ..need.clone() }
            };
            let beyond = needs.iter().filter(|need| !allows(&boundary, &named(need)));
            wrong.extend(beyond.map(|need| {
                format!("the permissions boundary keeps {function} from {} on {}", need.action, need.resource)
            }));
            eprintln!("{function}: needed {} rights", needs.len());
            for (action, resource) in unused(&watched.statements, &needs) {
                eprintln!("{function}: allowed and not needed here: {action} on {resource}");
            }
        }
        assert!(wrong.is_empty(), "AWS would have refused:\n{}", wrong.join("\n"));
    }
}

/// The variables that lead a system's clients elsewhere.
fn variables(system: &str) -> Vec<&'static str> {
    let manifest = workspace().join("lambdas").join(system).join("Cargo.toml");
    let manifest = std::fs::read_to_string(manifest).expect("a manifest");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let dependencies = manifest["dependencies"].as_table().expect("dependencies").keys();
    let clients = dependencies.filter(|name| name.starts_with("aws-sdk-"));
    let of = |client: &String| {
        let address = ADDRESSES.iter().find(|(name, _)| name == client);
        address.unwrap_or_else(|| panic!("{system}: how is the address of {client} set?")).1
    };
    clients.flat_map(of).copied().collect()
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
