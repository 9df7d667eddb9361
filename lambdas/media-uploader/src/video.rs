//! The video function: reads what a video is and writes it with its index first and its metadata removed. It works on
//! containers only: no sample is decoded or encoded, which would take C libraries and longer than a function may run.

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
use contract::Function as _;
use media_uploader_contract::{ProcessingJob, Role};
use output::Output;
use source::ReadError;

use crate::{
    job::{self, Answer, Buckets, ForeignBucket, Outcome, Source},
    keys,
    manifest::{Kind, Manifest, PosterSource, Variant, VideoFacts},
    profile::Profile,
    storage::StorageError,
};

/// The name of a video's only size.
const SIZE: &str = "original";
/// Every extension a video can have; also the names of the containers.
const EXTENSIONS: [&str; 4] = ["mp4", "mov", "webm", "mkv"];
/// Up to this size a file is rewritten in memory.
pub const IN_MEMORY: u64 = 64 * 1024 * 1024;

/// What the video function needs.
#[derive(Debug)]
pub struct VideoProcessor {
    /// Where videos come from and go to.
    pub buckets: Buckets,
    /// Starts the image function.
    pub lambda: aws_sdk_lambda::Client,
    /// The ARN of the image function's alias.
    pub image: String,
    /// Limits, and the names of a poster's sizes.
    pub profile: Profile,
    /// Up to which size a file is rewritten in memory: [`IN_MEMORY`].
    pub in_memory: u64,
}

/// Why a job could not be ended; Lambda tries again.
#[derive(Debug, thiserror::Error)]
pub enum VideoError {
    /// A bucket failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The job is none of ours.
    #[error(transparent)]
    Foreign(#[from] ForeignBucket),
    /// The image function could not be invoked.
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
}

impl VideoProcessor {
    /// Does one job. A source that is no video ends it too: with a manifest that says so.
    ///
    /// # Errors
    /// When S3 or Lambda fails.
    pub async fn handle(&self, job: ProcessingJob) -> Result<Answer, VideoError> {
        let started = std::time::Instant::now();
        let result = self.job(&job).await;
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        job::log(<media_uploader_contract::Video>::NAME, &job, &result, ms);
        result.map(|(outcome, _)| Answer { filename: job.filename, outcome })
    }

    /// What became of the job, and the source's size.
    async fn job(&self, job: &ProcessingJob) -> Result<(Outcome, u64), VideoError> {
        let store = self.buckets.of(job)?;
        let source = match job::source(store, job).await? {
            Ok(source) => source,
            Err(outcome) => return Ok((outcome, 0)),
        };
        let bytes = source.head.bytes;
        let processed = &self.buckets.processed;
        let manifest_key = job::manifest_key(job);
        let mut manifest = job::in_progress(job, Kind::Video, &source.head, processed.manifest(&manifest_key).await?);
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
        // The source was read in ranges: they must all have been of one object.
        if let Err(outcome) = job::source(store, job).await? {
            return Ok((outcome, bytes));
        }
        Ok((job::end(processed, &manifest_key, manifest, result).await?, bytes))
    }

    /// Writes the new file, hands over the picture, and notes both.
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

    /// Deletes what an earlier source under the same filename may have left.
    async fn delete_variants(&self, job: &ProcessingJob) -> Result<(), StorageError> {
        for extension in EXTENSIONS {
            self.buckets.processed.delete(&keys::variant(&job.filename, SIZE, extension)).await?;
        }
        Ok(())
    }

    /// Hands the embedded picture to the image function, unless the client has chosen a poster.
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
        let mut manifest = job::in_progress(&cover, Kind::Image, &head, previous);
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

/// The new file's entry, with the first video track's sides as they are seen.
fn variant(key: String, bytes: u64, facts: &VideoFacts) -> Variant {
    let (width, height) = facts.video_tracks.first().map_or((0, 0), |track| match track.rotation {
        90 | 270 => (track.height, track.width),
        _ => (track.width, track.height),
    });
    Variant { size: SIZE.to_owned(), extension: facts.container.clone(), key, bytes, width, height }
}

#[cfg(test)]
mod tests;
