//! Deploys of one stack against a scripted CloudFormation.

use std::sync::atomic::{AtomicUsize, Ordering};

use miette::Diagnostic;
use plan::Plan;
use serde_json::json;

use super::*;
use crate::{
    aws::scripted::{Endpoint, Received},
    deploy::poller::Poller,
    interruption::Interruption,
    lock::HeldLocks,
    ui::Ui,
};

const STACK: &str = "notes-api-dev";
const ARN: &str = "arn:aws:cloudformation:us-east-1:000000000000:stack/notes-api-dev/1";
const OPERATIONS: [&str; 7] = [
    "DeleteStack",
    "DescribeStackEvents",
    "DescribeStacks",
    "DeleteChangeSet",
    "CreateChangeSet",
    "DescribeChangeSet",
    "ExecuteChangeSet",
];

fn event(id: &str, status: &str, reason: Option<&str>) -> Event {
    Event {
        id: id.to_owned(),
        logical_id: id.to_owned(),
        resource_type: "AWS::S3::Bucket".to_owned(),
        status: status.to_owned(),
        reason: reason.map(str::to_owned),
    }
}

#[test]
fn only_root_causes_are_listed() {
    let newest_first = [
        event("Stack", "ROLLBACK_IN_PROGRESS", Some("The following resource(s) failed to create: [One, Two].")),
        event("Two", "CREATE_FAILED", Some("Resource creation cancelled")),
        event("One", "CREATE_FAILED", Some("name already exists")),
        event("Zero", "CREATE_COMPLETE", None),
    ];
    assert_eq!(root_causes(&newest_first), ["One (AWS::S3::Bucket): name already exists"]);
}

fn refusal(code: &str, message: &str) -> (u16, String) {
    let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>");
    (400, format!("<ErrorResponse>{error}</ErrorResponse>"))
}

fn success(operation: &str, result: &str) -> (u16, String) {
    (200, format!("<{operation}Response><{operation}Result>{result}</{operation}Result></{operation}Response>"))
}

fn described(execution: &str) -> (u16, String) {
    let result = format!("<Status>CREATE_COMPLETE</Status><ExecutionStatus>{execution}</ExecutionStatus><Changes/>");
    success("DescribeChangeSet", &result)
}

/// A CloudFormation with these answers; it accepts every other call.
async fn cloudformation(answer: impl Fn(&str) -> Option<(u16, String)> + Send + Sync + 'static) -> Endpoint {
    Endpoint::serve(move |request: &Received| {
        let operation = OPERATIONS.into_iter().find(|operation| request.is(operation)).expect("a known call");
        answer(operation).unwrap_or_else(|| match operation {
            "DescribeChangeSet" => described("AVAILABLE"),
            other => success(other, ""),
        })
    })
    .await
}

/// Creates the stack, which does not exist.
async fn created(endpoint: &Endpoint) -> Result<DeployedStack, DeployError> {
    deployed(endpoint, async |deployment, guard| {
        deployment.execute(Change { create: true, parameters: &BTreeMap::new() }, guard).await
    })
    .await
}

async fn deployed(
    endpoint: &Endpoint,
    deploy: impl AsyncFnOnce(&Deployment<'_>, Guard<'_>) -> Result<DeployedStack, DeployError>,
) -> Result<DeployedStack, DeployError> {
    deployed_in(Mode::Standard, planned(), &[], endpoint, deploy).await
}

fn planned() -> PlannedStack {
    PlannedStack {
        system: "notes".to_owned(),
        stack: "api".to_owned(),
        name: STACK.to_owned(),
        region: None,
        action: Action::Create,
        parameters: BTreeMap::new(),
        depends_on: Vec::new(),
        template: json!({ "Resources": {} }),
    }
}

/// Deploys a stack, in a run that also deploys these other stacks.
async fn deployed_in(
    deployment: Mode,
    stack: PlannedStack,
    others: &[PlannedStack],
    endpoint: &Endpoint,
    deploy: impl AsyncFnOnce(&Deployment<'_>, Guard<'_>) -> Result<DeployedStack, DeployError>,
) -> Result<DeployedStack, DeployError> {
    let (clients, locks, interruption, ui) =
        (endpoint.clients().await, HeldLocks::none(), Interruption::default(), Ui::new());
    let context = DeployContext {
        stage: "dev",
        clients: &clients,
        locks: &locks,
        protects: false,
        deployment,
        on_change: &|_| {},
        interruption: &interruption,
        ui: &ui,
    };
    let poller = Poller::new(&clients);
    let plan = Plan { stacks: others.to_vec(), code: Vec::new(), unreleased: Vec::new() };
    let known = BTreeMap::new();
    let rollout = Rollout { context, poller: &poller, known: &known, plan: &plan, bucket: None };
    let (outputs, preview, allowances) = Default::default();
    let deployment = Deployment::new(rollout, &stack, &outputs);
    let guard = Guard { preview: &preview, allowances: &allowances };
    poller.during(deploy(&deployment, guard)).await
}

