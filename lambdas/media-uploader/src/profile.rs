//! The media profile: sizes, quality and limits, shared by the functions through a layer.

use serde::{Deserialize, Serialize};

/// Sizes, quality and limits. The layer's `media-profile.json`; the same values are compiled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Profile {
    /// The variants to make, smallest first.
    pub sizes: Vec<Size>,
    /// JPEG quality, 1 to 100.
    pub jpeg_quality: u8,
    /// Formats made besides JPEG: none, or `webp`.
    pub extra_formats: Vec<String>,
    /// What is refused.
    pub limits: Limits,
}

/// One variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Size {
    /// `tiny`, `small`, `medium`, `large` or `huge`.
    pub name: String,
    /// The longest edge in pixels.
    pub longest_edge: u32,
}

/// What is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// An image's bytes.
    pub image_bytes: u64,
    /// An image's pixels.
    pub image_pixels: u64,
    /// An image's longer side in pixels.
    pub image_side: u32,
    /// A video's bytes.
    pub video_bytes: u64,
    /// The bytes of one presigned PUT.
    pub single_put_bytes: u64,
    /// The bytes of a video's `moov` box.
    pub moov_bytes: u64,
}
