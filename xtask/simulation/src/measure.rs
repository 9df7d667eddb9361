//! Counts the calls of a command, and how many of them wait for each other.
//!
//! Each call takes the same time, and nothing else takes any: so the virtual time of a run, divided by that of a call, is the number of
//! calls on its longest path, its rounds.

use std::{collections::BTreeMap, fmt, time::Duration};

use simulated_aws::{Settings, lambda::LambdaSettings};
use tokio::time::Instant;

use crate::{
    builds::Conduct,
    history::{Command, History, Run, Scope, Step},
    process,
    run::in_virtual_time,
    shape::Shape,
    world::{Tools, World},
};

/// The time of a call.
pub const CALL: Duration = Duration::from_millis(60);

/// The calls of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Measured {
    /// How many calls of each operation were made.
    pub by_operation: BTreeMap<String, u32>,
    /// The virtual time.
    pub took: Duration,
    /// The operations in the order in which they were received, each with its round.
    pub order: Vec<(u32, String)>,
}

impl Measured {
    /// How many calls were made.
    #[must_use]
    pub fn calls(&self) -> u32 {
        self.by_operation.values().sum()
    }

    /// How many of them waited for each other.
    #[must_use]
    pub fn rounds(&self) -> u32 {
        rounds(self.took)
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{} calls in {} rounds", self.calls(), self.rounds())?;
        for (operation, calls) in &self.by_operation {
            writeln!(formatter, "  {calls:>4} {operation}")?;
        }
        self.order.iter().try_for_each(|(round, call)| writeln!(formatter, "  {round:>4} {call}"))
    }
}

fn rounds(time: Duration) -> u32 {
    u32::try_from((time.as_micros() + CALL.as_micros() / 2) / CALL.as_micros()).unwrap_or(u32::MAX)
}

/// A stage in which commands are measured.
#[derive(Debug)]
pub struct Stage {
    world: World,
}

impl Stage {
    /// Measures commands in a stage with this project, which is deployed.
    ///
    /// # Panics
    ///
    /// When the first deploy or a measured command fails.
    pub fn measure<T: Send>(shape: &Shape, work: impl AsyncFnOnce(&Self) -> T + Send) -> T {
        let tools = Tools::new().expect("the temporary folder is writable");
        let history = History { seed: 1, shape: shape.clone(), skews: [0; 3], steps: Vec::new() };
        let measured = in_virtual_time(history.seed, async || {
            let latency = CALL..CALL + Duration::from_nanos(1);
            let mut world = World::with(&history, &tools, Settings { latency, pace: 0.001, ..Settings::default() });
            world.holds_rates = false;
            let none = Duration::ZERO..Duration::from_nanos(1);
            world.aws.change(|account| {
                let settings = &mut account.lambda.settings;
                let (updating, publishing, after_step) = (none.clone(), none.clone(), none);
                *settings = LambdaSettings { updating, publishing, after_step, ..settings.clone() };
            });
            let stage = Self { world };
            stage.run(Command::Deploy { scope: Scope::All, allows: true }).await;
            work(&stage).await
        });
        measured.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Gives functions new code in the workspace.
    pub async fn change_code(&self, functions: impl IntoIterator<Item = u8>) {
        let steps: Vec<_> =
            functions.into_iter().map(|function| Step::Code { function, conduct: Conduct::Good }).collect();
        self.world.play(&steps).await;
    }

    /// Runs a command.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub async fn run(&self, command: Command) -> Measured {
        let _earlier = self.world.aws.take_record();
        let (started, began) = (Instant::now(), self.world.aws.now());
        let run = Run { machine: 0, command, faults: Vec::new(), interrupted: None };
        let (_, finished) = process::run(&self.world, &run).await;
        let took = started.elapsed();
        assert!(finished.has_succeeded(), "{}\n{}", finished.why(), self.world.log.text());
        let record = self.world.aws.take_record();
        let mut measured = Measured { took, ..Measured::default() };
        for call in record {
            let round = rounds(call.at.elapsed().saturating_sub(began.elapsed()));
            *measured.by_operation.entry(call.name.split(' ').next().unwrap_or_default().to_owned()).or_default() += 1;
            measured.order.push((round, call.name));
        }
        measured
    }
}
