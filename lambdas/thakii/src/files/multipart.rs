//! S3's multipart uploads: started by a client or joined from pieces, never with a whole video in memory.

use aws_sdk_s3::{
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart},
};
use axum::body::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Files, Piece, aws_error, bytes, links::part_number};
use crate::aws::AwsError;

/// The part size of joined uploads.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// The number of pieces read ahead and of parts written concurrently.
const READ_AHEAD: usize = 4;

impl Files {
    /// Starts a multipart upload and returns its ID.
    pub(crate) async fn start(&self, key: &str, content_type: &str) -> Result<String, AwsError> {
        let request = self.client.create_multipart_upload().bucket(&self.bucket).key(key);
        let answer = request.content_type(content_type).send().await;
        let answer = answer.map_err(|error| aws_error("start the multipart upload of", key, &error))?;
        answer.upload_id.ok_or_else(|| {
            AwsError::unexpected(format!("start the multipart upload of {key}"), "the answer has no upload ID")
        })
    }

    /// Lists the parts by index, or returns `None` if S3 does not know the upload.
    pub(crate) async fn parts(&self, key: &str, upload_id: &str) -> Result<Option<Vec<Piece>>, AwsError> {
        let request = self.client.list_parts().bucket(&self.bucket).key(key).upload_id(upload_id);
        let mut pages = request.into_paginator().send();
        let mut pieces = Vec::new();
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) if is_unknown(&error) => return Ok(None),
                Err(error) => return Err(aws_error("list the parts of", key, &error)),
            };
            pieces.extend(page.parts.unwrap_or_default().into_iter().filter_map(|part| {
                let index = u64::try_from(part.part_number?.checked_sub(1)?).ok()?;
                Some(Piece { index, size: bytes(part.size), reference: part.e_tag? })
            }));
        }
        pieces.sort_by_key(|piece| piece.index);
        Ok(Some(pieces))
    }

    /// Completes a multipart upload. Returns false if S3 does not know it.
    pub(crate) async fn complete(&self, key: &str, upload_id: &str, parts: &[Piece]) -> Result<bool, AwsError> {
        let parts = parts
            .iter()
            .map(|part| {
                Ok(CompletedPart::builder().part_number(part_number(part.index)?).e_tag(&part.reference).build())
            })
            .collect::<Result<Vec<_>, AwsError>>()?;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = self.client.complete_multipart_upload().bucket(&self.bucket).key(key).upload_id(upload_id);
        match request.multipart_upload(parts).send().await {
            Ok(_) => Ok(true),
            Err(error) if is_unknown(&error) => Ok(false),
            Err(error) => Err(aws_error("complete the multipart upload of", key, &error)),
        }
    }

    /// Aborts a multipart upload, so that its parts cost nothing. An unknown one counts as aborted.
    pub(crate) async fn abort(&self, key: &str, upload_id: &str) -> Result<(), AwsError> {
        let request = self.client.abort_multipart_upload().bucket(&self.bucket).key(key).upload_id(upload_id);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_unknown(&error) => Ok(()),
            Err(error) => Err(aws_error("abort the multipart upload of", key, &error)),
        }
    }

    /// Joins pieces in the bucket to one object, in order. A failure aborts the multipart upload.
    pub(crate) async fn join(&self, pieces: &[Piece], key: &str, content_type: &str) -> Result<(), AwsError> {
        let upload_id = self.start(key, content_type).await?;
        let joined = self.join_parts(pieces, key, &upload_id).await;
        if joined.is_err()
            && let Err(error) = self.abort(key, &upload_id).await
        {
            tracing::warn!(%error, "failed to abort a multipart upload; the bucket's lifecycle will");
        }
        joined
    }

    async fn join_parts(&self, pieces: &[Piece], key: &str, upload_id: &str) -> Result<(), AwsError> {
        let chunks = stream::iter(pieces).map(|piece| self.get(&piece.reference)).buffered(READ_AHEAD);
        let parts: Vec<Piece> = regroup(chunks.boxed(), PART_BYTES)
            .enumerate()
            .map(|(index, part)| async move { self.put_part(key, upload_id, index as u64, part?).await })
            .buffered(READ_AHEAD)
            .try_collect()
            .await?;
        if self.complete(key, upload_id, &parts).await? {
            return Ok(());
        }
        Err(AwsError::unexpected(format!("complete the multipart upload of {key}"), "S3 no longer knows it"))
    }

    async fn put_part(&self, key: &str, upload_id: &str, index: u64, part: Bytes) -> Result<Piece, AwsError> {
        let size = part.len() as u64;
        let request = self.client.upload_part().bucket(&self.bucket).key(key).upload_id(upload_id);
        let answer = request.part_number(part_number(index)?).body(ByteStream::from(part)).send().await;
        let answer = answer.map_err(|error| aws_error("write a part of", key, &error))?;
        let reference = answer
            .e_tag
            .ok_or_else(|| AwsError::unexpected(format!("write a part of {key}"), "the answer has no ETag"))?;
        Ok(Piece { index, size, reference })
    }
}

type Chunks<'a> = stream::BoxStream<'a, Result<Bytes, AwsError>>;

/// Regroups the bytes into chunks of `size`; the last one may be smaller.
fn regroup(chunks: Chunks<'_>, size: usize) -> impl stream::Stream<Item = Result<Bytes, AwsError>> {
    stream::try_unfold((chunks, Vec::new()), move |(mut chunks, mut group)| async move {
        while group.len() < size {
            match chunks.try_next().await? {
                Some(chunk) => group.extend_from_slice(&chunk),
                None if group.is_empty() => return Ok(None),
                None => break,
            }
        }
        let rest = group.split_off(group.len().min(size));
        Ok(Some((Bytes::from(group), (chunks, rest))))
    })
}

fn is_unknown<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error.as_service_error().and_then(ProvideErrorMetadata::code) == Some("NoSuchUpload")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn regrouping_keeps_the_bytes() {
        for (chunks, expected) in [
            (vec!["abc", "d", "efgh"], vec!["abc", "def", "gh"]),
            (vec!["abcdefgh"], vec!["abc", "def", "gh"]),
            (vec!["abcdef"], vec!["abc", "def"]),
            (vec!["a"], vec!["a"]),
            (vec![], vec![]),
        ] {
            let chunks = stream::iter(chunks.into_iter().map(|chunk| Ok(Bytes::from(chunk)))).boxed();
            let groups: Vec<Bytes> = regroup(chunks, 3).try_collect().await.expect("no failure");
            assert_eq!(groups, expected);
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_failure_ends_the_stream() {
        let failure = || AwsError::unexpected("read", "gone");
        let chunks = stream::iter([Ok(Bytes::from("ab")), Err(failure())]).boxed();
        let groups: Result<Vec<Bytes>, AwsError> = regroup(chunks, 3).try_collect().await;
        assert_eq!(groups, Err(failure()));
    }
}
