//! Accepted content types and sizes of uploads. The actual type of a file is detected when it is processed.

use axum::http::StatusCode;
use common::ApiError;

use crate::{keys::RawKind, manifest::MediaKind, profile::Limits};

/// The largest file in a request's body, decoded.
pub(crate) const INLINE_BYTES: usize = 4 * 1024 * 1024;
/// The largest number of parts: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
pub(crate) const PARTS: u64 = 10_000;

const MIB: u64 = 1024 * 1024;
const LEAST_PART: u64 = 8 * MIB;

/// The accepted image types. SVG is not among them, because it can contain scripts.
const IMAGES: [&str; 5] = ["image/jpeg", "image/png", "image/gif", "image/webp", "image/tiff"];
/// The accepted video types.
const VIDEOS: [&str; 5] = ["video/mp4", "video/quicktime", "video/x-m4v", "video/webm", "video/x-matroska"];

/// An accepted declared type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MediaType {
    /// The signed and stored form: lower case, without parameters.
    pub(crate) essence: &'static str,
    pub(crate) kind: MediaKind,
}

impl MediaType {
    /// Parses a declared content type, ignoring its case and parameters.
    pub(crate) fn parse(content_type: &str) -> Result<Self, ApiError> {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let find = |types: [&'static str; 5]| types.into_iter().find(|candidate| *candidate == essence);
        let image = find(IMAGES).map(|essence| Self { essence, kind: MediaKind::Image });
        image
            .or_else(|| find(VIDEOS).map(|essence| Self { essence, kind: MediaKind::Video }))
            .ok_or_else(|| unsupported("contentType is not supported", IMAGES.iter().chain(&VIDEOS)))
    }

    /// Responds with 415 to a video.
    pub(crate) fn image_only(self) -> Result<Self, ApiError> {
        match self.kind {
            MediaKind::Image => Ok(self),
            MediaKind::Video => Err(unsupported("a poster must be an image", IMAGES.iter())),
        }
    }

    /// Responds with 415 to an image.
    pub(crate) fn video_only(self) -> Result<Self, ApiError> {
        match self.kind {
            MediaKind::Video => Ok(self),
            MediaKind::Image => Err(unsupported("only videos are uploaded in parts", VIDEOS.iter())),
        }
    }

    /// Returns the kind of raw object for a file of this type that is not a poster.
    pub(crate) const fn raw_kind(self) -> RawKind {
        match self.kind {
            MediaKind::Image => RawKind::Images,
            MediaKind::Video => RawKind::Videos,
        }
    }

    /// Responds with 413 to a file that is too large for its type.
    pub(crate) fn check_bytes(self, bytes: u64, limits: &Limits) -> Result<(), ApiError> {
        let (name, limit) = match self.kind {
            MediaKind::Image => ("an image", limits.image_bytes),
            MediaKind::Video => ("a video", limits.video_bytes),
        };
        if bytes <= limit {
            return Ok(());
        }
        Err(too_large(format!("{name} may have at most {limit} bytes"), limit))
    }
}

fn unsupported<'a>(message: &str, allowed: impl Iterator<Item = &'a &'static str>) -> ApiError {
    let allowed: Vec<&str> = allowed.copied().collect();
    ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "UnsupportedType",
        format!("{message}; allowed: {}", allowed.join(", ")),
    )
    .detail("field", "contentType")
    .detail("allowed", allowed)
}

/// Responds with 413 and the alternative to a file that is too large for one PUT.
pub(crate) fn check_single_put(bytes: u64, limits: &Limits) -> Result<(), ApiError> {
    let limit = limits.single_put_bytes;
    if bytes <= limit {
        return Ok(());
    }
    Err(too_large(format!("one upload may have at most {limit} bytes; use POST /media/multipart"), limit))
}

/// Responds with 413 to a file of more than [`INLINE_BYTES`] in a request's body.
pub(crate) fn check_inline(bytes: usize) -> Result<(), ApiError> {
    if bytes <= INLINE_BYTES {
        return Ok(());
    }
    let message = format!("data may have at most {INLINE_BYTES} bytes; ask for an upload link instead");
    Err(too_large(message, INLINE_BYTES as u64).detail("field", "data"))
}

fn too_large(message: String, limit: u64) -> ApiError {
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "TooLarge", message)
        .detail("field", "contentLength")
        .detail("limit", limit)
}

/// Returns the size of the parts of a multipart upload: whole MiB, and at most [`PARTS`] parts.
pub(crate) fn part_size(bytes: u64) -> u64 {
    LEAST_PART.max(bytes.div_ceil(PARTS).next_multiple_of(MIB))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn types_are_accepted_in_any_case_and_with_parameters() {
        let parsed = MediaType::parse(" Image/JPEG; charset=binary").expect("an image");
        assert_eq!(parsed, MediaType { essence: "image/jpeg", kind: MediaKind::Image });
        assert_eq!(MediaType::parse("video/x-matroska").expect("a video").raw_kind(), RawKind::Videos);
    }

    #[test]
    fn other_types_are_rejected() {
        for other in
            ["image/svg+xml", "image/heic", "image/avif", "video/x-msvideo", "video/mp2t", "text/plain", "image", ""]
        {
            let error = MediaType::parse(other).expect_err(other);
            assert_eq!(error.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{other}");
        }
    }

    #[test]
    fn parts_are_8_mib_until_there_would_be_too_many() {
        assert_eq!(part_size(1), 8 * MIB);
        assert_eq!(part_size(2 * 1024 * MIB), 8 * MIB);
        assert_eq!(part_size(80_000 * MIB), 8 * MIB);
        assert_eq!(part_size(80_000 * MIB + 1), 9 * MIB);
    }

    proptest! {
        #[test]
        fn parts_never_run_out(bytes in 1..=5 * 1024 * 1024 * MIB) {
            prop_assert!(bytes.div_ceil(part_size(bytes)) <= PARTS);
            prop_assert_eq!(part_size(bytes) % MIB, 0);
        }
    }
}
