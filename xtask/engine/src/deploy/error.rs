//! Errors of deploys, repairs and destroys.

use miette::Diagnostic;
use thiserror::Error;

use super::PATIENCE;
use crate::{aws::AwsError, lock::LockError};

/// A deploy failed.
#[derive(Debug, Error, Diagnostic)]
pub enum DeployError {
    /// A call failed.
    #[error("failed to {verb} {what}")]
    Aws {
        /// What the call was for: `deploy`, `repair` or `delete`.
        verb: &'static str,
        /// The stack, function or file.
        what: String,
        /// The failed call.
        #[source]
        #[diagnostic_source]
        source: AwsError,
    },
    /// There is no artifact bucket.
    #[error("stage {stage} has no artifact bucket: stack foundation-artifacts-{stage} is not deployed")]
    #[diagnostic(help("run `cargo xtask bootstrap --stage {stage}` first"))]
    NoFoundation {
        /// The stage.
        stage: String,
    },
    /// CloudFormation refuses a change set.
    #[error("failed to create a change set for {stack}: {reason}; the stack was not changed")]
    #[diagnostic(help("fix the cause, then run the same command again"))]
    ChangeSet {
        /// The stack.
        stack: String,
        /// CloudFormation's reason.
        reason: String,
    },
    /// A stack failed.
    #[error("failed to deploy {stack}: {cause}{}", also(.others))]
    #[diagnostic(help("{next}"))]
    Stack {
        /// The stack.
        stack: String,
        /// The next step, which depends on its status.
        next: String,
        /// The first failure that does not follow from another.
        cause: String,
        /// The other failures.
        others: Vec<String>,
    },
    /// Another run, or another program, is changing the stack. Before the artifact bucket exists, no lock prevents that.
    #[error("failed to deploy {stack}: another run is changing it: {cause}; this run did not change it")]
    #[diagnostic(help("wait until the other run has ended, then run the same command again"))]
    AnotherRun {
        /// The stack.
        stack: String,
        /// How that was noticed.
        cause: String,
    },
    /// The stack was deleted while this run deployed it.
    #[error("failed to deploy {stack}: another run or a person has deleted it in the meantime")]
    #[diagnostic(help("run the same command again: it creates the stack"))]
    Deleted {
        /// The stack.
        stack: String,
    },
    /// A stack was not repaired.
    #[error("failed to repair {stack}: {cause}")]
    #[diagnostic(help("{next}"))]
    NotRepaired {
        /// The stack.
        stack: String,
        /// The next step, which depends on its status.
        next: String,
        /// The meaning of the status, and CloudFormation's reason for it.
        cause: String,
    },
    /// A stack was not deleted.
    #[error("failed to delete {stack}: {cause}")]
    #[diagnostic(help(
        "fix the cause, then run the same command again; `cargo xtask doctor --stage {stage}` shows how to keep a resource that cannot \
         be deleted"
    ))]
    NotDeleted {
        /// The stage.
        stage: String,
        /// The stack.
        stack: String,
        /// The reason.
        cause: String,
    },
    /// A stack is stuck.
    #[error("stack {stack} is in {status}, which a deploy cannot fix; the stack was not changed")]
    #[diagnostic(help("{next}"))]
    Stuck {
        /// The next step, which depends on the status.
        next: String,
        /// The stack.
        stack: String,
        /// Its status.
        status: String,
    },
    /// Another operation takes too long.
    #[error("{what} is still {status} after {} min; this run no longer waits for it", PATIENCE.as_secs() / 60)]
    #[diagnostic(help("wait until the operation ends, then run the command again"))]
    Busy {
        /// The stack or function.
        what: String,
        /// Its status.
        status: String,
    },
    /// A stack takes an output that the deployed template of another stack lacks.
    #[error(
        "stack {stack} needs output {output} of {owner}, but {owner} is deployed without it; {stack} was not changed"
    )]
    #[diagnostic(help("deploy {owner} first: run `{command}`"))]
    NoOutput {
        /// The stack.
        stack: String,
        /// The stack that should have the output.
        owner: String,
        /// The output.
        output: String,
        /// The command that deploys the other stack.
        command: String,
    },
    /// A stack takes an output that another stack does not have although this run deployed it.
    #[error(
        "stack {stack} needs output {output} of {owner}, which this run deployed without that output; {stack} was not changed"
    )]
    #[diagnostic(help("correct output {output} of {owner}, for example its condition, then deploy again"))]
    OutputNotMade {
        /// The stack.
        stack: String,
        /// The stack that should have the output.
        owner: String,
        /// The output.
        output: String,
    },
    /// A stack takes a value of a stack that is not deployed.
    #[error("stack {stack} needs an output of {owner}, which is not deployed; {stack} was not changed")]
    #[diagnostic(help("deploy {owner} first: run `{command}`"))]
    NoStack {
        /// The stack.
        stack: String,
        /// The stack that is not deployed.
        owner: String,
        /// The command that deploys the other stack.
        command: String,
    },
    /// A change set would lose data, and the plan did not show that.
    #[error("the change set for {stack} would {}, which the plan did not show; it was not executed", losses.join(" and "))]
    #[diagnostic(help(
        "compare with `cargo xtask plan --stage {stage} --online`; to accept the loss, add --allow-replace or --allow-delete with \
         {stack}/<logical ID>"
    ))]
    UnplannedLoss {
        /// The stage.
        stage: String,
        /// The stack.
        stack: String,
        /// The losses.
        losses: Vec<String>,
    },
    /// The run lost the system's lock.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Lock(#[from] LockError),
    /// The updated code is not the built code.
    #[error(
        "failed to update the code of {function}: the hash in Lambda differs from the zip's: the function was updated by another \
         program; no traffic was shifted"
    )]
    #[diagnostic(help("run the same command again when the other program has ended"))]
    OtherCode {
        /// The function.
        function: String,
    },
    /// Lambda failed to prepare a function or a version of it.
    #[error("function {function} cannot be invoked: {reason}; no traffic was shifted")]
    #[diagnostic(help("fix the cause, then run the same command again"))]
    NotReady {
        /// The function.
        function: String,
        /// Lambda's reason.
        reason: String,
    },
    /// A function of a deployed stack does not exist.
    #[error("function {function} does not exist, although its stack is deployed; no traffic was shifted")]
    #[diagnostic(help(
        "run the same command again, in case another run was just changing the stack; CloudFormation does not create a function again \
         that was deleted by hand: deploy the stack without the function, then with it"
    ))]
    NoFunction {
        /// The function.
        function: String,
    },
    /// A published version of a function does not exist.
    #[error("version {version} of function {function} does not exist: it has been deleted; no traffic was shifted")]
    #[diagnostic(help("run the same command again: it publishes the version that it needs"))]
    NoVersion {
        /// The function.
        function: String,
        /// The version's number.
        version: String,
    },
}

