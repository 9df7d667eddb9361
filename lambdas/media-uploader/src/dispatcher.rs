//! The dispatcher: for each object that arrives in the raw bucket, writes a `processing` manifest and starts the right
//! processor. It reads no media.

mod record;

use aws_sdk_lambda::{primitives::Blob, types::InvocationType};
use aws_smithy_types::error::display::DisplayErrorContext;
use common::telemetry::chain;
use contract::Function as _;
use jiff::Timestamp;
use media_uploader_contract::{ProcessingJob, Role};
pub use record::{Event, Outcome};
use record::{Record, plan};
use serde::Serialize;

use crate::{
    keys::{self, RawKey, RawKind},
    manifest::{Kind, Manifest},
    profile::Profile,
    storage::{StorageError, Store},
};

/// What is said of a job that was handed over, in the log line and in the answer.
const STARTED: &str = "Processing job started";

/// What the dispatcher needs.
#[derive(Debug)]
pub struct Dispatcher {
    /// The raw bucket.
    pub raw: Store,
    /// The processed bucket.
    pub processed: Store,
    /// Starts the processors.
    pub lambda: aws_sdk_lambda::Client,
    /// The ARN of the image function's alias.
    pub image: String,
    /// The ARN of the video function's alias.
    pub video: String,
    /// Names the sizes to make.
    pub profile: Profile,
}

/// The function's answer.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// In one sentence.
    pub message: &'static str,
    /// One entry per record, in their order.
    pub records: Vec<Handled>,
}

/// What became of one record.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Handled {
    /// The object's key, decoded.
    pub key: String,
    /// What was done.
    pub outcome: Outcome,
}

/// Why a record could not be handled; S3 sends its event again.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    /// A bucket failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A processor could not be invoked.
    #[error("failed to invoke {function}: {cause}")]
    Invoke {
        /// The alias.
        function: String,
        /// Lambda's words.
        cause: String,
    },
    /// The job cannot be written as JSON.
    #[error("failed to write the job")]
    Job(#[from] serde_json::Error),
    /// Some records failed. Each is in the log.
    #[error("failed to handle {failed} of {all} records")]
    Records {
        /// How many failed.
        failed: usize,
        /// How many there were.
        all: usize,
    },
}

impl Dispatcher {
    /// Handles every record, also after one has failed.
    ///
    /// # Errors
    /// When any record failed: those that did not are skipped or repeated harmlessly the next time.
    pub async fn handle(&self, event: Event) -> Result<Answer, DispatchError> {
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

    /// What became of the record, and the object's size where it was looked at.
    async fn record(&self, record: &Record) -> Result<(Outcome, u64), DispatchError> {
        let key = match RawKey::parse(&record.key) {
            Some(key) if record.bucket == self.raw.bucket() => key,
            _ => return Ok((Outcome::InvalidKey, 0)),
        };
        let Some(head) = self.raw.head(&record.key).await? else { return Ok((Outcome::Gone, 0)) };
        let filename = key.filename.as_str();
        let main = self.processed.manifest(&keys::manifest(filename)).await?;
        let (manifest_key, previous) = match key.kind {
            RawKind::Posters => {
                let poster = keys::poster_manifest(filename);
                if main.is_some_and(|main| main.owner_hash != keys::owner_hash(&key.owner)) {
                    return Ok((Outcome::OwnerMismatch, head.bytes));
                }
                let previous = self.processed.manifest(&poster).await?;
                (poster, previous)
            }
            RawKind::Images | RawKind::Videos => (keys::manifest(filename), main),
        };
        let (outcome, manifest) = plan(&key, &head, previous.as_ref(), Timestamp::now());
        if let Some(manifest) = manifest {
            self.processed.put_manifest(&manifest_key, &manifest).await?;
            if outcome == Outcome::Started {
                self.invoke(&key, &manifest).await?;
            }
        }
        Ok((outcome, head.bytes))
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
            Kind::Image => &self.image,
            Kind::Video => &self.video,
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

/// One line per record. The key's owner is left out: it names a person.
fn log(record: &Record, result: &Result<(Outcome, u64), DispatchError>, ms: u64) {
    let function = <media_uploader_contract::Dispatcher>::NAME;
    let filename = record.key.rsplit('/').next();
    match result {
        Ok((Outcome::Started, bytes)) => tracing::info!(%function, filename, status = "started", ms, bytes, STARTED),
        Ok((outcome, bytes)) => tracing::info!(%function, filename, status = outcome.as_str(), ms, bytes, "skipped"),
        Err(error) => tracing::error!(%function, filename, status = "error", ms, error = chain(error), "failed"),
    }
}

#[cfg(test)]
mod tests;
