//! What both processors do around their work: find the job's source, and write the manifest that ends it. What is made
//! of a source is not decided here.

use contract::FunctionName;
use jiff::Timestamp;
use media_uploader_contract::{ProcessingJob, Role};
use serde::Serialize;

use crate::{
    keys::{self, RawKey},
    manifest::{Failure, Kind, Manifest, PosterSource, Status},
    storage::{Head, StorageError, Store},
};

/// The function's answer, for whoever invokes it by hand: asynchronous invocations drop it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The media.
    pub filename: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a job. None of these is worth a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Every variant is there.
    Ready,
    /// The source cannot be processed; its manifest says why.
    Failed,
    /// The source was deleted before its turn.
    Gone,
    /// The source was replaced before its turn; its successor has a job of its own.
    Superseded,
    /// The client has uploaded a poster, which an embedded one does not replace.
    ClientsPoster,
}

impl Outcome {
    /// The outcome's name, as it is logged.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Gone => "gone",
            Self::Superseded => "superseded",
            Self::ClientsPoster => "clientsPoster",
        }
    }
}

/// The two buckets a job is about.
#[derive(Debug, Clone)]
pub struct Buckets {
    /// Where uploads land. Never written to, or events would come round in circles.
    pub raw: Store,
    /// Where variants and manifests go.
    pub processed: Store,
}

/// Why a job names a bucket that is neither.
#[derive(Debug, thiserror::Error)]
#[error("failed to take a job for {bucket}: only {raw} and {processed} are processed")]
pub struct ForeignBucket {
    bucket: String,
    raw: String,
    processed: String,
}

/// A job's source, found as the job describes it.
#[derive(Debug)]
pub(crate) struct Source {
    /// The bucket it lies in.
    pub(crate) store: Store,
    /// What is known of it.
    pub(crate) head: Head,
}

impl Buckets {
    /// The bucket of a job's source.
    pub(crate) fn of(&self, job: &ProcessingJob) -> Result<&Store, ForeignBucket> {
        [&self.raw, &self.processed].into_iter().find(|store| store.bucket() == job.bucket).ok_or_else(|| {
            let (raw, processed) = (self.raw.bucket().to_owned(), self.processed.bucket().to_owned());
            ForeignBucket { bucket: job.bucket.clone(), raw, processed }
        })
    }
}

/// The job's source; the outcome instead, where it is not what the job was made for.
pub(crate) async fn source(store: &Store, job: &ProcessingJob) -> Result<Result<Source, Outcome>, StorageError> {
    Ok(match store.head(&job.key).await? {
        None => Err(Outcome::Gone),
        Some(head) if head.etag != job.etag => Err(Outcome::Superseded),
        Some(head) => Ok(Source { store: store.clone(), head }),
    })
}

/// The key of the manifest that the job ends with.
pub(crate) fn manifest_key(job: &ProcessingJob) -> String {
    match job.role {
        Role::Main => keys::manifest(&job.filename),
        Role::Poster => keys::poster_manifest(&job.filename),
    }
}

/// The manifest of a job in progress. What the dispatcher wrote is kept; where it has meanwhile vanished, the same is
/// made again.
pub(crate) fn in_progress(job: &ProcessingJob, kind: Kind, head: &Head, previous: Option<Manifest>) -> Manifest {
    let now = Timestamp::now();
    let owner = RawKey::parse(&job.key).map(|key| keys::owner_hash(&key.owner)).unwrap_or_default();
    let previous = previous.as_ref();
    Manifest {
        filename: job.filename.clone(),
        kind,
        status: Status::Processing,
        owner_hash: previous.map_or(owner, |previous| previous.owner_hash.clone()),
        content_type: head.content_type.clone().unwrap_or_default(),
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

/// Ends a job: writes the manifest, last of all.
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

/// The one log line of a job. The key's owner is left out: it names a person.
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
