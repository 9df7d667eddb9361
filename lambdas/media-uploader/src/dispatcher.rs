//! The dispatcher: writes a `processing` manifest for each new object in the raw bucket, and starts its processor. It
//! deletes objects beyond their owner's quota, and reads no media.

mod record;

use aws_sdk_lambda::{primitives::Blob, types::InvocationType};
use aws_smithy_types::error::display::DisplayErrorContext;
use common::{Error, Started, telemetry::chain};
use contract::Function as _;
use jiff::Timestamp;
use media_uploader_contract::{ProcessingJob, Role};
pub(crate) use record::{Event, Outcome};
use record::{Record, plan};
use serde::Serialize;

use crate::{
    keys::{self, RawKey, RawKind},
    manifest::{Manifest, MediaKind},
    ownership,
    profile::Profile,
    quota,
    storage::{self, Head, StorageError, Store},
};

/// The message about a started job, in the log line and in the response.
const STARTED: &str = "Processing job started";

type Contract = media_uploader_contract::Dispatcher;

/// Serves the function's events until the instance ends.
///
/// # Errors
/// When Lambda's runtime interface fails.
pub async fn serve(started: Started<Contract>) -> Result<(), Error> {
    let environment = started.environment;
    let s3 = storage::client(&started.aws);
    let dispatcher = Dispatcher {
        raw: Store::new(s3.clone(), environment.raw_media_bucket),
        processed: Store::new(s3, environment.processed_media_bucket),
        lambda: aws_sdk_lambda::Client::new(&started.aws),
        image: environment.image_processing_function_arn,
        video: environment.video_processing_function_arn,
        profile: Profile::load(&environment.media_profile_path),
    };
    common::events::serve::<Contract, Event, _>(async |event| Ok(Box::pin(dispatcher.handle(event)).await?)).await
}

/// The dispatcher's clients and settings.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    /// The raw bucket.
    pub(crate) raw: Store,
    /// The processed bucket.
    pub(crate) processed: Store,
    /// The client that invokes the processors.
    pub(crate) lambda: aws_sdk_lambda::Client,
    /// The ARN of the image function's alias.
    pub(crate) image: String,
    /// The ARN of the video function's alias.
    pub(crate) video: String,
    /// The media profile, which names the sizes to produce.
    pub(crate) profile: Profile,
}

/// The function's response.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Answer {
    pub(crate) message: &'static str,
    /// One entry per record, in the order of the event.
    pub(crate) records: Vec<Handled>,
}

/// The outcome of one record.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Handled {
    /// Decoded.
    pub(crate) key: String,
    pub(crate) outcome: Outcome,
}

/// Why a record could not be handled. S3 sends its event again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DispatchError {
    /// A bucket failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A processor could not be invoked.
    #[error("failed to invoke {function}: {cause}")]
    Invoke {
        /// The alias.
        function: String,
        /// Lambda's error.
        cause: String,
    },
    /// The job could not be serialized.
    #[error("failed to serialize the job")]
    Job(#[from] serde_json::Error),
    /// Some records failed. The log contains each of them.
    #[error("failed to handle {failed} of {all} records")]
    Records {
        /// The number of failed records.
        failed: usize,
        /// The number of all records.
        all: usize,
    },
}

impl Dispatcher {
    /// Handles every record, even if an earlier one failed.
    pub(crate) async fn handle(&self, event: Event) -> Result<Answer, DispatchError> {
        let all = event.records.len();
        let mut records = Vec::with_capacity(all);
        for record in event.records {
            let started = std::time::Instant::now();
            let result = self.record(&record).await;
            let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            log(&record, &result, ms);
            if let Ok((outcome, _)) = result {
                records.push(Handled { key: record.key, outcome });
            }
        }
        if records.len() < all {
            return Err(DispatchError::Records { failed: all - records.len(), all });
        }
        let any = records.iter().any(|record| record.outcome == Outcome::Started);
        Ok(Answer { message: if any { STARTED } else { "Nothing to process" }, records })
    }

