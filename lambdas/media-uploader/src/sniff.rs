//! Detects a file's format by its first bytes. The declared type is not trusted, and only the signature is read.

/// The most bytes that [`Format::sniff`] needs.
pub(crate) const BYTES: u64 = 64;

/// A supported format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Jpeg,
    Png,
    Gif,
    WebP,
    Tiff,
    /// ISO base media: MP4 and M4V.
    Mp4,
    /// Apple's predecessor of MP4.
    QuickTime,
    /// Matroska and WebM, which differ only in their document type.
    Matroska,
}

impl Format {
    /// Returns the format whose signature `bytes` start with.
    pub(crate) fn sniff(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some(Self::Png),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Some(Self::Tiff),
            [0x1a, 0x45, 0xdf, 0xa3, ..] => Some(Self::Matroska),
            [_, _, _, _, b'f', b't', b'y', b'p', major @ ..] => iso(major.first_chunk()?),
            // Files older than `ftyp` start with any of these boxes.
            [_, _, _, _, box_type @ ..] => {
                matches!(box_type.first_chunk::<4>()?, b"moov" | b"mdat" | b"wide" | b"pnot").then_some(Self::QuickTime)
            }
            _ => None,
        }
    }

    /// Returns the content type. WebM has that of [`Format::Matroska`] until its document type is read.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Gif => "image/gif",
            Self::WebP => "image/webp",
            Self::Tiff => "image/tiff",
            Self::Mp4 => "video/mp4",
            Self::QuickTime => "video/quicktime",
            Self::Matroska => "video/x-matroska",
        }
    }
}

/// Returns the format of an ISO file with this major brand. HEIC and AVIF use the same container, but are not supported.
fn iso(major: &[u8; 4]) -> Option<Format> {
    match major {
        b"qt  " => Some(Format::QuickTime),
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1" | b"avif" | b"avis" => None,
        _ => Some(Format::Mp4),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn signatures_are_recognized() {
        for (bytes, format) in [
            (b"\xff\xd8\xff\xe0".as_slice(), Some(Format::Jpeg)),
            (b"\x89PNG\r\n\x1a\n", Some(Format::Png)),
            (b"GIF87a", Some(Format::Gif)),
            (b"GIF89a", Some(Format::Gif)),
            (b"RIFF\0\0\0\0WEBP", Some(Format::WebP)),
            (b"RIFF\0\0\0\0AVI ", None),
            (b"MM\0*", Some(Format::Tiff)),
            (b"\0\0\0\x18ftypisom", Some(Format::Mp4)),
            (b"\0\0\0\x18ftypM4V ", Some(Format::Mp4)),
            (b"\0\0\0\x14ftypqt  ", Some(Format::QuickTime)),
            (b"\0\0\0\x08wide\0\0\0\0mdat", Some(Format::QuickTime)),
            (b"\0\0\0\x18ftypheic", None),
            (b"\0\0\0\x18ftypavif", None),
            (b"\x1a\x45\xdf\xa3", Some(Format::Matroska)),
            (b"<svg xmlns=", None),
            (b"just some text", None),
            (b"", None),
        ] {
            assert_eq!(Format::sniff(bytes), format, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_sniffed(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Format::sniff(&bytes);
        }
    }
}