/// Without a lock, two first deploys replace, delete and execute each other's change sets.
#[tokio::test]
async fn a_stack_that_another_run_is_changing_is_reported_as_such() {
    for (operation, code, message) in [
        ("DeleteChangeSet", "InvalidChangeSetStatus", "Cannot delete ChangeSet in status CREATE_IN_PROGRESS"),
        ("CreateChangeSet", "ValidationError", "Stack [notes-api-dev] already exists and cannot be created again"),
        (
            "CreateChangeSet",
            "ValidationError",
            &format!("Stack:{ARN} is in CREATE_IN_PROGRESS state and can not be updated."),
        ),
        ("DescribeChangeSet", "ChangeSetNotFound", "ChangeSet [c] does not exist"),
        ("DescribeChangeSet", "ValidationError", "Stack [notes-api-dev] does not exist"),
        ("ExecuteChangeSet", "ChangeSetNotFound", "ChangeSet [c] does not exist"),
        ("ExecuteChangeSet", "InvalidChangeSetStatus", "ChangeSet [c] cannot be executed: [OBSOLETE]"),
    ] {
        let refused = refusal(code, message);
        let endpoint = cloudformation(move |called| (called == operation).then(|| refused.clone())).await;
        let error = created(&endpoint).await.expect_err(operation);
        let expected = format!(
            "failed to deploy notes-api-dev: another run is changing it: failed to call cloudformation:{operation}: {message} ({code}); \
             this run did not change it"
        );
        // The message of the refusal may name the stack itself.
        assert_eq!(error.to_string(), expected);
        let hint = error.help().map(|help| help.to_string());
        assert!(hint.is_some_and(|hint| hint.contains("run the same command again")), "{error}");
    }
}

#[tokio::test]
async fn an_obsolete_change_set_is_reported_as_another_runs_work() {
    let endpoint = cloudformation(|called| (called == "DescribeChangeSet").then(|| described("OBSOLETE"))).await;
    let error = created(&endpoint).await.expect_err("obsolete");
    assert!(matches!(error, DeployError::AnotherRun { .. }), "{error}");
    assert_eq!(endpoint.count("ExecuteChangeSet"), 0);
}

#[tokio::test]
async fn a_refused_template_is_no_other_run() {
    let refused = || refusal("ValidationError", "Template error: unresolved resource dependencies");
    let endpoint = cloudformation(move |called| (called == "CreateChangeSet").then(refused)).await;
    let error = created(&endpoint).await.expect_err("refused");
    assert!(matches!(error, DeployError::Aws { .. }), "{error}");
}

