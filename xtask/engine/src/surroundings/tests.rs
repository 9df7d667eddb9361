//! Deploys in simulated surroundings. The runtimes have no I/O driver, so a connection or a signal handler would panic.

mod aws;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use camino::Utf8PathBuf;
use model::{project::Project, rendered::RenderedSystem, stage::Stage, template::RenderError};
use plan::artifacts::Artifacts;
use tempfile::TempDir;
use tokio::time::Instant;

use self::aws::Aws;
use super::{Builds, Clock, Keys, Machine, Printer, Process, ProcessSettings, Simulated, Stream, Surroundings};
use crate::{
    Application, Ended,
    error::{Exit, Signal},
    http::Request,
    interruption::Interruption,
    run_in,
    workspace::Workspace,
};

const DEPLOY: &[&str] = &["deploy", "--stage", "dev", "--yes"];
const LOCK: &str = "locks/foundation.json";

/// A project whose stages have foundation alone.
#[derive(Debug, Clone, Copy)]
struct Empty;

impl Project for Empty {
    fn render(&self, _: &Stage) -> Result<Vec<RenderedSystem>, RenderError> {
        Ok(Vec::new())
    }
}

/// No system has a function.
#[derive(Debug)]
struct NoBuilds;

impl Builds for NoBuilds {
    fn artifacts(&self, _: &Stage, systems: &[RenderedSystem]) -> Artifacts {
        assert!(systems.iter().flat_map(|system| &system.stacks).all(|stack| stack.functions.is_empty()));
        Artifacts::default()
    }
}

#[derive(Debug, Clone, Default)]
struct Printed(Arc<Mutex<Vec<String>>>);

impl Printer for Printed {
    fn print(&self, stream: Stream, text: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{stream:?}: {text}"));
    }
}

impl Printed {
    fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }
}

/// An account, a machine, and the workspace of [`Empty`].
struct World {
    aws: Aws,
    machine: Machine,
    printed: Printed,
    folder: TempDir,
}

