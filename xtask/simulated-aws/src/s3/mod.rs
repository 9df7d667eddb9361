//! S3, as far as Lambda reads it: objects by bucket and key.

use std::{collections::BTreeMap, sync::Arc};

use crate::account::Account;

/// The buckets by name, each with its objects by key.
#[derive(Debug, Clone, Default)]
pub struct Buckets(BTreeMap<String, BTreeMap<String, Arc<Vec<u8>>>>);

/// Returns the bytes of an object.
#[must_use]
pub fn object(account: &Account, bucket: &str, key: &str) -> Option<Vec<u8>> {
    account.s3.0.get(bucket)?.get(key).map(|bytes| bytes.to_vec())
}

/// Stores an object. The bucket is created if it does not exist.
pub fn put(account: &mut Account, bucket: &str, key: &str, bytes: Vec<u8>) {
    account.s3.0.entry(bucket.to_owned()).or_default().insert(key.to_owned(), Arc::new(bytes));
}
