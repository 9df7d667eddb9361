//! The command line of a command, for the project as it is in the workspace.

use std::collections::BTreeSet;

use crate::{
    history::{Command, Scope},
    observer::{Running, effect::stack_name},
    project::STAGE,
    shape::{Part, Shape},
};

/// A workspace at one moment, as far as command lines depend on it.
#[derive(Clone, Copy)]
pub struct Workspace<'a> {
    /// The project.
    pub shape: &'a Shape,
    /// All stateful resources that the project ever had, as `stack/logical ID`.
    pub known: &'a BTreeSet<String>,
    /// The number of each system's newest release, as far as the deployer knows.
    pub newest: &'a dyn Fn(&str) -> u64,
}

/// The stateful resources of a shape, as `stack/logical ID`. Functions and APIs have log groups.
pub fn stateful(shape: &Shape) -> impl Iterator<Item = String> + '_ {
    let of_parts = shape.stacks().flat_map(|(system, stack)| {
        let name = stack_name(system.name(), stack.name());
        stack.parts.iter().filter_map(move |part| logical_id(part).map(|id| format!("{name}/{id}")))
    });
    let of_apis = shape.systems.iter().filter(|system| system.api).filter_map(|system| {
        let stack = system.stacks.iter().find(|stack| stack.parts.iter().any(Part::is_function))?;
        Some(format!("{}/ApiAccessLogs", stack_name(system.name(), stack.name())))
    });
    of_parts.chain(of_apis)
}

fn logical_id(part: &Part) -> Option<String> {
    match part.is_function() {
        true => Some(format!("{}LogGroup", part.logical_id())),
        false => part.kind.is_stateful().then(|| part.logical_id()),
    }
}

impl Command {
    /// Returns the arguments; `None` if the project has no target for it.
    #[must_use]
    pub fn arguments(&self, workspace: Workspace<'_>) -> Option<Vec<String>> {
        let shape = workspace.shape;
        let system = |target: u8| shape.systems[usize::from(target) % shape.systems.len()].name();
        let of_system = |target: Option<u8>| {
            target.map(|target| vec!["--system".to_owned(), system(target).to_owned()]).unwrap_or_default()
        };
        let (words, rest): (&[&str], Vec<String>) = match self {
            Self::Deploy { scope, .. } => {
                let mut rest = match scope {
                    Scope::All => Vec::new(),
                    Scope::System(target) => of_system(Some(*target)),
                    Scope::Stack(target) => {
                        let stacks: Vec<_> = shape.stacks().collect();
                        let (system, stack) = stacks[usize::from(*target) % stacks.len()];
                        vec!["--stack".to_owned(), stack_name(system.name(), stack.name())]
                    }
                };
                rest.push("--yes".to_owned());
                for resource in self.may_delete(workspace) {
                    rest.extend(["--allow-delete".to_owned(), resource]);
                }
                (&["deploy"], rest)
            }
            Self::Plan => (&["plan"], vec!["--online".to_owned()]),
            Self::Status => (&["status"], Vec::new()),
            Self::Rollback(target) => (&["rollback"], of_system(*target)),
            Self::RollbackTo(target, back) => {
                let newest = (workspace.newest)(system(*target));
                let to = newest.saturating_sub(u64::from(*back)).max(1);
                let mut rest = of_system(Some(*target));
                rest.extend(["--to".to_owned(), to.to_string()]);
                (&["rollback"], rest)
            }
            Self::Resume => (&["release", "resume"], Vec::new()),
            Self::Abort => (&["release", "abort"], Vec::new()),
            Self::List => (&["release", "list"], Vec::new()),
            Self::Prune(keep) => (&["prune"], vec!["--keep".to_owned(), keep.to_string()]),
            Self::Destroy { system, data } => {
                let mut rest = of_system(*system);
                rest.push("--yes".to_owned());
                rest.extend(data.then(|| "--delete-data".to_owned()));
                (&["destroy"], rest)
            }
            Self::Doctor { fix } => (&["doctor"], fix.then(|| "--fix".to_owned()).into_iter().collect()),
            Self::Bootstrap => (&["bootstrap"], vec!["--yes".to_owned()]),
            Self::Rotate(target) => {
                let secret = secret(shape, *target)?;
                (&["secret", "rotate"], vec!["--secret".to_owned(), secret, "--yes".to_owned()])
            }
            Self::BreakLocks => (&["lock", "break"], Vec::new()),
        };
        let words = words.iter().map(|word| (*word).to_owned());
        Some(words.chain(["--stage".to_owned(), STAGE.to_owned()]).chain(rest).collect())
    }

    /// The stateful resources that the command may delete: those of the project's stacks that the project no longer has.
    fn may_delete(&self, workspace: Workspace<'_>) -> Vec<String> {
        if !matches!(self, Self::Deploy { allows: true, .. }) {
            return Vec::new();
        }
        let present: BTreeSet<_> = stateful(workspace.shape).collect();
        let stacks: BTreeSet<_> =
            workspace.shape.stacks().map(|(system, stack)| stack_name(system.name(), stack.name())).collect();
        let is_gone = |resource: &&String| {
            let stack = resource.split_once('/').map_or("", |(stack, _)| stack);
            stacks.contains(stack) && !present.contains(*resource)
        };
        workspace.known.iter().filter(is_gone).cloned().collect()
    }

    /// What the observer must know of a run of the command.
    #[must_use]
    pub fn running(&self, workspace: Workspace<'_>, has_faults: bool) -> Running {
        let (keep, destroys) = match self {
            Self::Prune(keep) => (Some(usize::from(*keep)), None),
            Self::Destroy { data, .. } => (None, Some(*data)),
            _ => (None, None),
        };
        let may_delete = self.may_delete(workspace);
        Running { has_faults, keep, destroys, may_delete, ..Running::default() }
    }
}

/// The name of a secret in Secrets Manager.
fn secret(shape: &Shape, target: u8) -> Option<String> {
    let secrets = shape.stacks().flat_map(|(system, stack)| {
        let secrets = stack.parts.iter().filter(|part| part.kind == crate::shape::Kind::Secret);
        secrets.map(move |part| format!("{}-{}-{STAGE}/{}", system.name(), part.name(), part.number))
    });
    let secrets: Vec<_> = secrets.collect();
    secrets.get(usize::from(target) % secrets.len().max(1)).cloned()
}
