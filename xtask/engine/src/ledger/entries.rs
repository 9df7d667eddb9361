//! Writing and reading entries.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Entry, LedgerError, Outcome, Step};
use crate::{
    aws::AwsError,
    lock,
    store::{Store, Tag},
};

/// The ledger of one system.
#[derive(Debug)]
pub struct Book<S> {
    store: Arc<S>,
    system: String,
}

/// An entry being written.
#[derive(Debug)]
pub struct Open {
    /// What was last written.
    pub entry: Entry,
    tag: Tag,
}

/// What an alias was left at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The version.
    pub version: String,
    /// Its `CodeSha256`, where the entry tells.
    pub code_sha256: Option<String>,
}

impl Left {
    /// Is it what is live now, a version with this `CodeSha256`?
    #[must_use]
    pub fn is(&self, live: &str, code_sha256: Option<&str>) -> bool {
        self.version == live && self.code_sha256.as_deref().is_none_or(|left| code_sha256 == Some(left))
    }
}

impl<S: Store> Book<S> {
    /// The ledger of `system` in a store.
    #[must_use]
    pub fn new(store: Arc<S>, system: &str) -> Self {
        Self { store, system: system.to_owned() }
    }

    fn aws(&self) -> impl Fn(AwsError) -> LedgerError + use<'_, S> {
        |source| LedgerError::Aws { system: self.system.clone(), source }
    }

    fn prefix(&self) -> String {
        format!("releases/{}/", self.system)
    }

    /// Numbers are padded so that keys sort as numbers do.
    fn key(&self, number: u32) -> String {
        format!("{}{number:08}.json", self.prefix())
    }

    /// Every entry, oldest first.
    ///
    /// # Errors
    ///
    /// When a call fails, or a document is no entry.
    pub async fn entries(&self) -> Result<Vec<Entry>, LedgerError> {
        let keys = self.store.keys(&self.prefix()).await.map_err(self.aws())?;
        let mut entries = Vec::with_capacity(keys.len());
        for key in keys {
            entries.extend(self.read(&key).await?.map(|(entry, _)| entry));
        }
        Ok(entries)
    }

    async fn read(&self, key: &str) -> Result<Option<(Entry, Tag)>, LedgerError> {
        let Some(document) = self.store.read(key).await.map_err(self.aws())? else { return Ok(None) };
        let entry = serde_json::from_str(&document.text)
            .map_err(|error| LedgerError::Unreadable { key: key.to_owned(), reason: error.to_string() })?;
        Ok(Some((entry, document.tag)))
    }

    /// The newest entry, to go on with where it is open.
    ///
    /// # Errors
    ///
    /// When a call fails, or the document is no entry.
    pub async fn newest(&self) -> Result<Option<Open>, LedgerError> {
        let keys = self.store.keys(&self.prefix()).await.map_err(self.aws())?;
        let Some(key) = keys.last() else { return Ok(None) };
        Ok(self.read(key).await?.map(|(entry, tag)| Open { entry, tag }))
    }

    /// The last completed release, or the last before a number; looks no further back than it must.
    ///
    /// # Errors
    ///
    /// When a call fails, or a document is no entry.
    pub async fn last_released(&self, before: Option<u32>) -> Result<Option<Entry>, LedgerError> {
        let keys = self.store.keys(&self.prefix()).await.map_err(self.aws())?;
        let end = before.map(|number| self.key(number));
        for key in keys.iter().rev().filter(|key| end.as_ref().is_none_or(|end| *key < end)) {
            let entry = self.read(key).await?.map(|(entry, _)| entry);
            if let Some(entry) = entry.filter(|entry| entry.outcome == Outcome::Released) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// What `live` of each of these functions was left at by the newest closed release that names it; nothing where that was none, or
    /// where a first release failed. Looks no further back than it must.
    ///
    /// # Errors
    ///
    /// When a call fails, or a document is no entry.
    pub async fn left(&self, mut wanted: BTreeSet<String>) -> Result<BTreeMap<String, Left>, LedgerError> {
        let keys = self.store.keys(&self.prefix()).await.map_err(self.aws())?;
        let mut left = BTreeMap::new();
        for key in keys.iter().rev() {
            if wanted.is_empty() {
                break;
            }
            let entry = self.read(key).await?.map(|(entry, _)| entry);
            let Some(entry) = entry.filter(|entry| !entry.is_open()) else { continue };
            for (function, moved) in entry.functions.into_iter().filter(|(function, _)| wanted.remove(function)) {
                let kept = match entry.outcome {
                    Outcome::Released => Some(Left { version: moved.after, code_sha256: moved.code_sha256 }),
                    _ => moved.before.map(|version| Left { version, code_sha256: None }),
                };
                left.extend(kept.map(|kept| (function, kept)));
            }
        }
        Ok(left)
    }

    /// Enters a release under the next number, whatever number it says.
    ///
    /// # Errors
    ///
    /// When a call fails.
    pub async fn begin(&self, mut entry: Entry) -> Result<Open, LedgerError> {
        loop {
            let keys = self.store.keys(&self.prefix()).await.map_err(self.aws())?;
            let newest = keys.last().map(|key| {
                let name = key.strip_prefix(&self.prefix()).and_then(|name| name.strip_suffix(".json"));
                let number = name.and_then(|name| name.parse::<u32>().ok());
                number.ok_or_else(|| LedgerError::Unreadable {
                    key: key.clone(),
                    reason: "its name is no number".to_owned(),
                })
            });
            entry.number = newest.transpose()?.unwrap_or(0) + 1;
            let key = self.key(entry.number);
            lock::still_ours(&self.system).await;
            if let Some(tag) = self.store.create(&key, &text(&entry)).await.map_err(self.aws())? {
                return Ok(Open { entry, tag });
            }
        }
    }

    /// Adds a step.
    ///
    /// # Errors
    ///
    /// When a call fails, or somebody else wrote the entry.
    pub async fn step(&self, open: &mut Open, what: String) -> Result<(), LedgerError> {
        open.entry.steps.push(Step { at: time(), what });
        self.write(open).await
    }

    /// Closes an entry.
    ///
    /// # Errors
    ///
    /// When a call fails, or somebody else wrote the entry.
    pub async fn close(&self, open: &mut Open, outcome: Outcome) -> Result<(), LedgerError> {
        open.entry.outcome = outcome;
        open.entry.ended = Some(time());
        self.write(open).await
    }

    async fn write(&self, open: &mut Open) -> Result<(), LedgerError> {
        let key = self.key(open.entry.number);
        let written = self.store.replace(&key, &text(&open.entry), &open.tag).await.map_err(self.aws())?;
        let changed = || LedgerError::Changed { system: self.system.clone(), number: open.entry.number };
        open.tag = written.ok_or_else(changed)?;
        Ok(())
    }
}

fn text(entry: &Entry) -> String {
    serde_json::to_string_pretty(entry).unwrap_or_default()
}

/// Now, as RFC 3339.
pub(crate) fn time() -> String {
    use aws_smithy_types::{DateTime, date_time::Format};
    DateTime::from(std::time::SystemTime::now()).fmt(Format::DateTime).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ledger::tests::entry, store::memory::Memory};

    #[tokio::test]
    async fn numbers_have_no_gap_and_no_duplicate_whoever_writes() {
        let store = Arc::new(Memory::default());
        let books: Vec<_> = (0..10).map(|_| Book::new(Arc::clone(&store), "notes")).collect();
        let begun = books.iter().map(|book| book.begin(entry(0, "1", Outcome::Open)));
        let begun = futures_util::future::join_all(begun).await;
        let mut numbers: Vec<_> = begun.into_iter().map(|open| open.expect("begun").entry.number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=10).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn the_last_completed_release_is_neither_open_nor_reverted() {
        let book = Book::new(Arc::new(Memory::default()), "notes");
        assert_eq!(book.last_released(None).await.expect("read"), None);
        for outcome in [Outcome::Released, Outcome::Reverted { why: String::new() }, Outcome::Released, Outcome::Open] {
            book.begin(entry(0, "1", outcome)).await.expect("begun");
        }
        let number = async |before| book.last_released(before).await.expect("read").map(|entry| entry.number);
        assert_eq!((number(None).await, number(Some(3)).await, number(Some(1)).await), (Some(3), Some(1), None));
    }

    #[tokio::test]
    async fn what_a_release_left_is_known_and_a_failed_first_one_left_nothing() {
        let book = Book::new(Arc::new(Memory::default()), "notes");
        let name = "notes-api-dev".to_owned();
        let left = async || book.left(BTreeSet::from([name.clone()])).await.expect("read").remove(&name);
        let enter = async |before: Option<&str>, after: &str, outcome: Outcome| {
            let mut entry = entry(0, after, Outcome::Open);
            entry.functions.get_mut(&name).expect("the function").before = before.map(str::to_owned);
            let mut open = book.begin(entry).await.expect("begun");
            if outcome != Outcome::Open {
                book.close(&mut open, outcome).await.expect("closed");
            }
        };
        let reverted = || Outcome::Reverted { why: "a check failed".to_owned() };
        let version = |left: Option<Left>| left.map(|left| left.version);
        assert_eq!(left().await, None);
        enter(None, "1", reverted()).await;
        assert_eq!(left().await, None);
        enter(None, "2", Outcome::Released).await;
        assert_eq!(version(left().await).as_deref(), Some("2"));
        enter(Some("2"), "3", reverted()).await;
        assert_eq!(version(left().await).as_deref(), Some("2"));
        enter(Some("2"), "4", Outcome::Open).await;
        assert_eq!(version(left().await).as_deref(), Some("2"), "an open one has left nothing yet");
        enter(None, "1", reverted()).await;
        assert_eq!(left().await, None, "a second life, whose first release failed");
    }

    #[tokio::test]
    async fn an_entry_is_written_step_by_step_and_by_one_only() {
        let book = Book::new(Arc::new(Memory::default()), "notes");
        let mut open = book.begin(entry(0, "1", Outcome::Open)).await.expect("begun");
        let mut other = book.newest().await.expect("read").expect("there is one");
        book.step(&mut open, "published".to_owned()).await.expect("written");
        let changed = book.close(&mut other, Outcome::Released).await.expect_err("it was written meanwhile");
        assert!(matches!(changed, LedgerError::Changed { number: 1, .. }), "{changed}");
        book.close(&mut open, Outcome::Released).await.expect("closed");
        let entries = book.entries().await.expect("read");
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].steps[0].what, "published");
        assert!(entries[0].ended.is_some() && !entries[0].is_open());
    }
}
