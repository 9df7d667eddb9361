//! Small documents in a bucket, written with S3's conditional writes.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_sdk_s3::{error::BoxError, primitives::ByteStream};
use aws_smithy_runtime_api::client::{
    interceptors::{Intercept, context::BeforeDeserializationInterceptorContextRef},
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::{DateTime, config_bag::ConfigBag, date_time::Format};

use super::{
    AwsError, Clients, Resource,
    error::{ErrorKind, failed, if_found},
    s3::S3,
};

/// The state of a document: S3's `ETag`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag(pub String);

/// A document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The document's text.
    pub text: String,
    /// The document's state when it was read.
    pub tag: Tag,
    /// How long before the read it was written, both times by S3's clock; `None` if S3 does not say.
    pub age: Option<Duration>,
}

/// The documents of one bucket.
#[derive(Debug)]
pub struct Documents {
    s3: S3,
    bucket: String,
}

impl Clients {
    /// The documents of a bucket.
    pub(crate) fn documents(&self, bucket: String) -> Documents {
        self.documents_in(None, bucket)
    }

    /// The documents of a bucket in a region; `None` is the stage's.
    pub(crate) fn documents_in(&self, region: Option<&str>, bucket: String) -> Documents {
        Documents { s3: self.s3_in(region), bucket }
    }
}

/// The condition of a write.
enum Condition<'a> {
    IsNew,
    HasTag(&'a Tag),
}

impl Documents {
    fn resource(&self, key: &str) -> Resource {
        Resource::object(&self.bucket, key)
    }

    /// S3 user guide, "How to prevent object overwrites with conditional writes": the status is 412 if the condition is not met, 409
    /// if another write was in progress, and 404 if there is no object to replace.
    async fn put(&self, key: &str, text: &str, condition: Condition<'_>) -> Result<Option<Tag>, AwsError> {
        let body = ByteStream::from(text.as_bytes().to_vec());
        let request = self.s3.client.put_object().bucket(&self.bucket).key(key).body(body);
        let request = match condition {
            Condition::IsNew => request.if_none_match("*"),
            Condition::HasTag(tag) => request.if_match(&tag.0),
        };
        match request.content_type("application/json").send().await {
            Ok(written) => Ok(Some(Tag(written.e_tag().unwrap_or_default().to_owned()))),
            Err(error) => {
                let error = failed("s3:PutObject", self.resource(key))(error);
                let no_bucket = error.code.as_deref() == Some("NoSuchBucket");
                if no_bucket || !matches!(error.kind, ErrorKind::Conflict | ErrorKind::NotFound) {
                    return Err(error);
                }
                // The response to an earlier attempt may have been lost; then the document has this text.
                let found = self.read(key).await?;
                Ok(found.filter(|document| document.text == text).map(|document| document.tag))
            }
        }
    }

    /// Reads a document; `None` if there is none.
    pub(crate) async fn read(&self, key: &str) -> Result<Option<Document>, AwsError> {
        let date = ResponseDate::default();
        let request = self.s3.client.get_object().bucket(&self.bucket).key(key).customize().interceptor(date.clone());
        let found = if_found(request.send().await.map_err(failed("s3:GetObject", self.resource(key))))?;
        let Some(found) = found else { return Ok(None) };
        let tag = Tag(found.e_tag().unwrap_or_default().to_owned());
        let age = found.last_modified().and_then(|written| date.since(written));
        let broken = |message: String| {
            let resource = Box::new(self.resource(key));
            AwsError { operation: "s3:GetObject", resource, kind: ErrorKind::Unreachable, code: None, message }
        };
        let bytes = found.body.collect().await.map_err(|error| broken(error.to_string()))?.to_vec();
        let text = String::from_utf8(bytes).map_err(|error| broken(error.to_string()))?;
        Ok(Some(Document { text, tag, age }))
    }

    /// Creates a document; `None` if it exists already.
    pub(crate) async fn create(&self, key: &str, text: &str) -> Result<Option<Tag>, AwsError> {
        self.put(key, text, Condition::IsNew).await
    }

    /// Replaces a document; `None` if its tag is no longer `tag`.
    pub(crate) async fn replace(&self, key: &str, text: &str, tag: &Tag) -> Result<Option<Tag>, AwsError> {
        self.put(key, text, Condition::HasTag(tag)).await
    }

    /// Returns the states of the documents with a prefix; `None` if there is no such bucket.
    pub(crate) async fn tags(&self, prefix: &str) -> Result<Option<BTreeMap<String, Tag>>, AwsError> {
        let found = self.s3.keys_with_tags(&self.bucket, prefix).await?;
        Ok(found.map(|found| found.into_iter().map(|(key, tag)| (key, Tag(tag))).collect()))
    }

    /// Lists the keys with a prefix, sorted.
    pub(crate) async fn keys(&self, prefix: &str) -> Result<Vec<String>, AwsError> {
        let mut keys = self.s3.keys(&self.bucket, prefix).await?;
        keys.sort();
        Ok(keys)
    }
}

/// The `Date` of a response: the time at S3 when it responded (S3 API reference, "Common response headers").
#[derive(Debug, Clone, Default)]
struct ResponseDate(Arc<Mutex<Option<DateTime>>>);

impl ResponseDate {
    /// The time from a time at S3 to the response.
    fn since(&self, earlier: &DateTime) -> Option<Duration> {
        let date = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        Some(Duration::from_secs(u64::try_from(date.secs() - earlier.secs()).unwrap_or(0)))
    }
}

impl Intercept for ResponseDate {
    fn name(&self) -> &'static str {
        "ResponseDate"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date;
        Ok(())
    }
}
