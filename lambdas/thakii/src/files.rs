//! The bucket: keys and objects of videos, subtitles, PDFs and pieces of uploads.

pub(crate) mod links;
pub(crate) mod multipart;

use aws_sdk_s3::{Client, error::SdkError, primitives::ByteStream};
use axum::body::Bytes;
use thakii_contract::storage::{CHUNKS, PDFS, SUBTITLES, VIDEOS};

use crate::{aws::AwsError, ids};

#[derive(Debug, Clone)]
pub(crate) struct Files {
    client: Client,
    presigner: Client,
    bucket: String,
}

/// A piece of an upload in the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// From 0.
    pub(crate) index: u64,
    pub(crate) size: u64,
    /// The object's key, or the part's ETag in a multipart upload.
    pub(crate) reference: String,
}

pub(crate) fn video_key(video_id: &str, filename: &str) -> String {
    format!("{VIDEOS}{video_id}/{filename}")
}

pub(crate) fn subtitle_key(video_id: &str) -> String {
    format!("{SUBTITLES}{video_id}.srt")
}

pub(crate) fn pdf_key(video_id: &str) -> String {
    format!("{PDFS}{video_id}.pdf")
}

pub(crate) fn chunk_prefix(uid: &str, file_id: &str) -> String {
    format!("{CHUNKS}{}/{file_id}/", ids::owner_prefix(uid))
}

pub(crate) fn chunk_key(uid: &str, file_id: &str, index: u64) -> String {
    format!("{}{index:05}", chunk_prefix(uid, file_id))
}

impl Files {
    /// Creates a bucket client; `presigner` signs the links.
    pub(crate) fn new(client: Client, presigner: Client, bucket: String) -> Self {
        Self { client, presigner, bucket }
    }

    pub(crate) fn bucket(&self) -> &str {
        &self.bucket
    }

    pub(crate) async fn put(&self, key: &str, content_type: &str, bytes: Bytes) -> Result<(), AwsError> {
        let request = self.client.put_object().bucket(&self.bucket).key(key).content_type(content_type);
        request.body(ByteStream::from(bytes)).send().await.map(|_| ()).map_err(|error| aws_error("write", key, &error))
    }

    /// Returns an object's size, or `None` if it does not exist.
    pub(crate) async fn object_size(&self, key: &str) -> Result<Option<u64>, AwsError> {
        match self.client.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(head) => Ok(Some(bytes(head.content_length))),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(aws_error("get the size of", key, &error)),
        }
    }

    /// Reads a small object.
    pub(crate) async fn get(&self, key: &str) -> Result<Bytes, AwsError> {
        let request = self.client.get_object().bucket(&self.bucket).key(key);
        let object = request.send().await.map_err(|error| aws_error("read", key, &error))?;
        let body = object.body.collect().await.map_err(|error| aws_error("read", key, &error))?;
        Ok(body.into_bytes())
    }

    /// Deletes an object. A missing one counts as deleted.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), AwsError> {
        let request = self.client.delete_object().bucket(&self.bucket).key(key);
        request.send().await.map(|_| ()).map_err(|error| aws_error("delete", key, &error))
    }

    /// Lists the pieces that were sent through the API, by index.
    pub(crate) async fn chunks(&self, uid: &str, file_id: &str) -> Result<Vec<Piece>, AwsError> {
        let prefix = chunk_prefix(uid, file_id);
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(&prefix);
        let mut pages = request.into_paginator().send();
        let mut pieces = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| aws_error("list", &prefix, &error))?;
            pieces.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| {
                let key = object.key?;
                let index = key.strip_prefix(&prefix)?.parse().ok()?;
                Some(Piece { index, size: bytes(object.size), reference: key })
            }));
        }
        pieces.sort_by_key(|piece| piece.index);
        Ok(pieces)
    }
}

/// A HEAD response has no body with an error code, only a status.
fn is_missing(error: &SdkError<aws_sdk_s3::operation::head_object::HeadObjectError>) -> bool {
    error.as_service_error().is_some_and(aws_sdk_s3::operation::head_object::HeadObjectError::is_not_found)
        || error.raw_response().is_some_and(|response| response.status().as_u16() == 404)
}

fn bytes(number: Option<i64>) -> u64 {
    number.and_then(|number| number.try_into().ok()).unwrap_or(0)
}

fn aws_error(action: &str, key: &str, error: &(impl std::error::Error + 'static)) -> AwsError {
    AwsError::new(format!("{action} {key}"), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_have_fixed_keys() {
        assert_eq!(video_key("id", "a.mp4"), "videos/id/a.mp4");
        assert_eq!(subtitle_key("id"), "subtitles/id.srt");
        assert_eq!(pdf_key("id"), "pdfs/id.pdf");
        let key = chunk_key("uid", "file", 7);
        assert_eq!(key, format!("chunks/{}/file/00007", ids::owner_prefix("uid")));
        assert!(key.starts_with(&chunk_prefix("uid", "file")));
    }
}