#[tokio::test]
async fn a_change_set_and_a_stack_that_reads_do_not_show_yet_are_waited_for() {
    let (looks, executed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let endpoint = cloudformation(move |called| match called {
        "DescribeChangeSet" if looks.fetch_add(1, Ordering::SeqCst) < 2 => {
            Some(refusal("ValidationError", "Stack [notes-api-dev] does not exist"))
        }
        "ExecuteChangeSet" => {
            executed.fetch_add(1, Ordering::SeqCst);
            None
        }
        "DescribeStacks" => Some(match executed.fetch_add(1, Ordering::SeqCst) {
            1 => success(called, &stack("CREATE_IN_PROGRESS")),
            // A stale read is no deletion.
            2 => refusal("ValidationError", "Stack with id notes-api-dev does not exist"),
            _ => success(called, &stack("CREATE_COMPLETE")),
        }),
        _ => None,
    })
    .await;
    let deployed = created(&endpoint).await.expect("created");
    assert_eq!(deployed.action, Done::Create);
    assert_eq!(endpoint.count("DescribeChangeSet"), 3);
}

fn stack(status: &str) -> String {
    let id = format!("<StackName>{STACK}</StackName><StackId>{ARN}</StackId>");
    let stack = format!("{id}<StackStatus>{status}</StackStatus>");
    format!("<Stacks><member>{stack}</member></Stacks>")
}

#[tokio::test]
async fn a_stack_that_is_deleted_while_it_is_created_is_reported_as_such() {
    let looks = AtomicUsize::new(0);
    let endpoint = cloudformation(move |called| {
        let is_first = called == "DescribeStacks" && looks.fetch_add(1, Ordering::SeqCst) == 0;
        match called {
            "DescribeStacks" if is_first => Some(success(called, &stack("CREATE_IN_PROGRESS"))),
            "DescribeStacks" => Some(refusal("ValidationError", "Stack with id notes-api-dev does not exist")),
            _ => None,
        }
    })
    .await;
    let error = created(&endpoint).await.expect_err("deleted");
    let expected = "failed to deploy notes-api-dev: another run or a person has deleted it in the meantime";
    assert_eq!(error.to_string(), expected);
}

/// The status may be that of an earlier stack of the same name, so the stack is deleted by its ID.
#[tokio::test]
async fn a_stack_that_was_never_created_is_deleted_by_its_id() {
    let deleted = AtomicUsize::new(0);
    let endpoint = cloudformation(move |called| match called {
        "DeleteStack" => {
            deleted.store(1, Ordering::SeqCst);
            None
        }
        "DescribeStacks" if deleted.load(Ordering::SeqCst) == 0 => Some(success(called, &stack("ROLLBACK_COMPLETE"))),
        "DescribeStacks" => Some(refusal("ValidationError", "Stack with id notes-api-dev does not exist")),
        "CreateChangeSet" => Some(refusal("AccessDenied", "enough")),
        _ => None,
    })
    .await;
    let error =
        deployed(&endpoint, async |deployment, guard| deployment.deploy(guard).await).await.expect_err("denied");
    assert!(matches!(error, DeployError::Aws { .. }), "{error}");
    let deletions = endpoint.received().into_iter().filter(|request| request.is("DeleteStack"));
    let ids: Vec<_> = deletions.map(|request| request.body.replace("%3A", ":").replace("%2F", "/")).collect();
    assert!(ids.len() == 1 && ids[0].contains(ARN), "{ids:?}");
}

/// A read may show the empty stack although it was created since; deleting it would delete its resources.
#[tokio::test]
async fn an_empty_stack_is_created_without_being_deleted() {
    let endpoint = cloudformation(|called| match called {
        "DescribeStacks" => Some(success(called, &stack("REVIEW_IN_PROGRESS"))),
        "CreateChangeSet" => {
            Some(refusal("ValidationError", "Stack [notes-api-dev] already exists and cannot be created again"))
        }
        _ => None,
    })
    .await;
    let error =
        deployed(&endpoint, async |deployment, guard| deployment.deploy(guard).await).await.expect_err("exists");
    assert!(matches!(error, DeployError::AnotherRun { .. }), "{error}");
    assert_eq!(endpoint.count("DeleteStack"), 0);
    let created = endpoint.received().into_iter().find(|request| request.is("CreateChangeSet"));
    assert!(created.is_some_and(|request| request.body.contains("ChangeSetType=CREATE")));
}

/// The form of a request: each parameter, decoded.
fn form(request: &Received) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(request.body.as_bytes()).into_owned().collect()
}

/// Creates a stack until its change set is refused; returns the request for the change set.
async fn requested(deployment: Mode, stack: PlannedStack, others: &[PlannedStack]) -> BTreeMap<String, String> {
    let endpoint =
        cloudformation(|called| (called == "CreateChangeSet").then(|| refusal("AccessDenied", "enough"))).await;
    let creation = async |deployment: &Deployment<'_>, guard: Guard<'_>| {
        deployment.execute(Change { create: true, parameters: &BTreeMap::new() }, guard).await
    };
    deployed_in(deployment, stack, others, &endpoint, creation).await.expect_err("denied");
    let received = endpoint.received();
    form(received.iter().find(|request| request.is("CreateChangeSet")).expect("a change set"))
}

#[tokio::test]
async fn the_request_for_a_change_set_names_the_mode_and_keeps_rollback_enabled() {
    for (deployment, mode) in [(Mode::Express, "EXPRESS"), (Mode::Standard, "STANDARD")] {
        let request = requested(deployment, planned(), &[]).await;
        let pairs = request.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let config: Vec<_> = pairs.filter(|(key, _)| key.contains("Deployment")).collect();
        let expected = [("DeploymentConfig.DisableRollback", "false"), ("DeploymentConfig.Mode", mode)];
        assert_eq!(config, expected);
        assert!(!request.contains_key("DisableRollback") && !request.contains_key("OnStackFailure"), "{request:?}");
    }
}

#[tokio::test]
async fn a_stack_that_the_run_needs_is_deployed_in_standard_mode() {
    let mode = async |stack: PlannedStack, others: &[PlannedStack]| {
        requested(Mode::Express, stack, others).await.remove("DeploymentConfig.Mode")
    };
    let taker = |action| PlannedStack {
        stack: "web".to_owned(),
        name: "notes-web-dev".to_owned(),
        action,
        depends_on: vec![STACK.to_owned()],
        ..planned()
    };
    assert_eq!(mode(planned(), &[taker(Action::Create)]).await.as_deref(), Some("STANDARD"));
    assert_eq!(
        mode(planned(), &[taker(Action::Update(vec!["template".to_owned()]))]).await.as_deref(),
        Some("STANDARD")
    );
    assert_eq!(mode(planned(), &[taker(Action::None)]).await.as_deref(), Some("EXPRESS"));
    let foundation = PlannedStack { system: foundation::SYSTEM.to_owned(), ..planned() };
    assert_eq!(mode(foundation, &[]).await.as_deref(), Some("STANDARD"));
}

