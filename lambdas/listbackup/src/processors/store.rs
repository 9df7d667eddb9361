//! Streams a file into the bucket of backups: hashes, compression, and an upload in parts. At most two parts are in memory.

mod encoder;

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_s3::{
    Client,
    config::RequestChecksumCalculation,
    error::DisplayErrorContext,
    primitives::ByteStream as Content,
    types::{CompletedMultipartUpload, CompletedPart, ServerSideEncryption},
};
use axum::body::Bytes;
use futures_util::TryStreamExt;
use md5::Md5;
use sha2::{Digest, Sha256};
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout_at},
};

use self::encoder::{Encoder, SAMPLE_BYTES, shrinks};
use crate::connectors::{ByteStream, ConnectorError};

/// The smallest part of a multipart upload but the last (Amazon S3 user guide, "Amazon S3 multipart upload limits").
const SMALLEST_PART: usize = 5 * 1024 * 1024;

/// How files are stored.
#[derive(Debug, Clone)]
pub(super) struct StoreSettings {
    pub(super) bucket: String,
    pub(super) part_bytes: usize,
    pub(super) level: u32,
    pub(super) is_encrypted: bool,
}

/// The bucket of backups.
#[derive(Debug, Clone)]
pub(super) struct Store {
    client: Client,
    settings: StoreSettings,
}

/// A file to store.
#[derive(Debug, Clone)]
pub(super) struct Upload {
    pub(super) key: String,
    pub(super) run_id: String,
    pub(super) content_type: String,
    /// Whether the content may be compressed.
    pub(super) may_compress: bool,
    /// The SHA-256 of the stored version: the same content is not stored again.
    pub(super) previous: Option<String>,
    /// The SHA-256 that the content must have.
    pub(super) sha256: Option<String>,
    /// The size that the content must have.
    pub(super) size: Option<u64>,
    /// The most bytes.
    pub(super) max_bytes: u64,
    pub(super) deadline: Instant,
}

/// What became of the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) size: u64,
    pub(super) sha256: String,
    pub(super) md5: String,
    /// `None` if the stored version has the same content.
    pub(super) object: Option<StoredObject>,
}

/// A new version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredObject {
    pub(super) stored_bytes: u64,
    pub(super) is_compressed: bool,
    pub(super) version_id: Option<String>,
}

/// Why content was not stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum StoreError {
    #[error(transparent)]
    Source(#[from] ConnectorError),
    #[error("the file is too large")]
    TooLarge,
    #[error("the content does not have the expected SHA-256")]
    WrongHash,
    #[error("the content has {actual} bytes instead of {expected}")]
    WrongSize { expected: u64, actual: u64 },
    #[error("the file takes longer than the function may run")]
    TooSlow,
    #[error("failed to {action}: {cause}")]
    Bucket { action: &'static str, cause: String },
}

impl StoreError {
    /// Whether a later attempt may succeed without a change of the source.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Source(error) => error.is_transient,
            Self::TooLarge | Self::WrongHash | Self::WrongSize { .. } => false,
            Self::TooSlow | Self::Bucket { .. } => true,
        }
    }

    fn bucket(action: &'static str, error: &(impl std::error::Error + 'static)) -> Self {
        Self::Bucket { action, cause: DisplayErrorContext(error).to_string() }
    }
}

impl Store {
    pub(super) fn new(aws: &SdkConfig, settings: StoreSettings) -> Self {
        let configuration = aws_sdk_s3::config::Builder::from(aws)
            .force_path_style(aws.endpoint_url().is_some())
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
        let settings = StoreSettings { part_bytes: settings.part_bytes.max(SMALLEST_PART), ..settings };
        Self { client: Client::from_conf(configuration.build()), settings }
    }

    fn encryption(&self) -> Option<ServerSideEncryption> {
        self.settings.is_encrypted.then_some(ServerSideEncryption::Aes256)
    }

    /// Stores content unless the stored version has the same. An upload that fails is aborted.
    pub(super) async fn keep(&self, stream: ByteStream, upload: Upload) -> Result<Kept, StoreError> {
        let mut sink = Sink::new(self, upload);
        let kept = sink.run(stream).await;
        if !kept.as_ref().is_ok_and(|kept| kept.object.is_some()) {
            sink.abort().await;
        }
        kept
    }
}

/// The hashes of content.
#[derive(Default)]
struct Hashes {
    sha256: Sha256,
    md5: Md5,
    size: u64,
}

