//! Small documents with conditional writes: the storage of locks and of the ledger.

use std::time::UNIX_EPOCH;

pub use crate::aws::documents::{Document, Documents, Tag};
use crate::{aws::AwsError, surroundings};

/// Storage for documents.
///
/// Every text that is written must be unique, so that a writer whose response was lost recognizes its own write: see
/// `writer_token`.
pub trait Store: Send + Sync {
    /// Reads a document; `None` if there is none.
    fn read(&self, key: &str) -> impl Future<Output = Result<Option<Document>, AwsError>> + Send;

    /// Creates a document; `None` if it exists already.
    fn create(&self, key: &str, text: &str) -> impl Future<Output = Result<Option<Tag>, AwsError>> + Send;

    /// Replaces a document; `None` if its tag is no longer `tag`.
    fn replace(&self, key: &str, text: &str, tag: &Tag) -> impl Future<Output = Result<Option<Tag>, AwsError>> + Send;

    /// Lists the keys with a prefix, sorted.
    fn keys(&self, prefix: &str) -> impl Future<Output = Result<Vec<String>, AwsError>> + Send;
}

impl Store for Documents {
    async fn read(&self, key: &str) -> Result<Option<Document>, AwsError> {
        Self::read(self, key).await
    }

    async fn create(&self, key: &str, text: &str) -> Result<Option<Tag>, AwsError> {
        Self::create(self, key, text).await
    }

    async fn replace(&self, key: &str, text: &str, tag: &Tag) -> Result<Option<Tag>, AwsError> {
        Self::replace(self, key, text, tag).await
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>, AwsError> {
        Self::keys(self, prefix).await
    }
}

/// Returns a token that no other run writes.
pub(crate) fn writer_token() -> String {
    let mut bytes = [0; 16];
    // Without random bytes, process and time still distinguish runs.
    let _zeros = surroundings::fill_random(&mut bytes);
    format!("{}-{}-{}", hex::encode(bytes), surroundings::process_id(), unix_seconds())
}

/// Returns the seconds since 1970.
pub(crate) fn unix_seconds() -> u64 {
    surroundings::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
pub(crate) mod memory {
    //! Documents in memory, for tests.

    use std::{
        collections::BTreeMap,
        sync::{Mutex, MutexGuard, PoisonError},
        time::Duration,
    };

    use super::*;

    #[derive(Debug, Default)]
    pub(crate) struct Memory(Mutex<BTreeMap<String, Stored>>);

    #[derive(Debug, Clone)]
    struct Stored {
        text: String,
        number: u32,
        age: Option<Duration>,
    }

    impl Memory {
        fn all(&self) -> MutexGuard<'_, BTreeMap<String, Stored>> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }

        /// Makes a document so old; `None` is a store that does not know.
        pub(crate) fn set_age(&self, key: &str, age: Option<Duration>) {
            if let Some(stored) = self.all().get_mut(key) {
                stored.age = age;
            }
        }
    }

    impl Store for Memory {
        async fn read(&self, key: &str) -> Result<Option<Document>, AwsError> {
            let found = self.all().get(key).cloned();
            Ok(found.map(|Stored { text, number, age }| Document { text, tag: Tag(number.to_string()), age }))
        }

        async fn create(&self, key: &str, text: &str) -> Result<Option<Tag>, AwsError> {
            let mut all = self.all();
            if all.contains_key(key) {
                return Ok(None);
            }
            all.insert(key.to_owned(), Stored { text: text.to_owned(), number: 1, age: Some(Duration::ZERO) });
            Ok(Some(Tag("1".to_owned())))
        }

        async fn replace(&self, key: &str, text: &str, tag: &Tag) -> Result<Option<Tag>, AwsError> {
            let mut all = self.all();
            let Some(stored) = all.get_mut(key).filter(|stored| stored.number.to_string() == tag.0) else {
                return Ok(None);
            };
            text.clone_into(&mut stored.text);
            stored.number += 1;
            stored.age = stored.age.map(|_| Duration::ZERO);
            Ok(Some(Tag(stored.number.to_string())))
        }

        async fn keys(&self, prefix: &str) -> Result<Vec<String>, AwsError> {
            Ok(self.all().keys().filter(|key| key.starts_with(prefix)).cloned().collect())
        }
    }
}
