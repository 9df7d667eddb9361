//! Histories: what deployers and a person do to a stage, as plain data that can be printed, shortened and repeated.

use serde::{Deserialize, Serialize};
use simulated_aws::chance::Chance;

use crate::{
    builds::Conduct,
    faults::{PlannedFault, ResourceFault},
    shape::{Change, Shape},
};

/// How many machines deploy.
pub const MACHINES: usize = 3;

/// A history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Decides latencies, interleaving, and the random bytes of each process.
    pub seed: u64,
    /// The project at the start.
    pub shape: Shape,
    /// How many seconds each machine's clock is ahead.
    pub skews: [i16; MACHINES],
    /// The steps, one after another.
    pub steps: Vec<Step>,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// The project's shape is changed in the workspace.
    Shape(Change),
    /// The code of a function is changed in the workspace.
    Code {
        /// The function, counted over all, modulo their number.
        function: u8,
        /// How the new code behaves.
        conduct: Conduct,
    },
    /// Resources fail or take long, from now on.
    Resource(ResourceFault),
    /// Several actors at once. The step ends when all have ended.
    Act(Vec<Actor>),
    /// Time passes, in seconds.
    Wait(u16),
}

/// An actor of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// When it starts, in seconds after the step's start.
    pub after: u16,
    /// What it does.
    pub deed: Deed,
}

/// What an actor does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deed {
    /// Runs a command.
    Run(Run),
    /// Changes the account by hand.
    ByHand(ByHand),
}

/// A run of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The machine.
    pub machine: u8,
    /// The command.
    pub command: Command,
    /// What happens to its calls.
    pub faults: Vec<PlannedFault>,
    /// When its user interrupts it, in seconds after its start.
    pub interrupted: Option<u16>,
}

/// A command. Systems, stacks and secrets are counted over all, modulo their number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// `deploy`.
    Deploy {
        /// What is deployed.
        scope: Scope,
        /// Whether deletions of stateful resources that the project no longer has are allowed by name.
        allows: bool,
    },
    /// `plan --online`.
    Plan,
    /// `status`.
    Status,
    /// `rollback` of all systems or of one.
    Rollback(Option<u8>),
    /// `rollback --system … --to …`: as many releases back.
    RollbackTo(u8, u8),
    /// `release resume`.
    Resume,
    /// `release abort`.
    Abort,
    /// `release list`.
    List,
    /// `prune`, which keeps so many versions.
    Prune(u8),
    /// `destroy`.
    Destroy {
        /// The system; `None` for all.
        system: Option<u8>,
        /// Whether buckets and user pools are deleted.
        data: bool,
    },
    /// `doctor`.
    Doctor {
        /// Whether it repairs.
        fix: bool,
    },
    /// `bootstrap`.
    Bootstrap,
    /// `secret rotate`.
    Rotate(u8),
    /// `lock break`.
    BreakLocks,
}

/// What a deploy selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// The stage.
    All,
    /// A system.
    System(u8),
    /// A stack.
    Stack(u8),
}

/// A change by hand. Targets are counted over all that exist, modulo their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ByHand {
    /// `live` of a function is pointed to another version.
    MoveAlias(u8),
    /// The oldest version of a function that no alias uses is deleted.
    DeleteVersion(u8),
    /// A stack is deleted.
    DeleteStack(u8),
    /// A lock is broken: its document says that it is released.
    BreakLock(u8),
    /// A lock's document is deleted.
    DeleteLock(u8),
    /// The code of a function is updated.
    UpdateCode(u8),
    /// An object of the artifact bucket that is no lock and no release is deleted.
    DeleteObject(u8),
}

impl History {
    /// Draws the history of a seed.
    #[must_use]
    pub fn random(seed: u64) -> Self {
        let chance = &mut Chance::for_purpose(seed, "history");
        let shape = Shape::random(chance);
        let skews = [(); MACHINES].map(|()| if chance.happens(0.5) { skew(chance) } else { 0 });
        let mood = Mood::random(chance);
        let mut steps = Vec::new();
        let mut operations = 0;
        let wanted = chance.number(3..10);
        push_run(&mut steps, Command::Deploy { scope: Scope::All, allows: false }, mood, chance);
        while operations < wanted {
            operations += 1;
            step(&mut steps, mood, chance);
        }
        Self { seed, shape, skews, steps }
    }
}

