//! Acquiring, renewing and releasing locks.

use std::{sync::Arc, time::Duration};

use futures_util::future::select_all;
use tokio::{
    sync::{Mutex, watch},
    task::JoinHandle,
    time::Instant,
};

use super::{EXPIRY, LockError, LockRecord, LockState, LockStates, key, machine::current_state, watch::Watch};
use crate::{
    aws::{AwsError, Resource, error::ErrorKind},
    store::{Document, Store, Tag, unix_seconds, writer_token},
    surroundings,
    ui::Ui,
};

/// How often a lock is renewed: one renewal may fail.
const RENEWAL: Duration = Duration::from_secs(30);
/// How long a renewal may take.
const RENEWAL_LIMIT: Duration = Duration::from_secs(10);

/// The run that acquires locks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Requester<'a> {
    pub(crate) stage: &'a str,
    /// The caller's identity in AWS.
    pub(crate) identity: &'a str,
    /// The command that the run executes.
    pub(crate) command: &'a str,
}

/// The locks that this run holds, one for each system. They are renewed until they are released.
#[derive(Debug)]
pub struct HeldLocks<S: Store + 'static>(Vec<Held<S>>);

#[derive(Debug)]
struct Held<S: Store + 'static> {
    lock: Arc<Lock<S>>,
    /// The state of the document before this run acquired the lock.
    before: Option<Tag>,
    renewal: JoinHandle<()>,
}

/// One lock, shared with the task that renews it.
#[derive(Debug)]
struct Lock<S> {
    stage: String,
    system: String,
    store: Arc<S>,
    /// The token in the document as long as this run holds the lock.
    token: String,
    lease: Mutex<Lease>,
    /// How the lock was lost, once that is known.
    loss: watch::Sender<Option<String>>,
}

/// The document as this run last wrote it.
#[derive(Debug, Clone)]
struct Lease {
    record: LockRecord,
    tag: Tag,
}

impl<S: Store + 'static> HeldLocks<S> {
    /// Returns no locks: for a stage without an artifact bucket, and for commands that change nothing.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// Returns whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Acquires the lock of every system; if one is taken, releases the others.
    pub(crate) async fn acquire(
        store: &Arc<S>,
        systems: &[&str],
        requester: Requester<'_>,
        ui: &Ui,
    ) -> Result<Self, LockError> {
        // All runs acquire in one order, so two of them never wait for each other.
        let mut systems = systems.to_vec();
        systems.sort_unstable();
        let mut held = Self::none();
        for system in systems {
            match acquire(store, system, requester, ui).await {
                Ok(lock) => held.0.push(lock),
                Err(error) => {
                    held.release(ui).await;
                    return Err(error);
                }
            }
        }
        Ok(held)
    }

    /// Returns whether no other run has held one of these locks between a time with these states and their acquisition by this run.
    pub(crate) fn are_next_after(&self, states: &LockStates) -> bool {
        self.0.iter().all(|held| held.before.as_ref() == states.of(&held.lock.system))
    }

    /// Reads the lock of a system right before a change and fails if this run no longer holds it. Passes for a system that
    /// this run never locked.
    ///
    /// A lock can be broken between two renewals, and its next owner does not wait for this run to notice.
    pub(crate) async fn ensure_held(&self, system: &str) -> Result<(), LockError> {
        match self.0.iter().find(|held| held.lock.system == system) {
            Some(held) => held.lock.ensure_held().await,
            None => Ok(()),
        }
    }

    /// Waits until one of the locks is lost.
    pub(crate) async fn lost(&self) -> LockError {
        if self.0.is_empty() {
            return std::future::pending().await;
        }
        select_all(self.0.iter().map(|held| Box::pin(held.lock.lost()))).await.0
    }

    /// Releases the locks. One that cannot be released expires.
    pub(crate) async fn release(self, ui: &Ui) {
        for held in self.0 {
            held.renewal.abort();
            if let Err(error) = held.lock.release().await
                // A destroyed stage has no bucket any more, and so no locks.
                && error.kind != ErrorKind::NotFound
            {
                ui.warn(format_args!("failed to release the lock of {}, which expires: {error}", held.lock.system));
            }
        }
    }
}

