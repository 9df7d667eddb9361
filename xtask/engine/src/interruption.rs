//! Ctrl-C, and the signals with which runners and terminals end a run: who listens for them, and which work AWS continues afterwards.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::error::{Exit, Interrupted, Signal};

/// How long an interrupted command may take to release its locks. A lock that is not released in time expires.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);

/// The interruption of one run by its user, or by the program that runs it. Cheap to clone; clones share their state.
#[derive(Debug, Clone)]
pub struct Interruption {
    interrupted: watch::Sender<bool>,
    /// The signals of a simulated run, in place of the operating system's.
    simulated: Option<watch::Sender<Option<Signal>>>,
    continuing: Arc<Mutex<BTreeSet<String>>>,
    unrestored: Arc<Mutex<BTreeSet<String>>>,
}

impl Default for Interruption {
    fn default() -> Self {
        Self {
            interrupted: watch::Sender::new(false),
            simulated: None,
            continuing: Arc::default(),
            unrestored: Arc::default(),
        }
    }
}

impl Interruption {
    /// The interruption of a simulated run, which listens to no signal of the operating system.
    #[must_use]
    pub fn simulated() -> Self {
        Self { simulated: Some(watch::Sender::new(None)), ..Self::default() }
    }

    /// Sends a signal to a simulated run; a second one, like a second Ctrl-C, ends its wait for the release of locks. Real runs receive
    /// theirs from the operating system.
    pub fn interrupt_by(&self, signal: Signal) {
        if let Some(simulated) = &self.simulated {
            simulated.send_replace(Some(signal));
        }
    }

    fn signals(&self) -> Signals {
        let Some(simulated) = &self.simulated else { return Signals::System };
        let mut received = simulated.subscribe();
        // A signal that came before the command interrupts it, too.
        if received.borrow().is_some() {
            received.mark_changed();
        }
        Signals::Simulated(received)
    }

    /// Subscribes to the interruption. While the subscription is kept, an interrupted run waits for its command to end.
    #[must_use]
    pub(crate) fn subscribe(&self) -> Subscription {
        Subscription(self.interrupted.subscribe())
    }

    /// Registers work that AWS continues after an interruption. The user is informed of it, unless the guard was dropped.
    #[must_use]
    pub(crate) fn continuing(&self, work: String) -> Continuing {
        locked(&self.continuing).insert(work.clone());
        Continuing { work, all: Arc::clone(&self.continuing) }
    }

    /// Registers what this run has changed for a while and puts back when it is interrupted. The user is informed of it, unless the guard was
    /// dropped in time.
    #[must_use]
    pub(crate) fn restoring(&self, changed: String) -> Continuing {
        locked(&self.unrestored).insert(changed.clone());
        Continuing { work: changed, all: Arc::clone(&self.unrestored) }
    }

    /// Runs a command until it ends or the run is interrupted.
    ///
    /// # Errors
    ///
    /// The command's own errors, or [`Interrupted`].
    pub(crate) async fn interruptible<T>(&self, command: impl Future<Output = miette::Result<T>>) -> miette::Result<T> {
        // Pinned here, because the registered work must be read before the command is dropped.
        let mut command = std::pin::pin!(command);
        let mut signals = self.signals();
        let _watchdog = self.simulated.is_none().then(Watchdog::start);
        tokio::select! {
            // The handlers of signals are there before the command begins.
            biased;
            signal = signals.next() => {
                let continuing = self.registered();
                if self.interrupt() {
                    // The subscribers put back what they changed and release their locks, unless that takes too long or the user insists.
                    tokio::select! {
                        biased;
                        _ = tokio::time::timeout(RELEASE_TIMEOUT, &mut command) => {}
                        _ = signals.next() => {}
                    }
                }
                // The command is still there, so what it has not put back is registered.
                Err(Interrupted { signal, continuing: self.with_unrestored(continuing) }.into())
            }
            result = &mut command => result,
        }
    }

    /// Notifies all subscribers, and returns whether there are any.
    fn interrupt(&self) -> bool {
        self.interrupted.send_replace(true);
        self.interrupted.receiver_count() > 0
    }

    /// Returns the work that AWS continues if this run stops now.
    pub(crate) fn registered(&self) -> Option<String> {
        joined(&locked(&self.continuing))
    }

    /// Adds what this run has not put back.
    fn with_unrestored(&self, continuing: Option<String>) -> Option<String> {
        joined(&continuing.into_iter().chain(joined(&locked(&self.unrestored))).collect())
    }
}

fn joined(works: &BTreeSet<String>) -> Option<String> {
    (!works.is_empty()).then(|| works.iter().cloned().collect::<Vec<_>>().join("; "))
}

/// Ends the process some time after a signal if its command does not: one that waits for an answer at the terminal cannot be dropped.
struct Watchdog(tokio::task::JoinHandle<()>);

