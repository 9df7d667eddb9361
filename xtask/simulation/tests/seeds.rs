//! Whole histories: equal seeds have equal logs, and nothing goes wrong where nothing is made to.

use simulation::{
    history::{Actor, Command, Deed, History, Run, Scope, Step},
    run::run,
    shape::{Change, Shape},
    world::Tools,
};

fn act(command: Command) -> Step {
    let run = Run { machine: 0, command, faults: Vec::new(), interrupted: None };
    Step::Act(vec![Actor { after: 0, deed: Deed::Run(run) }])
}

/// A history without faults, in which each command has something to do.
fn calm(seed: u64) -> History {
    let mut chance = simulated_aws::chance::Chance::new(seed);
    let deploy = || act(Command::Deploy { scope: Scope::All, allows: true });
    let steps = vec![
        deploy(),
        Step::Code { function: 0, conduct: simulation::builds::Conduct::Good },
        deploy(),
        act(Command::Status),
        act(Command::Plan),
        act(Command::Rollback(None)),
        deploy(),
        Step::Shape(Change::AddFunction(0)),
        Step::Shape(Change::Memory(0, 512)),
        deploy(),
        act(Command::Doctor { fix: true }),
        act(Command::Prune(1)),
        act(Command::List),
    ];
    History { seed, shape: Shape::random(&mut chance), skews: [0; 3], steps }
}

#[test]
fn a_history_without_faults_has_no_violation() {
    let tools = Tools::new().expect("folders");
    for seed in 0..8 {
        let outcome = run(&calm(seed), &tools);
        assert_eq!(outcome.violations, [], "seed {seed}\n{}", outcome.log);
        assert!(outcome.calls > 100, "seed {seed}");
    }
}

#[test]
fn a_seed_has_the_same_log_in_two_folders_and_after_other_seeds() {
    let first: Vec<_> = (0..6).map(|seed| run(&History::random(seed), &Tools::new().expect("folders")).log).collect();
    let tools = Tools::new().expect("folders");
    for seed in (0..6).rev() {
        let again = run(&History::random(seed), &tools).log;
        let index = usize::try_from(seed).expect("small");
        let differing = first[index].lines().zip(again.lines()).find(|(left, right)| left != right);
        assert!(first[index] == again, "seed {seed}: {differing:?}");
    }
}
