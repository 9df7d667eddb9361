//! File names and content types of videos.

use crate::error::ApiError;

/// The accepted extensions, in any case.
pub(crate) const EXTENSIONS: [&str; 5] = ["mp4", "avi", "mov", "wmv", "mkv"];
const MAX_BYTES: usize = 255;

/// The name of a video: the last segment of a path, without control characters, with an accepted extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VideoName(String);

impl VideoName {
    /// Parses a client's file name.
    pub(crate) fn parse(text: &str) -> Result<Self, ApiError> {
        let segment = text.rsplit(['/', '\\']).next().unwrap_or_default();
        let name: String = segment.chars().filter(|character| !character.is_control()).collect();
        let name = name.trim().to_owned();
        if name.is_empty() || name.len() > MAX_BYTES {
            return Err(ApiError::bad_request("Invalid filename"));
        }
        let name = Self(name);
        if name.extension().is_none() {
            return Err(ApiError::bad_request("Unsupported file type").with("allowed", EXTENSIONS.to_vec()));
        }
        Ok(name)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    fn extension(&self) -> Option<&'static str> {
        let (stem, extension) = self.0.rsplit_once('.')?;
        EXTENSIONS.into_iter().find(|known| !stem.is_empty() && known.eq_ignore_ascii_case(extension))
    }

    pub(crate) fn content_type(&self) -> &'static str {
        match self.extension() {
            Some("mp4") => "video/mp4",
            Some("avi") => "video/x-msvideo",
            Some("mov") => "video/quicktime",
            Some("wmv") => "video/x-ms-wmv",
            Some("mkv") => "video/x-matroska",
            _ => "application/octet-stream",
        }
    }
}

/// Validates a client's content type for use in a header.
pub(crate) fn content_type(text: &str) -> Result<String, ApiError> {
    let invalid = || ApiError::field("content_type", "a media type");
    let text = text.trim();
    let (kind, subtype) = text.split_once('/').ok_or_else(invalid)?;
    let printable = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if kind.is_empty() || subtype.is_empty() || text.len() > MAX_BYTES || !printable {
        return Err(invalid());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_last_path_segment_is_kept() {
        for (text, expected) in [
            ("../../x.mp4", "x.mp4"),
            ("a\\b.mp4", "b.mp4"),
            ("C:\\videos/c.MKV", "c.MKV"),
            ("le\0ct\u{7}ure.mov", "lecture.mov"),
            ("Übung 1.avi", "Übung 1.avi"),
        ] {
            assert_eq!(VideoName::parse(text).expect(text).as_str(), expected);
        }
    }

    #[test]
    fn invalid_names_are_rejected() {
        let too_long = format!("{}.mp4", "a".repeat(296));
        for text in ["", "/", "videos/", "\0", too_long.as_str()] {
            assert_eq!(VideoName::parse(text).expect_err(text).text(), "Invalid filename");
        }
        for text in ["lecture.exe", "lecture", ".mp4", "mp4", "lecture.mp4.", "lecture.mp4.exe", ".."] {
            assert_eq!(VideoName::parse(text).expect_err(text).text(), "Unsupported file type");
        }
    }

    #[test]
    fn content_types_follow_extensions() {
        assert_eq!(VideoName::parse("a.MP4").expect("a video").content_type(), "video/mp4");
        assert_eq!(VideoName::parse("a.wmv").expect("a video").content_type(), "video/x-ms-wmv");
    }

    #[test]
    fn declared_content_types_are_valid_headers() {
        assert_eq!(content_type(" video/mp4; codecs=\"avc1\"").expect("a type"), "video/mp4; codecs=\"avc1\"");
        for wrong in ["", "video", "/", "video/", "video/mp4\r\nX: y", "vidéo/mp4"] {
            assert_eq!(content_type(wrong).expect_err(wrong).text(), "Field \"content_type\" must be a media type");
        }
    }

    proptest! {
        #[test]
        fn names_never_contain_separators(text: String) {
            if let Ok(name) = VideoName::parse(&text) {
                prop_assert!(!name.as_str().contains(['/', '\\']));
                prop_assert!(!name.as_str().chars().any(char::is_control));
            }
        }
    }
}