impl Watchdog {
    fn start() -> Self {
        Self(tokio::spawn(async {
            let signal = Signals::System.next().await;
            tokio::time::sleep(2 * RELEASE_TIMEOUT).await;
            std::process::exit(Exit::Interrupted(signal).code().into());
        }))
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The signals that interrupt a run.
#[derive(Debug)]
enum Signals {
    System,
    Simulated(watch::Receiver<Option<Signal>>),
}

impl Signals {
    /// Waits for the next signal.
    async fn next(&mut self) -> Signal {
        let simulated = match self {
            Self::System => return next_of_system().await,
            Self::Simulated(simulated) => simulated,
        };
        if simulated.changed().await.is_ok()
            && let Some(signal) = *simulated.borrow_and_update()
        {
            return signal;
        }
        // Every sender is gone, so no signal can follow.
        std::future::pending().await
    }
}

async fn next_of_system() -> Signal {
    tokio::select! {
        biased;
        () = received(SignalKind::interrupt()) => Signal::Interrupt,
        () = received(SignalKind::terminate()) => Signal::Terminate,
        () = received(SignalKind::hangup()), if listens_for_hang_up() => Signal::HangUp,
    }
}

async fn received(kind: SignalKind) {
    match signal(kind) {
        Ok(mut signals) => drop(signals.recv().await),
        // The signal then ends the process at once, as for any program that does not listen.
        Err(_) => std::future::pending().await,
    }
}

/// Returns whether to listen for the end of the terminal. A process that ignores it, as `nohup` starts it, must continue to.
#[cfg(target_os = "linux")]
fn listens_for_hang_up() -> bool {
    let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
    !ignores_hang_up(&status)
}

/// Returns whether to listen for the end of the terminal. Other systems show the ignored signals to unsafe code only, so the signal keeps
/// its effect there: it ends the process, or `nohup` has it ignored.
#[cfg(not(target_os = "linux"))]
const fn listens_for_hang_up() -> bool {
    false
}

/// Reads the mask of ignored signals in `/proc/<process>/status` (proc(5)): SIGHUP is the first.
#[cfg(any(target_os = "linux", test))]
fn ignores_hang_up(status: &str) -> bool {
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// A subscription to the interruption of a run.
#[derive(Debug)]
pub(crate) struct Subscription(watch::Receiver<bool>);

impl Subscription {
    /// Waits until the user interrupts the run.
    pub(crate) async fn interrupted(&mut self) {
        if self.0.wait_for(|interrupted| *interrupted).await.is_err() {
            // Every sender is gone, so no interruption can follow.
            std::future::pending::<()>().await;
        }
    }
}

/// Work that AWS continues after an interruption, or that is not put back yet; unregistered when dropped.
#[derive(Debug)]
pub(crate) struct Continuing {
    work: String,
    all: Arc<Mutex<BTreeSet<String>>>,
}

impl Drop for Continuing {
    fn drop(&mut self) {
        locked(&self.all).remove(&self.work);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_registered_until_its_guard_is_dropped() {
        let interruption = Interruption::default();
        assert_eq!(interruption.registered(), None);
        let second = interruption.continuing("b".to_owned());
        let first = interruption.continuing("a".to_owned());
        assert_eq!(interruption.registered().as_deref(), Some("a; b"));
        drop(first);
        assert_eq!(interruption.registered().as_deref(), Some("b"));
        drop(second);
        assert_eq!(interruption.registered(), None);
    }

    #[test]
    fn what_was_put_back_in_time_needs_no_notice() {
        let interruption = Interruption::default();
        let restoring = interruption.restoring("functions of notes may still call the recorder".to_owned());
        assert_eq!(interruption.registered(), None, "only an interruption reports it");
        let notice = interruption.with_unrestored(Some("CloudFormation continues".to_owned()));
        let expected = "CloudFormation continues; functions of notes may still call the recorder";
        assert_eq!(notice.as_deref(), Some(expected));
        drop(restoring);
        assert_eq!(interruption.with_unrestored(None), None);
    }

    #[test]
    fn a_process_that_nohup_started_ignores_the_end_of_its_terminal() {
        assert!(ignores_hang_up("Name:\txtask\nSigIgn:\t0000000000001001\nSigCgt:\t0\n"));
        assert!(!ignores_hang_up("Name:\txtask\nSigIgn:\t0000000000001000\nSigCgt:\t1\n"));
        assert!(!ignores_hang_up(""));
    }

    #[tokio::test]
    async fn a_simulated_signal_before_the_command_interrupts_it() {
        let interruption = Interruption::simulated();
        interruption.interrupt_by(Signal::Terminate);
        let command = std::future::pending::<miette::Result<()>>();
        let error = interruption.interruptible(command).await.expect_err("interrupted");
        assert_eq!(Exit::of(&error), Exit::Interrupted(Signal::Terminate));
    }

    #[tokio::test]
    async fn a_subscriber_is_notified_even_if_the_interruption_came_first() {
        let interruption = Interruption::default();
        assert!(!interruption.interrupt(), "there is no subscriber");
        let mut subscription = interruption.subscribe();
        assert!(interruption.interrupt());
        subscription.interrupted().await;
    }
}