/// Acquires one lock.
async fn acquire<S: Store + 'static>(
    store: &Arc<S>,
    system: &str,
    requester: Requester<'_>,
    ui: &Ui,
) -> Result<Held<S>, LockError> {
    let failed = |source| LockError::Aws { system: system.to_owned(), source };
    let key = key(system);
    let mut watch = Watch::default();
    loop {
        let record = new_record(requester);
        let text = text(&record);
        let (before, tag) = match store.read(&key).await.map_err(failed)? {
            None => (None, store.create(&key, &text).await.map_err(failed)?),
            Some(document) => {
                // A document that is not a lock has no owner.
                if let Some(found) = FoundLock::of(&document) {
                    let silence = document.age.or_else(|| watch.silence(&document));
                    match check_available(&found.record, silence, (system, requester.stage), ui) {
                        // S3 does not say how old the document is: only a renewal proves that its owner is at work.
                        Err(LockError::Taken { .. }) if document.age.is_none() && !watch.has_seen_renewal() => {
                            watch.wait(system, ui).await;
                            continue;
                        }
                        checked => checked?,
                    }
                }
                let tag = store.replace(&key, &text, &document.tag).await.map_err(failed)?;
                (Some(document.tag), tag)
            }
        };
        // Without a tag, another run was faster: read the document again.
        if let Some(tag) = tag {
            let held = hold(store, (requester.stage, system), Lease { record, tag }, RENEWAL);
            return Ok(Held { before, ..held });
        }
    }
}

/// A lock's document as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundLock {
    pub(crate) record: LockRecord,
    /// The time since the last renewal, by S3's clock; `None` if S3 does not say.
    silence: Option<Duration>,
}

impl FoundLock {
    fn of(document: &Document) -> Option<Self> {
        Some(Self { record: serde_json::from_str(&document.text).ok()?, silence: document.age })
    }

    /// Describes the owner and the age of the lock.
    pub(crate) fn owner(&self) -> String {
        self.record.owner(self.silence.unwrap_or_default())
    }

    /// Returns the present state of the lock.
    pub(crate) fn state(&self) -> LockState {
        current_state(&self.record, self.silence)
    }
}

/// Fails if another run holds the lock; warns if the lock is stale.
fn check_available(
    current: &LockRecord,
    silence: Option<Duration>,
    (system, stage): (&str, &str),
    ui: &Ui,
) -> Result<(), LockError> {
    let owner = current.owner(silence.unwrap_or_default());
    match current_state(current, silence) {
        LockState::Free => Ok(()),
        LockState::Stale(evidence) => {
            ui.warn(format_args!("taking over the lock of {system} from {owner}: {evidence}"));
            Ok(())
        }
        LockState::Held => Err(LockError::Taken { stage: stage.to_owned(), system: system.to_owned(), owner }),
    }
}

/// Starts renewing a lock.
fn hold<S: Store + 'static>(store: &Arc<S>, (stage, system): (&str, &str), lease: Lease, pause: Duration) -> Held<S> {
    let lock = Arc::new(Lock {
        stage: stage.to_owned(),
        system: system.to_owned(),
        store: Arc::clone(store),
        token: lease.record.token.clone(),
        lease: Mutex::new(lease),
        loss: watch::Sender::new(None),
    });
    let renewed = Arc::clone(&lock);
    let renewal = surroundings::spawn(async move { renewed.renew(pause).await });
    Held { lock, before: None, renewal }
}

