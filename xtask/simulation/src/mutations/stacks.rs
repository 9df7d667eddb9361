//! Breakages of deploys: the states of stacks, losses of data, the order of stacks.

use super::Mutation;

/// The breakages.
pub(super) const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "first-status-is-final",
        breaks: "An operation counts as ended as soon as the stack was seen in progress.",
        file: "deploy/operation.rs",
        find: "            self.was_in_progress = true;
            return false;
",
        replace: "            self.was_in_progress = true;
",
    },
    Mutation {
        name: "accepts-earlier-status",
        breaks: "A final status counts although it may be that of the operation before.",
        file: "deploy/operation.rs",
        find: "state.status != EMPTY && (self.was_in_progress || ended)",
        replace: "state.status != EMPTY",
    },
    Mutation {
        name: "accepts-earlier-events",
        breaks: "An event of an earlier operation counts as the end of this one.",
        file: "deploy/operation.rs",
        find: ".any(|event| !self.earlier.contains(&event.id))",
        replace: ".any(|_| true)",
    },
    Mutation {
        name: "rollback-counts-as-success",
        breaks: "A stack whose update was rolled back counts as deployed.",
        file: "deploy/stack.rs",
        find: "matches!(status, \"CREATE_COMPLETE\" | \"UPDATE_COMPLETE\" | \"IMPORT_COMPLETE\")",
        replace: "status.ends_with(\"_COMPLETE\")",
    },
    Mutation {
        name: "deletes-stuck-stacks",
        breaks: "A stack whose rollback failed is deleted and created again.",
        file: "deploy/health.rs",
        find: "        Repair::Delete => Health::NeverCreated,
        Repair::Wait | Repair::WaitOrCancel => Health::InProgress,
        Repair::ContinueRollback | Repair::RollBack",
        replace: "        Repair::Delete | Repair::ContinueRollback => Health::NeverCreated,
        Repair::Wait | Repair::WaitOrCancel => Health::InProgress,
        Repair::RollBack",
    },
    Mutation {
        name: "executes-refused-losses",
        breaks: "A plan that replaces or deletes a stateful resource is executed unasked.",
        file: "commands/deploy/apply.rs",
        find: "    Refused::check(&prepared.preview)?;
",
        replace: "",
    },
    Mutation {
        name: "executes-unplanned-losses",
        breaks: "A change set that loses data which the plan does not mention is executed.",
        file: "deploy/mod.rs",
        find: "Err(DeployError::UnplannedLoss { stage: stage.to_owned(), stack: stack.to_owned(), losses })",
        replace: "ui.warn(format_args!(\"{stack} of {stage}: {}\", losses.join(\", \")));
        Ok(())",
    },
    Mutation {
        name: "deploys-before-dependencies",
        breaks: "A stack is deployed with the earlier outputs of stacks that are still being deployed.",
        file: "deploy/rollout.rs",
        find: "!planned.contains(needed) && deployed.outputs.contains_key(needed)",
        replace: "deployed.outputs.contains_key(needed)",
    },
    Mutation {
        name: "forgets-executed-change-sets",
        breaks: "The execution of a change set whose response was lost is repeated blindly, and its refusal ends the deploy.",
        file: "aws/cloudformation/change_sets.rs",
        find: "        let sent = request.client_request_token(format!(\"{name}-{}\", hex::encode(once))).send().await;
        match sent.map_err(failed(\"cloudformation:ExecuteChangeSet\", Resource::stack(stack))) {
            Err(error)
                if matches!(
                    error.code.as_deref(),
                    Some(\"InvalidChangeSetStatus\" | \"InvalidChangeSetStatusException\")
                ) =>
            {
                if self.is_change_set_executed(stack, name).await? {",
        replace: "        let sent = request.send().await;
        match sent.map_err(failed(\"cloudformation:ExecuteChangeSet\", Resource::stack(stack))) {
            Err(error)
                if matches!(
                    error.code.as_deref(),
                    Some(\"InvalidChangeSetStatus\" | \"InvalidChangeSetStatusException\")
                ) =>
            {
                if false {",
    },
    Mutation {
        name: "polls-without-backoff",
        breaks: "Stacks are read ten times a second for as long as their operations take.",
        file: "deploy/poller.rs",
        find: "Schedule::doubling(Duration::from_millis(100), Duration::from_secs(3))",
        replace: "Schedule::every(Duration::from_millis(100))",
    },
    Mutation {
        name: "destroys-without-waiting",
        breaks: "`destroy` does not wait until a stack is deleted.",
        file: "deploy/destroy/mod.rs",
        find: "    match operation.deleting_id(id).wait_alone(region, name, context.clients).await {",
        replace: "    drop(operation);
    let unawaited: Result<Option<crate::aws::cloudformation::StackState>, DeployError> = Ok(None);
    match unawaited {",
    },
];
