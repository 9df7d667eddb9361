//! The process that runs the engine: a simulated one from the task-local variable, or the real one.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
    time::SystemTime,
};

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use tokio::task::{AbortHandle, JoinHandle};

use super::{
    machine::{Machine, locked},
    real,
};

tokio::task_local! {
    static PROCESS: Process;
}

/// The settings of a simulated process.
#[derive(Clone)]
pub struct ProcessSettings {
    /// The seed of the process's random bytes. Processes of one simulation have different ones.
    pub seed: u64,
    /// Answers all requests: those to AWS, behind the engine's rate limits, and those to deployed APIs and GitHub.
    pub network: SharedHttpConnector,
    /// Whether calls are held below the rates that AWS publishes, as those of a real process are.
    pub holds_rates: bool,
    /// The keys that requests to AWS are signed with.
    pub keys: Keys,
    /// All environment variables of the process.
    pub variables: BTreeMap<String, String>,
}

/// Keys for AWS.
#[derive(Clone)]
pub struct Keys {
    /// The ID of the access key.
    pub access_key: String,
    /// The secret access key.
    pub secret: String,
    /// The session token of temporary keys.
    pub session: Option<String>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_struct("Keys").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// A simulated process. Cheap to clone; clones are the same process.
#[derive(Clone)]
pub struct Process(Arc<State>);

struct State {
    machine: Machine,
    id: u32,
    random: Mutex<fastrand::Rng>,
    settings: ProcessSettings,
    /// The tasks that it has spawned; `None` after its end.
    tasks: Mutex<Option<Vec<AbortHandle>>>,
}

impl fmt::Debug for Process {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_struct("Process").field("machine", &self.machine().name()).field("id", &self.id()).finish()
    }
}

impl Process {
    pub(super) fn new(machine: Machine, id: u32, settings: ProcessSettings) -> Self {
        let random = Mutex::new(fastrand::Rng::with_seed(settings.seed));
        Self(Arc::new(State { machine, id, random, settings, tasks: Mutex::new(Some(Vec::new())) }))
    }

    /// The machine that runs it.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        &self.0.machine
    }

    /// Its number on its machine.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.id
    }

    /// Returns the time that its machine's clock shows.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.0.machine.now()
    }

    /// Ends the process: aborts all tasks that it has spawned. [`crate::run_in`] does this when its command ends, and when its future is
    /// dropped, which is how a process is killed.
    pub fn end(&self) {
        self.0.machine.end(self.0.id);
        let tasks = locked(&self.0.tasks).take();
        tasks.into_iter().flatten().for_each(|task| task.abort());
    }

    /// Runs work in this process, and ends the process with it.
    pub(crate) async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let _ending = Ending(self);
        PROCESS.scope(self.clone(), work).await
    }

    pub(crate) fn network(&self) -> &SharedHttpConnector {
        &self.0.settings.network
    }

    pub(crate) fn holds_rates(&self) -> bool {
        self.0.settings.holds_rates
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.0.settings.keys
    }

    /// Spawns a task of this process. After its end, the task is aborted before it begins.
    fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let task = tokio::spawn(PROCESS.scope(self.clone(), future));
        match &mut *locked(&self.0.tasks) {
            Some(tasks) => {
                tasks.retain(|task| !task.is_finished());
                tasks.push(task.abort_handle());
            }
            None => task.abort(),
        }
        task
    }
}

/// Ends a process when its command has ended or was dropped.
struct Ending<'a>(&'a Process);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The simulated process that runs this task; `None` in the real world.
pub(crate) fn current() -> Option<Process> {
    PROCESS.try_with(Clone::clone).ok()
}

/// Returns whether this task runs in a simulated process.
pub(crate) fn is_simulated() -> bool {
    PROCESS.try_with(|_| ()).is_ok()
}

/// The network of the simulated process; `None` in the real world.
pub(crate) fn network() -> Option<SharedHttpConnector> {
    PROCESS.try_with(|process| process.network().clone()).ok()
}

/// Returns the time.
pub(crate) fn now() -> SystemTime {
    PROCESS.try_with(Process::now).unwrap_or_else(|_| real::now())
}

/// Fills a buffer with random bytes.
///
/// # Errors
///
/// When the operating system has none.
pub(crate) fn fill_random(bytes: &mut [u8]) -> Result<(), getrandom::Error> {
    match current() {
        Some(process) => {
            locked(&process.0.random).fill(bytes);
            Ok(())
        }
        None => getrandom::fill(bytes),
    }
}

/// Returns the machine's name and what distinguishes a container or a CI runner from others on it.
pub(crate) fn host() -> String {
    PROCESS.try_with(|process| process.machine().name().to_owned()).unwrap_or_else(|_| real::host())
}

/// Returns the number of this process on its machine.
pub(crate) fn process_id() -> u32 {
    PROCESS.try_with(Process::id).unwrap_or_else(|_| std::process::id())
}

/// Returns whether a process of this machine is running.
pub(crate) fn is_alive(process: u32) -> bool {
    PROCESS.try_with(|own| own.machine().is_running(process)).unwrap_or_else(|_| real::is_alive(process))
}

/// Returns an environment variable that is set and not empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    let value = match current() {
        Some(process) => process.0.settings.variables.get(name).cloned(),
        None => std::env::var(name).ok(),
    };
    value.filter(|value| !value.is_empty())
}

/// Spawns a task of this process, which ends with it.
pub(crate) fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match current() {
        Some(process) => process.spawn(future),
        None => tokio::spawn(future),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_contains_no_secret() {
        let (secret, session) = ("hidden-key".to_owned(), Some("hidden-token".to_owned()));
        let keys = Keys { access_key: "AKIDEXAMPLE".to_owned(), secret, session };
        assert_eq!(format!("{keys:?}"), r#"Keys { access_key: "AKIDEXAMPLE", .. }"#);
    }
}
