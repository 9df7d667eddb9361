//! One run of a command, in a process of its own.

use std::{sync::Arc, time::Duration};

use engine::{
    Application, Ended,
    error::{Exit, Signal},
    interruption::Interruption,
    run_in,
    surroundings::{Keys, ProcessSettings, Simulated, Surroundings},
};
use simulated_aws::chance::hash;

use crate::{
    builds::Built,
    commands::Workspace,
    history::{Command, Run},
    log::Output,
    observer::{Invariant, Running, secrecy::SECRET_KEY},
    project::STAGE,
    world::World,
};

/// How long a run may take, in virtual time: longer than the engine waits for a stack.
const LIMIT: Duration = Duration::from_secs(8 * 3600);
/// How many calls a run may send.
const BUDGET: u16 = 6000;
/// The calls that are about no resource: whose credentials these are, and the lists of all resources of a kind.
const OF_ACCOUNT: [&str; 5] = [
    "sts:GetCallerIdentity",
    "cloudformation:DescribeStacks for all stacks",
    "cloudformation:ListStacks",
    "cognito-idp:ListUserPools",
    "iam:ListOpenIDConnectProviders",
];

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Finished {
    /// The command has ended.
    Ended(Box<Ended>),
    /// A fault has killed its process.
    Killed,
    /// It was ended because it took too long.
    Endless,
    /// The project has no target for the command.
    Skipped,
}

impl Finished {
    /// Whether the command succeeded.
    #[must_use]
    pub fn has_succeeded(&self) -> bool {
        matches!(self, Self::Ended(ended) if ended.exit == Exit::Success)
    }

    /// Why it failed, in a line.
    #[must_use]
    pub fn why(&self) -> String {
        match self {
            Self::Ended(ended) if ended.failure.is_empty() => format!("exit {}", ended.exit.code()),
            Self::Ended(ended) => {
                let hint = ended.hint.as_deref().map(|hint| format!(" (hint: {hint})")).unwrap_or_default();
                format!("{}{hint}", ended.failure.join(": "))
            }
            other => format!("{other:?}").to_lowercase(),
        }
    }
}

/// Runs a command; returns its process's name and its end.
pub async fn run(world: &World, run: &Run) -> (String, Finished) {
    let Some(started) = Started::new(world, run) else { return (String::new(), Finished::Skipped) };
    world.count(run.command.name());
    let Started { name, application, workspace, surroundings, interruption, arguments } = started;
    world.log.line(format_args!("-- {name} runs {}", arguments.join(" ")));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let finished = {
        let work = run_in(application, workspace, &surroundings, &arguments);
        let interrupts = async {
            if let Some(after) = run.interrupted {
                tokio::time::sleep(Duration::from_secs(u64::from(after))).await;
                interruption.interrupt_by(Signal::Interrupt);
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            () = world.aws.killed(&name) => Finished::Killed,
            () = interrupts => Finished::Killed,
            ended = work => Finished::Ended(Box::new(ended)),
            () = tokio::time::sleep(LIMIT) => Finished::Endless,
        }
    };
    world.observer.ends(&name);
    world.log.line(format_args!("-- {name} ended after {} calls: {}", world.plan.calls(&name), finished.why()));
    check(world, &name, &run.command, &finished);
    (name, finished)
}

struct Started {
    name: String,
    application: Application,
    workspace: engine::workspace::Workspace,
    surroundings: Surroundings,
    interruption: Interruption,
    arguments: Vec<String>,
}

impl Started {
    fn new(world: &World, run: &Run) -> Option<Self> {
        let mut state = world.state.borrow_mut();
        let newest = |system: &str| world.newest_release(system);
        let workspace = Workspace { shape: &state.shape, known: &state.known, newest: &newest };
        let arguments = run.command.arguments(workspace)?;
        let running = Running {
            is_canary: state.shape.canary && matches!(run.command, Command::Deploy { .. } | Command::Resume),
            breaks_locks: run.command == Command::BreakLocks,
            systems: run.command.destroyed(&state.shape),
            ..run.command.running(workspace, !run.faults.is_empty())
        };
        let number = usize::from(run.machine) % world.machines.len();
        let machine = &world.machines[number];
        state.started[number] += 1;
        let name = format!("{}/{}", machine.name(), state.started[number]);
        world.observer.starts(&name, running);
        world.plan.plan(&name, &run.faults);
        let process = machine.start(ProcessSettings {
            seed: hash(world.seed, name.as_bytes()),
            network: world.aws.connector(&name),
            holds_rates: world.holds_rates,
            keys: Keys { access_key: "AKIDSIMULATED".to_owned(), secret: SECRET_KEY.to_owned(), session: None },
            variables: std::collections::BTreeMap::new(),
        });
        let folders = &world.tools.folders;
        let interruption = Interruption::simulated();
        let surroundings = Surroundings::from(Simulated {
            process,
            builds: Arc::new(Built { zips: folders.zips.clone(), codes: state.codes.clone() }),
            commit: Some("0123456789abcdef0123456789abcdef01234567".to_owned()),
            validates_templates: false,
            printer: Arc::new(Output { log: world.log.clone(), aws: world.aws.clone(), process: name.clone() }),
            interruption: interruption.clone(),
        });
        let workspace = folders.workspace(&state.shape).expect("the temporary folder is writable");
        let application = Application::new(world.tools.projects.of(&state.shape));
        Some(Self { name, application, workspace, surroundings, interruption, arguments })
    }
}

/// Checks the end of a run.
fn check(world: &World, name: &str, command: &Command, finished: &Finished) {
    let report = |invariant, what: String| world.observer.report(invariant, world.aws.now(), what);
    if *finished == Finished::Endless {
        report(
            Invariant::Ends,
            format!("`{}` ({name}) has not ended after {} h", command.name(), LIMIT.as_secs() / 3600),
        );
    }
    let calls = world.plan.calls(name);
    if calls > BUDGET {
        report(Invariant::Ends, format!("`{}` ({name}) sent {calls} calls", command.name()));
    }
    let Finished::Ended(ended) = finished else { return };
    if ended.exit == Exit::Usage {
        report(Invariant::Errors, format!("`{}` is no command line: {}", command.name(), ended.failure.join(": ")));
    }
    if ended.failure.is_empty() {
        let may_fail_silently = matches!(command, Command::Doctor { .. });
        if ended.exit != Exit::Success && !may_fail_silently {
            report(Invariant::Errors, format!("`{}` fails without an error", command.name()));
        }
        return;
    }
    let text = ended.failure.join(": ");
    let is_interruption = matches!(ended.exit, Exit::Interrupted(_));
    if ended.hint.is_none() {
        report(Invariant::Errors, format!("the error of `{}` has no next step: {text}", command.name()));
    }
    let is_of_account = OF_ACCOUNT.iter().any(|call| text.contains(call));
    if !is_interruption && !is_of_account && !names_resource(world, ended) {
        report(Invariant::Errors, format!("the error of `{}` names no resource: {text}", command.name()));
    }
}

/// Whether an error or its next step names something that a person can look at: a stack, a function, a resource, a stage.
fn names_resource(world: &World, ended: &Ended) -> bool {
    let text = format!("{} {}", ended.failure.join(": "), ended.hint.as_deref().unwrap_or_default());
    let state = world.state.borrow();
    let resources = state.known.iter().filter_map(|resource| resource.rsplit_once('/')).map(|(_, id)| id);
    let mut names = resources.chain(crate::shape::SYSTEMS).chain([STAGE, "foundation"]);
    names.any(|name| text.contains(name))
}