impl World {
    fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let stages = folder.path().join("stacks/stages");
        fs_err::create_dir_all(&stages).expect("a folder");
        let stage = "account: '111122223333'\nregion: eu-central-1\nsystems: {}\n";
        fs_err::write(stages.join("dev.yaml"), stage).expect("written");
        fastrand::seed(seed);
        let clock = Clock::starting_at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let (aws, machine) = (Aws::new(clock), Machine::new("runner", clock));
        Self { aws, machine, printed: Printed::default(), folder }
    }

    fn start(&self, seed: u64) -> Process {
        self.machine.start(ProcessSettings {
            seed,
            network: SharedHttpConnector::new(self.aws.clone()),
            holds_rates: true,
            keys: Keys { access_key: "AKIDEXAMPLE".to_owned(), secret: "secret".to_owned(), session: None },
            variables: BTreeMap::new(),
        })
    }

    /// Runs a command line in a new process.
    async fn run(&self, seed: u64, interruption: &Interruption, arguments: &[&str]) -> Ended {
        let surroundings = Surroundings::from(Simulated {
            process: self.start(seed),
            builds: Arc::new(NoBuilds),
            commit: Some("abc1234".to_owned()),
            validates_templates: false,
            printer: Arc::new(self.printed.clone()),
            interruption: interruption.clone(),
        });
        let root = Utf8PathBuf::from_path_buf(self.folder.path().to_owned()).expect("UTF-8");
        let workspace = Workspace::with_target(root.clone(), root.join("target"));
        run_in(Application::new(Empty), workspace, &surroundings, arguments).await
    }

    async fn deploy(&self, seed: u64) -> Ended {
        self.run(seed, &Interruption::simulated(), DEPLOY).await
    }

    /// Waits until the lock was written so often.
    async fn lock_writes(&self, writes: u32) {
        while self.aws.object(LOCK).0 < writes {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Runs work in virtual time, with the stack of a program's main thread.
fn simulate<T: Send>(work: impl AsyncFnOnce() -> T + Send) -> T {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(work())
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(8 << 20).spawn_scoped(scope, run).expect("a thread");
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// A deploy of an empty account: its requests and its text.
fn deployed(seed: u64) -> (Vec<String>, String) {
    simulate(async || {
        let world = World::new(seed);
        // Retries draw from the seed too, and a run before must not have used up their quotas.
        world.aws.throttle_every(9);
        let ended = world.deploy(seed).await;
        assert_eq!(ended.exit, Exit::Success, "{ended:?}\n{}", world.printed.text());
        (world.aws.requests(), world.printed.text())
    })
}

#[test]
fn one_seed_sends_the_same_requests_byte_for_byte() {
    let (requests, text) = deployed(1);
    assert_eq!((&requests, &text), (&deployed(1).0, &deployed(1).1));
    let signed = requests.iter().filter(|request| request.contains("Signature="));
    assert_eq!(signed.count(), requests.len());
    let execution = requests.iter().find(|request| request.contains("Action=ExecuteChangeSet")).expect("executed");
    assert!(execution.contains("ClientRequestToken=") && execution.contains("amz-sdk-invocation-id: "), "{execution}");
    let retries = requests.iter().filter(|request| request.contains("amz-sdk-request: attempt=2"));
    assert!(retries.count() > 5);
    assert_ne!(deployed(2).0, requests, "the seed decides tokens, invocation IDs and pauses");
}

#[test]
fn a_minute_of_waiting_takes_no_minute() {
    let real = std::time::Instant::now();
    let (ended, virtual_time) = simulate(async || {
        let (world, started) = (World::new(1), Instant::now());
        (world.deploy(1).await, started.elapsed())
    });
    let changed = ["foundation-artifacts-dev", "foundation-api-gateway-dev"];
    assert_eq!(ended.report["changedStacks"], serde_json::json!(changed), "{ended:?}");
    assert!(virtual_time > aws::CREATION, "{virtual_time:?}");
    assert!(real.elapsed() < virtual_time / 4, "{:?}", real.elapsed());
}

#[test]
fn a_killed_process_sends_nothing_more_and_its_lock_is_taken_over() {
    simulate(async || {
        let world = World::new(1);
        world.deploy(1).await;
        world.aws.change_templates();
        // So slow that the lock is renewed before the deploy ends.
        world.aws.set_latency(Duration::from_secs(8));
        let interruption = Interruption::simulated();
        tokio::select! {
            biased;
            ended = world.run(2, &interruption, DEPLOY) => panic!("the lock was never renewed: {ended:?}"),
            () = world.lock_writes(2) => {}
        }
        assert!(!world.machine.is_running(2));
        let sent = world.aws.requests().len();
        tokio::time::sleep(Duration::from_secs(45)).await;
        assert_eq!((world.aws.requests().len(), world.aws.object(LOCK).0), (sent, 2), "a task survived its process");
        world.aws.set_latency(Duration::from_millis(20));
        let ended = world.deploy(3).await;
        assert_eq!(ended.exit, Exit::Success, "{ended:?}");
        assert!(world.printed.text().contains("process 2, for "), "{}", world.printed.text());
        assert!(world.printed.text().contains("its process is gone"), "{}", world.printed.text());
    });
}

#[test]
fn an_interrupted_run_releases_its_lock() {
    simulate(async || {
        let world = World::new(1);
        world.deploy(1).await;
        world.aws.change_templates();
        let interruption = Interruption::simulated();
        let interrupt = async {
            world.lock_writes(1).await;
            interruption.interrupt_by(Signal::Interrupt);
        };
        let (ended, ()) = tokio::join!(world.run(2, &interruption, DEPLOY), interrupt);
        assert_eq!(ended.exit.code(), 130, "{ended:?}");
        assert_eq!(ended.failure, ["interrupted"]);
        assert!(ended.hint.expect("a hint").contains("run the same command again"));
        assert!(world.aws.object(LOCK).1.contains("\"released\": true"));
    });
}

#[test]
fn requests_to_deployed_apis_use_the_network_of_the_process() {
    simulate(async || {
        let (world, url) = (World::new(1), "https://abc.execute-api.eu-central-1.amazonaws.com/dev/health");
        let response = world.start(1).run(Request::get(url).send()).await.expect("a response");
        assert_eq!(response.status, 400);
        let requests = world.aws.requests();
        assert!(requests[0].starts_with(&format!("GET {url}\nuser-agent: xtask/")), "{requests:?}");
    });
}

#[test]
fn a_wrong_command_line_is_returned() {
    simulate(async || {
        let world = World::new(1);
        let run = async |arguments| world.run(1, &Interruption::simulated(), arguments).await;
        let ended = run(&["deploy", "--stages", "dev"]).await;
        assert_eq!(ended.exit, Exit::Usage);
        assert!(ended.failure[0].contains("--stages"), "{ended:?}");
        assert_eq!(run(&["deploy", "--help"]).await.exit, Exit::Success);
        assert_eq!(world.aws.requests(), Vec::<String>::new());
    });
}
