//! The image function: produces the variants of one uploaded image or of one video's poster. It reads, writes and
//! deletes objects; `variants` processes the pixels.

mod animation;
mod decode;
pub(crate) mod variants;

use common::{Error, Started};
use contract::Function as _;
use media_uploader_contract::{ProcessingJob, Role};

use crate::{
    image::variants::{Encoded, Formats, Made},
    job::{self, Answer, Buckets, ForeignBucket, Outcome, Source},
    keys,
    manifest::{Failure, Manifest, MediaKind, Variant},
    profile::Profile,
    storage::{self, StorageError, Store},
};

/// Every extension a variant can have.
const EXTENSIONS: [&str; 3] = ["jpg", "png", "webp"];

type Contract = media_uploader_contract::Image;

/// Serves the function's events until the instance ends.
///
/// # Errors
/// When Lambda's runtime interface fails.
pub async fn serve(started: Started<Contract>) -> Result<(), Error> {
    let environment = started.environment;
    let s3 = storage::client(&started.aws);
    let processor = ImageProcessor {
        buckets: Buckets {
            raw: Store::new(s3.clone(), environment.raw_media_bucket),
            processed: Store::new(s3, environment.processed_media_bucket),
        },
        profile: Profile::load(&environment.media_profile_path),
    };
    common::events::serve::<Contract, _, _>(async |job| Ok(Box::pin(processor.handle(job)).await?)).await
}

/// The image function's buckets and settings.
#[derive(Debug)]
pub(crate) struct ImageProcessor {
    /// The source and target buckets.
    pub(crate) buckets: Buckets,
    /// Sizes, quality and limits.
    pub(crate) profile: Profile,
}

/// Why a job could not be finished. Lambda retries it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    /// A bucket failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The job names another bucket.
    #[error(transparent)]
    Foreign(#[from] ForeignBucket),
}

impl ImageProcessor {
    /// Processes one job. A source that is not an image or is too large results in a failed manifest, not in an error.
    pub(crate) async fn handle(&self, job: ProcessingJob) -> Result<Answer, ImageError> {
        let started = std::time::Instant::now();
        let result = self.job(&job).await;
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        job::log(Contract::NAME, &job, &result, ms);
        result.map(|(outcome, _)| Answer { filename: job.filename, outcome })
    }

    /// Processes a job. Returns the outcome and the source's size.
    async fn job(&self, job: &ProcessingJob) -> Result<(Outcome, u64), ImageError> {
        let store = self.buckets.of(job)?;
        let source = match job::source(store, job).await? {
            Ok(source) => source,
            Err(outcome) => return Ok((outcome, 0)),
        };
        let bytes = source.head.bytes;
        let processed = &self.buckets.processed;
        let manifest_key = job::manifest_key(job);
        let previous = processed.manifest(&manifest_key).await?;
        // A source in the processed bucket was extracted from a video and is no longer needed.
        let embedded = store.bucket() == processed.bucket();
        if embedded && previous.as_ref().is_some_and(Manifest::is_clients_poster) {
            processed.delete(&job.key).await?;
            return Ok((Outcome::ClientsPoster, bytes));
        }
        let mut manifest = job::in_progress(job, MediaKind::Image, &source.head, previous);
        let result = match self.made(job, &source).await? {
            Ok(made) => {
                made.format.content_type().clone_into(&mut manifest.content_type);
                manifest.variants = write(processed, job, &made).await?;
                manifest.image = Some(made.facts);
                Ok(())
            }
            Err(failure) => {
                self.delete_variants(job).await?;
                Err(failure)
            }
        };
        let outcome = job::end(processed, &manifest_key, manifest, result).await?;
        if embedded {
            processed.delete(&job.key).await?;
        }
        Ok((outcome, bytes))
    }

    async fn made(&self, job: &ProcessingJob, source: &Source) -> Result<Result<Made, Failure>, StorageError> {
        let limit = self.profile.limits.image_bytes;
        if source.head.bytes > limit {
            return Ok(Err(Failure::too_large(source.head.bytes, limit)));
        }
        let bytes = source.store.get(&job.key, limit).await?.unwrap_or_default();
        Ok(variants::make(&bytes, &self.profile, &job.sizes, formats(job)))
    }

    /// Deletes the variants of an earlier source with the same filename.
    async fn delete_variants(&self, job: &ProcessingJob) -> Result<(), StorageError> {
        let extensions = match formats(job) {
            Formats::All => &EXTENSIONS[..],
            Formats::Jpeg => &EXTENSIONS[..1],
        };
        for size in &job.sizes {
            for extension in extensions {
                self.buckets.processed.delete(&keys::variant(&job.filename, size, extension)).await?;
            }
        }
        Ok(())
    }
}

fn formats(job: &ProcessingJob) -> Formats {
    match job.role {
        Role::Main => Formats::All,
        Role::Poster => Formats::Jpeg,
    }
}

/// Writes every variant and returns their manifest entries.
async fn write(processed: &Store, job: &ProcessingJob, made: &Made) -> Result<Vec<Variant>, StorageError> {
    let mut written = Vec::with_capacity(made.variants.len());
    for Encoded { size, extension, content_type, width, height, bytes } in &made.variants {
        let key = keys::variant(&job.filename, size, extension);
        processed.put(&key, bytes.clone(), content_type).await?;
        written.push(Variant {
            size: size.clone(),
            extension: (*extension).to_owned(),
            key,
            bytes: bytes.len() as u64,
            width: *width,
            height: *height,
        });
    }
    Ok(written)
}

#[cfg(test)]
mod tests;
