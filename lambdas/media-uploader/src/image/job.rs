//! One job of the image function: read the source, write the variants, then the manifest.

use contract::media_uploader::{ProcessingJob, Role};
use jiff::Timestamp;

use super::{Processed, process};
use crate::{
    keys,
    manifest::{Failure, FailureCode, Manifest, Status, Variant},
    profile::Profile,
    storage::{StorageError, Store},
};

/// What the image function works with.
#[derive(Debug)]
pub struct Images {
    /// The bucket uploads land in.
    pub raw: Store,
    /// The bucket variants are written to.
    pub processed: Store,
    /// Sizes, quality and limits.
    pub profile: Profile,
}

impl Images {
    /// Does one job. What is wrong with the file ends in its manifest, and is no error.
    ///
    /// # Errors
    ///
    /// When a bucket fails; Lambda tries again.
    pub async fn handle(&self, job: ProcessingJob) -> Result<Status, StorageError> {
        let started = std::time::Instant::now();
        let manifest_key = match job.role {
            Role::Main => keys::manifest(&job.filename),
            Role::Poster => keys::poster_manifest(&job.filename),
        };
        let is_cover = job.bucket == self.processed.bucket() && job.key == keys::cover(&job.filename);
        let source = if is_cover { &self.processed } else { &self.raw };
        let manifest = self.processed.manifest(&manifest_key).await?;
        let bytes = source.get(&job.key).await?;
        let (Some(mut manifest), Some(bytes)) = (manifest, bytes) else {
            tracing::info!(filename = job.filename, status = "skipped", "the source or its manifest is gone");
            return Ok(Status::Failed);
        };
        let length = bytes.len() as u64;
        let profile = self.profile.clone();
        let poster = job.role == Role::Poster;
        let outcome = process(&bytes, &profile, poster);
        drop(bytes);
        match outcome {
            Ok(processed) => self.store(&job, &mut manifest, processed).await?,
            Err(failure) => self.fail(&mut manifest, failure).await?,
        }
        manifest.bytes = length;
        manifest.updated_at = Timestamp::now();
        self.processed.put_manifest(&manifest_key, &manifest).await?;
        if is_cover {
            self.processed.delete(&job.key).await?;
        }
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let status = format!("{:?}", manifest.status).to_lowercase();
        tracing::info!(
            function = "media-uploader-image",
            filename = job.filename,
            status,
            ms,
            bytes = length,
            "processed"
        );
        Ok(manifest.status)
    }

    async fn store(
        &self,
        job: &ProcessingJob,
        manifest: &mut Manifest,
        processed: Processed,
    ) -> Result<(), StorageError> {
        let mut variants = Vec::new();
        for encoded in processed.variants.into_iter().filter(|encoded| job.sizes.contains(&encoded.size)) {
            let key = keys::variant(&job.filename, &encoded.size, encoded.extension);
            let bytes = encoded.bytes.len() as u64;
            self.processed.put(&key, encoded.bytes, encoded.content_type).await?;
            variants.push(Variant {
                size: encoded.size,
                extension: encoded.extension.to_owned(),
                key,
                bytes,
                width: encoded.width,
                height: encoded.height,
            });
        }
        manifest.status = Status::Ready;
        manifest.content_type = processed.format.content_type().to_owned();
        manifest.variants = variants;
        manifest.image = Some(processed.facts);
        manifest.error = None;
        Ok(())
    }

    /// Notes the failure, and deletes variants of an earlier source.
    async fn fail(&self, manifest: &mut Manifest, failure: Failure) -> Result<(), StorageError> {
        for variant in manifest.variants.drain(..) {
            self.processed.delete(&variant.key).await?;
        }
        manifest.status = Status::Failed;
        // Text that was declared as an image is no image of an unknown kind: the declaration was wrong.
        let mismatch = failure.code == FailureCode::UnsupportedType && manifest.content_type.starts_with("image/");
        let code = if mismatch { FailureCode::TypeMismatch } else { failure.code };
        manifest.error = Some(Failure { code, message: failure.message });
        Ok(())
    }
}
