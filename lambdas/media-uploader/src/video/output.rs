//! Writes a video's new file to the processed bucket: as one object, in parts, or as a copy by S3.

use std::ops::Range;

use aws_sdk_s3::{
    error::ProvideErrorMetadata,
    types::{CompletedMultipartUpload, CompletedPart, MetadataDirective},
};

use super::{
    parts::{LARGEST_COPY, LARGEST_SENT, Part, parts},
    remux::Layout,
};
use crate::storage::{CACHE_CONTROL, StorageError, Store};

/// The source and the target of a file.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    pub(crate) from: &'a Store,
    pub(crate) source_key: &'a str,
    /// Prevents mixing in a newer object with the same key.
    pub(crate) source_etag: &'a str,
    pub(crate) to: &'a Store,
    pub(crate) key: &'a str,
    pub(crate) content_type: &'a str,
}

impl Output<'_> {
    /// Copies the source unchanged, without downloading it.
    pub(crate) async fn copy(&self) -> Result<(), StorageError> {
        let request = self.to.client().copy_object().bucket(self.to.bucket()).key(self.key);
        let request = request.copy_source(self.copy_source()).copy_source_if_match(format!("\"{}\"", self.source_etag));
        let request = request
            .metadata_directive(MetadataDirective::Replace)
            .content_type(self.content_type)
            .cache_control(CACHE_CONTROL);
        request.send().await.map(|_| ()).map_err(|error| self.to.failed("copy to", self.key, error))
    }

    /// Writes a new layout: in memory up to `in_memory` bytes, in parts beyond.
    pub(crate) async fn write(&self, layout: &Layout, in_memory: u64) -> Result<(), StorageError> {
        if layout.size() <= in_memory {
            let bytes = self.sent(&layout.head, &layout.spans).await?;
            return self.to.put(self.key, bytes, self.content_type).await;
        }
        if !self.multipart(layout, LARGEST_COPY, true).await? {
            self.multipart(layout, LARGEST_SENT, false).await?;
        }
        Ok(())
    }

    /// Writes the parts. Returns false, with nothing written, if S3 does not support the requested copying of parts.
    async fn multipart(&self, layout: &Layout, largest: u64, copies: bool) -> Result<bool, StorageError> {
        let create = self.to.client().create_multipart_upload().bucket(self.to.bucket()).key(self.key);
        let create = create.content_type(self.content_type).cache_control(CACHE_CONTROL);
        let created = create.send().await.map_err(|error| self.to.failed("start to write", self.key, error))?;
        let upload = created.upload_id.unwrap_or_default();
        let result = self.parts(layout, largest, copies, &upload).await;
        if !matches!(result, Ok(true)) {
            self.abort(&upload).await;
        }
        result
    }

    /// Aborts an upload. If that fails, the bucket's lifecycle removes it.
    async fn abort(&self, upload: &str) {
        let abort = self.to.client().abort_multipart_upload().bucket(self.to.bucket()).key(self.key).upload_id(upload);
        if let Err(error) = abort.send().await {
            let error = common::telemetry::chain(&self.to.failed("abort writing", self.key, error));
            tracing::warn!(error, "failed to abort an upload; the lifecycle of the bucket removes it");
        }
    }

    async fn parts(&self, layout: &Layout, largest: u64, copies: bool, upload: &str) -> Result<bool, StorageError> {
        let mut completed = Vec::new();
        for (number, part) in (1..).zip(parts(layout, largest)) {
            let etag = match part {
                Part::Copied(range) if copies => match self.copy_part(range, number, upload).await? {
                    Some(etag) => etag,
                    None => return Ok(false),
                },
                Part::Copied(range) => self.send_part(&[], &[range], number, upload).await?,
                Part::Sent(ranges) => {
                    let head = if number == 1 { layout.head.as_slice() } else { &[] };
                    self.send_part(head, &ranges, number, upload).await?
                }
            };
            completed.push(CompletedPart::builder().part_number(number).e_tag(etag).build());
        }
        let completed = CompletedMultipartUpload::builder().set_parts(Some(completed)).build();
        let complete = self.to.client().complete_multipart_upload().bucket(self.to.bucket()).key(self.key);
        let complete = complete.upload_id(upload).multipart_upload(completed).send().await;
        complete.map_err(|error| self.to.failed("complete", self.key, error))?;
        Ok(true)
    }

    /// Returns the part's ETag; `None` if S3 does not support copying parts.
    async fn copy_part(&self, range: Range<u64>, number: i32, upload: &str) -> Result<Option<String>, StorageError> {
        let request = self.to.client().upload_part_copy().bucket(self.to.bucket()).key(self.key).upload_id(upload);
        let request = request
            .part_number(number)
            .copy_source(self.copy_source())
            .copy_source_if_match(format!("\"{}\"", self.source_etag))
            .copy_source_range(format!("bytes={}-{}", range.start, range.end - 1));
        match request.send().await {
            Ok(copied) => Ok(copied.copy_part_result.and_then(|copied| copied.e_tag)),
            Err(error) if matches!(error.code(), Some("NotImplemented" | "MethodNotAllowed")) => Ok(None),
            Err(error) => Err(self.to.failed("copy a part of", self.key, error)),
        }
    }

    async fn send_part(
        &self,
        head: &[u8],
        ranges: &[Range<u64>],
        number: i32,
        upload: &str,
    ) -> Result<String, StorageError> {
        let bytes = self.sent(head, ranges).await?;
        let request = self.to.client().upload_part().bucket(self.to.bucket()).key(self.key).upload_id(upload);
        let sent = request.part_number(number).body(bytes.into()).send().await;
        let sent = sent.map_err(|error| self.to.failed("write a part of", self.key, error))?;
        Ok(sent.e_tag.unwrap_or_default())
    }

    /// Concatenates the head and the ranges of the source.
    async fn sent(&self, head: &[u8], ranges: &[Range<u64>]) -> Result<Vec<u8>, StorageError> {
        let mut bytes = head.to_vec();
        for range in ranges.iter().filter(|range| !range.is_empty()) {
            bytes.extend(self.from.get_range(self.source_key, range.start, range.end - 1).await?);
        }
        Ok(bytes)
    }

    /// Formats the header of bucket and key: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>.
    fn copy_source(&self) -> String {
        let mut encoded = format!("{}/", self.from.bucket());
        for byte in self.source_key.bytes() {
            if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
                encoded.push(char::from(byte));
            } else {
                encoded.push('%');
                encoded.push_str(&hex::encode_upper([byte]));
            }
        }
        encoded
    }
}
