//! A simulated machine: its name, its clock, and which of its processes are running.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use super::{Process, ProcessSettings};

/// A wall clock that runs with tokio's clock.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    shown: SystemTime,
    at: Instant,
}

impl Clock {
    /// A clock that shows `time` now.
    #[must_use]
    pub fn starting_at(time: SystemTime) -> Self {
        Self { shown: time, at: Instant::now() }
    }

    /// A clock that is ahead of this one.
    #[must_use]
    pub fn ahead(self, by: Duration) -> Self {
        Self { shown: self.shown + by, ..self }
    }

    /// A clock that is behind this one.
    #[must_use]
    pub fn behind(self, by: Duration) -> Self {
        Self { shown: self.shown - by, ..self }
    }

    /// Returns the time that the clock shows.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.shown + self.at.elapsed()
    }
}

/// A simulated machine. Cheap to clone; clones are the same machine.
#[derive(Debug, Clone)]
pub struct Machine(Arc<State>);

#[derive(Debug)]
struct State {
    name: String,
    clock: Mutex<Clock>,
    processes: Mutex<Processes>,
}

#[derive(Debug, Default)]
struct Processes {
    last: u32,
    running: BTreeSet<u32>,
}

impl Machine {
    /// A machine without processes. Its name distinguishes it from all others, as locks name it.
    #[must_use]
    pub fn new(name: impl Into<String>, clock: Clock) -> Self {
        Self(Arc::new(State { name: name.into(), clock: Mutex::new(clock), processes: Mutex::default() }))
    }

    /// Starts a process, with the next higher number.
    #[must_use]
    pub fn start(&self, settings: ProcessSettings) -> Process {
        let mut processes = locked(&self.0.processes);
        processes.last += 1;
        let id = processes.last;
        processes.running.insert(id);
        Process::new(self.clone(), id, settings)
    }

    /// Sets the clock, for example to one that is [ahead](Clock::ahead).
    pub fn set_clock(&self, clock: Clock) {
        *locked(&self.0.clock) = clock;
    }

    /// Returns the time that the machine's clock shows.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        locked(&self.0.clock).now()
    }

    /// The machine's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns whether a process of this machine is running.
    #[must_use]
    pub fn is_running(&self, process: u32) -> bool {
        locked(&self.0.processes).running.contains(&process)
    }

    pub(super) fn end(&self, process: u32) {
        locked(&self.0.processes).running.remove(&process);
    }
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn clocks_differ_by_their_skew_and_run_alike() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let clock = Clock::starting_at(start);
        let (ahead, behind) = (clock.ahead(Duration::from_secs(60)), clock.behind(Duration::from_secs(60)));
        tokio::time::sleep(Duration::from_secs(5)).await;
        let seconds = |clock: Clock| clock.now().duration_since(SystemTime::UNIX_EPOCH).expect("later").as_secs();
        assert_eq!([clock, ahead, behind].map(seconds), [1_005, 1_065, 945]);
        let machine = Machine::new("runner", clock);
        machine.set_clock(ahead);
        assert_eq!(machine.now(), ahead.now());
    }
}
