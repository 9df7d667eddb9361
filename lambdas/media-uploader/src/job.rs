//! The frame of both processors' jobs: finding the source, and writing the manifest at the end.

use contract::FunctionName;
use jiff::Timestamp;
use media_uploader_contract::{ProcessingJob, Role};
use serde::Serialize;

use crate::{
    keys::{self, RawKey},
    manifest::{Failure, Manifest, MediaKind, PosterSource, Status, shortened},
    storage::{Head, StorageError, Store},
};

/// The function's response, for manual invocations: asynchronous ones drop it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Answer {
    /// The media's filename.
    pub(crate) filename: String,
    /// The outcome.
    pub(crate) outcome: Outcome,
}

/// The outcome of a job. None of them is worth a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Outcome {
    /// Every variant was written.
    Ready,
    /// The source cannot be processed; its manifest contains the reason.
    Failed,
    /// The source was deleted before it was processed.
    Gone,
    /// The source was replaced before it was processed. The new one has a job of its own.
    Superseded,
    /// The client has uploaded a poster, which an embedded one must not replace.
    ClientsPoster,
}

impl Outcome {
    /// Returns the name for the log.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Gone => "gone",
            Self::Superseded => "superseded",
            Self::ClientsPoster => "clientsPoster",
        }
    }
}

/// The buckets of a job.
#[derive(Debug, Clone)]
pub(crate) struct Buckets {
    /// The bucket of uploads. Never written to, because a write would cause another event.
    pub(crate) raw: Store,
    /// The bucket of variants and manifests.
    pub(crate) processed: Store,
}

/// The job names a bucket that is neither.
#[derive(Debug, thiserror::Error)]
#[error("failed to accept a job for {bucket}: only {raw} and {processed} are processed")]
pub(crate) struct ForeignBucket {
    bucket: String,
    raw: String,
    processed: String,
}

/// A job's source, unchanged since the job was created.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) store: Store,
    pub(crate) head: Head,
}

impl Buckets {
    /// Returns the bucket of a job's source.
    pub(crate) fn of(&self, job: &ProcessingJob) -> Result<&Store, ForeignBucket> {
        [&self.raw, &self.processed].into_iter().find(|store| store.bucket() == job.bucket).ok_or_else(|| {
            let (raw, processed) = (self.raw.bucket().to_owned(), self.processed.bucket().to_owned());
            ForeignBucket { bucket: job.bucket.clone(), raw, processed }
        })
    }
}

/// Returns the job's source, or the outcome if it was deleted or replaced.
pub(crate) async fn source(store: &Store, job: &ProcessingJob) -> Result<Result<Source, Outcome>, StorageError> {
    Ok(match store.head(&job.key).await? {
        None => Err(Outcome::Gone),
        Some(head) if head.etag != job.etag => Err(Outcome::Superseded),
        Some(head) => Ok(Source { store: store.clone(), head }),
    })
}

/// Returns the key of the job's manifest.
pub(crate) fn manifest_key(job: &ProcessingJob) -> String {
    match job.role {
        Role::Main => keys::manifest(&job.filename),
        Role::Poster => keys::poster_manifest(&job.filename),
    }
}

/// Returns the manifest of a job in progress. It keeps the dispatcher's fields, or recreates them if the manifest was
/// deleted.
pub(crate) fn in_progress(job: &ProcessingJob, kind: MediaKind, head: &Head, previous: Option<Manifest>) -> Manifest {
    let now = Timestamp::now();
    let owner = RawKey::parse(&job.key).map(|key| keys::owner_hash(&key.owner)).unwrap_or_default();
    let previous = previous.as_ref();
    Manifest {
        filename: job.filename.clone(),
        kind,
        status: Status::Processing,
        owner_hash: previous.map_or(owner, |previous| previous.owner_hash.clone()),
        content_type: shortened(head.content_type.clone().unwrap_or_default()),
        bytes: head.bytes,
        source_etag: head.etag.clone(),
        created_at: previous.map_or(now, |previous| previous.created_at),
        updated_at: now,
        variants: Vec::new(),
        image: None,
        video: None,
        poster_source: match job.role {
            Role::Main => None,
            Role::Poster => previous.and_then(|previous| previous.poster_source).or(Some(PosterSource::Client)),
        },
        error: None,
    }
}

/// Finishes a job by writing the manifest, after everything else.
pub(crate) async fn end(
    processed: &Store,
    key: &str,
    mut manifest: Manifest,
    result: Result<(), Failure>,
) -> Result<Outcome, StorageError> {
    let outcome = if result.is_ok() { Outcome::Ready } else { Outcome::Failed };
    manifest.status = if result.is_ok() { Status::Ready } else { Status::Failed };
    manifest.error = result.err();
    manifest.updated_at = Timestamp::now();
    processed.put_manifest(key, &manifest).await?;
    Ok(outcome)
}

/// Writes the log line of a job, without the key's owner, which names a person.
pub(crate) fn log<E: std::error::Error>(
    function: FunctionName,
    job: &ProcessingJob,
    result: &Result<(Outcome, u64), E>,
    ms: u64,
) {
    let filename = &job.filename;
    match result {
        Ok((outcome, bytes)) => {
            tracing::info!(%function, filename, role = ?job.role, status = outcome.as_str(), ms, bytes, "processed");
        }
        Err(error) => {
            let error = common::telemetry::chain(error);
            tracing::error!(%function, filename, role = ?job.role, status = "error", ms, error, "failed");
        }
    }
}
