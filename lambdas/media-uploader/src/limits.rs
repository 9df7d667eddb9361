//! What is taken at upload: which types, and how many bytes of them. What a file really is shows only when it is
//! processed.

use axum::http::StatusCode;
use common::ApiError;

use crate::{keys::RawKind, manifest::Kind, profile::Limits};

/// The bytes that may be sent along in a request, decoded.
pub const INLINE_BYTES: usize = 4 * 1024 * 1024;
/// The parts S3 takes: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
pub const PARTS: u64 = 10_000;

const MIB: u64 = 1024 * 1024;
const LEAST_PART: u64 = 8 * MIB;

/// The image types that are taken. SVG is not: it can carry scripts.
const IMAGES: [&str; 5] = ["image/jpeg", "image/png", "image/gif", "image/webp", "image/tiff"];
/// The video types that are taken.
const VIDEOS: [&str; 5] = ["video/mp4", "video/quicktime", "video/x-m4v", "video/webm", "video/x-matroska"];

/// A declared type that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaType {
    /// The type as it is signed and stored: lower case, without parameters.
    pub essence: &'static str,
    /// Image or video.
    pub kind: Kind,
}

impl MediaType {
    /// Reads a declared content type; its case and its parameters do not matter.
    ///
    /// # Errors
    /// A 415 that lists what is taken.
    pub fn parse(content_type: &str) -> Result<Self, ApiError> {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let find = |types: [&'static str; 5]| types.into_iter().find(|candidate| *candidate == essence);
        let image = find(IMAGES).map(|essence| Self { essence, kind: Kind::Image });
        image
            .or_else(|| find(VIDEOS).map(|essence| Self { essence, kind: Kind::Video }))
            .ok_or_else(|| unsupported("contentType is not taken", IMAGES.iter().chain(&VIDEOS)))
    }

    /// # Errors
    /// A 415 when this is a video.
    pub fn image_only(self) -> Result<Self, ApiError> {
        match self.kind {
            Kind::Image => Ok(self),
            Kind::Video => Err(unsupported("a poster must be an image", IMAGES.iter())),
        }
    }

    /// # Errors
    /// A 415 when this is an image.
    pub fn video_only(self) -> Result<Self, ApiError> {
        match self.kind {
            Kind::Video => Ok(self),
            Kind::Image => Err(unsupported("only videos are uploaded in parts", VIDEOS.iter())),
        }
    }

    /// Where a file of this type lies in the raw bucket, if it is no poster.
    #[must_use]
    pub const fn raw_kind(self) -> RawKind {
        match self.kind {
            Kind::Image => RawKind::Images,
            Kind::Video => RawKind::Videos,
        }
    }

    /// # Errors
    /// A 413 when a file of this type may not have `bytes` bytes.
    pub fn check_bytes(self, bytes: u64, limits: &Limits) -> Result<(), ApiError> {
        let (name, limit) = match self.kind {
            Kind::Image => ("an image", limits.image_bytes),
            Kind::Video => ("a video", limits.video_bytes),
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

/// # Errors
/// A 413 that names the way for larger files.
pub fn check_single_put(bytes: u64, limits: &Limits) -> Result<(), ApiError> {
    let limit = limits.single_put_bytes;
    if bytes <= limit {
        return Ok(());
    }
    Err(too_large(format!("one upload may have at most {limit} bytes; use POST /media/multipart"), limit))
}

/// # Errors
/// A 413 when a file sent along has more than [`INLINE_BYTES`].
pub fn check_inline(bytes: usize) -> Result<(), ApiError> {
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

/// The size of the parts of a multipart upload: whole MiB, and never more than [`PARTS`] of them.
#[must_use]
pub fn part_size(bytes: u64) -> u64 {
    LEAST_PART.max(bytes.div_ceil(PARTS).next_multiple_of(MIB))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn types_are_taken_in_any_case_and_with_parameters() {
        let parsed = MediaType::parse(" Image/JPEG; charset=binary").expect("an image");
        assert_eq!(parsed, MediaType { essence: "image/jpeg", kind: Kind::Image });
        assert_eq!(MediaType::parse("video/x-matroska").expect("a video").raw_kind(), RawKind::Videos);
    }

    #[test]
    fn other_types_are_not() {
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
