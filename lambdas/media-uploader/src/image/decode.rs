//! Decodes images to upright pixels. Limits are checked before anything is decoded. No I/O.

use std::io::Cursor;

use ::image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits as DecoderLimits, metadata::Orientation,
};

use crate::{
    manifest::{Failure, FailureCode, MediaKind},
    profile::Limits,
    sniff::Format,
};

/// The memory limit of a decoder: half of the function's memory.
const DECODER_BYTES: u64 = 512 * 1024 * 1024;

/// The memory limit of the PNG decoder, which decodes row by row: the rest is metadata. A color profile of a few kilobytes
/// may decompress to as much as this.
const PNG_DECODER_BYTES: u64 = 64 * 1024 * 1024;

/// A decoded image.
#[derive(Debug)]
pub(super) struct Decoded {
    /// Upright, eight bits per channel: RGB, or RGBA if a pixel is transparent.
    pub(super) pixels: DynamicImage,
    /// The format of the source.
    pub(super) format: Format,
    /// Whether there are more frames than the decoded one.
    pub(super) animated: bool,
}

/// Decodes an image within `limits`.
pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Decoded, Failure> {
    let format = Format::sniff(bytes).ok_or_else(|| {
        Failure::new(FailureCode::UnsupportedType, "the file is no JPEG, PNG, GIF, WebP or TIFF image")
    })?;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), image_format(format)?);
    let mut decoder_limits = DecoderLimits::default();
    decoder_limits.max_alloc = Some(if format == Format::Png { PNG_DECODER_BYTES } else { DECODER_BYTES });
    reader.limits(decoder_limits);
    let mut decoder = reader.into_decoder().map_err(|error| failure(&error))?;
    check(decoder.dimensions(), limits)?;
    // The decoder's limits cover its own memory, not that of the decoded pixels.
    if decoder.total_bytes() > DECODER_BYTES {
        return Err(too_much_memory());
    }
    if format == Format::Jpeg && !is_complete_jpeg(bytes) {
        return Err(Failure::new(FailureCode::Corrupt, "the JPEG file ends before its image does"));
    }
    // An unreadable orientation is ignored.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let pixels = DynamicImage::from_decoder(decoder).map_err(|error| failure(&error))?;
    let mut pixels = eight_bits(pixels);
    pixels.apply_orientation(orientation);
    Ok(Decoded { pixels, format, animated: super::animation::is_animated(bytes, format) })
}

fn image_format(format: Format) -> Result<ImageFormat, Failure> {
    match format {
        Format::Jpeg => Ok(ImageFormat::Jpeg),
        Format::Png => Ok(ImageFormat::Png),
        Format::Gif => Ok(ImageFormat::Gif),
        Format::WebP => Ok(ImageFormat::WebP),
        Format::Tiff => Ok(ImageFormat::Tiff),
        Format::Mp4 | Format::QuickTime | Format::Matroska => Err(Failure::mismatch(MediaKind::Image)),
    }
}

fn check((width, height): (u32, u32), limits: &Limits) -> Result<(), Failure> {
    if width == 0 || height == 0 {
        return Err(Failure::new(FailureCode::Corrupt, "the image has no pixels"));
    }
    if width.max(height) <= limits.image_side && u64::from(width) * u64::from(height) <= limits.image_pixels {
        return Ok(());
    }
    let (pixels, side) = (limits.image_pixels, limits.image_side);
    let message =
        format!("{width}×{height} is too large: at most {pixels} pixels and {side} on the longer side are allowed");
    Err(Failure::new(FailureCode::TooManyPixels, message))
}

fn too_much_memory() -> Failure {
    Failure::new(FailureCode::TooManyPixels, "decoding would need too much memory")
}

fn failure(error: &ImageError) -> Failure {
    match error {
        ImageError::Limits(_) => too_much_memory(),
        ImageError::Unsupported(error) => {
            Failure::new(FailureCode::UnsupportedType, format!("this kind of image is not supported: {error}"))
        }
        error => Failure::new(FailureCode::Corrupt, format!("the image cannot be decoded: {error}")),
    }
}

/// Converts to one of the two pixel formats of later steps. An opaque alpha channel is dropped.
fn eight_bits(pixels: DynamicImage) -> DynamicImage {
    if !pixels.color().has_alpha() {
        return pixels.into_rgb8().into();
    }
    let pixels = pixels.into_rgba8();
    if pixels.pixels().all(|pixel| pixel.0[3] == u8::MAX) {
        return DynamicImage::from(pixels).into_rgb8().into();
    }
    pixels.into()
}

/// Checks for the end-of-image marker: the decoder fills missing pixels with grey instead of failing.
///
/// Marker segments are skipped by their length, so that a thumbnail's marker is ignored.
/// ITU-T T.81, annex B: <https://www.w3.org/Graphics/JPEG/itu-t81.pdf>.
fn is_complete_jpeg(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some([0xff, marker]) = bytes.get(at..at + 2) {
        at += match marker {
            0xd9 => return true,
            // Fill bytes; markers without a segment.
            0xff => 1,
            0x01 | 0xd0..=0xd7 => 2,
            _ => match bytes.get(at + 2..at + 4) {
                Some([high, low]) => 2 + usize::from(u16::from_be_bytes([*high, *low])),
                _ => return false,
            },
        };
        if *marker == 0xda {
            let scan = bytes.get(at..).unwrap_or_default();
            // In entropy-coded data a 0xff is followed by 0, or by a restart marker.
            let end = scan.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xd0..=0xd7 | 0xff));
            let Some(end) = end else { return false };
            at += end;
        }
    }
    false
}
