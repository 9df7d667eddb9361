//! The video function: reads a video's properties, and writes it with its index first and without metadata. It processes
//! containers only: decoding or encoding samples would require C libraries and exceed a function's time limit.

mod analysis;
mod boxes;
mod matroska;
mod output;
mod parts;
mod probe;
mod remux;
mod source;

use analysis::Analysis;
use aws_sdk_lambda::{primitives::Blob, types::InvocationType};
use aws_smithy_types::error::display::DisplayErrorContext;
use common::{Error, Started};
use contract::Function as _;
use media_uploader_contract::{ProcessingJob, Role};
use output::Output;
use source::ReadError;

use crate::{
    job::{self, Answer, Buckets, ForeignBucket, Outcome, Source},
    keys,
    manifest::{Manifest, MediaKind, PosterSource, Variant, VideoFacts},
    profile::Profile,
    storage::{self, StorageError, Store},
};

/// The name of a video's only size.
const SIZE: &str = "original";
/// Every extension of a video, which is also the name of its container.
const EXTENSIONS: [&str; 4] = ["mp4", "mov", "webm", "mkv"];
/// The largest file that is rewritten in memory.
pub(crate) const IN_MEMORY: u64 = 64 * 1024 * 1024;

type Contract = media_uploader_contract::Video;

/// Serves the function's events until the instance ends.
///
/// # Errors
/// When Lambda's runtime interface fails.
pub async fn serve(started: Started<Contract>) -> Result<(), Error> {
    let environment = started.environment;
    let s3 = storage::client(&started.aws);
    let processor = VideoProcessor {
        buckets: Buckets {
            raw: Store::new(s3.clone(), environment.raw_media_bucket),
            processed: Store::new(s3, environment.processed_media_bucket),
        },
        lambda: aws_sdk_lambda::Client::new(&started.aws),
        image: environment.image_processing_function_arn,
        profile: Profile::load(&environment.media_profile_path),
        in_memory: IN_MEMORY,
    };
    common::events::serve::<Contract, _, _>(async |job| Ok(Box::pin(processor.handle(job)).await?)).await
}

/// The video function's clients and settings.
#[derive(Debug)]
pub(crate) struct VideoProcessor {
    /// The source and target buckets.
    pub(crate) buckets: Buckets,
    /// The client that invokes the image function.
    pub(crate) lambda: aws_sdk_lambda::Client,
    /// The ARN of the image function's alias.
    pub(crate) image: String,
    /// Limits, and the names of a poster's sizes.
    pub(crate) profile: Profile,
    /// The largest file that is rewritten in memory: [`IN_MEMORY`].
    pub(crate) in_memory: u64,
}

/// Why a job could not be finished. Lambda retries it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VideoError {
    /// A bucket failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The job names another bucket.
    #[error(transparent)]
    Foreign(#[from] ForeignBucket),
    /// The image function could not be invoked.
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
}

impl VideoProcessor {
    /// Processes one job. A source that is not a video results in a failed manifest, not in an error.
    pub(crate) async fn handle(&self, job: ProcessingJob) -> Result<Answer, VideoError> {
        let started = std::time::Instant::now();
        let result = self.job(&job).await;
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        job::log(Contract::NAME, &job, &result, ms);
        result.map(|(outcome, _)| Answer { filename: job.filename, outcome })
    }

    /// Processes a job. Returns the outcome and the source's size.
    async fn job(&self, job: &ProcessingJob) -> Result<(Outcome, u64), VideoError> {
        let store = self.buckets.of(job)?;
        let source = match job::source(store, job).await? {
            Ok(source) => source,
            Err(outcome) => return Ok((outcome, 0)),
        };
        let bytes = source.head.bytes;
        let processed = &self.buckets.processed;
        let manifest_key = job::manifest_key(job);
        let mut manifest =
            job::in_progress(job, MediaKind::Video, &source.head, processed.manifest(&manifest_key).await?);
        let mut reader = source::Source::object(source.store.clone(), &job.key, bytes);
        let result = match analysis::analyze(&mut reader, &self.profile.limits).await {
            Ok(analysis) => {
                self.produce(job, &source, analysis, &mut manifest).await?;
                Ok(())
            }
            Err(ReadError::Storage(error)) => return Err(error.into()),
            Err(ReadError::Media(failure)) => {
                self.delete_variants(job).await?;
                Err(failure)
            }
        };
        // The source was read in ranges, which must all belong to one version of the object.
        if let Err(outcome) = job::source(store, job).await? {
            return Ok((outcome, bytes));
        }
        Ok((job::end(processed, &manifest_key, manifest, result).await?, bytes))
    }

