//! The content encoding of stored files: gzip, or none.

use std::io::{self, Write};

use axum::body::Bytes;
use flate2::{Compression, write::GzEncoder};

/// The bytes that decide whether content is compressed.
pub(super) const SAMPLE_BYTES: usize = 256 * 1024;
/// Compressed content is kept if it is smaller than this percentage of the original.
const WORTHWHILE_PERCENT: usize = 95;

/// Encodes content into a buffer.
pub(super) enum Encoder {
    Plain(Vec<u8>),
    Gzip(Box<GzEncoder<Vec<u8>>>),
}

impl Encoder {
    pub(super) const fn plain() -> Self {
        Self::Plain(Vec::new())
    }

    pub(super) fn gzip(level: u32) -> Self {
        Self::Gzip(Box::new(GzEncoder::new(Vec::new(), Compression::new(level.min(9)))))
    }

    pub(super) const fn is_gzip(&self) -> bool {
        matches!(self, Self::Gzip(_))
    }

    pub(super) fn write(&mut self, content: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(buffer) => buffer.write_all(content),
            Self::Gzip(encoder) => encoder.write_all(content),
        }
    }

    /// Takes a part of exactly this size once there is one.
    pub(super) fn take_part(&mut self, size: usize) -> Option<Vec<u8>> {
        let buffer = match self {
            Self::Plain(buffer) => buffer,
            Self::Gzip(encoder) => encoder.get_mut(),
        };
        if buffer.len() < size {
            return None;
        }
        let rest = buffer.split_off(size);
        Some(std::mem::replace(buffer, rest))
    }

    /// Ends the encoding, and returns the bytes that were not taken.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Plain(buffer) => Ok(buffer),
            Self::Gzip(encoder) => encoder.finish(),
        }
    }
}

/// Whether a sample shrinks enough. Content without a byte does not.
pub(super) fn shrinks(sample: &[Bytes], level: u32) -> bool {
    let size: usize = sample.iter().map(Bytes::len).sum();
    let mut encoder = Encoder::gzip(level);
    let is_encoded = sample.iter().all(|chunk| encoder.write(chunk).is_ok());
    let encoded = encoder.finish().map_or(usize::MAX, |encoded| encoded.len());
    is_encoded && encoded < size / 100 * WORTHWHILE_PERCENT + size % 100 * WORTHWHILE_PERCENT / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_that_does_not_shrink_is_stored_as_it_is() {
        let text = Bytes::from("all work and no play ".repeat(500));
        let mut state = 1_u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(10_000)
        .collect();
        assert!(shrinks(&[text.clone(), text], 6));
        assert!(!shrinks(&[Bytes::from(noise)], 6));
        assert!(!shrinks(&[], 6) && !shrinks(&[Bytes::from("abc")], 6));
    }

    #[test]
    fn parts_join_to_the_content() {
        for encoder in [Encoder::plain(), Encoder::gzip(6)] {
            let mut encoder = encoder;
            let content: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
            let mut encoded = Vec::new();
            for chunk in content.chunks(7000) {
                encoder.write(chunk).expect("memory");
                while let Some(part) = encoder.take_part(5000) {
                    assert_eq!(part.len(), 5000);
                    encoded.extend(part);
                }
            }
            let is_gzip = encoder.is_gzip();
            encoded.extend(encoder.finish().expect("memory"));
            let decoded = if is_gzip { decode(&encoded) } else { encoded };
            assert!(decoded == content);
        }
    }

    fn decode(bytes: &[u8]) -> Vec<u8> {
        let mut decoder = flate2::write::GzDecoder::new(Vec::new());
        decoder.write_all(bytes).expect("gzip");
        decoder.finish().expect("gzip")
    }
}
