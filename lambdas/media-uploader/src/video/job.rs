//! One job of the video function: look, store, find a poster, then the manifest.

use aws_sdk_lambda::{error::DisplayErrorContext, primitives::Blob, types::InvocationType};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use contract::media_uploader::{ProcessingJob, Role};
use jiff::Timestamp;
use thiserror::Error;

use super::{LookError, Looked, Output, Source, Still, look, probe::picture, remux::Remuxed};
use crate::{
    keys,
    manifest::{Failure, Kind, Manifest, PosterSource, Status, Variant},
    profile::Profile,
    sniff::Format,
    storage::{StorageError, Store},
};

/// Up to here a video is put together in memory.
const IN_MEMORY: u64 = 64 * 1024 * 1024;
/// The pieces larger videos are put together from: at least 5 MiB, as S3's multipart uploads ask.
const PART: u64 = 16 * 1024 * 1024;

/// What the video function works with.
#[derive(Debug)]
pub struct Videos {
    /// The bucket uploads land in.
    pub raw: Store,
    /// The bucket videos are served from.
    pub processed: Store,
    /// Makes posters of embedded pictures.
    pub lambda: aws_sdk_lambda::Client,
    /// The image function's alias.
    pub image: String,
    /// Sizes and limits.
    pub profile: Profile,
}

/// A job could not be done; Lambda tries again.
#[derive(Debug, Error)]
pub enum VideoError {
    /// A bucket failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
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

/// An object that is read piece by piece.
#[derive(Debug)]
struct Object<'a> {
    store: &'a Store,
    key: &'a str,
    length: u64,
}

impl Source for Object<'_> {
    fn length(&self) -> u64 {
        self.length
    }

    async fn read(&self, start: u64, length: u64) -> Result<Vec<u8>, StorageError> {
        let end = start.saturating_add(length).min(self.length);
        if start >= end {
            return Ok(Vec::new());
        }
        self.store.get_range(self.key, start, end - 1).await
    }
}

impl Videos {
    /// Does one job. What is wrong with the file ends in its manifest, and is no error.
    ///
    /// # Errors
    ///
    /// When a bucket or the image function fails; Lambda tries again.
    pub async fn handle(&self, job: ProcessingJob) -> Result<Status, VideoError> {
        let started = std::time::Instant::now();
        let manifest_key = keys::manifest(&job.filename);
        let (manifest, head) = (self.processed.manifest(&manifest_key).await?, self.raw.head(&job.key).await?);
        let (Some(mut manifest), Some(head)) = (manifest, head) else {
            tracing::info!(filename = job.filename, status = "skipped", "the source or its manifest is gone");
            return Ok(Status::Failed);
        };
        let source = Object { store: &self.raw, key: &job.key, length: head.bytes };
        match look(&source, &self.profile.limits).await {
            Ok(looked) => self.store(&job, &source, &mut manifest, looked).await?,
            Err(LookError::File(failure)) => self.fail(&mut manifest, failure).await?,
            Err(LookError::Storage(error)) => return Err(error.into()),
        }
        manifest.bytes = head.bytes;
        manifest.updated_at = Timestamp::now();
        self.processed.put_manifest(&manifest_key, &manifest).await?;
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let status = format!("{:?}", manifest.status).to_lowercase();
        tracing::info!(
            function = "media-uploader-video",
            filename = job.filename,
            status,
            ms,
            bytes = head.bytes,
            "processed"
        );
        Ok(manifest.status)
    }

    async fn store(
        &self,
        job: &ProcessingJob,
        source: &Object<'_>,
        manifest: &mut Manifest,
        looked: Looked,
    ) -> Result<(), VideoError> {
        let extension = match looked.format {
            Format::QuickTime => "mov",
            Format::WebM => "webm",
            Format::Matroska => "mkv",
            _ => "mp4",
        };
        let key = keys::variant(&job.filename, "original", extension);
        let content_type = looked.format.content_type();
        let bytes = match &looked.output {
            Output::Copy => self.assemble(source, None, &key, content_type).await?,
            Output::Remuxed(remuxed) => self.assemble(source, Some(remuxed), &key, content_type).await?,
        };
        let mut facts = looked.facts;
        facts.poster = self.poster(job, source, manifest, &looked.still).await?;
        let first = facts.video_tracks.first();
        let (width, height) = first.map_or((0, 0), |track| match track.rotation {
            90 | 270 => (track.height, track.width),
            _ => (track.width, track.height),
        });
        manifest.status = Status::Ready;
        content_type.clone_into(&mut manifest.content_type);
        manifest.variants =
            vec![Variant { size: "original".to_owned(), extension: extension.to_owned(), key, bytes, width, height }];
        manifest.video = Some(facts);
        manifest.error = None;
        Ok(())
    }

    /// Writes the output; returns its length.
    async fn assemble(
        &self,
        source: &Object<'_>,
        remuxed: Option<&Remuxed>,
        key: &str,
        content_type: &str,
    ) -> Result<u64, StorageError> {
        let header = remuxed.map(|remuxed| remuxed.header.clone()).unwrap_or_default();
        let ranges: Vec<(u64, u64)> = match remuxed {
            Some(remuxed) => remuxed.pieces.iter().map(|piece| (piece.start, piece.length)).collect(),
            None => vec![(0, source.length)],
        };
        let length = header.len() as u64 + ranges.iter().map(|(_, length)| length).sum::<u64>();
        if length > IN_MEMORY {
            self.multipart(source, header, &ranges, key, content_type).await?;
            return Ok(length);
        }
        let mut all = header;
        for (start, length) in ranges {
            all.extend(source.read(start, length).await?);
        }
        self.processed.put(key, all, content_type).await?;
        Ok(length)
    }

