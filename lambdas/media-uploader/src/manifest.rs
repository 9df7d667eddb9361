//! What is known of one media: written by the dispatcher and the processors, read by the retrieve function.

use serde::{Deserialize, Serialize};

/// The state of one media, or of a video's poster. It lies beside the variants in the processed bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The media's filename, a UUID v4.
    pub filename: String,
    /// Image or video.
    pub kind: Kind,
    /// How far processing is.
    pub status: Status,
    /// SHA-256, in hex, of the raw key's first segment: the bucket is publicly readable, so no names.
    pub owner_hash: String,
    /// The source's content type, by its magic bytes once processed.
    pub content_type: String,
    /// The source's size in bytes.
    pub bytes: u64,
    /// The source's ETag.
    pub source_etag: String,
    /// When the first job for this media was started.
    pub created_at: jiff::Timestamp,
    /// When this manifest was written.
    pub updated_at: jiff::Timestamp,
    /// What can be retrieved. Complete once the status is [`Status::Ready`].
    #[serde(default)]
    pub variants: Vec<Variant>,
    /// What an image is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageFacts>,
    /// What a video is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<VideoFacts>,
    /// In a poster's manifest: where the poster comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poster_source: Option<PosterSource>,
    /// Why processing failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

/// How long a job may take, with Lambda's retries, before nobody expects its end any more.
pub const STALLED_AFTER: jiff::SignedDuration = jiff::SignedDuration::from_mins(15);

impl Manifest {
    /// Has the job been running for longer than any job can?
    #[must_use]
    pub fn is_stalled(&self, now: jiff::Timestamp) -> bool {
        self.status == Status::Processing && now.duration_since(self.updated_at) > STALLED_AFTER
    }

    /// Is this a poster that the client chose? No other may replace it.
    #[must_use]
    pub fn is_clients_poster(&self) -> bool {
        self.poster_source == Some(PosterSource::Client) && self.status != Status::Failed
    }
}

/// Image or video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Kind {
    Image,
    Video,
}

/// How far processing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// A job was started.
    Processing,
    /// Every variant is there.
    Ready,
    /// The source cannot be processed.
    Failed,
}

/// One retrievable object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Variant {
    /// `tiny` … `huge`, or `original` for videos.
    pub size: String,
    /// `jpg`, `png`, `webp`, `mp4`, `mov`, `webm` or `mkv`.
    pub extension: String,
    /// The key in the processed bucket.
    pub key: String,
    /// The object's size in bytes.
    pub bytes: u64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// What an image is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageFacts {
    /// Width in pixels, after orientation.
    pub width: u32,
    /// Height in pixels, after orientation.
    pub height: u32,
    /// Does any pixel let something through?
    pub has_alpha: bool,
    /// Are there more frames than the first, which is all that is kept?
    pub animated: bool,
}

/// What a video is, from its container alone: nothing is decoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VideoFacts {
    /// `mp4`, `mov`, `webm` or `mkv`.
    pub container: String,
    /// The major and compatible brands of an ISO file; the doc type of a Matroska file.
    pub brands: Vec<String>,
    /// Duration in milliseconds.
    pub duration_ms: u64,
    /// Bits per second, from size and duration.
    pub bitrate: u64,
    /// Is it a fragmented MP4?
    pub fragmented: bool,
    /// Did the index come before the samples in the source?
    pub fast_start_before: bool,
    /// Did the source carry a location?
    pub had_location: bool,
    /// Always false: samples are never decoded.
    pub transcoded: bool,
    /// Were `udta`, `meta` and `uuid` removed?
    pub metadata_stripped: bool,
    /// Where the poster comes from.
    pub poster: PosterSource,
    /// The video tracks.
    pub video_tracks: Vec<VideoTrack>,
    /// The audio tracks.
    pub audio_tracks: Vec<AudioTrack>,
}

/// Where a video's poster comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PosterSource {
    /// Uploaded by the client with `posterFor`.
    Client,
    /// The embedded cover art.
    Cover,
    /// The first sample of an MJPEG track.
    Sample,
    /// There is none.
    None,
}

/// One video track.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VideoTrack {
    /// The sample entry's code (`avc1`, …) or Matroska's codec id.
    pub codec: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Clockwise degrees: 0, 90, 180 or 270.
    pub rotation: u16,
    /// Frames per second.
    pub frame_rate: f64,
}

/// One audio track.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AudioTrack {
    /// The sample entry's code (`mp4a`, …) or Matroska's codec id.
    pub codec: String,
    /// Number of channels.
    pub channels: u16,
    /// Samples per second.
    pub sample_rate: u32,
}

/// Why processing failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// For programs.
    pub code: FailureCode,
    /// For people.
    pub message: String,
}

impl Failure {
    /// A failure with a code for programs and a sentence for people.
    #[must_use]
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// Declared as `declared`, and is the other.
    #[must_use]
    pub fn mismatch(declared: Kind) -> Self {
        let message = match declared {
            Kind::Image => "the file was declared as an image and is a video",
            Kind::Video => "the file was declared as a video and is an image",
        };
        Self::new(FailureCode::TypeMismatch, message)
    }

    /// More bytes than are taken.
    #[must_use]
    pub fn too_large(bytes: u64, limit: u64) -> Self {
        Self::new(FailureCode::TooLarge, format!("the file has {bytes} bytes; at most {limit} are taken"))
    }
}

/// Why processing failed, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureCode {
    /// The file cannot be read as what it claims to be, or ends too early.
    Corrupt,
    /// A video without a video track.
    NoVideoTrack,
    /// Declared as an image and is a video, or the other way round.
    TypeMismatch,
    /// More bytes than are taken.
    TooLarge,
    /// More pixels, or a longer side, than are taken.
    TooManyPixels,
    /// Neither an image nor a video that is taken.
    UnsupportedType,
}