fn also(others: &[String]) -> String {
    if others.is_empty() { String::new() } else { format!("; also failed: {}", others.join("; ")) }
}

/// Converts the error of a call for a stack, function or file that is deployed.
pub(crate) fn aws(what: impl Into<String>) -> impl FnOnce(AwsError) -> DeployError {
    failed_to("deploy", what)
}

/// Converts the error of a call for a stack, function or file: `failed to <verb> <what>`.
pub(crate) fn failed_to(verb: &'static str, what: impl Into<String>) -> impl FnOnce(AwsError) -> DeployError {
    let what = what.into();
    move |source| DeployError::Aws { verb, source: source.below(&what), what }
}

/// Converts the error of a call that changes a stack or reads its change set: [`DeployError::AnotherRun`] if that caused it.
pub(super) fn changing(stack: &str) -> impl FnOnce(AwsError) -> DeployError {
    move |error| {
        if is_of_another_run(&error) {
            DeployError::AnotherRun { stack: stack.to_owned(), cause: error.below(stack).to_string() }
        } else {
            aws(stack)(error)
        }
    }
}

/// Returns whether a call was refused because another run has replaced, deleted or executed the change set, or is creating, updating or
/// deleting the stack. CloudFormation has no code of its own for most of that: only the message of a `ValidationError` says it.
fn is_of_another_run(error: &AwsError) -> bool {
    let says = |words: &str| error.message.contains(words);
    match error.code.as_deref().unwrap_or_default() {
        "ChangeSetNotFound"
        | "ChangeSetNotFoundException"
        | "InvalidChangeSetStatus"
        | "InvalidChangeSetStatusException"
        | "OperationInProgressException"
        | "AlreadyExistsException" => true,
        "ValidationError" => {
            says("Stack") && (says("does not exist") || says("already exists") || says("_IN_PROGRESS"))
        }
        _ => false,
    }
}