/// The mode is part of the change set: an execution has no such parameter.
#[tokio::test]
async fn a_change_set_is_executed_without_a_mode_and_without_disabling_rollback() {
    let executed = AtomicUsize::new(0);
    let endpoint = cloudformation(move |called| match called {
        "ExecuteChangeSet" => {
            executed.store(1, Ordering::SeqCst);
            None
        }
        "DescribeStackEvents" if executed.load(Ordering::SeqCst) == 1 => {
            let event = "<EventId>1</EventId><LogicalResourceId>notes-api-dev</LogicalResourceId>\
                         <ResourceType>AWS::CloudFormation::Stack</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus>";
            Some(success(called, &format!("<StackEvents><member>{event}</member></StackEvents>")))
        }
        "DescribeStacks" if executed.load(Ordering::SeqCst) == 1 => Some(success(called, &stack("CREATE_COMPLETE"))),
        _ => None,
    })
    .await;
    let creation = async |deployment: &Deployment<'_>, guard: Guard<'_>| {
        deployment.execute(Change { create: true, parameters: &BTreeMap::new() }, guard).await
    };
    let deployed = deployed_in(Mode::Express, planned(), &[], &endpoint, creation).await.expect("created");
    assert_eq!(deployed.action, Done::Create);
    let received = endpoint.received();
    let execution = form(received.iter().find(|request| request.is("ExecuteChangeSet")).expect("an execution"));
    assert!(!execution.keys().any(|key| key.contains("Deployment") || key.contains("Rollback")), "{execution:?}");
}

/// Another tool may disable rollback. Then CloudFormation refuses this run's updates, and replacements in any case.
#[tokio::test]
async fn a_failed_express_update_without_rollback_is_refused_before_anything_is_changed() {
    let config = "<DeploymentConfig><Mode>EXPRESS</Mode><DisableRollback>true</DisableRollback></DeploymentConfig>";
    let failed = stack("UPDATE_FAILED").replace("<StackStatus>", &format!("{config}<StackStatus>"));
    let endpoint = cloudformation(move |called| (called == "DescribeStacks").then(|| success(called, &failed))).await;
    let update = async |deployment: &Deployment<'_>, guard: Guard<'_>| deployment.deploy(guard).await;
    let error = deployed_in(Mode::Express, planned(), &[], &endpoint, update).await.expect_err("stuck");
    assert!(matches!(&error, DeployError::Stuck { status, .. } if status == "UPDATE_FAILED"), "{error}");
    let hint = error.help().map(|help| help.to_string()).unwrap_or_default();
    assert!(hint.starts_with("run `cargo xtask doctor --stage dev`, which prints the command"), "{hint}");
    assert_eq!(endpoint.received().len(), endpoint.count("DescribeStacks"), "nothing else was called");
}

/// The resources of the new stack have the names of the deleted ones.
#[tokio::test]
async fn a_stack_that_an_express_creation_left_is_deleted_in_standard_mode_before_it_is_created_again() {
    for status in ["CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"] {
        let deleted = AtomicUsize::new(0);
        let endpoint = cloudformation(move |called| match called {
            "DeleteStack" => {
                deleted.store(1, Ordering::SeqCst);
                None
            }
            "DescribeStacks" if deleted.load(Ordering::SeqCst) == 0 => {
                let config = "<DeploymentConfig><Mode>EXPRESS</Mode></DeploymentConfig><StackStatus>";
                Some(success(called, &stack(status).replace("<StackStatus>", config)))
            }
            "DescribeStacks" => Some(refusal("ValidationError", "Stack with id notes-api-dev does not exist")),
            "CreateChangeSet" => Some(refusal("AccessDenied", "enough")),
            _ => None,
        })
        .await;
        let deploy = async |deployment: &Deployment<'_>, guard: Guard<'_>| deployment.deploy(guard).await;
        deployed_in(Mode::Express, planned(), &[], &endpoint, deploy).await.expect_err("denied");
        let received = endpoint.received();
        let deletion = form(received.iter().find(|request| request.is("DeleteStack")).expect(status));
        assert!(!deletion.keys().any(|key| key.starts_with("DeploymentConfig")), "{status}: {deletion:?}");
        let created = form(received.iter().find(|request| request.is("CreateChangeSet")).expect(status));
        assert_eq!(created["DeploymentConfig.Mode"], "EXPRESS", "{status}");
    }
}
