//! One loop that reads the states of all watched stacks, so that fifty stacks in progress need no more calls than one.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::try_join_all;
use tokio::sync::{Notify, watch};

use crate::{
    aws::{
        AwsError, Clients,
        cloudformation::{Event, StackState},
    },
    poll::Schedule,
};

/// The number of stacks whose events are read in one round: events are only shown, the states decide.
const EVENTS_A_ROUND: usize = 4;
/// The pauses between rounds.
const SCHEDULE: Schedule = Schedule::doubling(Duration::from_millis(100), Duration::from_secs(3));

/// A stack, by region and name.
type Key = (Option<String>, String);

/// A stack as it was last read.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// Its state; `None` if it does not exist.
    pub(super) state: Option<StackState>,
    /// Its latest events, newest first.
    pub(super) events: Vec<Event>,
    /// The error of a failed read.
    pub(super) failed: Option<AwsError>,
}

/// Reads the states of watched stacks. Watches only progress within [`Poller::during`].
#[derive(Debug)]
pub(super) struct Poller<'a> {
    clients: &'a Clients,
    watched: Mutex<BTreeMap<Key, watch::Sender<Seen>>>,
    more: Notify,
}

/// A watched stack.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    poller: &'a Poller<'a>,
    key: Key,
    seen: watch::Receiver<Seen>,
}

impl Watch<'_> {
    /// Waits until the stack is read again.
    pub(super) async fn next(&mut self) -> Result<Seen, AwsError> {
        // The sender lives in the poller until this watch ends.
        let _open = self.seen.changed().await;
        let seen = self.seen.borrow_and_update().clone();
        seen.failed.clone().map_or(Ok(seen), Err)
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.poller.watched().remove(&self.key);
    }
}

impl<'a> Poller<'a> {
    pub(super) fn new(clients: &'a Clients) -> Self {
        Self { clients, watched: Mutex::default(), more: Notify::new() }
    }

    fn watched(&self) -> std::sync::MutexGuard<'_, BTreeMap<Key, watch::Sender<Seen>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts to watch a stack.
    pub(super) fn watch(&'a self, region: Option<&str>, stack: &str) -> Watch<'a> {
        let key = (region.map(str::to_owned), stack.to_owned());
        let (sender, seen) = watch::channel(Seen::default());
        self.watched().insert(key.clone(), sender);
        self.more.notify_one();
        Watch { poller: self, key, seen }
    }

    /// Runs work that waits for stacks, and reads their states meanwhile.
    pub(super) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            done = work => done,
            () = self.run() => unreachable!("the loop never ends"),
        }
    }

    async fn run(&self) {
        let (mut pauses, mut turn) = (SCHEDULE.pauses(), 0);
        loop {
            let regions: BTreeSet<_> = self.watched().keys().map(|(region, _)| region.clone()).collect();
            if regions.is_empty() {
                self.more.notified().await;
                pauses = SCHEDULE.pauses();
                continue;
            }
            for region in regions {
                self.round(region.as_deref(), &mut turn).await;
            }
            let pause = pauses.next().unwrap_or_default();
            tokio::select! {
                biased;
                // A new operation is checked soon.
                () = self.more.notified() => pauses = SCHEDULE.pauses(),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Reads the stacks of a region once and notifies their watches.
    async fn round(&self, region: Option<&str>, turn: &mut usize) {
        let cloudformation = self.clients.cloudformation(region);
        let names: Vec<_> =
            self.watched().keys().filter(|(of, _)| of.as_deref() == region).map(|(_, name)| name.clone()).collect();
        let states = cloudformation.describe_each(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let due: Vec<_> =
            names.iter().cycle().skip(*turn % names.len().max(1)).take(names.len().min(EVENTS_A_ROUND)).collect();
        *turn += due.len();
        let events =
            try_join_all(due.iter().map(async |name| Ok((*name, cloudformation.events(name, |_| true).await?)))).await;
        let (states, events) = match (states, events) {
            (Ok(states), Ok(events)) => (states, events.into_iter().collect::<BTreeMap<_, _>>()),
            (Err(error), _) | (_, Err(error)) => {
                let failed = Seen { failed: Some(error), ..Seen::default() };
                names.iter().for_each(|name| self.notify(region, name, failed.clone()));
                return;
            }
        };
        for name in &names {
            let events = events.get(name).cloned().unwrap_or_default();
            self.notify(region, name, Seen { state: states.get(name).cloned(), events, failed: None });
        }
    }

    fn notify(&self, region: Option<&str>, stack: &str, seen: Seen) {
        // The watch may have ended meanwhile.
        if let Some(sender) = self.watched().get(&(region.map(str::to_owned), stack.to_owned())) {
            sender.send_replace(seen);
        }
    }
}
