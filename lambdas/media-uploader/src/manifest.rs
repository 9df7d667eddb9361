//! The manifest of one media: written by the dispatcher and the processors, read by the retrieve function.

use serde::{Deserialize, Serialize};

/// The state of one media, or of a video's poster, stored beside the variants in the processed bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    /// A UUID v4.
    pub(crate) filename: String,
    pub(crate) kind: MediaKind,
    pub(crate) status: Status,
    /// SHA-256, in hex, of the raw key's first segment: the bucket is publicly readable and must not contain names.
    pub(crate) owner_hash: String,
    /// The source's content type: declared, then detected once it is processed.
    pub(crate) content_type: String,
    /// The source's size in bytes.
    pub(crate) bytes: u64,
    /// The source's ETag.
    pub(crate) source_etag: String,
    /// When the first job of this media started.
    pub(crate) created_at: jiff::Timestamp,
    /// When this manifest was written.
    pub(crate) updated_at: jiff::Timestamp,
    /// The retrievable objects. Complete once the status is [`Status::Ready`].
    #[serde(default)]
    pub(crate) variants: Vec<Variant>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) image: Option<ImageFacts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) video: Option<VideoFacts>,
    /// The source of a poster, in its manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) poster_source: Option<PosterSource>,
    /// Why processing failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Failure>,
}

/// The largest manifest in bytes. No source reaches it: its tracks, brands and texts are counted and shortened.
pub(crate) const LARGEST: u64 = 128 * 1024;
/// The most tracks of a video. Real files have a handful.
pub(crate) const MOST_TRACKS: usize = 256;
/// The most brands that a manifest lists. Real files have a handful.
pub(crate) const MOST_BRANDS: usize = 64;
/// The most characters of a text that comes from a source or its uploader.
const LONGEST_TEXT: usize = 200;

/// Shortens a text that comes from a source or its uploader.
pub(crate) fn shortened(text: impl Into<String>) -> String {
    let mut text = text.into();
    if let Some((end, _)) = text.char_indices().nth(LONGEST_TEXT) {
        text.truncate(end);
    }
    text
}

/// The longest time a job can take, including Lambda's retries.
pub(crate) const STALLED_AFTER: jiff::SignedDuration = jiff::SignedDuration::from_mins(15);

impl Manifest {
    /// Checks whether the job has exceeded the longest possible time.
    pub(crate) fn is_stalled(&self, now: jiff::Timestamp) -> bool {
        self.status == Status::Processing && now.duration_since(self.updated_at) > STALLED_AFTER
    }

    /// Checks whether this is a poster chosen by the client, which no other may replace.
    pub(crate) fn is_clients_poster(&self) -> bool {
        self.poster_source == Some(PosterSource::Client) && self.status != Status::Failed
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MediaKind {
    Image,
    Video,
}

/// The status of processing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// A job has started.
    Processing,
    /// Every variant was written.
    Ready,
    /// The source cannot be processed.
    Failed,
}

/// One retrievable object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Variant {
    /// `tiny` … `huge`, or `original` for videos.
    pub(crate) size: String,
    /// `jpg`, `png`, `webp`, `mp4`, `mov`, `webm` or `mkv`.
    pub(crate) extension: String,
    /// The key in the processed bucket.
    pub(crate) key: String,
    /// The object's size in bytes.
    pub(crate) bytes: u64,
    /// Width in pixels.
    pub(crate) width: u32,
    /// Height in pixels.
    pub(crate) height: u32,
}

/// The properties of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImageFacts {
    /// Width in pixels, after orientation.
    pub(crate) width: u32,
    /// Height in pixels, after orientation.
    pub(crate) height: u32,
    /// Whether any pixel is transparent.
    pub(crate) has_alpha: bool,
    /// Whether the source has more frames than the first, which is the only one kept.
    pub(crate) animated: bool,
}

