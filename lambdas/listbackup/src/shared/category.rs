//! Categories of files, by their extension.

use serde::{Deserialize, Serialize};

/// The category of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Category {
    Document,
    Image,
    Video,
    Audio,
    Archive,
    Data,
    Code,
    Other,
}

impl Category {
    /// Every category.
    pub const ALL: [Self; 8] =
        [Self::Document, Self::Image, Self::Video, Self::Audio, Self::Archive, Self::Data, Self::Code, Self::Other];

    /// Returns the name in rows and requests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Archive => "archive",
            Self::Data => "data",
            Self::Code => "code",
            Self::Other => "other",
        }
    }
}
