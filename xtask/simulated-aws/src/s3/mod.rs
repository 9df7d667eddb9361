//! S3: buckets and objects, with conditional writes and versions. Reads show every earlier write (S3 user guide, "Amazon S3 data
//! consistency model").

mod state;

pub use self::state::{Bucket, Buckets, Content, Version, Versioning};
use crate::account::Account;

/// Returns the current content of an object.
#[must_use]
pub fn object(account: &Account, bucket: &str, key: &str) -> Option<Vec<u8>> {
    account.buckets.get(bucket)?.current(key).map(|(_, content)| content.body.to_vec())
}
