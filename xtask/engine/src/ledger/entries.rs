//! Reading and recording the entries of a ledger.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Entry, LedgerError, Outcome, entry::Step};
use crate::{
    aws::AwsError,
    lock::HeldLocks,
    parallel,
    store::{Store, Tag},
    surroundings,
};

/// How many entries are read at once in a search from the newest on.
const BATCH: u32 = 12;

/// The ledger of one system.
#[derive(Debug)]
pub(crate) struct Ledger<S> {
    store: Arc<S>,
    system: String,
    /// The newest entry, `Some(None)` if there is none, once this run knows it. Only the owner of the system's lock writes entries.
    newest: Mutex<Option<Option<OpenEntry>>>,
}

/// An entry, as this run has read or written it.
#[derive(Debug, Clone)]
pub(crate) struct OpenEntry {
    /// The entry as it was last written.
    pub(crate) entry: Entry,
    tag: Tag,
    /// Whether this run has created it, and has not written it since.
    pub(crate) is_new: bool,
}

/// The version that a closed release left `live` of a function at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SettledVersion {
    pub(crate) version: String,
    /// Its `CodeSha256`, if the entry contains it.
    pub(crate) code_sha256: Option<String>,
}

impl SettledVersion {
    /// Returns whether it is this version with this `CodeSha256`.
    pub(crate) fn matches(&self, version: &str, code_sha256: Option<&str>) -> bool {
        self.version == version && self.code_sha256.as_deref().is_none_or(|settled| code_sha256 == Some(settled))
    }
}

