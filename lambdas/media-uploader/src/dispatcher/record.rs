//! The fields of S3's event that the dispatcher uses, and its decision about one object. No I/O.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    keys::{self, RawKey, RawKind, owner_hash},
    manifest::{Failure, FailureCode, Manifest, MediaKind, PosterSource, Status, shortened},
    storage::Head,
};

/// An event of the raw bucket:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Event {
    /// The objects: usually one, which is not guaranteed.
    #[serde(rename = "Records")]
    pub(crate) records: Vec<Record>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) bucket: String,
    /// Decoded.
    pub(crate) key: String,
    /// The version that was written; `None` in a bucket without versions.
    pub(crate) version: Option<String>,
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Outer {
            s3: Entity,
        }
        #[derive(Deserialize)]
        struct Entity {
            bucket: Bucket,
            object: Object,
        }
        #[derive(Deserialize)]
        struct Bucket {
            name: String,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Object {
            key: String,
            version_id: Option<String>,
        }
        let Outer { s3 } = Outer::deserialize(deserializer)?;
        let Object { key, version_id } = s3.object;
        Ok(Self { bucket: s3.bucket.name, key: keys::decode(&key), version: version_id })
    }
}

/// The outcome of one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Outcome {
    /// A processor was started.
    Started,
    /// The key does not have the raw bucket's form.
    InvalidKey,
    /// The object was deleted.
    Gone,
    /// This version of the object was already processed.
    AlreadyProcessed,
    /// The filename belongs to another user.
    OwnerMismatch,
    /// The owner's quota is exceeded; this version of the object was deleted.
    OverQuota,
    /// Neither an image nor a video.
    UnsupportedType,
}

impl Outcome {
    /// Returns the serialized name.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "Started",
            Self::InvalidKey => "InvalidKey",
            Self::Gone => "Gone",
            Self::AlreadyProcessed => "AlreadyProcessed",
            Self::OwnerMismatch => "OwnerMismatch",
            Self::OverQuota => "OverQuota",
            Self::UnsupportedType => "UnsupportedType",
        }
    }
}

/// Returns the outcome of an object, and the manifest to write first.
pub(super) fn plan(
    key: &RawKey,
    head: &Head,
    previous: Option<&Manifest>,
    now: Timestamp,
) -> (Outcome, Option<Manifest>) {
    if let Some(previous) = previous {
        if previous.owner_hash != owner_hash(&key.owner) {
            return (Outcome::OwnerMismatch, None);
        }
        // S3 delivers an event at least once.
        if previous.status == Status::Ready && previous.source_etag == head.etag {
            return (Outcome::AlreadyProcessed, None);
        }
    }
    let content_type = shortened(head.content_type.clone().unwrap_or_default());
    let processor = processor(key.kind, &content_type);
    let error = processor
        .is_none()
        .then(|| Failure::new(FailureCode::UnsupportedType, format!("{content_type:?} cannot be processed here")));
    let manifest = Manifest {
        filename: key.filename.to_string(),
        kind: processor.unwrap_or(if key.kind == RawKind::Videos { MediaKind::Video } else { MediaKind::Image }),
        status: if error.is_some() { Status::Failed } else { Status::Processing },
        owner_hash: owner_hash(&key.owner),
        content_type,
        bytes: head.bytes,
        source_etag: head.etag.clone(),
        created_at: previous.map_or(now, |previous| previous.created_at),
        updated_at: now,
        variants: Vec::new(),
        image: None,
        video: None,
        poster_source: (key.kind == RawKind::Posters).then_some(PosterSource::Client),
        error,
    };
    let outcome = if processor.is_some() { Outcome::Started } else { Outcome::UnsupportedType };
    (outcome, Some(manifest))
}

/// Returns the processor of a declared type. A poster is always an image.
fn processor(kind: RawKind, content_type: &str) -> Option<MediaKind> {
    let content_type = content_type.to_ascii_lowercase();
    if content_type.starts_with("image/") {
        Some(MediaKind::Image)
    } else if content_type.starts_with("video/") && kind != RawKind::Posters {
        Some(MediaKind::Video)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_declared_type_chooses_the_processor() {
        assert_eq!(processor(RawKind::Videos, "image/png"), Some(MediaKind::Image));
        assert_eq!(processor(RawKind::Images, "Video/MP4"), Some(MediaKind::Video));
        assert_eq!(processor(RawKind::Posters, "image/png"), Some(MediaKind::Image));
        assert_eq!(processor(RawKind::Posters, "video/mp4"), None);
        assert_eq!(processor(RawKind::Images, "binary/octet-stream"), None);
        assert_eq!(processor(RawKind::Images, ""), None);
    }
}
