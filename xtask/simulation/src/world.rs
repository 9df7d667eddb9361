//! The world of a history: the account, the machines, the workspace, and its steps.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use engine::surroundings::{Clock, Machine};
use futures_util::future::join_all;
use simulated_aws::{
    Aws, Settings,
    chance::hash,
    cloudwatch::{self, Traffic},
    time::START,
};

use crate::{
    alone,
    builds::{Code, Codes, Conduct},
    by_hand, commands,
    faults::FaultPlan,
    history::{Actor, ByHand, Deed, History, MACHINES, Step},
    log::Log,
    observer::{Observer, artifact_bucket, view},
    process,
    project::{ACCOUNT, Projects, REGION, STAGE, function_name},
    shape::Shape,
    workspace::Folders,
};

/// How many requests a minute a function may get.
const REQUESTS: [f64; 4] = [0.0, 4.0, 120.0, 1000.0];

/// How long resources take, compared with AWS. Runs read the states of stacks every few seconds: slow stacks make long histories.
const PACES: [f64; 5] = [1.0, 0.3, 0.1, 0.03, 0.03];

/// What histories share: rendered projects and folders.
#[derive(Debug, Clone)]
pub struct Tools {
    /// The projects by shape.
    pub projects: Projects,
    /// The folders.
    pub folders: Folders,
}

impl Tools {
    /// Makes the tools of a worker.
    ///
    /// # Errors
    ///
    /// When the folders cannot be made.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { projects: Projects::default(), folders: Folders::new()? })
    }
}

/// The world of a history.
#[derive(Debug)]
pub struct World {
    /// The seed.
    pub seed: u64,
    /// The account.
    pub aws: Aws,
    /// The machines that deploy.
    pub machines: Vec<Machine>,
    /// The faults of running processes.
    pub plan: FaultPlan,
    /// The observer.
    pub observer: Observer,
    /// The log.
    pub log: Log,
    /// What histories share.
    pub tools: Tools,
    /// Whether processes hold their calls below the rates that AWS publishes.
    pub holds_rates: bool,
    /// What changes.
    pub state: RefCell<State>,
}

/// What changes in a world besides the account.
#[derive(Debug, Clone)]
pub struct State {
    /// The project in the workspace.
    pub shape: Shape,
    /// The code of its functions.
    pub codes: Codes,
    /// The number of the next code.
    pub next_code: u16,
    /// All stateful resources that the project ever had.
    pub known: BTreeSet<String>,
    /// Whether a person has changed the account, locks excepted.
    pub is_changed_by_hand: bool,
    /// How many processes each machine has started.
    pub started: Vec<u32>,
    /// How often each kind of operation ran.
    pub workloads: BTreeMap<&'static str, u64>,
    /// The calls of all runs.
    pub calls: u64,
}

impl World {
    /// A world with an empty account. Needs a paused runtime.
    #[must_use]
    pub fn new(history: &History, tools: &Tools) -> Self {
        let pace = PACES[usize::try_from(hash(history.seed, b"pace") % PACES.len() as u64).unwrap_or_default()];
        Self::with(history, tools, Settings { keeps_snapshots: true, pace, ..Settings::default() })
    }

    /// A world whose account has these settings.
    pub(crate) fn with(history: &History, tools: &Tools, settings: Settings) -> Self {
        let aws = Aws::new(Settings {
            account: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
            seed: history.seed,
            ..settings
        });
        let (plan, observer) = (FaultPlan::default(), Observer::default());
        aws.set_faults(plan.clone());
        observer.watch(&aws);
        let clock = Clock::starting_at(SystemTime::UNIX_EPOCH + Duration::from_secs(START));
        let machines = history.skews.iter().enumerate().map(|(number, skew)| {
            let by = Duration::from_secs(u64::from(skew.unsigned_abs()));
            let clock = if *skew < 0 { clock.behind(by) } else { clock.ahead(by) };
            Machine::new(format!("machine{number}"), clock)
        });
        let state = State {
            shape: history.shape.clone(),
            codes: Codes::new(),
            next_code: 1,
            known: commands::stateful(&history.shape).collect(),
            is_changed_by_hand: false,
            started: vec![0; MACHINES],
            workloads: BTreeMap::new(),
            calls: 0,
        };
        let world = Self {
            seed: history.seed,
            machines: machines.collect(),
            aws,
            plan,
            observer,
            log: Log::default(),
            tools: tools.clone(),
            holds_rates: true,
            state: RefCell::new(state),
        };
        world.log.line(format_args!("== clocks are ahead by {:?} s", history.skews));
        world.receive_requests();
        world
    }