impl<S: Store + 'static> Ledger<S> {
    /// Returns the ledger of `system` in a store.
    pub(crate) fn new(store: Arc<S>, system: &str) -> Self {
        Self { store, system: system.to_owned(), newest: Mutex::default() }
    }

    /// Returns the same ledger, whose newest entry is known.
    pub(crate) fn knowing(self, newest: Option<OpenEntry>) -> Self {
        *self.known() = Some(newest);
        self
    }

    fn known(&self) -> MutexGuard<'_, Option<Option<OpenEntry>>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self) -> impl Fn(AwsError) -> LedgerError + use<'_, S> {
        |source| LedgerError::Aws { system: self.system.clone(), source }
    }

    fn prefix(&self) -> String {
        format!("releases/{}/", self.system)
    }

    /// Numbers are padded so that keys sort as numbers do.
    fn key(&self, number: u32) -> String {
        format!("{}{number:08}.json", self.prefix())
    }

    async fn keys(&self) -> Result<Vec<String>, LedgerError> {
        self.store.keys(&self.prefix()).await.map_err(self.failed())
    }

    /// Returns every entry, oldest first.
    pub(crate) async fn entries(&self) -> Result<Vec<Entry>, LedgerError> {
        let keys = self.keys().await?;
        let entries = parallel::each(keys.iter().map(|key| self.read(key))).await?;
        Ok(entries.into_iter().flatten().map(|(entry, _)| entry).collect())
    }

    async fn read(&self, key: &str) -> Result<Option<(Entry, Tag)>, LedgerError> {
        let Some(document) = self.store.read(key).await.map_err(self.failed())? else { return Ok(None) };
        let entry = serde_json::from_str(&document.text)
            .map_err(|error| LedgerError::Unreadable { key: key.to_owned(), reason: error.to_string() })?;
        Ok(Some((entry, document.tag)))
    }

    /// Returns the newest entries, oldest first: as many as are `enough`, or all. Reads `at_once` entries at once. Numbers have no gap, so no
    /// list is needed.
    pub(crate) async fn recent(
        &self,
        at_once: u32,
        enough: impl Fn(&[Entry]) -> bool,
    ) -> Result<Vec<Entry>, LedgerError> {
        let Some(newest) = self.newest().await? else { return Ok(Vec::new()) };
        let mut next = newest.entry.number;
        let mut recent = vec![newest.entry];
        while next > 1 && !enough(&recent) {
            let first = next.saturating_sub(at_once).max(1);
            let keys: Vec<_> = (first..next).map(|number| self.key(number)).collect();
            let entries = parallel::each(keys.iter().map(|key| self.read(key))).await?;
            recent.splice(0..0, entries.into_iter().flatten().map(|(entry, _)| entry));
            next = first;
        }
        Ok(recent)
    }

    /// Returns the newest entry, which may be open.
    pub(crate) async fn newest(&self) -> Result<Option<OpenEntry>, LedgerError> {
        if let Some(newest) = self.known().clone() {
            return Ok(newest);
        }
        let keys = self.keys().await?;
        let newest = match keys.last() {
            Some(key) => self.read(key).await?.map(|(entry, tag)| OpenEntry { entry, tag, is_new: false }),
            None => None,
        };
        *self.known() = Some(newest.clone());
        Ok(newest)
    }

    /// Returns the last completed release, or the last one before a number.
    pub(crate) async fn last_released(&self, before: Option<u32>) -> Result<Option<Entry>, LedgerError> {
        let is_wanted =
            |entry: &Entry| entry.outcome == Outcome::Released && before.is_none_or(|before| entry.number < before);
        if let Some(newest) = self.newest().await?.filter(|newest| is_wanted(&newest.entry)) {
            return Ok(Some(newest.entry));
        }
        let keys = self.keys().await?;
        let end = before.map(|number| self.key(number));
        for key in keys.iter().rev().filter(|key| end.as_ref().is_none_or(|end| *key < end)) {
            let entry = self.read(key).await?.map(|(entry, _)| entry);
            if let Some(entry) = entry.filter(is_wanted) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// Returns the version of each of these functions that the newest closed release with the function left `live` at. A function
    /// without such a release, or whose first release failed, is missing. Reads the newest entries first and no more than needed.
    pub(crate) async fn settled_versions(
        &self,
        mut functions: BTreeSet<String>,
    ) -> Result<BTreeMap<String, SettledVersion>, LedgerError> {
        let mut settled = BTreeMap::new();
        // The newest entry usually has all functions. A function that was never released is in none, so the others are read in batches.
        let Some(newest) = self.newest().await? else { return Ok(settled) };
        let mut next = newest.entry.number;
        settle(newest.entry, &mut functions, &mut settled);
        while next > 1 && !functions.is_empty() {
            let first = next.saturating_sub(BATCH).max(1);
            let keys: Vec<_> = (first..next).rev().map(|number| self.key(number)).collect();
            let entries = parallel::each(keys.iter().map(|key| self.read(key))).await?;
            for (entry, _) in entries.into_iter().flatten() {
                settle(entry, &mut functions, &mut settled);
            }
            next = first;
        }
        Ok(settled)
    }

    /// Records a release under the next number, which replaces the entry's own. Fails if this run no longer holds the system's
    /// lock.
    pub(crate) async fn record(&self, locks: &HeldLocks<S>, mut entry: Entry) -> Result<OpenEntry, LedgerError> {
        let known = self.known().as_ref().map(|newest| newest.as_ref().map_or(0, |newest| newest.entry.number));
        let mut newest = match known {
            Some(number) => number,
            None => self.newest_number().await?,
        };
        loop {
            entry.number = newest + 1;
            let key = self.key(entry.number);
            locks.ensure_held(&self.system).await?;
            if let Some(tag) = self.store.create(&key, &text(&entry)).await.map_err(self.failed())? {
                let open = OpenEntry { entry, tag, is_new: true };
                *self.known() = Some(Some(open.clone()));
                return Ok(open);
            }
            newest = self.newest_number().await?;
        }
    }

    async fn newest_number(&self) -> Result<u32, LedgerError> {
        let keys = self.keys().await?;
        let Some(key) = keys.last() else { return Ok(0) };
        let name = key.strip_prefix(&self.prefix()).and_then(|name| name.strip_suffix(".json"));
        let number = name.and_then(|name| name.parse().ok());
        let reason = || "its name is not a number".to_owned();
        number.ok_or_else(|| LedgerError::Unreadable { key: key.clone(), reason: reason() })
    }

    /// Records a step. Fails if another run has written the entry.
    pub(crate) async fn record_step(&self, open: &mut OpenEntry, what: String) -> Result<(), LedgerError> {
        open.entry.steps.push(Step::now(what));
        self.write(open).await
    }

    /// Closes an entry. Fails if another run has written it.
    pub(crate) async fn close(&self, open: &mut OpenEntry, outcome: Outcome) -> Result<(), LedgerError> {
        open.entry.outcome = outcome;
        open.entry.ended = Some(rfc3339_now());
        self.write(open).await
    }

    async fn write(&self, open: &mut OpenEntry) -> Result<(), LedgerError> {
        let key = self.key(open.entry.number);
        let written = self.store.replace(&key, &text(&open.entry), &open.tag).await.map_err(self.failed())?;
        let changed = || LedgerError::Changed {
            stage: open.entry.stage.clone(),
            system: self.system.clone(),
            number: open.entry.number,
        };
        // What another run has written is not known.
        *self.known() = None;
        open.tag = written.ok_or_else(changed)?;
        open.is_new = false;
        *self.known() = Some(Some(open.clone()));
        Ok(())
    }
}

/// Takes these functions' versions after a closed release. One that left an alias where it was settles no version of it.
fn settle(entry: Entry, functions: &mut BTreeSet<String>, settled: &mut BTreeMap<String, SettledVersion>) {
    if entry.is_open() {
        return;
    }
    let own = entry.functions.into_iter().filter(|(function, _)| !entry.outcome.has_moved(function));
    for (function, change) in own.filter(|(function, _)| functions.remove(function)) {
        let version = match entry.outcome {
            Outcome::Released => Some(SettledVersion { version: change.after, code_sha256: change.code_sha256 }),
            _ => change.before.map(|version| SettledVersion { version, code_sha256: None }),
        };
        settled.extend(version.map(|version| (function, version)));
    }
}

fn text(entry: &Entry) -> String {
    serde_json::to_string_pretty(entry).unwrap_or_default()
}

/// Returns the present time as RFC 3339.
pub(crate) fn rfc3339_now() -> String {
    use aws_smithy_types::{DateTime, date_time::Format};
    DateTime::from(surroundings::now()).fmt(Format::DateTime).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ledger::tests::entry,
        lock::{LockError, Requester, break_lock},
        store::memory::Memory,
        ui::Ui,
    };

    fn ledger() -> Ledger<Memory> {
        Ledger::new(Arc::new(Memory::default()), "notes")
    }

    async fn record(ledger: &Ledger<Memory>, entry: Entry) -> OpenEntry {
        ledger.record(&HeldLocks::none(), entry).await.expect("recorded")
    }

    #[tokio::test]
    async fn numbers_have_no_gap_and_no_duplicate_when_many_runs_record() {
        let store = Arc::new(Memory::default());
        let ledgers: Vec<_> = (0..10).map(|_| Ledger::new(Arc::clone(&store), "notes")).collect();
        let recorded = ledgers.iter().map(|ledger| record(ledger, entry(0, "1", Outcome::Open)));
        let recorded = futures_util::future::join_all(recorded).await;
        let mut numbers: Vec<_> = recorded.into_iter().map(|open| open.entry.number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_run_that_lost_its_lock_records_nothing() {
        let store = Arc::new(Memory::default());
        let requester = Requester { stage: "dev", identity: "somebody", command: "deploy" };
        let locks = HeldLocks::acquire(&store, &["notes"], requester, &Ui::new()).await.expect("free");
        let ledger = Ledger::new(Arc::clone(&store), "notes");
        ledger.record(&locks, entry(0, "1", Outcome::Released)).await.expect("recorded");
        break_lock(&*store, "notes").await.expect("broken").expect("it was held");
        let refused = ledger.record(&locks, entry(0, "2", Outcome::Open)).await.expect_err("lost");
        assert!(matches!(refused, LedgerError::Lock(LockError::Lost { .. })), "{refused}");
        assert_eq!(ledger.entries().await.expect("read").len(), 1);
    }

    #[tokio::test]
    async fn the_last_completed_release_is_neither_open_nor_reverted() {
        let ledger = ledger();
        assert_eq!(ledger.last_released(None).await.expect("read"), None);
        for outcome in [Outcome::Released, Outcome::reverted(""), Outcome::Released, Outcome::Open] {
            record(&ledger, entry(0, "1", outcome)).await;
        }
        let number = async |before| ledger.last_released(before).await.expect("read").map(|entry| entry.number);
        assert_eq!((number(None).await, number(Some(3)).await, number(Some(1)).await), (Some(3), Some(1), None));
    }

    #[tokio::test]
    async fn closed_releases_settle_versions_and_a_failed_first_one_settles_none() {
        let ledger = ledger();
        let name = "notes-api-dev".to_owned();
        let settled = async || {
            let functions = BTreeSet::from([name.clone()]);
            ledger.settled_versions(functions).await.expect("read").remove(&name).map(|settled| settled.version)
        };
        let release = async |before: Option<&str>, after: &str, outcome: Outcome| {
            let mut entry = entry(0, after, Outcome::Open);
            entry.functions.get_mut(&name).expect("the function").before = before.map(str::to_owned);
            let mut open = record(&ledger, entry).await;
            if outcome != Outcome::Open {
                ledger.close(&mut open, outcome).await.expect("closed");
            }
        };
        let reverted = || Outcome::reverted("a check failed");
        assert_eq!(settled().await, None);
        release(None, "1", reverted()).await;
        assert_eq!(settled().await, None);
        release(None, "2", Outcome::Released).await;
        assert_eq!(settled().await.as_deref(), Some("2"));
        release(Some("2"), "3", reverted()).await;
        assert_eq!(settled().await.as_deref(), Some("2"));
        release(Some("2"), "4", Outcome::Open).await;
        assert_eq!(settled().await.as_deref(), Some("2"), "an open release has settled nothing yet");
        let moved = BTreeSet::from([name.clone()]);
        release(Some("1"), "5", Outcome::Reverted { why: "it was moved".to_owned(), moved }).await;
        assert_eq!(settled().await.as_deref(), Some("2"), "version 1 is of a stale read");
        release(None, "1", reverted()).await;
        assert_eq!(settled().await, None, "the function was created again, and its first release failed");
    }

    #[tokio::test]
    async fn an_entry_is_written_step_by_step_and_by_one_run_only() {
        let ledger = ledger();
        let mut open = record(&ledger, entry(0, "1", Outcome::Open)).await;
        let mut other = ledger.newest().await.expect("read").expect("an entry");
        ledger.record_step(&mut open, "published".to_owned()).await.expect("written");
        let changed = ledger.close(&mut other, Outcome::Released).await.expect_err("it was written meanwhile");
        assert!(matches!(changed, LedgerError::Changed { number: 1, .. }), "{changed}");
        ledger.close(&mut open, Outcome::Released).await.expect("closed");
        let entries = ledger.entries().await.expect("read");
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].steps[0].what, "published");
        assert!(entries[0].ended.is_some() && !entries[0].is_open());
    }
}