impl<S: Store> Lock<S> {
    /// Renews the lock until it is lost.
    async fn renew(&self, pause: Duration) {
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep(pause).await;
            let mut lease = self.lease.lock().await;
            let Lease { record, tag } = &mut *lease;
            // Higher than before even if the clock goes back: a renewal must change the document.
            record.renewed = unix_seconds().max(record.renewed + 1);
            let sent = Instant::now();
            let (key, text) = (key(&self.system), text(record));
            let write = self.store.replace(&key, &text, tag);
            let written = tokio::time::timeout(RENEWAL_LIMIT, write).await;
            match written
                .unwrap_or_else(|_| Err(AwsError::late("s3:PutObject", Resource::document(&key), RENEWAL_LIMIT)))
            {
                Ok(Some(next)) => {
                    *tag = next;
                    renewed = sent;
                }
                // An earlier renewal was written although its response was lost.
                Ok(None) if self.adopt_own_write(tag).await => {}
                Ok(None) => {
                    let cause = loss(read(&*self.store, &self.system).await.ok().flatten());
                    self.loss.send_replace(Some(cause));
                    return;
                }
                // The next renewal may still succeed before the lock expires and others may acquire it.
                Err(error) if renewed.elapsed() + pause + RENEWAL_LIMIT < EXPIRY => {
                    tracing::debug!(%error, "failed to renew a lock");
                }
                Err(error) => {
                    self.loss.send_replace(Some(format!("its renewal failed ({error}), so it expires")));
                    return;
                }
            }
        }
    }

    /// Takes over the tag of the document if this run wrote it; returns whether it did.
    async fn adopt_own_write(&self, tag: &mut Tag) -> bool {
        let Ok(Some(document)) = self.store.read(&key(&self.system)).await else { return false };
        let is_own = serde_json::from_str(&document.text).is_ok_and(|record| self.is_own(&record));
        if is_own {
            *tag = document.tag;
        }
        is_own
    }

    fn is_own(&self, record: &LockRecord) -> bool {
        record.token == self.token && !record.released
    }

    /// See [`HeldLocks::ensure_held`]. A loss is also reported to [`HeldLocks::lost`], which stops the work on other systems.
    async fn ensure_held(&self) -> Result<(), LockError> {
        let found = read(&*self.store, &self.system).await;
        let failed = |source| LockError::Check { system: self.system.clone(), source };
        match found.map_err(failed)? {
            Some(found) if self.is_own(&found.record) => Ok(()),
            found => {
                let cause = loss(found);
                self.loss.send_replace(Some(cause.clone()));
                Err(self.loss_error(cause))
            }
        }
    }

    async fn lost(&self) -> LockError {
        let mut loss = self.loss.subscribe();
        // The sender lives as long as this lock, so the wait ends with a cause.
        let cause = loss.wait_for(Option::is_some).await.ok().and_then(|cause| cause.clone());
        self.loss_error(cause.unwrap_or_default())
    }

    fn loss_error(&self, cause: String) -> LockError {
        LockError::Lost { stage: self.stage.clone(), system: self.system.clone(), cause, continuing: None }
    }

    async fn release(&self) -> Result<(), AwsError> {
        let Lease { mut record, mut tag } = self.lease.lock().await.clone();
        record.released = true;
        let key = key(&self.system);
        while self.store.replace(&key, &text(&record), &tag).await?.is_none() {
            // A renewal may have been under way when it was stopped; any other document belongs to another run.
            if !self.adopt_own_write(&mut tag).await {
                break;
            }
        }
        Ok(())
    }
}

/// Describes how a lock was lost, from its present document.
fn loss(found: Option<FoundLock>) -> String {
    match found {
        // A broken lock still names the owner it was taken from.
        Some(found) if !found.record.released => format!("{} holds it now", found.owner()),
        _ => "it was broken".to_owned(),
    }
}

async fn read<S: Store>(store: &S, system: &str) -> Result<Option<FoundLock>, AwsError> {
    Ok(store.read(&key(system)).await?.and_then(|document| FoundLock::of(&document)))
}

/// Reads the lock of a system; `None` if it is free.
pub(crate) async fn read_lock<S: Store>(store: &S, system: &str) -> Result<Option<FoundLock>, AwsError> {
    Ok(read(store, system).await?.filter(|found| !found.record.released))
}

/// Breaks the lock of a system; returns what it was, `None` if it was free.
pub(crate) async fn break_lock<S: Store>(store: &S, system: &str) -> Result<Option<FoundLock>, AwsError> {
    loop {
        let Some(document) = store.read(&key(system)).await? else { return Ok(None) };
        let Some(found) = FoundLock::of(&document).filter(|found| !found.record.released) else { return Ok(None) };
        let broken = LockRecord { released: true, token: writer_token(), ..found.record.clone() };
        if store.replace(&key(system), &text(&broken), &document.tag).await?.is_some() {
            return Ok(Some(found));
        }
    }
}

fn new_record(requester: Requester<'_>) -> LockRecord {
    let now = unix_seconds();
    LockRecord {
        token: writer_token(),
        who: requester.identity.to_owned(),
        host: surroundings::host(),
        process: surroundings::process_id(),
        command: requester.command.to_owned(),
        since: now,
        renewed: now,
        released: false,
    }
}

fn text(record: &LockRecord) -> String {
    serde_json::to_string_pretty(record).unwrap_or_default()
}

#[cfg(test)]
mod tests;
