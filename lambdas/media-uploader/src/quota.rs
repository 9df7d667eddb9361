//! The quota of one user: what lies under the first segment of its keys in the raw bucket.
//!
//! The raw bucket itself cannot refuse an object by its owner's other objects. So the upload function refuses links, and the
//! dispatcher deletes what arrives beyond the quota, also from identity-pool users, who need no link. Previous versions
//! count, because overwritten and deleted files are kept for some days.

use aws_sdk_s3::types::EncodingType;
use axum::http::StatusCode;
use common::ApiError;

use crate::{
    keys,
    profile::Limits,
    storage::{StorageError, Store},
};

/// A user who stores this many times the allowed number of files is over quota, however many of them are newer. So a flood
/// of small objects cannot make their own listing longer than an invocation.
const FLOOD: u64 = 2;

/// What a user stores.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Usage {
    /// The number of files, each version counted.
    files: u64,
    /// Their size in bytes.
    bytes: u64,
}

impl Usage {
    const fn exceeds(self, limits: &Limits) -> bool {
        self.files > limits.user_files || self.bytes > limits.user_bytes
    }
}

/// Checks whether a user stores more than the quota, counting only files that were not written after `until` (seconds since
/// 1970): of too many files, the later ones go.
pub(crate) async fn is_exceeded(raw: &Store, owner: &str, until: i64, limits: &Limits) -> Result<bool, StorageError> {
    Ok(usage(raw, owner, until, limits).await?.exceeds(limits))
}

/// Responds with 403 if a user's quota has no room for another file of `bytes`.
pub(crate) async fn check(raw: &Store, owner: &str, bytes: u64, limits: &Limits) -> Result<(), ApiError> {
    let Usage { files, bytes: stored } = usage(raw, owner, i64::MAX, limits).await?;
    let with_this = Usage { files: files.saturating_add(1), bytes: stored.saturating_add(bytes) };
    if !with_this.exceeds(limits) {
        return Ok(());
    }
    let (files, bytes) = (limits.user_files, limits.user_bytes);
    let message = format!(
        "your quota is {files} files and {bytes} bytes in total; deleted and overwritten files count for some days"
    );
    Err(refused("QuotaExceeded", message).detail("files", files).detail("bytes", bytes))
}

/// Responds with 403 if a user has too many multipart uploads open. It is called after one was started, so simultaneous
/// requests cannot exceed the limit together.
pub(crate) async fn check_uploads(raw: &Store, owner: &str, limits: &Limits) -> Result<(), ApiError> {
    let request = raw.client().list_multipart_uploads().bucket(raw.bucket()).prefix(prefix(owner));
    let open = request.encoding_type(EncodingType::Url).send().await;
    let open = open.map_err(|error| raw.failed("list the uploads of", owner, error))?;
    let limit = limits.user_uploads;
    if open.is_truncated() != Some(true) && open.uploads().len() as u64 <= limit {
        return Ok(());
    }
    Err(refused("TooManyUploads", format!("you have {limit} uploads open; complete or abort one first")))
}

/// Deletes the version of an object that was written beyond the quota. Without a version, the object itself goes.
pub(crate) async fn remove(raw: &Store, key: &str, version: Option<&str>) -> Result<(), StorageError> {
    // The ID of objects in buckets without versions (Amazon S3 User Guide, "How S3 Versioning works").
    let version = version.unwrap_or("null");
    let request = raw.client().delete_object().bucket(raw.bucket()).key(key).version_id(version);
    request.send().await.map(|_| ()).map_err(|error| raw.failed("delete", key, error))
}

/// Counts what a user stores; stops as soon as it exceeds the limits.
async fn usage(raw: &Store, owner: &str, until: i64, limits: &Limits) -> Result<Usage, StorageError> {
    let (mut usage, mut listed, mut after) = (Usage::default(), 0, (None, None));
    loop {
        let request = raw.client().list_object_versions().bucket(raw.bucket()).prefix(prefix(owner));
        let request = request.set_key_marker(after.0).set_version_id_marker(after.1);
        // Keys are any text that an uploader chose, also text that XML cannot express.
        let page = request.encoding_type(EncodingType::Url).send().await;
        let page = page.map_err(|error| raw.failed("list the files of", owner, error))?;
        for version in page.versions() {
            listed += 1;
            if version.last_modified().is_none_or(|modified| modified.secs() <= until) {
                usage.files += 1;
                let bytes = version.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
                usage.bytes = usage.bytes.saturating_add(bytes);
            }
        }
        if listed > limits.user_files.saturating_mul(FLOOD) {
            usage.files = listed;
        }
        let next = page.next_key_marker().map(keys::decode);
        if usage.exceeds(limits) || page.is_truncated() != Some(true) || next.is_none() {
            return Ok(usage);
        }
        after = (next, page.next_version_id_marker().map(str::to_owned));
    }
}

fn prefix(owner: &str) -> String {
    format!("{owner}/")
}

fn refused(code: &'static str, message: String) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, code, message)
}

#[cfg(test)]
mod tests;
