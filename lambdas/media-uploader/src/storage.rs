//! Access to one bucket: objects, ranges and manifests. A missing object is `None`, not an error.

use aws_config::SdkConfig;
use aws_sdk_s3::{
    Client,
    config::RequestChecksumCalculation,
    error::{ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
};
use aws_smithy_types::error::display::DisplayErrorContext;

use crate::manifest::{self, Manifest};

/// Browsers and CloudFront may cache processed objects for a day.
pub(crate) const CACHE_CONTROL: &str = "public, max-age=86400";

/// Creates the S3 client of a function.
pub(crate) fn client(aws: &SdkConfig) -> Client {
    Client::from_conf(configuration(aws).build())
}

/// Creates a client that only presigns URLs, for `endpoint` if clients reach S3 at another address than the function.
pub(crate) fn presigning_client(aws: &SdkConfig, endpoint: Option<&str>) -> Client {
    let mut configuration = configuration(aws);
    if let Some(endpoint) = endpoint.filter(|endpoint| !endpoint.is_empty()) {
        configuration = configuration.endpoint_url(endpoint).force_path_style(true);
    }
    Client::from_conf(configuration.build())
}

fn configuration(aws: &SdkConfig) -> aws_sdk_s3::config::Builder {
    aws_sdk_s3::config::Builder::from(aws)
        // An emulator has one host name for all buckets.
        .force_path_style(aws.endpoint_url().is_some())
        // The SDK's default adds a checksum to each request, which a presigned URL would then demand of clients, and
        // each part of a multipart upload: https://docs.aws.amazon.com/sdkref/latest/guide/feature-dataintegrity.html
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
}

/// A bucket and its client.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    client: Client,
    bucket: String,
}

/// The metadata of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) content_type: Option<String>,
    pub(crate) bytes: u64,
    /// Without quotes.
    pub(crate) etag: String,
    /// When the object was written, in seconds since 1970.
    pub(crate) modified: i64,
}