    /// Gives each function its clients. Their number is decided by the seed and the function's name.
    fn receive_requests(&self) {
        let functions: Vec<_> = {
            let state = self.state.borrow();
            let functions = state.shape.functions().map(|(system, part)| function_name(system, part.number));
            functions.map(|name| format!("{}-{}-{STAGE}", name.system, name.function)).collect()
        };
        self.aws.change(|account| {
            for function in functions {
                let index = hash(self.seed, function.as_bytes()) % REQUESTS.len() as u64;
                let per_minute = REQUESTS[usize::try_from(index).unwrap_or_default()];
                let traffic = Traffic { alias: "live".to_owned(), per_minute, throttled: 0.0 };
                cloudwatch::set_traffic(account, REGION, &function, traffic);
            }
        });
    }

    /// Plays the steps of a history.
    pub async fn play(&self, steps: &[Step]) {
        for (number, step) in steps.iter().enumerate() {
            self.log.line(format_args!("== step {number}: {}", serde_json::to_string(step).unwrap_or_default()));
            self.step(step).await;
            self.log_calls();
        }
    }

    /// Moves the record of calls to the log.
    pub fn log_calls(&self) {
        let calls = self.aws.take_record();
        self.state.borrow_mut().calls += u64::try_from(calls.len()).unwrap_or_default();
        calls.iter().for_each(|call| self.log.line(call));
    }

    async fn step(&self, step: &Step) {
        match step {
            Step::Shape(change) => {
                let mut state = self.state.borrow_mut();
                state.shape.apply(change);
                let known: Vec<_> = commands::stateful(&state.shape).collect();
                state.known.extend(known);
                drop(state);
                self.receive_requests();
            }
            Step::Code { function, conduct } => self.change_code(*function, *conduct),
            Step::Resource(fault) => by_hand::fail_resource(self, *fault),
            Step::Wait(seconds) => tokio::time::sleep(Duration::from_secs(u64::from(*seconds))).await,
            Step::Act(actors) => {
                if let [Actor { after, deed: Deed::Run(run) }] = actors.as_slice() {
                    tokio::time::sleep(Duration::from_secs(u64::from(*after))).await;
                    alone::run(self, run).await;
                    return;
                }
                join_all(actors.iter().map(|actor| self.act(actor))).await;
            }
        }
    }

    async fn act(&self, actor: &Actor) {
        tokio::time::sleep(Duration::from_secs(u64::from(actor.after))).await;
        match &actor.deed {
            Deed::Run(run) => {
                process::run(self, run).await;
            }
            Deed::ByHand(deed) => {
                self.count(deed.name());
                let is_of_lock = matches!(deed, ByHand::BreakLock(_) | ByHand::DeleteLock(_));
                self.state.borrow_mut().is_changed_by_hand |= !is_of_lock;
                by_hand::carry_out(self, *deed);
            }
        }
    }

    /// Counts an operation.
    pub fn count(&self, workload: &'static str) {
        *self.state.borrow_mut().workloads.entry(workload).or_default() += 1;
    }

    fn change_code(&self, function: u8, conduct: Conduct) {
        let mut state = self.state.borrow_mut();
        let functions: Vec<_> =
            state.shape.functions().map(|(system, part)| function_name(system, part.number).binary()).collect();
        let Some(binary) = functions.get(usize::from(function) % functions.len().max(1)) else { return };
        let code = Code { number: state.next_code, conduct };
        state.next_code += 1;
        state.codes.insert(binary.clone(), code);
    }

    /// The number of the newest release of a system.
    #[must_use]
    pub fn newest_release(&self, system: &str) -> u64 {
        let prefix = format!("releases/{system}/");
        self.aws.read(|account| {
            let keys = view::bucket(account, artifact_bucket()).map(|bucket| {
                let keys = bucket.keys(&prefix).take_while(|(key, _)| key.starts_with(&prefix));
                keys.count()
            });
            u64::try_from(keys.unwrap_or_default()).unwrap_or_default()
        })
    }
}
