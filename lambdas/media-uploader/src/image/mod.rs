//! Images: from bytes to variants. Pure; [`job`] does the reading and writing.

pub mod job;

use std::io::Cursor;

use ::image::{
    AnimationDecoder, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits as DecoderLimits, Rgb, RgbImage,
    codecs::{
        gif::GifDecoder,
        jpeg::JpegEncoder,
        png::PngEncoder,
        webp::{WebPDecoder, WebPEncoder},
    },
    imageops::FilterType,
};

use crate::{
    manifest::{Failure, FailureCode, ImageFacts, Kind},
    profile::Profile,
    sniff::{Format, sniff},
};

/// How much memory decoding may take: 50 million pixels of four bytes, and as much again to work with.
const DECODER_MEMORY: u64 = 512 * 1024 * 1024;

/// A processed image.
#[derive(Debug, Clone, PartialEq)]
pub struct Processed {
    /// What it is.
    pub facts: ImageFacts,
    /// Its format.
    pub format: Format,
    /// The variants, each size in every format.
    pub variants: Vec<Encoded>,
}

/// One encoded variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The size's name.
    pub size: String,
    /// `jpg`, `png` or `webp`.
    pub extension: &'static str,
    /// The content type.
    pub content_type: &'static str,
    /// The bytes. Re-encoded from pixels: no metadata of the source is in them.
    pub bytes: Vec<u8>,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// Makes the variants of an image; `jpeg_only` leaves out every other format.
///
/// # Errors
///
/// When it is no image, is broken, or passes a limit, which is read off the header before anything is decoded.
pub fn process(bytes: &[u8], profile: &Profile, jpeg_only: bool) -> Result<Processed, Failure> {
    if bytes.len() as u64 > profile.limits.image_bytes {
        return Err(failure(FailureCode::TooLarge, format!("an image may have {} bytes", profile.limits.image_bytes)));
    }
    let format = match sniff(bytes) {
        Some(format) if format.kind() == Kind::Image => format,
        Some(format) => {
            return Err(failure(FailureCode::TypeMismatch, format!("it is {}, not an image", format.content_type())));
        }
        None => {
            return Err(failure(
                FailureCode::UnsupportedType,
                "it is none of the image formats that are taken".to_owned(),
            ));
        }
    };
    let image = decode(bytes, format, profile)?;
    let transparent = image.color().has_alpha() && image.to_rgba8().pixels().any(|pixel| pixel.0[3] < u8::MAX);
    let facts = ImageFacts {
        width: image.width(),
        height: image.height(),
        has_alpha: transparent,
        animated: animated(bytes, format),
    };
    let mut variants = Vec::new();
    for size in &profile.sizes {
        let fitted = fit(&image, size.longest_edge);
        variants.push(encode(&size.name, &fitted, "jpg", profile)?);
        if transparent && !jpeg_only {
            variants.push(encode(&size.name, &fitted, "png", profile)?);
        }
        if !jpeg_only && profile.extra_formats.iter().any(|format| format == "webp") {
            variants.push(encode(&size.name, &fitted, "webp", profile)?);
        }
    }
    Ok(Processed { facts, format, variants })
}

fn decode(bytes: &[u8], format: Format, profile: &Profile) -> Result<DynamicImage, Failure> {
    let image_format = match format {
        Format::Jpeg => ImageFormat::Jpeg,
        Format::Png => ImageFormat::Png,
        Format::Gif => ImageFormat::Gif,
        Format::Webp => ImageFormat::WebP,
        _ => ImageFormat::Tiff,
    };
    let corrupt = |error: ::image::ImageError| failure(FailureCode::Corrupt, format!("it cannot be read: {error}"));
    let (width, height) =
        ImageReader::with_format(Cursor::new(bytes), image_format).into_dimensions().map_err(corrupt)?;
    let limits = &profile.limits;
    if u64::from(width) * u64::from(height) > limits.image_pixels || width.max(height) > limits.image_side {
        let message = format!(
            "it is {width} × {height}; an image may have {} pixels and {} a side",
            limits.image_pixels, limits.image_side
        );
        return Err(failure(FailureCode::TooManyPixels, message));
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), image_format);
    let mut decoder_limits = DecoderLimits::default();
    decoder_limits.max_alloc = Some(DECODER_MEMORY);
    reader.limits(decoder_limits);
    let mut decoder = reader.into_decoder().map_err(corrupt)?;
    let orientation = decoder.orientation().map_err(corrupt)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(corrupt)?;
    image.apply_orientation(orientation);
    Ok(image)
}

fn animated(bytes: &[u8], format: Format) -> bool {
    match format {
        Format::Gif => {
            GifDecoder::new(Cursor::new(bytes)).is_ok_and(|decoder| decoder.into_frames().take(2).count() > 1)
        }
        Format::Webp => WebPDecoder::new(Cursor::new(bytes)).is_ok_and(|decoder| decoder.has_animation()),
        _ => false,
    }
}

/// Fits into a square of `edge`; never enlarges.
fn fit(image: &DynamicImage, edge: u32) -> DynamicImage {
    if image.width() <= edge && image.height() <= edge {
        return image.clone();
    }
    image.resize(edge, edge, FilterType::Lanczos3)
}

fn encode(size: &str, image: &DynamicImage, extension: &'static str, profile: &Profile) -> Result<Encoded, Failure> {
    let mut bytes = Vec::new();
    let (written, content_type) = match extension {
        "png" => (image.to_rgba8().write_with_encoder(PngEncoder::new(&mut bytes)), "image/png"),
        "webp" => (image.to_rgba8().write_with_encoder(WebPEncoder::new_lossless(&mut bytes)), "image/webp"),
        _ => {
            let encoder = JpegEncoder::new_with_quality(&mut bytes, profile.jpeg_quality);
            (flattened(image).write_with_encoder(encoder), "image/jpeg")
        }
    };
    written.map_err(|error| failure(FailureCode::Corrupt, format!("it cannot be written as {extension}: {error}")))?;
    Ok(Encoded { size: size.to_owned(), extension, content_type, bytes, width: image.width(), height: image.height() })
}

/// On white, for JPEG knows no transparency.
fn flattened(image: &DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.to_rgb8();
    }
    let rgba = image.to_rgba8();
    let mut flat = RgbImage::new(rgba.width(), rgba.height());
    for (to, from) in flat.pixels_mut().zip(rgba.pixels()) {
        let [red, green, blue, alpha] = from.0.map(u32::from);
        let blend = |channel: u32| u8::try_from((channel * alpha + 255 * (255 - alpha)) / 255).unwrap_or(u8::MAX);
        *to = Rgb([blend(red), blend(green), blend(blue)]);
    }
    flat
}

pub(crate) fn failure(code: FailureCode, message: String) -> Failure {
    Failure { code, message }
}

#[cfg(test)]
mod tests;
