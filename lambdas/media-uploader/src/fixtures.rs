//! Small files to try the functions on, made on the spot. For tests here and end to end.

#![expect(clippy::missing_panics_doc, reason = "a fixture that cannot be made is a broken test")]

use std::io::Cursor;

use ::image::{ExtendedColorType, ImageEncoder, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage, codecs::png::PngEncoder};

/// A JPEG with a gradient.
#[must_use]
pub fn jpeg(width: u32, height: u32) -> Vec<u8> {
    let shade = |value: u32, of: u32| u8::try_from(value * 255 / of.max(1)).unwrap_or(u8::MAX);
    let picture = RgbImage::from_fn(width, height, |x, y| Rgb([shade(x, width), shade(y, height), 128]));
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Jpeg).expect("a JPEG can be written");
    bytes.into_inner()
}

/// The same with EXIF: this orientation, and a place on earth.
#[must_use]
pub fn jpeg_with_exif(width: u32, height: u32, orientation: u16) -> Vec<u8> {
    let mut tiff = Vec::new();
    tiff.extend(b"MM\0*\0\0\0\x08");
    // One directory of two entries: orientation (0x0112, SHORT), and where the GPS directory is (0x8825, LONG).
    tiff.extend(2_u16.to_be_bytes());
    tiff.extend([0x01, 0x12, 0, 3, 0, 0, 0, 1]);
    tiff.extend(orientation.to_be_bytes());
    tiff.extend([0, 0]);
    tiff.extend([0x88, 0x25, 0, 4, 0, 0, 0, 1]);
    tiff.extend(38_u32.to_be_bytes());
    tiff.extend([0, 0, 0, 0]);
    // The GPS directory: one entry, the latitude's reference (0x0001, ASCII).
    tiff.extend(1_u16.to_be_bytes());
    tiff.extend([0, 1, 0, 2, 0, 0, 0, 2, b'N', 0, 0, 0]);
    tiff.extend([0, 0, 0, 0]);
    let length = u16::try_from(2 + 6 + tiff.len()).expect("a short segment");
    let plain = jpeg(width, height);
    let (start, rest) = plain.split_at(2);
    [start, &[0xFF, 0xE1], &length.to_be_bytes(), b"Exif\0\0", &tiff, rest].concat()
}

/// A PNG whose left half is transparent.
#[must_use]
pub fn png_with_alpha(width: u32, height: u32) -> Vec<u8> {
    let picture = RgbaImage::from_fn(width, height, |x, _| Rgba([200, 30, 60, if x < width / 2 { 0 } else { 255 }]));
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes)
        .write_image(&picture, width, height, ExtendedColorType::Rgba8)
        .expect("a PNG can be written");
    bytes
}

/// A PNG of one pixel whose header claims to be larger.
#[must_use]
pub fn png_claiming(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = png_with_alpha(1, 1);
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let checksum = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

/// PNG's checksum (PNG specification, annex D).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { 0xEDB8_8320 ^ (crc >> 1) } else { crc >> 1 })
    })
}
