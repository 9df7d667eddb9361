//! S3: artifacts, templates and the files of sites.

use std::{collections::BTreeMap, time::SystemTime};

use aws_sdk_s3::{
    Client, Config,
    operation::list_objects_v2::ListObjectsV2Output,
    primitives::ByteStream,
    types::{Delete, Object, ObjectIdentifier},
};
use camino::Utf8Path;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    AwsError, Clients, Resource,
    error::{ErrorKind, failed, if_found},
    patient,
};

/// The object metadata with the SHA-256 of the content. Objects that other programs have written lack it.
const SHA256: &str = "sha256";

/// The headers that an object is served with, and the hash of its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ObjectHeaders {
    /// The SHA-256 of the content.
    pub(crate) sha256: String,
    /// `Content-Type`.
    pub(crate) content_type: String,
    /// `Cache-Control`.
    pub(crate) cache_control: String,
}

/// S3 in one region.
#[derive(Debug)]
pub(crate) struct S3 {
    pub(super) client: Client,
}

impl Clients {
    /// S3 in the stage's region.
    pub(crate) fn s3(&self) -> S3 {
        self.s3_in(None)
    }

    /// S3 in a region; `None` is the stage's. A bucket can only be deleted in its own region.
    ///
    /// The emulator only supports buckets in the path.
    pub(crate) fn s3_in(&self, region: Option<&str>) -> S3 {
        let style =
            |clients: &Self, config: aws_sdk_s3::config::Builder| config.force_path_style(clients.endpoint().is_some());
        S3 { client: client!(aws_sdk_s3, self, region, style) }
    }
}

impl S3 {
    /// Returns whether a bucket exists.
    ///
    /// # Errors
    ///
    /// When the call fails, also because the caller may not list the bucket (S3 API reference, `HeadBucket`: 403).
    pub(crate) async fn bucket_exists(&self, bucket: &str) -> Result<bool, AwsError> {
        let found = self.client.head_bucket().bucket(bucket).send().await;
        Ok(if_found(found.map_err(failed("s3:HeadBucket", Resource::bucket(bucket))))?.is_some())
    }

    /// Returns whether an object exists.
    pub(crate) async fn exists(&self, bucket: &str, key: &str) -> Result<bool, AwsError> {
        match self.client.head_object().bucket(bucket).key(key).send().await {
            Ok(_) => Ok(true),
            Err(error) => {
                let missing = error.as_service_error().is_some_and(|error| error.is_not_found());
                if missing { Ok(false) } else { Err(failed("s3:HeadObject", Resource::object(bucket, key))(error)) }
            }
        }
    }

