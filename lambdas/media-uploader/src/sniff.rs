//! What a file is, by its first bytes. What it was declared to be is not trusted.

use crate::manifest::Kind;

/// How many bytes [`sniff`] needs to see.
pub const SNIFFED: usize = 64;

/// A format that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the formats' own names")]
pub enum Format {
    Jpeg,
    Png,
    Gif,
    Webp,
    Tiff,
    Mp4,
    QuickTime,
    WebM,
    Matroska,
}

impl Format {
    /// Image or video.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Jpeg | Self::Png | Self::Gif | Self::Webp | Self::Tiff => Kind::Image,
            Self::Mp4 | Self::QuickTime | Self::WebM | Self::Matroska => Kind::Video,
        }
    }

    /// The content type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
            Self::Tiff => "image/tiff",
            Self::Mp4 => "video/mp4",
            Self::QuickTime => "video/quicktime",
            Self::WebM => "video/webm",
            Self::Matroska => "video/x-matroska",
        }
    }
}

/// The format of a file that starts with `head`; `None` when it is none that is taken.
#[must_use]
pub fn sniff(head: &[u8]) -> Option<Format> {
    let at = |start: usize, bytes: &[u8]| head.get(start..start + bytes.len()) == Some(bytes);
    Some(if at(0, &[0xFF, 0xD8, 0xFF]) {
        Format::Jpeg
    } else if at(0, b"\x89PNG\r\n\x1a\n") {
        Format::Png
    } else if at(0, b"GIF87a") || at(0, b"GIF89a") {
        Format::Gif
    } else if at(0, b"RIFF") && at(8, b"WEBP") {
        Format::Webp
    } else if at(0, b"II*\0") || at(0, b"MM\0*") {
        Format::Tiff
    } else if at(4, b"ftypqt  ") || at(4, b"moov") || at(4, b"mdat") || at(4, b"wide") {
        // QuickTime files older than `ftyp` start with one of these.
        Format::QuickTime
    } else if at(4, b"ftyp") && !at(8, b"heic") && !at(8, b"heix") && !at(8, b"mif1") && !at(8, b"avif") {
        Format::Mp4
    } else if at(0, &[0x1A, 0x45, 0xDF, 0xA3]) {
        if head.windows(4).any(|window| window == b"webm") { Format::WebM } else { Format::Matroska }
    } else {
        return None;
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_their_first_bytes() {
        assert_eq!(sniff(&[0xFF, 0xD8, 0xFF, 0xE0]), Some(Format::Jpeg));
        assert_eq!(sniff(b"\0\0\0\x18ftypisom"), Some(Format::Mp4));
        assert_eq!(sniff(b"\0\0\0\x18ftypqt  "), Some(Format::QuickTime));
        assert_eq!(sniff(b"\x1a\x45\xdf\xa3\x01\x42\x82\x84webm"), Some(Format::WebM));
        assert_eq!(sniff(b"\0\0\0\x18ftypavif"), None);
        assert_eq!(sniff(b"<svg xmlns"), None);
        assert_eq!(sniff(b""), None);
    }
}