    /// Writes the new file, passes the picture on, and records both in the manifest.
    async fn produce(
        &self,
        job: &ProcessingJob,
        source: &Source,
        analysis: Analysis,
        manifest: &mut Manifest,
    ) -> Result<(), VideoError> {
        let Analysis { mut facts, content_type, layout, picture } = analysis;
        let key = keys::variant(&job.filename, SIZE, &facts.container);
        let output = Output {
            from: &source.store,
            source_key: &job.key,
            source_etag: &source.head.etag,
            to: &self.buckets.processed,
            key: &key,
            content_type,
        };
        let bytes = match &layout {
            Some(layout) => {
                output.write(layout, self.in_memory).await?;
                layout.size()
            }
            None => {
                output.copy().await?;
                source.head.bytes
            }
        };
        facts.poster = self.poster(job, manifest, picture).await?;
        content_type.clone_into(&mut manifest.content_type);
        manifest.variants = vec![variant(key, bytes, &facts)];
        manifest.video = Some(facts);
        Ok(())
    }

    /// Deletes the variants of an earlier source with the same filename.
    async fn delete_variants(&self, job: &ProcessingJob) -> Result<(), StorageError> {
        for extension in EXTENSIONS {
            self.buckets.processed.delete(&keys::variant(&job.filename, SIZE, extension)).await?;
        }
        Ok(())
    }

    /// Passes the embedded picture to the image function, unless the client has chosen a poster.
    async fn poster(
        &self,
        job: &ProcessingJob,
        video: &Manifest,
        picture: Option<(PosterSource, Vec<u8>)>,
    ) -> Result<PosterSource, VideoError> {
        let processed = &self.buckets.processed;
        let manifest_key = keys::poster_manifest(&job.filename);
        let previous = processed.manifest(&manifest_key).await?;
        if previous.as_ref().is_some_and(Manifest::is_clients_poster) {
            return Ok(PosterSource::Client);
        }
        let Some((poster, picture)) = picture else { return Ok(PosterSource::None) };
        let key = keys::cover(&job.filename);
        let content_type =
            crate::sniff::Format::sniff(&picture).map_or("application/octet-stream", |format| format.content_type());
        processed.put(&key, picture, content_type).await?;
        let Some(head) = processed.head(&key).await? else { return Ok(PosterSource::None) };
        let cover = ProcessingJob {
            bucket: processed.bucket().to_owned(),
            key,
            filename: job.filename.clone(),
            extension: "jpg".to_owned(),
            sizes: self.profile.sizes.iter().map(|size| size.name.clone()).collect(),
            role: Role::Poster,
            etag: head.etag.clone(),
        };
        let mut manifest = job::in_progress(&cover, MediaKind::Image, &head, previous);
        manifest.owner_hash.clone_from(&video.owner_hash);
        manifest.poster_source = Some(poster);
        processed.put_manifest(&manifest_key, &manifest).await?;
        self.invoke(&cover).await?;
        Ok(poster)
    }

    async fn invoke(&self, job: &ProcessingJob) -> Result<(), VideoError> {
        let payload = Blob::new(serde_json::to_vec(job)?);
        let request = self.lambda.invoke().function_name(&self.image).invocation_type(InvocationType::Event);
        request.payload(payload).send().await.map(|_| ()).map_err(|error| VideoError::Invoke {
            function: self.image.clone(),
            cause: DisplayErrorContext(&error).to_string(),
        })
    }
}

/// Returns the new file's entry, with the displayed width and height of the first video track.
fn variant(key: String, bytes: u64, facts: &VideoFacts) -> Variant {
    let (width, height) = facts.video_tracks.first().map_or((0, 0), |track| match track.rotation {
        90 | 270 => (track.height, track.width),
        _ => (track.width, track.height),
    });
    Variant { size: SIZE.to_owned(), extension: facts.container.clone(), key, bytes, width, height }
}

#[cfg(test)]
mod tests;