    /// Returns the headers and the content's hash of an object that [`S3::put_object`] wrote, or `None` if there is no such object.
    pub(crate) async fn object_headers(&self, bucket: &str, key: &str) -> Result<Option<ObjectHeaders>, AwsError> {
        let found = match self.client.head_object().bucket(bucket).key(key).send().await {
            Ok(found) => found,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found()) => return Ok(None),
            Err(error) => return Err(failed("s3:HeadObject", Resource::object(bucket, key))(error)),
        };
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        Ok(Some(ObjectHeaders {
            sha256: text(found.metadata().and_then(|metadata| metadata.get(SHA256)).map(String::as_str)),
            content_type: text(found.content_type()),
            cache_control: text(found.cache_control()),
        }))
    }

    /// Uploads an object with the headers that it is served with.
    pub(crate) async fn put_object(
        &self,
        bucket: &str,
        key: &str,
        body: Vec<u8>,
        headers: &ObjectHeaders,
    ) -> Result<(), AwsError> {
        let request = self.client.put_object().bucket(bucket).key(key).body(ByteStream::from(body));
        let request = request.content_type(&headers.content_type).cache_control(&headers.cache_control);
        let request = request.metadata(SHA256, &headers.sha256).send().await;
        request.map_err(failed("s3:PutObject", Resource::object(bucket, key)))?;
        Ok(())
    }

    /// Uploads a file with this SHA-256. The bytes are compared as they are sent: the file may have changed since it was read for the plan.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, has changed, or the call fails.
    pub(crate) async fn upload(&self, bucket: &str, key: &str, path: &Utf8Path, sha256: &str) -> Result<(), AwsError> {
        let failed = |message: String| {
            let resource = Box::new(Resource::object(bucket, key));
            AwsError { operation: "s3:PutObject", resource, kind: ErrorKind::Other, code: None, message }
        };
        let bytes = fs_err::read(path).map_err(|error| failed(format!("failed to read {path}: {error}")))?;
        let actual = hex::encode(Sha256::digest(&bytes));
        if actual != sha256 {
            return Err(failed(format!("{path} has changed: its SHA-256 is {actual}, but {sha256} was planned")));
        }
        self.put(bucket, key, ByteStream::from(bytes)).await
    }

    /// Uploads text.
    pub(crate) async fn put_text(&self, bucket: &str, key: &str, text: String) -> Result<(), AwsError> {
        self.put(bucket, key, ByteStream::from(text.into_bytes())).await
    }

    async fn put(&self, bucket: &str, key: &str, body: ByteStream) -> Result<(), AwsError> {
        let request = self.client.put_object().bucket(bucket).key(key).body(body);
        let request = request.customize().config_override(Config::builder().timeout_config(patient()));
        request.send().await.map_err(failed("s3:PutObject", Resource::object(bucket, key)))?;
        Ok(())
    }

    /// Lists the keys with a prefix.
    pub(crate) async fn keys(&self, bucket: &str, prefix: &str) -> Result<Vec<String>, AwsError> {
        Ok(self.keys_with_times(bucket, prefix).await?.into_iter().map(|(key, _)| key).collect())
    }

    /// Lists the keys with a prefix, each with its object's `ETag`; `None` if there is no such bucket.
    pub(crate) async fn keys_with_tags(
        &self,
        bucket: &str,
        prefix: &str,
    ) -> Result<Option<Vec<(String, String)>>, AwsError> {
        let request = self.client.list_objects_v2().bucket(bucket).prefix(prefix);
        let pages = request.into_paginator().send().try_collect().await;
        let pages = if_found(pages.map_err(failed("s3:ListObjectsV2", Resource::object(bucket, prefix))))?;
        let objects = |pages: Vec<ListObjectsV2Output>| {
            let objects = pages.into_iter().flat_map(|page| page.contents.unwrap_or_default());
            objects.filter_map(|object| Some((object.key?, object.e_tag?))).collect()
        };
        Ok(pages.map(objects))
    }

    /// Lists the keys with a prefix, and when each object was written.
    pub(crate) async fn keys_with_times(
        &self,
        bucket: &str,
        prefix: &str,
    ) -> Result<Vec<(String, Option<SystemTime>)>, AwsError> {
        let mut pages = self.client.list_objects_v2().bucket(bucket).prefix(prefix).into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = if_found(page.map_err(failed("s3:ListObjectsV2", Resource::object(bucket, prefix))))?;
            let objects = page.into_iter().flat_map(|page| page.contents.unwrap_or_default());
            let written = |object: &Object| object.last_modified.and_then(|time| SystemTime::try_from(time).ok());
            keys.extend(objects.filter_map(|object| Some((object.key.clone()?, written(&object)))));
        }
        Ok(keys)
    }

    /// Deletes objects; a versioned bucket keeps their versions. Returns those that could not be deleted, by key.
    pub(crate) async fn delete(&self, bucket: &str, keys: &[String]) -> BTreeMap<String, AwsError> {
        let objects: Vec<_> = keys.iter().map(|key| (key.clone(), None)).collect();
        self.delete_versions(bucket, &objects).await
    }

    /// Reads the tags of a bucket; `None` if there is no such bucket.
    ///
    /// # Errors
    ///
    /// When the call fails: with [`ErrorKind::AccessDenied`] if the caller may not read the tags, or the bucket is another account's (S3 user
    /// guide, "Verifying bucket ownership with bucket owner condition").
    pub(crate) async fn bucket_tags(
        &self,
        bucket: &str,
        account: &str,
    ) -> Result<Option<BTreeMap<String, String>>, AwsError> {
        let request = self.client.get_bucket_tagging().bucket(bucket).expected_bucket_owner(account);
        match request.send().await.map_err(failed("s3:GetBucketTagging", Resource::bucket(bucket))) {
            Ok(found) => Ok(Some(found.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect())),
            Err(error) if error.code.as_deref() == Some("NoSuchTagSet") => Ok(Some(BTreeMap::new())),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns whether a bucket has neither objects nor versions of them. One that does not exist is empty.
    pub(crate) async fn is_empty(&self, bucket: &str) -> Result<bool, AwsError> {
        let request = self.client.list_object_versions().bucket(bucket).max_keys(1);
        let page = if_found(request.send().await.map_err(failed("s3:ListObjectVersions", Resource::bucket(bucket))))?;
        Ok(page.is_none_or(|page| page.versions().is_empty() && page.delete_markers().is_empty()))
    }

    /// Deletes a bucket with all versions of all its objects; returns whether it existed.
    pub(crate) async fn delete_bucket(&self, bucket: &str) -> Result<bool, AwsError> {
        loop {
            let request = self.client.list_object_versions().bucket(bucket);
            let page =
                if_found(request.send().await.map_err(failed("s3:ListObjectVersions", Resource::bucket(bucket))))?;
            let Some(page) = page else { return Ok(false) };
            let object = |key: Option<&str>, version: Option<&str>| Some((key?.to_owned(), version.map(str::to_owned)));
            let versions = page.versions().iter().filter_map(|found| object(found.key(), found.version_id()));
            let markers = page.delete_markers().iter().filter_map(|found| object(found.key(), found.version_id()));
            let objects: Vec<_> = versions.chain(markers).collect();
            if objects.is_empty() {
                break;
            }
            if let Some((_, error)) = self.delete_versions(bucket, &objects).await.pop_first() {
                return Err(error);
            }
        }
        let request = self.client.delete_bucket().bucket(bucket);
        request.send().await.map_err(failed("s3:DeleteBucket", Resource::bucket(bucket)))?;
        Ok(true)
    }

    async fn delete_versions(&self, bucket: &str, objects: &[(String, Option<String>)]) -> BTreeMap<String, AwsError> {
        let mut failed_keys = BTreeMap::new();
        // DeleteObjects takes 1,000 keys a call (S3 API reference).
        for chunk in objects.chunks(1000) {
            let identifiers = chunk.iter().filter_map(|(key, version)| {
                ObjectIdentifier::builder().key(key).set_version_id(version.clone()).build().ok()
            });
            let Ok(delete) = Delete::builder().set_objects(Some(identifiers.collect())).quiet(true).build() else {
                continue;
            };
            let request = self.client.delete_objects().bucket(bucket).delete(delete);
            match request.send().await.map_err(failed("s3:DeleteObjects", Resource::bucket(bucket))) {
                Ok(deleted) => failed_keys.extend(deleted.errors().iter().map(|error| refusal(bucket, error))),
                Err(error) => failed_keys.extend(chunk.iter().map(|(key, _)| (key.clone(), error.clone()))),
            }
        }
        failed_keys
    }
}

/// The object that a deletion of many leaves out, and why.
fn refusal(bucket: &str, error: &aws_sdk_s3::types::Error) -> (String, AwsError) {
    let key = error.key().unwrap_or_default();
    let resource = Box::new(Resource::object(bucket, key));
    let (message, code) = (error.message().unwrap_or_default().to_owned(), error.code().map(Box::from));
    (key.to_owned(), AwsError { operation: "s3:DeleteObjects", resource, kind: ErrorKind::Other, code, message })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::scripted::Endpoint;

    #[tokio::test]
    async fn a_file_that_changed_since_it_was_planned_is_not_uploaded() {
        let temporary = tempfile::tempdir().expect("a folder");
        let path = Utf8Path::from_path(temporary.path()).expect("UTF-8").join("function.zip");
        fs_err::write(&path, "planned").expect("written");
        let sha256 = hex::encode(Sha256::digest("planned"));
        let endpoint = Endpoint::serve(|_| (200, String::new())).await;
        let s3 = endpoint.clients().await.s3();
        s3.upload("bucket", "key", &path, &sha256).await.expect("uploaded");
        fs_err::write(&path, "replaced").expect("written");
        let error = s3.upload("bucket", "key", &path, &sha256).await.expect_err("refused");
        assert!(error.message.contains("function.zip has changed: its SHA-256 is"), "{error}");
        assert_eq!(endpoint.received().len(), 1);
    }
}
