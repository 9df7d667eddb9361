//! The media profile: sizes, quality and limits, shared by the functions through a layer.

use serde::{Deserialize, Serialize};

/// Sizes, quality and limits: the layer's `media-profile.json`, which is also compiled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Profile {
    /// The sizes to produce, smallest first.
    pub(crate) sizes: Vec<Size>,
    /// JPEG quality, 1 to 100.
    pub(crate) jpeg_quality: u8,
    /// Formats besides JPEG: none, or `webp`.
    pub(crate) extra_formats: Vec<String>,
    /// The largest accepted files.
    pub(crate) limits: Limits,
}

/// The layer's file itself, so that the compiled-in values cannot differ from it.
const DEFAULT: &str = include_str!("../layer/media-profile.json");

impl Default for Profile {
    fn default() -> Self {
        serde_json::from_str(DEFAULT).expect("a test reads the compiled-in profile")
    }
}

impl Profile {
    /// Reads the profile at `path`. If that fails, logs a warning and returns the compiled-in one.
    pub(crate) fn load(path: &str) -> Self {
        let read = std::fs::read(path).map_err(|error| error.to_string());
        let parsed = read.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|error| error.to_string()));
        parsed.unwrap_or_else(|error| {
            tracing::warn!(path, error, "cannot read the media profile; using the compiled-in one");
            Self::default()
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Size {
    /// `tiny`, `small`, `medium`, `large` or `huge`.
    pub(crate) name: String,
    /// The longest edge in pixels.
    pub(crate) longest_edge: u32,
}

/// The largest accepted files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Limits {
    pub(crate) image_bytes: u64,
    pub(crate) image_pixels: u64,
    /// An image's longer side in pixels.
    pub(crate) image_side: u32,
    pub(crate) video_bytes: u64,
    /// The bytes of one presigned PUT.
    pub(crate) single_put_bytes: u64,
    /// The bytes of a video's `moov` box.
    pub(crate) moov_bytes: u64,
    /// A user's files in the raw bucket, previous versions included.
    pub(crate) user_files: u64,
    /// The bytes of these files.
    pub(crate) user_bytes: u64,
    /// A user's open multipart uploads.
    pub(crate) user_uploads: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiled_in_profile_is_valid() {
        let names: Vec<String> = Profile::default().sizes.into_iter().map(|size| size.name).collect();
        assert_eq!(names, ["tiny", "small", "medium", "large", "huge"]);
    }

    #[test]
    fn without_a_layer_the_compiled_in_profile_is_used() {
        assert_eq!(Profile::load("/nonexistent/media-profile.json"), Profile::default());
    }
}
