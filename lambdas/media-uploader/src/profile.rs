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

/// The layer's own file, so that the compiled-in values cannot differ from it.
const DEFAULT: &str = include_str!("../layer/media-profile.json");

impl Default for Profile {
    fn default() -> Self {
        serde_json::from_str(DEFAULT).expect("a test reads the compiled-in profile")
    }
}

impl Profile {
    /// The profile at `path`; where it cannot be read, the compiled-in one and a warning.
    #[must_use]
    pub fn load(path: &str) -> Self {
        let read = std::fs::read(path).map_err(|error| error.to_string());
        let parsed = read.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|error| error.to_string()));
        parsed.unwrap_or_else(|error| {
            tracing::warn!(path, error, "cannot read the media profile; using the compiled-in one");
            Self::default()
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiled_in_profile_can_be_read() {
        let names: Vec<String> = Profile::default().sizes.into_iter().map(|size| size.name).collect();
        assert_eq!(names, ["tiny", "small", "medium", "large", "huge"]);
    }

    #[test]
    fn without_a_layer_the_compiled_in_profile_is_used() {
        assert_eq!(Profile::load("/nonexistent/media-profile.json"), Profile::default());
    }
}