/// A running upload.
struct Sink<'a> {
    store: &'a Store,
    upload: Upload,
    hashes: Hashes,
    /// Content before it is known whether it shrinks.
    sample: Vec<Bytes>,
    encoder: Option<Encoder>,
    upload_id: Option<String>,
    parts: Vec<CompletedPart>,
    /// The part that is being sent while the next one is filled.
    sending: Option<JoinHandle<Result<CompletedPart, StoreError>>>,
    stored_bytes: u64,
}

impl<'a> Sink<'a> {
    fn new(store: &'a Store, upload: Upload) -> Self {
        Self {
            store,
            upload,
            hashes: Hashes::default(),
            sample: Vec::new(),
            encoder: None,
            upload_id: None,
            parts: Vec::new(),
            sending: None,
            stored_bytes: 0,
        }
    }

    async fn run(&mut self, mut stream: ByteStream) -> Result<Kept, StoreError> {
        while let Some(chunk) = self.next(&mut stream).await? {
            self.hashes.size += chunk.len() as u64;
            if self.hashes.size > self.upload.max_bytes {
                return Err(StoreError::TooLarge);
            }
            self.hashes.sha256.update(&chunk);
            self.hashes.md5.update(&chunk);
            self.write(chunk).await?;
        }
        let kept = self.check()?;
        if self.upload.previous.as_ref() == Some(&kept.sha256) {
            return Ok(kept);
        }
        let object = self.finish(&kept).await?;
        Ok(Kept { object: Some(object), ..kept })
    }

    async fn next(&self, stream: &mut ByteStream) -> Result<Option<Bytes>, StoreError> {
        let chunk = timeout_at(self.upload.deadline, stream.try_next()).await;
        Ok(chunk.map_err(|_| StoreError::TooSlow)??)
    }

    /// Compares the complete content with what it must be.
    fn check(&mut self) -> Result<Kept, StoreError> {
        let Hashes { sha256, md5, size } = std::mem::take(&mut self.hashes);
        let (sha256, md5) = (hex::encode(sha256.finalize()), hex::encode(md5.finalize()));
        match (self.upload.size, &self.upload.sha256) {
            (Some(expected), _) if expected != size => Err(StoreError::WrongSize { expected, actual: size }),
            (_, Some(expected)) if *expected != sha256 => Err(StoreError::WrongHash),
            _ => Ok(Kept { size, sha256, md5, object: None }),
        }
    }

    /// Takes content in. The first bytes decide whether it is compressed.
    async fn write(&mut self, chunk: Bytes) -> Result<(), StoreError> {
        if self.encoder.is_some() {
            return self.encode(&chunk).await;
        }
        self.sample.push(chunk);
        if self.sample.iter().map(Bytes::len).sum::<usize>() < SAMPLE_BYTES {
            return Ok(());
        }
        self.choose_encoder().await
    }

    async fn choose_encoder(&mut self) -> Result<(), StoreError> {
        let level = self.store.settings.level;
        let is_compressed = self.upload.may_compress && shrinks(&self.sample, level);
        self.encoder = Some(if is_compressed { Encoder::gzip(level) } else { Encoder::plain() });
        for chunk in std::mem::take(&mut self.sample) {
            self.encode(&chunk).await?;
        }
        Ok(())
    }

    /// Encodes content and sends full parts.
    async fn encode(&mut self, content: &[u8]) -> Result<(), StoreError> {
        let part_bytes = self.store.settings.part_bytes;
        // In pieces, so that one large chunk does not become many parts at once.
        for piece in content.chunks(part_bytes) {
            let Some(encoder) = &mut self.encoder else { continue };
            encoder.write(piece).map_err(|error| StoreError::bucket("compress a file", &error))?;
            if let Some(part) = encoder.take_part(part_bytes) {
                self.send_part(part).await?;
            }
        }
        Ok(())
    }

    /// Starts to send a part once the previous one is sent.
    async fn send_part(&mut self, part: Vec<u8>) -> Result<(), StoreError> {
        self.await_part().await?;
        let upload_id = match &self.upload_id {
            Some(upload_id) => upload_id.clone(),
            None => self.start().await?,
        };
        self.stored_bytes += part.len() as u64;
        let number = i32::try_from(self.parts.len() + 1).unwrap_or(i32::MAX);
        let request = self.store.client.upload_part().bucket(&self.store.settings.bucket).key(&self.upload.key);
        let request = request.upload_id(upload_id).part_number(number).body(Content::from(part));
        self.sending = Some(tokio::spawn(async move {
            let answer = request.send().await.map_err(|error| StoreError::bucket("write a part", &error))?;
            Ok(CompletedPart::builder().part_number(number).set_e_tag(answer.e_tag).build())
        }));
        Ok(())
    }

