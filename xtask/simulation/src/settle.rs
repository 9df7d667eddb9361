//! The end of a history: faults stop, and the stage must converge to the state that the workspace describes.
//!
//! The person deletes the retained resources that CloudFormation cannot adopt, as `destroy` says, restores the zips that stacks need, and
//! fixes the code. Then one deploy must succeed, or `doctor --fix` and another deploy. A further deploy must change nothing.

use std::{collections::BTreeSet, time::Duration};

use simulated_aws::account::Account;

use crate::{
    builds::{Code, Conduct},
    by_hand,
    history::{Command, Run, Scope},
    observer::{Invariant, artifact_bucket, expected::Expected, view},
    process::{self, Finished},
    project::{REGION, STAGE},
    world::World,
};

/// After this time, every operation of CloudFormation has ended, and every lock has expired.
const QUIET: Duration = Duration::from_secs(6 * 3600);
/// The steps that the documentation names: a deploy, or a repair and a deploy.
const STEPS: [&[Command]; 2] = [&[DEPLOY], &[Command::Doctor { fix: true }, DEPLOY]];
const DEPLOY: Command = Command::Deploy { scope: Scope::All, allows: true };

/// Lets the stage converge, and reports what does not.
pub async fn settle(world: &World) {
    world.log.line("== settling");
    crate::resource_faults::clear(world);
    tokio::time::sleep(QUIET).await;
    finish_deletions(world).await;
    fix_project(world);
    delete_retained(world);
    restore_artifacts(world);
    let mut last = Finished::Skipped;
    for commands in STEPS {
        for command in commands {
            last = run(world, command.clone()).await.1;
        }
        if last.has_succeeded() {
            break;
        }
    }
    world.log_calls();
    let report = |invariant, what: String| world.observer.report(invariant, world.aws.now(), what);
    if !last.has_succeeded() {
        report(Invariant::Converges, format!("deploy and doctor --fix do not repair the stage: {}", last.why()));
        return;
    }
    let expected = {
        let state = world.state.borrow();
        Expected::of(&world.tools, &state.shape, &state.codes)
    };
    if let Some(difference) = world.aws.read(|account| expected.difference(account)) {
        report(Invariant::Converges, format!("after the last deploy, {difference}"));
    }
    let (name, again) = run(world, DEPLOY).await;
    world.log_calls();
    let changes = world.observer.changes_of(&name);
    if !again.has_succeeded() {
        report(Invariant::Idle, format!("a second deploy fails: {}", again.why()));
    } else if !changes.is_empty() {
        report(Invariant::Idle, format!("a second deploy changes something: {}", changes.join(", ")));
    }
}

async fn run(world: &World, command: Command) -> (String, Finished) {
    process::run(world, &Run { machine: 0, command, faults: Vec::new(), interrupted: None }).await
}

/// Deletes stacks again whose deletion has failed: `doctor` leaves that to a person, who knows whether the stack should go.
async fn finish_deletions(world: &World) {
    let stacks = world.aws.read(view::stacks);
    let failed: Vec<_> = stacks.into_iter().filter(|stack| stack.status == "DELETE_FAILED").collect();
    for stack in &failed {
        world.log.line(format_args!("-- deleted by hand: {}", stack.name));
        world.observer.stack_deleted_by_hand();
        by_hand::call(world, &by_hand::cloudformation("DeleteStack", &stack.region, &stack.name));
    }
    if !failed.is_empty() {
        tokio::time::sleep(QUIET).await;
    }
}

/// Corrects what no deploy could: code that fails its probe, and tables that would be replaced.
fn fix_project(world: &World) {
    let tables = world.aws.read(view::tables);
    let mut state = world.state.borrow_mut();
    state.shape.keep_tables(|system, part| {
        tables.get(&format!("{system}-{}-{STAGE}", part.name())).is_some_and(|key| key != "PK")
    });
    // Metrics decide about a canary, and chance about metrics.
    state.shape.canary = false;
    let mut next = state.next_code;
    for code in state.codes.values_mut().filter(|code| code.conduct != Conduct::Good) {
        *code = Code { number: next, conduct: Conduct::Good };
        next += 1;
    }
    state.next_code = next;
}

/// Restores zips that a person has deleted and that stacks need to roll back. The artifact bucket keeps their versions.
fn restore_artifacts(world: &World) {
    let deleted = world.aws.read(|account| {
        let Some(bucket) = view::bucket(account, artifact_bucket()) else { return Vec::new() };
        let keys = view::parameters(account).into_iter().filter(|key| key.starts_with("artifacts/"));
        let deleted = keys.filter(|key| bucket.current(key).is_none());
        deleted.filter_map(|key| Some((bucket.versions(&key).last()?.id.clone(), key))).collect()
    });
    for (version, key) in deleted {
        world.log.line(format_args!("-- restored by hand: {key}"));
        let mut call = by_hand::s3("DELETE", artifact_bucket(), &key, b"");
        call.query.push(("versionId".to_owned(), version));
        by_hand::call(world, &call);
    }
}

/// Deletes resources that no stack owns any more and that a new stack cannot adopt: those that stacks have retained, and those whose
/// deletion in a rollback failed, which CloudFormation leaves.
fn delete_retained(world: &World) {
    for (region, resource_type, physical_id) in world.aws.read(orphaned) {
        world.log.line(format_args!("-- deleted by hand: {resource_type} {physical_id}"));
        world.aws.change(|account| {
            simulated_aws::resources::delete_by_hand(account, &region, &resource_type, &physical_id);
        });
    }
}

/// The resources that no stack owns, except tables, which a new stack adopts.
pub(crate) fn orphaned(account: &Account) -> Vec<(String, String, String)> {
    let stacks = view::stacks(account);
    let owned: BTreeSet<_> = stacks
        .iter()
        .flat_map(|stack| stack.resources.values())
        .map(|resource| (resource.resource_type.as_str(), resource.physical_id.as_str()))
        .collect();
    let stateful = account.stateful().into_iter().map(|found| (found.region, found.resource_type, found.physical_id));
    let functions = view::functions(account).into_iter();
    let functions = functions.map(|name| (REGION.to_owned(), "AWS::Lambda::Function".to_owned(), name));
    let bags = account.bags.keys().cloned();
    let all = stateful.chain(functions).chain(bags).filter(|(_, resource_type, physical_id)| {
        resource_type != view::TABLE && !owned.contains(&(resource_type.as_str(), physical_id.as_str()))
    });
    // Resources of foundation are for the whole account.
    all.filter(|(.., physical_id)| !physical_id.contains("foundation-")).collect()
}
