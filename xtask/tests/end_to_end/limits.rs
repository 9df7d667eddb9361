//! Fifty stacks at once, in an account that throttles as AWS does: nothing is ever throttled.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use engine::{
    aws::{Clients, Rates},
    deploy::{DeployContext, DeployError, Deployed, Done, Guard, Outputs, apply},
    interruption::Interruption,
    lock::HeldLocks,
    ui::Ui,
};
use model::{foundation, stage::Stage};
use plan::{
    Action, Plan, PlannedStack,
    allow::Allowances,
    artifacts::Artifacts,
    observed::{Observed, ObservedStack},
    preview::Preview,
};
use serde_json::json;

use crate::{
    cloud::Cloud,
    proxy::{Call, Proxy, Verdict},
};

const STACKS: usize = 50;
/// What CloudFormation allows of each operation in any second.
const A_SECOND: usize = 5;

/// An account's limits: the moments at which each operation was called.
#[derive(Default)]
struct Account {
    calls: Mutex<HashMap<String, VecDeque<Instant>>>,
    throttled: AtomicUsize,
}

impl Account {
    fn judge(&self, call: &Call) -> Verdict {
        if call.service != "cloudformation" {
            return Verdict::Forward;
        }
        let now = Instant::now();
        let mut calls = self.calls.lock().expect("calls");
        let recent = calls.entry(call.operation.clone()).or_default();
        while recent.front().is_some_and(|then| now - *then > Duration::from_secs(1)) {
            recent.pop_front();
        }
        if recent.len() >= A_SECOND {
            self.throttled.fetch_add(1, Ordering::SeqCst);
            let body = "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>";
            return Verdict::Answer(400, body.to_owned());
        }
        recent.push_back(now);
        Verdict::Forward
    }
}

fn stack(number: usize) -> PlannedStack {
    let topic = json!({ "Type": "AWS::SNS::Topic", "Properties": { "TopicName": format!("topic-{number}") } });
    PlannedStack {
        system: "many".to_owned(),
        stack: format!("stack{number}"),
        name: format!("many-stack{number}-local"),
        region: None,
        action: Action::Create,
        parameters: BTreeMap::new(),
        depends_on: Vec::new(),
        template: json!({ "Resources": { "Topic": topic } }),
    }
}

/// Stage `local` of this repository.
pub(crate) fn local_stage() -> Stage {
    Stage::parse("local", include_str!("../../../stacks/stages/local.yaml"), "local.yaml").expect("a stage")
}

/// Applies a plan of these stacks alone, with the outputs that are known before.
pub(crate) async fn apply_stacks(
    clients: &Clients,
    stacks: Vec<PlannedStack>,
    known: Outputs,
) -> Result<Deployed, DeployError> {
    let plan = Plan { stacks, code: Vec::new(), unreleased: Vec::new() };
    let guard = Guard { preview: &Preview::default(), allowances: &Allowances::default() };
    let (locks, interruption, ui) = (HeldLocks::none(), Interruption::default(), Ui::new());
    let context = DeployContext {
        stage: "local",
        clients,
        locks: &locks,
        protects: false,
        deployment: model::stage::Deployment::Standard,
        on_change: &|_| {},
        interruption: &interruption,
        ui: &ui,
    };
    apply(context, &plan, &Artifacts::default(), &changing(known), guard).await
}

/// Stacks that may have changed since they were observed with these outputs.
pub(crate) fn changing(outputs: Outputs) -> Observed {
    let changing = |(name, outputs)| {
        let status = "UPDATE_IN_PROGRESS".to_owned();
        (name, ObservedStack { status, outputs, ..ObservedStack::default() })
    };
    Observed { stacks: outputs.into_iter().map(changing).collect(), ..Observed::default() }
}

/// Deploys so many at once; how often that was throttled, and what was done.
#[tokio::main]
async fn deploy(cloud: &Cloud, rates: Rates, stacks: usize) -> (usize, Result<BTreeMap<String, Done>, String>) {
    let account = Arc::new(Account::default());
    let judge = Arc::clone(&account);
    let proxy = Proxy::start(&cloud.endpoint(), move |call| judge.judge(call));
    let clients = Clients::at(rates, &local_stage(), Some(cloud.emulator_at(proxy.endpoint()))).await.expect("clients");
    let known = BTreeMap::from([("foundation-artifacts-local".to_owned(), bucket())]);
    let applied = apply_stacks(&clients, (0..stacks).map(stack).collect(), known).await;
    let applied = applied.map_err(|error| format!("{error:?}"));
    (account.throttled.load(Ordering::SeqCst), applied.map(|deployed| deployed.stacks))
}

fn bucket() -> BTreeMap<String, String> {
    BTreeMap::from([(foundation::ARTIFACT_BUCKET_OUTPUT.to_owned(), "artifacts".to_owned())])
}

#[test]
fn fifty_stacks_at_once_are_never_throttled() {
    let cloud = Cloud::new();
    cloud.success(&["local", "up"]);
    let (throttled, done) = deploy(&cloud, Rates::Published, STACKS);
    let done = done.expect("all are deployed");
    assert_eq!(throttled, 0);
    assert_eq!(done.values().filter(|done| **done == Done::Create).count(), STACKS);
}

#[test]
fn without_the_limits_they_would_be() {
    let cloud = Cloud::new();
    cloud.success(&["local", "up"]);
    let (throttled, _) = deploy(&cloud, Rates::Any, 12);
    assert!(throttled > 0, "the account of this test throttles nobody");
}