    /// Handles a record. Returns the outcome, and the object's size if it was read.
    async fn record(&self, record: &Record) -> Result<(Outcome, u64), DispatchError> {
        let Some((owner, _)) = record.key.split_once('/').filter(|_| record.bucket == self.raw.bucket()) else {
            return Ok((Outcome::InvalidKey, 0));
        };
        let head = self.raw.head(&record.key).await?;
        let written = head.as_ref().map_or(i64::MAX, |head| head.modified);
        // Deleted objects and other keys count too: an owner may upload any key under its prefix.
        if quota::is_exceeded(&self.raw, owner, written, &self.profile.limits).await? {
            quota::remove(&self.raw, &record.key, record.version.as_deref()).await?;
            return Ok((Outcome::OverQuota, head.map_or(0, |head| head.bytes)));
        }
        match (RawKey::parse(&record.key), head) {
            (None, _) => Ok((Outcome::InvalidKey, 0)),
            (Some(_), None) => Ok((Outcome::Gone, 0)),
            (Some(key), Some(head)) => Ok((self.dispatch(&key, &head).await?, head.bytes)),
        }
    }

    /// Starts the processor of an object whose owner also owns its filename.
    async fn dispatch(&self, key: &RawKey, head: &Head) -> Result<Outcome, DispatchError> {
        let (filename, owner_hash) = (key.filename.as_str(), keys::owner_hash(&key.owner));
        let main = self.processed.manifest(&keys::manifest(filename)).await?;
        // Manifests are older than the records of owners, and expire.
        if main.as_ref().is_some_and(|main| main.owner_hash != owner_hash) {
            return Ok(Outcome::OwnerMismatch);
        }
        let (manifest_key, previous) = match key.kind {
            RawKind::Posters => {
                let poster = keys::poster_manifest(filename);
                let previous = self.processed.manifest(&poster).await?;
                (poster, previous)
            }
            RawKind::Images | RawKind::Videos => (keys::manifest(filename), main),
        };
        let (outcome, manifest) = plan(key, head, previous.as_ref(), Timestamp::now());
        if outcome == Outcome::OwnerMismatch || !ownership::claim(&self.processed, &key.filename, &owner_hash).await? {
            return Ok(Outcome::OwnerMismatch);
        }
        if let Some(manifest) = manifest {
            self.processed.put_manifest(&manifest_key, &manifest).await?;
            if outcome == Outcome::Started {
                self.invoke(key, &manifest).await?;
            }
        }
        Ok(outcome)
    }

    async fn invoke(&self, key: &RawKey, manifest: &Manifest) -> Result<(), DispatchError> {
        let job = ProcessingJob {
            bucket: self.raw.bucket().to_owned(),
            key: key.to_string(),
            filename: manifest.filename.clone(),
            extension: "jpg".to_owned(),
            sizes: self.profile.sizes.iter().map(|size| size.name.clone()).collect(),
            role: if key.kind == RawKind::Posters { Role::Poster } else { Role::Main },
            etag: manifest.source_etag.clone(),
        };
        let function = match manifest.kind {
            MediaKind::Image => &self.image,
            MediaKind::Video => &self.video,
        };
        let payload = Blob::new(serde_json::to_vec(&job)?);
        let request =
            self.lambda.invoke().function_name(function).invocation_type(InvocationType::Event).payload(payload);
        request.send().await.map(|_| ()).map_err(|error| DispatchError::Invoke {
            function: function.clone(),
            cause: DisplayErrorContext(&error).to_string(),
        })
    }
}

/// Writes one line per record, without the key's owner, which names a person.
fn log(record: &Record, result: &Result<(Outcome, u64), DispatchError>, ms: u64) {
    let function = Contract::NAME;
    let filename = record.key.rsplit('/').next();
    match result {
        Ok((Outcome::Started, bytes)) => tracing::info!(%function, filename, status = "started", ms, bytes, STARTED),
        Ok((outcome, bytes)) => tracing::info!(%function, filename, status = outcome.as_str(), ms, bytes, "skipped"),
        Err(error) => tracing::error!(%function, filename, status = "error", ms, error = chain(error), "failed"),
    }
}

#[cfg(test)]
mod tests;