/// The properties of a video, read from its container: nothing is decoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VideoFacts {
    /// `mp4`, `mov`, `webm` or `mkv`.
    pub(crate) container: String,
    /// The major and compatible brands of an ISO file, or the document type of a Matroska file.
    pub(crate) brands: Vec<String>,
    /// Duration in milliseconds.
    pub(crate) duration_ms: u64,
    /// Bits per second, computed from size and duration.
    pub(crate) bitrate: u64,
    /// Whether it is a fragmented MP4.
    pub(crate) fragmented: bool,
    /// Whether the index preceded the samples in the source.
    pub(crate) fast_start_before: bool,
    /// Whether the source contained a location.
    pub(crate) had_location: bool,
    /// Always false: samples are never decoded.
    pub(crate) transcoded: bool,
    /// Whether `udta`, `meta` and `uuid` were removed.
    pub(crate) metadata_stripped: bool,
    pub(crate) poster: PosterSource,
    pub(crate) video_tracks: Vec<VideoTrack>,
    pub(crate) audio_tracks: Vec<AudioTrack>,
}

/// The source of a video's poster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PosterSource {
    /// Uploaded by the client with `posterFor`.
    Client,
    /// The embedded cover art.
    Cover,
    /// The first sample of an MJPEG track.
    Sample,
    None,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VideoTrack {
    /// The sample entry's code (`avc1`, …) or Matroska's codec ID.
    pub(crate) codec: String,
    /// Width in pixels.
    pub(crate) width: u32,
    /// Height in pixels.
    pub(crate) height: u32,
    /// Clockwise degrees: 0, 90, 180 or 270.
    pub(crate) rotation: u16,
    /// Frames per second.
    pub(crate) frame_rate: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AudioTrack {
    /// The sample entry's code (`mp4a`, …) or Matroska's codec ID.
    pub(crate) codec: String,
    pub(crate) channels: u16,
    /// Samples per second.
    pub(crate) sample_rate: u32,
}

/// Why processing failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// Machine-readable.
    pub(crate) code: FailureCode,
    /// A sentence.
    pub(crate) message: String,
}

impl Failure {
    /// Shortens the message, which may quote the source.
    pub(crate) fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self { code, message: shortened(message) }
    }

    /// The file was declared as `declared` and is of the other kind.
    pub(crate) fn mismatch(declared: MediaKind) -> Self {
        let message = match declared {
            MediaKind::Image => "the file was declared as an image and is a video",
            MediaKind::Video => "the file was declared as a video and is an image",
        };
        Self::new(FailureCode::TypeMismatch, message)
    }

    /// The file exceeds the limit.
    pub(crate) fn too_large(bytes: u64, limit: u64) -> Self {
        Self::new(FailureCode::TooLarge, format!("the file has {bytes} bytes; at most {limit} are allowed"))
    }
}

/// The machine-readable reason for a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FailureCode {
    /// The file is damaged or truncated.
    Corrupt,
    /// A video without a video track.
    NoVideoTrack,
    /// An image declared as a video, or a video declared as an image.
    TypeMismatch,
    /// More bytes than allowed.
    TooLarge,
    /// More pixels, or a longer side, than allowed.
    TooManyPixels,
    /// Neither an accepted image nor an accepted video.
    UnsupportedType,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn texts_are_shortened_between_characters(text in "\\PC{0,400}") {
            let short = shortened(text.clone());
            prop_assert!(text.starts_with(&short));
            prop_assert_eq!(short.chars().count(), text.chars().count().min(LONGEST_TEXT));
        }

        /// The manifest of the most crowded container stays within the limit of its readers.
        #[test]
        fn the_largest_manifest_is_readable(
            codec in "[\\x21-\\x7e]{64}",
            brand in "[ -~]{4}",
            content_type in "\\PC{0,2000}",
            rate in any::<f64>(),
        ) {
            let video = VideoTrack { codec: codec.clone(), width: u32::MAX, height: u32::MAX, rotation: 270, frame_rate: rate };
            let facts = VideoFacts {
                container: "webm".to_owned(),
                brands: vec![brand; MOST_BRANDS],
                duration_ms: u64::MAX,
                bitrate: u64::MAX,
                fragmented: false,
                fast_start_before: false,
                had_location: false,
                transcoded: false,
                metadata_stripped: false,
                poster: PosterSource::None,
                video_tracks: vec![video; MOST_TRACKS],
                audio_tracks: Vec::new(),
            };
            let mut manifest = crate::testing::manifest(MediaKind::Video, Status::Failed, &[("original", "webm")]);
            manifest.content_type = shortened(content_type.clone());
            manifest.error = Some(Failure::new(FailureCode::Corrupt, content_type));
            manifest.video = Some(facts);
            prop_assert!(serde_json::to_vec(&manifest).expect("plain data").len() as u64 <= LARGEST);
        }
    }
}
