//! Produces all variants of an image. A pure function: the same bytes give the same variants.
//!
//! Variants are encoded from pixels alone, so no metadata (EXIF, GPS, XMP, IPTC, comments) can survive. The color
//! profile is dropped too, and pixels are interpreted as sRGB.

use ::image::{
    DynamicImage, ImageError, ImageResult, Rgb, RgbImage, Rgba, RgbaImage,
    codecs::{jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder},
    imageops::FilterType,
};

use super::decode::{Decoded, decode};
use crate::{
    manifest::{Failure, FailureCode, ImageFacts},
    profile::{Profile, Size},
    sniff::Format,
};

/// The formats to produce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Formats {
    /// JPEG, PNG for transparency, and the profile's additional formats.
    All,
    /// JPEG only: a poster.
    Jpeg,
}

/// An image's variants and properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    /// The format of the source, detected from its bytes.
    pub(crate) format: Format,
    pub(crate) facts: ImageFacts,
    /// The variants, smallest first.
    pub(crate) variants: Vec<Encoded>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Encoded {
    pub(crate) size: String,
    /// `jpg`, `png` or `webp`.
    pub(crate) extension: &'static str,
    pub(crate) content_type: &'static str,
    /// Width in pixels.
    pub(crate) width: u32,
    /// Height in pixels.
    pub(crate) height: u32,
    pub(crate) bytes: Vec<u8>,
}

/// Produces the variants of those of the profile's sizes that are in `names`.
pub(crate) fn make(bytes: &[u8], profile: &Profile, names: &[String], formats: Formats) -> Result<Made, Failure> {
    let Decoded { pixels, format, animated } = decode(bytes, &profile.limits)?;
    let has_alpha = pixels.color().has_alpha();
    let facts = ImageFacts { width: pixels.width(), height: pixels.height(), has_alpha, animated };
    let mut sizes: Vec<&Size> = profile.sizes.iter().filter(|size| names.contains(&size.name)).collect();
    sizes.sort_by_key(|size| size.longest_edge);
    let Some(largest) = sizes.last() else { return Ok(Made { format, facts, variants: Vec::new() }) };
    // All others are scaled from the largest: a source may have fifty times its pixels.
    let pixels = shrunk(pixels, largest.longest_edge);
    let mut variants = Vec::new();
    for size in sizes {
        let pixels = shrunk(pixels.clone(), size.longest_edge);
        variants.extend(encode(&size.name, &pixels, profile, formats)?);
    }
    Ok(Made { format, facts, variants })
}

/// Shrinks `pixels` to fit a square of `edge`. Smaller images are kept.
fn shrunk(mut pixels: DynamicImage, edge: u32) -> DynamicImage {
    let (width, height) = fit(pixels.width(), pixels.height(), edge);
    if (width, height) == (pixels.width(), pixels.height()) {
        return pixels;
    }
    if let DynamicImage::ImageRgba8(pixels) = &mut pixels {
        premultiply(pixels);
    }
    let mut resized = pixels.resize_exact(width, height, FilterType::Lanczos3);
    if let DynamicImage::ImageRgba8(pixels) = &mut resized {
        unpremultiply(pixels);
    }
    resized
}

/// Returns the size of `width`×`height` scaled to fit a square of `edge`, rounded, at least one pixel.
fn fit(width: u32, height: u32, edge: u32) -> (u32, u32) {
    let longest = width.max(height);
    if longest <= edge {
        return (width, height);
    }
    let scale = |side: u32| {
        let scaled = (2 * u64::from(side) * u64::from(edge) + u64::from(longest)) / (2 * u64::from(longest));
        u32::try_from(scaled).unwrap_or(edge).max(1)
    };
    (scale(width), scale(height))
}

/// Weighs colors by their opacity, so that invisible pixels do not tint their neighbors when they are averaged.
fn premultiply(pixels: &mut RgbaImage) {
    for Rgba([red, green, blue, alpha]) in pixels.pixels_mut() {
        for color in [red, green, blue] {
            *color = divide(u32::from(*color) * u32::from(*alpha), 255);
        }
    }
}

fn unpremultiply(pixels: &mut RgbaImage) {
    for Rgba([red, green, blue, alpha]) in pixels.pixels_mut() {
        for color in [red, green, blue] {
            *color = divide(u32::from(*color) * 255, u32::from(*alpha));
        }
    }
}

/// Divides and rounds; division by zero gives zero.
fn divide(dividend: u32, divisor: u32) -> u8 {
    let quotient = (dividend + divisor / 2).checked_div(divisor).unwrap_or(0);
    u8::try_from(quotient).unwrap_or(u8::MAX)
}

/// Composes the pixels on white, because JPEG has no transparency.
fn on_white(pixels: &RgbaImage) -> RgbImage {
    let (width, height) = pixels.dimensions();
    RgbImage::from_fn(width, height, |x, y| {
        let Rgba([red, green, blue, alpha]) = *pixels.get_pixel(x, y);
        let (alpha, rest) = (u32::from(alpha), 255 * (255 - u32::from(alpha)));
        Rgb([red, green, blue].map(|color| divide(u32::from(color) * alpha + rest, 255)))
    })
}

fn encode(name: &str, pixels: &DynamicImage, profile: &Profile, formats: Formats) -> Result<Vec<Encoded>, Failure> {
    let variant = |extension, content_type, bytes| Encoded {
        size: name.to_owned(),
        extension,
        content_type,
        width: pixels.width(),
        height: pixels.height(),
        bytes,
    };
    let mut variants = vec![variant("jpg", "image/jpeg", jpeg(pixels, profile.jpeg_quality).map_err(failure)?)];
    if formats == Formats::Jpeg {
        return Ok(variants);
    }
    if pixels.color().has_alpha() {
        let mut bytes = Vec::new();
        pixels.write_with_encoder(PngEncoder::new(&mut bytes)).map_err(failure)?;
        variants.push(variant("png", "image/png", bytes));
    }
    if profile.extra_formats.iter().any(|format| format == "webp") {
        let mut bytes = Vec::new();
        pixels.write_with_encoder(WebPEncoder::new_lossless(&mut bytes)).map_err(failure)?;
        variants.push(variant("webp", "image/webp", bytes));
    }
    Ok(variants)
}

fn jpeg(pixels: &DynamicImage, quality: u8) -> ImageResult<Vec<u8>> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
    match pixels {
        DynamicImage::ImageRgba8(pixels) => on_white(pixels).write_with_encoder(encoder)?,
        pixels => pixels.write_with_encoder(encoder)?,
    }
    Ok(bytes)
}

fn failure(error: ImageError) -> Failure {
    Failure::new(FailureCode::Corrupt, format!("the image cannot be encoded: {error}"))
}

#[cfg(test)]
mod tests;
