//! A few small documents that are only ever written on a condition: what locks and the ledger are made of.

use crate::aws::AwsError;

/// What names one state of a document; S3's `ETag`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag(pub String);

/// A document as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its text.
    pub text: String,
    /// Its state.
    pub tag: Tag,
}

/// Where documents lie.
///
/// Writers put something of their own into every text, so that a write whose answer was lost is known again.
pub trait Store: Send + Sync {
    /// A document; `None` when there is none.
    fn read(&self, key: &str) -> impl Future<Output = Result<Option<Document>, AwsError>> + Send;

    /// Makes a document; `None` when there is one already.
    fn create(&self, key: &str, text: &str) -> impl Future<Output = Result<Option<Tag>, AwsError>> + Send;

    /// Replaces a document; `None` when it is no longer in the state `tag` names.
    fn replace(&self, key: &str, text: &str, tag: &Tag) -> impl Future<Output = Result<Option<Tag>, AwsError>> + Send;

    /// The keys under a prefix, sorted.
    fn keys(&self, prefix: &str) -> impl Future<Output = Result<Vec<String>, AwsError>> + Send;
}

#[cfg(test)]
pub(crate) mod memory {
    //! Documents in memory, for tests of what is built on them.

    use std::{
        collections::BTreeMap,
        sync::{Mutex, MutexGuard, PoisonError},
    };

    use super::*;

    #[derive(Debug, Default)]
    pub(crate) struct Memory(Mutex<BTreeMap<String, (String, u32)>>);

    impl Memory {
        fn all(&self) -> MutexGuard<'_, BTreeMap<String, (String, u32)>> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    impl Store for Memory {
        async fn read(&self, key: &str) -> Result<Option<Document>, AwsError> {
            let found = self.all().get(key).cloned();
            Ok(found.map(|(text, number)| Document { text, tag: Tag(number.to_string()) }))
        }

        async fn create(&self, key: &str, text: &str) -> Result<Option<Tag>, AwsError> {
            let mut all = self.all();
            if all.contains_key(key) {
                return Ok(None);
            }
            all.insert(key.to_owned(), (text.to_owned(), 1));
            Ok(Some(Tag("1".to_owned())))
        }

        async fn replace(&self, key: &str, text: &str, tag: &Tag) -> Result<Option<Tag>, AwsError> {
            let mut all = self.all();
            let Some((old, number)) = all.get_mut(key).filter(|(_, number)| number.to_string() == tag.0) else {
                return Ok(None);
            };
            text.clone_into(old);
            *number += 1;
            Ok(Some(Tag(number.to_string())))
        }

        async fn keys(&self, prefix: &str) -> Result<Vec<String>, AwsError> {
            Ok(self.all().keys().filter(|key| key.starts_with(prefix)).cloned().collect())
        }
    }
}