    /// Streams the output through a multipart upload, one part in memory at a time.
    async fn multipart(
        &self,
        source: &Object<'_>,
        header: Vec<u8>,
        ranges: &[(u64, u64)],
        key: &str,
        content_type: &str,
    ) -> Result<(), StorageError> {
        let (client, bucket) = (self.processed.client(), self.processed.bucket());
        let create = client.create_multipart_upload().bucket(bucket).key(key).content_type(content_type);
        let created = create.cache_control("public, max-age=86400").send().await;
        let created = created.map_err(|error| self.processed.failed("create a multipart upload of", key, error))?;
        let id = created.upload_id().unwrap_or_default();
        let mut upload = Upload { videos: self, key, id, parts: Vec::new(), waiting: header };
        for (start, length) in ranges {
            let end = start + length;
            let mut next = *start;
            while next < end {
                let step = PART.min(end - next);
                upload.waiting.extend(source.read(next, step).await?);
                next += step;
                if upload.waiting.len() as u64 >= PART {
                    upload.send().await?;
                }
            }
        }
        if !upload.waiting.is_empty() {
            upload.send().await?;
        }
        upload.complete().await
    }

    /// The poster: the client's, else a picture in the container, which the image function is asked to process.
    async fn poster(
        &self,
        job: &ProcessingJob,
        source: &Object<'_>,
        manifest: &Manifest,
        still: &Still,
    ) -> Result<PosterSource, VideoError> {
        let poster_key = keys::poster_manifest(&job.filename);
        let existing = self.processed.manifest(&poster_key).await?;
        if existing.is_some_and(|existing| existing.poster_source == Some(PosterSource::Client)) {
            return Ok(PosterSource::Client);
        }
        let (picture, from) = match still {
            Still::None => return Ok(PosterSource::None),
            Still::Cover(picture) => (picture.clone(), PosterSource::Cover),
            Still::Sample(start, length) => {
                let sample = source.read(*start, (*length).min(self.profile.limits.image_bytes)).await?;
                match picture(&sample) {
                    Some(picture) => (picture.to_vec(), PosterSource::Sample),
                    None => return Ok(PosterSource::None),
                }
            }
        };
        let cover = keys::cover(&job.filename);
        self.processed.put(&cover, picture, "application/octet-stream").await?;
        let now = Timestamp::now();
        let poster = Manifest {
            kind: Kind::Image,
            status: Status::Processing,
            content_type: "image/jpeg".to_owned(),
            created_at: now,
            updated_at: now,
            variants: Vec::new(),
            image: None,
            video: None,
            poster_source: Some(from),
            error: None,
            ..manifest.clone()
        };
        self.processed.put_manifest(&poster_key, &poster).await?;
        let bucket = self.processed.bucket().to_owned();
        let job = ProcessingJob { bucket, key: cover, role: Role::Poster, ..job.clone() };
        let request = self.lambda.invoke().function_name(&self.image).invocation_type(InvocationType::Event);
        let invoked = request.payload(Blob::new(serde_json::to_vec(&job)?)).send().await;
        invoked.map(|_| from).map_err(|error| VideoError::Invoke {
            function: self.image.clone(),
            cause: DisplayErrorContext(&error).to_string(),
        })
    }

    async fn fail(&self, manifest: &mut Manifest, failure: Failure) -> Result<(), StorageError> {
        for variant in manifest.variants.drain(..) {
            self.processed.delete(&variant.key).await?;
        }
        manifest.status = Status::Failed;
        manifest.error = Some(failure);
        Ok(())
    }
}

/// A multipart upload on its way.
struct Upload<'a> {
    videos: &'a Videos,
    key: &'a str,
    id: &'a str,
    parts: Vec<CompletedPart>,
    waiting: Vec<u8>,
}

impl Upload<'_> {
    async fn send(&mut self) -> Result<(), StorageError> {
        let store = &self.videos.processed;
        let number = i32::try_from(self.parts.len() + 1).unwrap_or(i32::MAX);
        let request = store.client().upload_part().bucket(store.bucket()).key(self.key).upload_id(self.id);
        let body = std::mem::take(&mut self.waiting);
        let sent = request.part_number(number).body(body.into()).send().await;
        let sent = sent.map_err(|error| store.failed("upload a part of", self.key, error))?;
        let part = CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag().map(str::to_owned)).build();
        self.parts.push(part);
        Ok(())
    }

    async fn complete(self) -> Result<(), StorageError> {
        let store = &self.videos.processed;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(self.parts)).build();
        let request = store.client().complete_multipart_upload().bucket(store.bucket()).key(self.key);
        let completed = request.upload_id(self.id).multipart_upload(parts).send().await;
        completed.map(|_| ()).map_err(|error| store.failed("complete the upload of", self.key, error))
    }
}