    async fn await_part(&mut self) -> Result<(), StoreError> {
        let Some(mut sending) = self.sending.take() else { return Ok(()) };
        let Ok(sent) = timeout_at(self.upload.deadline, &mut sending).await else {
            // `abort` waits for its end.
            self.sending = Some(sending);
            return Err(StoreError::TooSlow);
        };
        self.parts.push(sent.map_err(|error| StoreError::bucket("write a part", &error))??);
        Ok(())
    }

    /// Starts a multipart upload. Its metadata is fixed now, so the content's SHA-256 is in it only if the source gave it.
    async fn start(&mut self) -> Result<String, StoreError> {
        let request = self.store.client.create_multipart_upload();
        let request = request.bucket(&self.store.settings.bucket).key(&self.upload.key);
        let answer = request
            .set_server_side_encryption(self.store.encryption())
            .content_type(&self.upload.content_type)
            .set_content_encoding(self.is_compressed().then(|| "gzip".to_owned()))
            .set_metadata(Some(self.metadata(self.upload.sha256.as_deref(), self.upload.size)))
            .send()
            .await;
        let answer = answer.map_err(|error| StoreError::bucket("start an upload", &error))?;
        let upload_id = answer.upload_id.ok_or_else(|| StoreError::Bucket {
            action: "start an upload",
            cause: "the answer has no upload ID".to_owned(),
        })?;
        self.upload_id = Some(upload_id.clone());
        Ok(upload_id)
    }

    /// Sends the rest, and completes the object.
    async fn finish(&mut self, kept: &Kept) -> Result<StoredObject, StoreError> {
        if self.encoder.is_none() {
            self.choose_encoder().await?;
        }
        let is_compressed = self.is_compressed();
        let rest = self.encoder.take().map(Encoder::finish).transpose();
        let rest = rest.map_err(|error| StoreError::bucket("compress a file", &error))?.unwrap_or_default();
        if self.upload_id.is_none() {
            return self.put(rest, kept, is_compressed).await;
        }
        if !rest.is_empty() {
            self.send_part(rest).await?;
        }
        self.await_part().await?;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(std::mem::take(&mut self.parts))).build();
        let request = self.store.client.complete_multipart_upload().bucket(&self.store.settings.bucket);
        let request = request.key(&self.upload.key).set_upload_id(self.upload_id.clone()).multipart_upload(parts);
        let answer = request.send().await.map_err(|error| StoreError::bucket("complete an upload", &error))?;
        Ok(StoredObject { stored_bytes: self.stored_bytes, is_compressed, version_id: answer.version_id })
    }

    /// Stores content that is smaller than one part.
    async fn put(&self, content: Vec<u8>, kept: &Kept, is_compressed: bool) -> Result<StoredObject, StoreError> {
        let stored_bytes = content.len() as u64;
        let request = self.store.client.put_object().bucket(&self.store.settings.bucket).key(&self.upload.key);
        let answer = request
            .set_server_side_encryption(self.store.encryption())
            .content_type(&self.upload.content_type)
            .set_content_encoding(is_compressed.then(|| "gzip".to_owned()))
            .set_metadata(Some(self.metadata(Some(&kept.sha256), Some(kept.size))))
            .body(Content::from(content))
            .send()
            .await;
        let answer = answer.map_err(|error| StoreError::bucket("write an object", &error))?;
        Ok(StoredObject { stored_bytes, is_compressed, version_id: answer.version_id })
    }

    fn is_compressed(&self) -> bool {
        self.encoder.as_ref().is_some_and(Encoder::is_gzip)
    }

    fn metadata(&self, sha256: Option<&str>, size: Option<u64>) -> HashMap<String, String> {
        let known = [
            ("run-id", Some(self.upload.run_id.clone())),
            ("sha256", sha256.map(str::to_owned)),
            ("original-size", size.map(|size| size.to_string())),
        ];
        known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    /// Aborts a multipart upload, so that its parts cost nothing.
    async fn abort(&mut self) {
        if let Some(sending) = self.sending.take() {
            sending.abort();
            // A part that arrives after the abort would stay.
            let _ = sending.await;
        }
        let Some(upload_id) = self.upload_id.take() else { return };
        let request = self.store.client.abort_multipart_upload().bucket(&self.store.settings.bucket);
        if let Err(error) = request.key(&self.upload.key).upload_id(upload_id).send().await {
            let error = DisplayErrorContext(&error).to_string();
            tracing::warn!(error, "failed to abort an upload; the bucket's lifecycle will");
        }
    }
}

#[cfg(test)]
mod tests;
