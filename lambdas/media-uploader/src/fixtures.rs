//! Generates small media files, for unit tests and end-to-end tests.

#![expect(clippy::missing_panics_doc, reason = "a fixture that cannot be made is a broken test")]

pub mod images;
pub mod isobmff;
pub mod matroska;

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

/// A JPEG with EXIF data: an orientation and a GPS position.
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

/// A video and its properties.
#[derive(Debug, Clone)]
pub struct Mp4 {
    /// The file.
    pub bytes: Vec<u8>,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Duration in milliseconds.
    pub duration_ms: u64,
}

/// An MP4 of three samples, with `mdat` before `moov` and a location in `©xyz`.
#[must_use]
pub fn mp4() -> Mp4 {
    let samples: [&[u8]; 3] = [b"first sample", b"second, longer sample", b"third"];
    Mp4 { bytes: mp4_of(&samples), width: 320, height: 180, duration_ms: 2500 }
}

/// A valid MP4 of exactly this many bytes.
#[must_use]
pub fn mp4_of_size(bytes: usize) -> Vec<u8> {
    let empty = mp4_of(&[b"", b"", b""]).len();
    let sample: Vec<u8> = (0..bytes - empty).map(|index| u8::try_from(index % 251).unwrap_or_default()).collect();
    mp4_of(&[&sample, b"", b""])
}

fn mp4_of(samples: &[&[u8]; 3]) -> Vec<u8> {
    let ftyp = atom(b"ftyp", &[b"isom\0\0\x02\0isommp42"]);
    let free = atom(b"free", &[b"unused"]);
    let start = u32::try_from(ftyp.len() + free.len() + 8).expect("a small file");
    let length = |sample: &[u8]| u32::try_from(sample.len()).expect("a small sample");
    let offsets = [start, start + length(samples[0]), start + length(samples[0]) + length(samples[1])];
    let mdat = atom(b"mdat", samples);
    let moov = atom(b"moov", &[&movie_header(), &track(samples.map(length), offsets), &location()]);
    [ftyp, free, mdat, moov].concat()
}

fn atom(name: &[u8; 4], content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    let length = u32::try_from(content.len() + 8).expect("a small box");
    [&length.to_be_bytes()[..], name, &content].concat()
}

fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

const MATRIX: [u32; 9] = [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000];

fn movie_header() -> Vec<u8> {
    // A timescale of 1000 and 2500 units: two and a half seconds.
    let fields = numbers(&[0, 0, 0, 1000, 2500, 0x0001_0000, 0x0100_0000, 0, 0]);
    atom(b"mvhd", &[&fields, &numbers(&MATRIX), &numbers(&[0, 0, 0, 0, 0, 0, 2])])
}

fn location() -> Vec<u8> {
    atom(b"udta", &[&atom(b"\xA9xyz", &[b"\0\x12\x15\xC7+48.1374+011.5755/"])])
}

fn track(sizes: [u32; 3], offsets: [u32; 3]) -> Vec<u8> {
    let header =
        [numbers(&[7, 0, 0, 1, 0, 2500, 0, 0, 0, 0]), numbers(&MATRIX), numbers(&[320 << 16, 180 << 16])].concat();
    let media_header = numbers(&[0, 0, 0, 1000, 2500, 0x55C4_0000]);
    let handler = [numbers(&[0, 0]), b"vide".to_vec(), numbers(&[0, 0, 0]), vec![0]].concat();
    let mut entry = vec![0; 78];
    entry[7] = 1;
    entry[24..26].copy_from_slice(&320_u16.to_be_bytes());
    entry[26..28].copy_from_slice(&180_u16.to_be_bytes());
    let table = [
        atom(b"stsd", &[&numbers(&[0, 1]), &atom(b"avc1", &[&entry])]),
        atom(b"stts", &[&numbers(&[0, 1, 3, 833])]),
        atom(b"stsc", &[&numbers(&[0, 1, 1, 1, 1])]),
        atom(b"stsz", &[&numbers(&[0, 0, 3]), &numbers(&sizes)]),
        atom(b"stco", &[&numbers(&[0, 3]), &numbers(&offsets)]),
    ]
    .concat();
    let information = atom(b"minf", &[&atom(b"vmhd", &[&numbers(&[1, 0, 0])]), &atom(b"stbl", &[&table])]);
    let media = atom(b"mdia", &[&atom(b"mdhd", &[&media_header]), &atom(b"hdlr", &[&handler]), &information]);
    atom(b"trak", &[&atom(b"tkhd", &[&header]), &media, &location()])
}

/// Reads the samples of an MP4 of this module through its chunk offsets, as a player does.
#[must_use]
pub fn samples(mp4: &[u8]) -> Vec<Vec<u8>> {
    let table = |name: &[u8]| {
        let place = mp4.windows(4).position(|window| window == name)?;
        Some(&mp4[place + 4..])
    };
    let number = |bytes: &[u8], index: usize| {
        u32::from_be_bytes(bytes[index * 4..index * 4 + 4].try_into().expect("four bytes")) as usize
    };
    let sizes = table(b"stsz").expect("sizes");
    let offset = |index: usize| match table(b"stco") {
        Some(offsets) => number(offsets, 2 + index),
        None => number(table(b"co64").expect("offsets"), 3 + 2 * index),
    };
    (0..number(sizes, 2)).map(|index| mp4[offset(index)..][..number(sizes, 3 + index)].to_vec()).collect()
}