/// How much goes wrong in a history.
#[derive(Debug, Clone, Copy)]
struct Mood {
    /// The probability that a run has faults.
    faults: f64,
    /// The probability that a step is a change by hand.
    by_hand: f64,
    /// The probability that a deployer is not alone.
    company: f64,
    /// The probability that resources fail.
    resources: f64,
}

impl Mood {
    fn random(chance: &mut Chance) -> Self {
        match chance.number(0..10) {
            0 => Self { faults: 0.0, by_hand: 0.0, company: 0.0, resources: 0.0 },
            1..=3 => Self { faults: 0.8, by_hand: 0.0, company: 0.0, resources: 0.1 },
            4 | 5 => Self { faults: 0.3, by_hand: 0.0, company: 0.6, resources: 0.0 },
            6 => Self { faults: 0.2, by_hand: 0.3, company: 0.2, resources: 0.0 },
            7 => Self { faults: 0.2, by_hand: 0.0, company: 0.1, resources: 0.5 },
            _ => Self { faults: 0.5, by_hand: 0.1, company: 0.3, resources: 0.15 },
        }
    }
}

fn step(steps: &mut Vec<Step>, mood: Mood, chance: &mut Chance) {
    if chance.happens(mood.resources) {
        steps.push(Step::Resource(ResourceFault::random(chance)));
    }
    if chance.happens(mood.by_hand) {
        let deed = Deed::ByHand(ByHand::random(chance));
        steps.push(Step::Act(vec![Actor { after: 0, deed }]));
    }
    match chance.number(0..20) {
        0..=5 => {
            let function = small(chance, 12);
            steps.push(Step::Code { function, conduct: Conduct::random(chance) });
            deploy(steps, mood, chance);
        }
        6..=9 => {
            for _ in 0..=chance.number(0..2) {
                steps.push(Step::Shape(Change::random(chance)));
            }
            deploy(steps, mood, chance);
        }
        10 => steps.push(Step::Wait(u16::try_from(chance.number(1..2000)).unwrap_or_default())),
        _ => {
            let command = Command::random(chance);
            push_run(steps, command, mood, chance);
        }
    }
}

fn deploy(steps: &mut Vec<Step>, mood: Mood, chance: &mut Chance) {
    let scope = match chance.number(0..8) {
        0 => Scope::System(small(chance, 3)),
        1 => Scope::Stack(small(chance, 6)),
        _ => Scope::All,
    };
    let allows = chance.happens(0.7);
    push_run(steps, Command::Deploy { scope, allows }, mood, chance);
}

fn push_run(steps: &mut Vec<Step>, command: Command, mood: Mood, chance: &mut Chance) {
    let mut actors = vec![Actor { after: 0, deed: Deed::Run(Run::random(command, mood, chance)) }];
    while actors.len() < 3 && chance.happens(mood.company) {
        let command = if chance.happens(0.7) {
            Command::Deploy { scope: Scope::All, allows: true }
        } else {
            Command::random(chance)
        };
        let deed = if chance.happens(mood.by_hand) {
            Deed::ByHand(ByHand::random(chance))
        } else {
            Deed::Run(Run::random(command, mood, chance))
        };
        actors.push(Actor { after: u16::try_from(chance.number(0..150)).unwrap_or_default(), deed });
    }
    steps.push(Step::Act(actors));
}

impl Run {
    fn random(command: Command, mood: Mood, chance: &mut Chance) -> Self {
        let count = if chance.happens(mood.faults) { chance.number(1..4) } else { 0 };
        let faults = (0..count).map(|_| PlannedFault::random(chance)).collect();
        let interrupted = chance.happens(mood.faults * 0.1);
        Self {
            machine: small(chance, MACHINES as u64),
            command,
            faults,
            interrupted: interrupted.then(|| u16::try_from(chance.number(1..120)).unwrap_or_default()),
        }
    }
}