/// Why an object could not be read or written. A missing object is not an error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StorageError {
    /// S3 rejected the request or could not be reached.
    #[error("failed to {action} s3://{bucket}/{key}")]
    Request {
        /// The attempted action: `read`, `write`, ….
        action: &'static str,
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An object has more bytes than its readers accept.
    #[error("failed to {action} s3://{bucket}/{key}: it has more than {limit} bytes")]
    TooLarge {
        /// The attempted action.
        action: &'static str,
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// The largest accepted size in bytes.
        limit: u64,
    },
    /// A manifest has an unknown form.
    #[error("failed to parse the manifest s3://{bucket}/{key}")]
    Manifest {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
}

/// An SDK error with the whole chain in its `Display`: the SDK's own prints only its outermost layer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Cause(String);

impl Store {
    /// Creates the store of one bucket.
    pub(crate) fn new(client: Client, bucket: impl Into<String>) -> Self {
        Self { client, bucket: bucket.into() }
    }

    /// Returns the client, for calls that only one function makes.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn bucket(&self) -> &str {
        &self.bucket
    }

    pub(crate) async fn manifest(&self, key: &str) -> Result<Option<Manifest>, StorageError> {
        let Some(bytes) = self.get(key, manifest::LARGEST).await? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|source| self.bad_manifest(key, source))
    }

    /// Writes a manifest. It changes, so unlike objects of [`Store::put`] it must not be cached.
    pub(crate) async fn put_manifest(&self, key: &str, manifest: &Manifest) -> Result<(), StorageError> {
        let bytes = serde_json::to_vec(manifest).map_err(|source| self.bad_manifest(key, source))?;
        if bytes.len() as u64 > manifest::LARGEST {
            return Err(self.too_large("write", key, manifest::LARGEST));
        }
        self.put_cached(key, bytes.into(), "application/json", "no-cache").await
    }

    /// Writes an object that may be cached for a day.
    pub(crate) async fn put(
        &self,
        key: &str,
        bytes: impl Into<ByteStream>,
        content_type: &str,
    ) -> Result<(), StorageError> {
        self.put_cached(key, bytes.into(), content_type, CACHE_CONTROL).await
    }

    async fn put_cached(
        &self,
        key: &str,
        body: ByteStream,
        content_type: &str,
        cache_control: &str,
    ) -> Result<(), StorageError> {
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type(content_type)
            .cache_control(cache_control)
            .body(body)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| self.failed("write", key, error))
    }

    /// Deletes an object, if it exists.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), StorageError> {
        let request = self.client.delete_object().bucket(&self.bucket).key(key);
        request.send().await.map(|_| ()).map_err(|error| self.failed("delete", key, error))
    }

    pub(crate) async fn head(&self, key: &str) -> Result<Option<Head>, StorageError> {
        match self.client.head_object().bucket(&self.bucket).key(key).send().await {
            Ok(head) => Ok(Some(Head {
                content_type: head.content_type,
                bytes: head.content_length.and_then(|bytes| bytes.try_into().ok()).unwrap_or(0),
                etag: unquoted(head.e_tag.as_deref().unwrap_or_default()).to_owned(),
                modified: head.last_modified.map_or(i64::MAX, |modified| modified.secs()),
            })),
            // A response to HEAD has no body with a code, so the SDK derives this one from the status.
            Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found()) => Ok(None),
            Err(error) => Err(self.failed("inspect", key, error)),
        }
    }

    /// Reads a whole object of at most `limit` bytes into memory.
    pub(crate) async fn get(&self, key: &str, limit: u64) -> Result<Option<Vec<u8>>, StorageError> {
        let object = match self.client.get_object().bucket(&self.bucket).key(key).send().await {
            Ok(object) => object,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => return Ok(None),
            Err(error) => return Err(self.failed("read", key, error)),
        };
        self.collect("read", key, object.body, limit).await.map(Some)
    }

    /// Reads the bytes from `start` to `end_inclusive`, or fewer if the object ends earlier.
    pub(crate) async fn get_range(&self, key: &str, start: u64, end_inclusive: u64) -> Result<Vec<u8>, StorageError> {
        let request = self.client.get_object().bucket(&self.bucket).key(key);
        let answer = request.range(format!("bytes={start}-{end_inclusive}")).send().await;
        let object = answer.map_err(|error| self.failed("read a range of", key, error))?;
        self.collect("read a range of", key, object.body, end_inclusive.saturating_sub(start).saturating_add(1)).await
    }

    /// Collects a body. The bytes that arrive are counted, because the announced length proves nothing.
    async fn collect(
        &self,
        action: &'static str,
        key: &str,
        mut body: ByteStream,
        limit: u64,
    ) -> Result<Vec<u8>, StorageError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| self.request(action, key, Box::new(error)))?;
            if (bytes.len() + chunk.len()) as u64 > limit {
                return Err(self.too_large(action, key, limit));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// Converts an SDK error of an action on a key, for calls made on [`Store::client`].
    pub(crate) fn failed<E, R>(&self, action: &'static str, key: &str, error: SdkError<E, R>) -> StorageError
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
        R: std::fmt::Debug,
    {
        self.request(action, key, Box::new(Cause(DisplayErrorContext(&error).to_string())))
    }

    fn request(
        &self,
        action: &'static str,
        key: &str,
        source: Box<dyn std::error::Error + Send + Sync>,
    ) -> StorageError {
        StorageError::Request { action, bucket: self.bucket.clone(), key: key.to_owned(), source }
    }

    fn too_large(&self, action: &'static str, key: &str, limit: u64) -> StorageError {
        StorageError::TooLarge { action, bucket: self.bucket.clone(), key: key.to_owned(), limit }
    }

    fn bad_manifest(&self, key: &str, source: serde_json::Error) -> StorageError {
        StorageError::Manifest { bucket: self.bucket.clone(), key: key.to_owned(), source }
    }
}

/// Removes the quotes of an ETag, which S3's headers contain and S3's events do not.
pub(crate) fn unquoted(etag: &str) -> &str {
    etag.strip_prefix('"').and_then(|etag| etag.strip_suffix('"')).unwrap_or(etag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::scripted::{Reply, Rule, ScriptedAws};

    /// A bucket that expects one request.
    fn store(rule: &Rule) -> Store {
        Store::new(ScriptedAws::new([rule.clone().once()]).s3(), "bucket")
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_missing_object_is_none() {
        let get = Rule::get_object("/bucket/key", Reply::no_such_key());
        let head = Rule::head_object("/bucket/key", Reply::no_such_key());
        let store = Store::new(ScriptedAws::new([get, head]).s3(), "bucket");
        assert_eq!(store.get("key", 1).await.expect("absence is no error"), None);
        assert_eq!(store.head("key").await.expect("absence is no error"), None);
        assert!(store.manifest("key").await.expect("absence is no error").is_none());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_failure_names_the_action_and_the_cause() {
        let get = Rule::get_object("/bucket/a/b", Reply::s3_error(503, "SlowDown", "too fast"));
        let error = store(&get).get("a/b", 1).await.expect_err("S3 failed");
        assert_eq!(error.to_string(), "failed to read s3://bucket/a/b");
        let source = std::error::Error::source(&error).expect("the cause").to_string();
        assert!(source.contains("SlowDown"), "{source}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_object_with_a_manifests_key_must_be_a_manifest() {
        let get = Rule::get_object("/bucket/f/manifest.json", Reply::object(b"{}"));
        let error = store(&get).manifest("f/manifest.json").await.expect_err("{}");
        assert_eq!(error.to_string(), "failed to parse the manifest s3://bucket/f/manifest.json");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn no_more_is_read_than_the_limit() {
        let get = || Rule::get_object("/bucket/key", Reply::object([7; 1000]));
        assert_eq!(
            store(&get()).get("key", 1000).await.expect("within the limit").map(|bytes| bytes.len()),
            Some(1000)
        );
        let error = store(&get()).get("key", 999).await.expect_err("one byte too many");
        assert_eq!(error.to_string(), "failed to read s3://bucket/key: it has more than 999 bytes");
        // A server that ignores the range.
        let error = store(&get()).get_range("key", 10, 19).await.expect_err("the whole object");
        assert!(matches!(error, StorageError::TooLarge { limit: 10, .. }), "{error}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn manifests_are_bounded_when_they_are_read_and_written() {
        let large = vec![b' '; usize::try_from(manifest::LARGEST).expect("a size") + 1];
        let get = Rule::get_object("/bucket/f/manifest.json", Reply::object(large));
        let error = store(&get).manifest("f/manifest.json").await.expect_err("too large");
        assert!(matches!(error, StorageError::TooLarge { .. }), "{error}");
        let mut manifest = crate::testing::manifest(manifest::MediaKind::Video, manifest::Status::Ready, &[]);
        manifest.content_type = "x".repeat(usize::try_from(manifest::LARGEST).expect("a size"));
        let put = Rule::put_object("/bucket/f/manifest.json");
        let error = store(&put).put_manifest("f/manifest.json", &manifest).await.expect_err("too large");
        assert!(matches!(error, StorageError::TooLarge { .. }) && put.calls() == 0, "{error}");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_etag_loses_its_quotes() {
        let object = Reply::object(b"7 bytes").header("etag", "\"abc\"").header("content-type", "image/png");
        let head = store(&Rule::head_object("/bucket/key", object)).head("key").await.expect("it is there");
        let expected = Head {
            content_type: Some("image/png".to_owned()),
            bytes: 7,
            etag: "abc".to_owned(),
            modified: crate::testing::scripted::MODIFIED,
        };
        assert_eq!(head, Some(expected));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn media_is_cached_for_a_day() {
        let put = Rule::put_object("/bucket/key")
            .header("cache-control", "public, max-age=86400")
            .header("content-type", "image/jpeg");
        store(&put).put("key", b"jpeg".to_vec(), "image/jpeg").await.expect("the rule matches");
        assert_eq!(put.calls(), 1);
        assert_eq!(put.requests()[0].body, b"jpeg");
    }
}