impl Command {
    fn random(chance: &mut Chance) -> Self {
        let system = if chance.happens(0.5) { Some(small(chance, 3)) } else { None };
        match chance.number(0..22) {
            0..=3 => Self::Deploy { scope: Scope::All, allows: true },
            4..=6 => Self::Rollback(system),
            7 => Self::RollbackTo(small(chance, 3), small(chance, 4)),
            8 | 9 => Self::Resume,
            10 => Self::Abort,
            11 => Self::List,
            12 | 13 => Self::Prune(small(chance, 4)),
            14 => Self::Destroy { system, data: chance.happens(0.3) },
            15 | 16 => Self::Doctor { fix: true },
            17 => Self::Doctor { fix: false },
            18 => Self::Bootstrap,
            19 => Self::Rotate(small(chance, 6)),
            20 => Self::Plan,
            _ => [Self::Status, Self::BreakLocks][usize::from(small(chance, 2))].clone(),
        }
    }

    /// The name in tables.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Deploy { scope: Scope::All, .. } => "deploy",
            Self::Deploy { scope: Scope::System(_), .. } => "deploy of a system",
            Self::Deploy { scope: Scope::Stack(_), .. } => "deploy of a stack",
            Self::Plan => "plan --online",
            Self::Status => "status",
            Self::Rollback(_) => "rollback",
            Self::RollbackTo(..) => "rollback --to",
            Self::Resume => "release resume",
            Self::Abort => "release abort",
            Self::List => "release list",
            Self::Prune(_) => "prune",
            Self::Destroy { data: false, .. } => "destroy",
            Self::Destroy { data: true, .. } => "destroy --delete-data",
            Self::Doctor { fix: true } => "doctor --fix",
            Self::Doctor { fix: false } => "doctor",
            Self::Bootstrap => "bootstrap",
            Self::Rotate(_) => "secret rotate",
            Self::BreakLocks => "lock break",
        }
    }
}

impl ByHand {
    fn random(chance: &mut Chance) -> Self {
        let target = small(chance, 12);
        match chance.number(0..9) {
            0 | 1 => Self::MoveAlias(target),
            2 => Self::DeleteVersion(target),
            3 => Self::DeleteStack(target),
            4 => Self::BreakLock(target),
            5 => Self::DeleteLock(target),
            6 | 7 => Self::UpdateCode(target),
            _ => Self::DeleteObject(target),
        }
    }

    /// The name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MoveAlias(_) => "alias moved by hand",
            Self::DeleteVersion(_) => "version deleted by hand",
            Self::DeleteStack(_) => "stack deleted by hand",
            Self::BreakLock(_) => "lock broken by hand",
            Self::DeleteLock(_) => "lock deleted by hand",
            Self::UpdateCode(_) => "code updated by hand",
            Self::DeleteObject(_) => "object deleted by hand",
        }
    }
}

impl Conduct {
    fn random(chance: &mut Chance) -> Self {
        match chance.number(0..10) {
            0 | 1 => Self::Broken,
            2 | 3 => Self::Noisy,
            4 => Self::Slow,
            5 => Self::Swapped,
            _ => Self::Good,
        }
    }
}

/// A clock that is wrong by up to five minutes.
fn skew(chance: &mut Chance) -> i16 {
    i16::try_from(chance.number(0..601)).unwrap_or_default() - 300
}

fn small(chance: &mut Chance, below: u64) -> u8 {
    u8::try_from(chance.number(0..below)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_gives_the_same_history_and_a_printed_one_is_read_again() {
        for seed in 0..200 {
            let history = History::random(seed);
            assert_eq!(history, History::random(seed));
            let text = serde_json::to_string(&history).expect("plain data");
            assert_eq!(serde_json::from_str::<History>(&text).expect("a history"), history);
            assert!(history.steps.len() >= 4, "{history:?}");
        }
        assert_ne!(History::random(1).steps, History::random(2).steps);
    }
}
