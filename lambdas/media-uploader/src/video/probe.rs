//! What an MP4 or QuickTime file is, from its `moov` box alone.

use super::boxes::{Found, boxes, find, number16, number32, number64};
use crate::manifest::{AudioTrack, PosterSource, VideoFacts, VideoTrack};

/// What is known besides `moov`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) container: &'a str,
    /// The content of `ftyp`.
    pub(super) ftyp: &'a [u8],
    pub(super) fast_start: bool,
    /// The file's length.
    pub(super) bytes: u64,
}

/// Reads the facts off `moov`'s content; `None` when it makes no sense.
pub(super) fn facts(moov: &[u8], around: Around<'_>) -> Option<VideoFacts> {
    let (timescale, duration) = times(find(moov, &[b"mvhd"])?.content)?;
    let mut duration_ms = milliseconds(duration, timescale);
    let (mut video_tracks, mut audio_tracks) = (Vec::new(), Vec::new());
    for track in boxes(moov).filter(|found| &found.name == b"trak") {
        let Some(media) = find(track.content, &[b"mdia"]) else { continue };
        if let Some((timescale, duration)) = find(media.content, &[b"mdhd"]).and_then(|mdhd| times(mdhd.content)) {
            duration_ms = duration_ms.max(milliseconds(duration, timescale));
        }
        match find(media.content, &[b"hdlr"])?.content.get(8..12)? {
            b"vide" => video_tracks.extend(video(track, media)),
            b"soun" => audio_tracks.extend(audio(media)),
            _ => {}
        }
    }
    Some(VideoFacts {
        container: around.container.to_owned(),
        brands: brands(around.ftyp),
        bitrate: around.bytes.saturating_mul(8000).checked_div(duration_ms).unwrap_or_default(),
        duration_ms,
        fragmented: find(moov, &[b"mvex"]).is_some(),
        fast_start_before: around.fast_start,
        had_location: located(moov),
        transcoded: false,
        metadata_stripped: false,
        poster: PosterSource::None,
        video_tracks,
        audio_tracks,
    })
}

/// Timescale and duration of `mvhd` or `mdhd`.
fn times(content: &[u8]) -> Option<(u32, u64)> {
    match content.first()? {
        1 => Some((number32(content, 20)?, number64(content, 24)?)),
        _ => Some((number32(content, 12)?, u64::from(number32(content, 16)?))),
    }
}

fn milliseconds(duration: u64, timescale: u32) -> u64 {
    let all = u128::from(duration) * 1000;
    all.checked_div(u128::from(timescale)).and_then(|ms| u64::try_from(ms).ok()).unwrap_or_default()
}

fn brands(ftyp: &[u8]) -> Vec<String> {
    let (major, compatible) = (ftyp.chunks_exact(4).take(1), ftyp.chunks_exact(4).skip(2));
    let mut brands: Vec<String> = Vec::new();
    for brand in major.chain(compatible).take(32) {
        let brand = String::from_utf8_lossy(brand).trim().to_owned();
        if !brands.contains(&brand) {
            brands.push(brand);
        }
    }
    brands
}

/// Apple's `©xyz`, 3GPP's `loci`, or a `meta` key that names a location.
fn located(moov: &[u8]) -> bool {
    let in_metadata = |found: Found<'_>| {
        let names: [&[u8]; 3] = [b"\xA9xyz", b"loci", b"location.ISO6709"];
        matches!(&found.name, b"udta" | b"meta")
            && names.iter().any(|name| found.content.windows(name.len()).any(|window| window == *name))
    };
    boxes(moov).any(|found| in_metadata(found) || (&found.name == b"trak" && boxes(found.content).any(in_metadata)))
}

/// The first sample entry: its code and content.
fn entry<'a>(media: Found<'a>) -> Option<Found<'a>> {
    let stsd = find(media.content, &[b"minf", b"stbl", b"stsd"])?;
    boxes(stsd.content.get(8..)?).next()
}

fn code(entry: Found<'_>) -> String {
    String::from_utf8_lossy(&entry.name).trim().to_owned()
}

fn video(track: Found<'_>, media: Found<'_>) -> Option<VideoTrack> {
    let entry = entry(media)?;
    let header = find(track.content, &[b"tkhd"])?.content;
    // The matrix follows times, which are longer in version 1.
    let matrix = if header.first()? == &1 { 52 } else { 40 };
    let (timescale, duration) = times(find(media.content, &[b"mdhd"])?.content)?;
    Some(VideoTrack {
        codec: code(entry),
        width: u32::from(number16(entry.content, 24)?),
        height: u32::from(number16(entry.content, 26)?),
        rotation: rotation(number32(header, matrix)?, number32(header, matrix + 4)?),
        frame_rate: frame_rate(media, timescale, duration),
    })
}

/// From the matrix's first two numbers, 16.16 cosine and sine.
fn rotation(cosine: u32, sine: u32) -> u16 {
    match (cosine, sine) {
        (0, 0x0001_0000) => 90,
        (0xFFFF_0000, 0) => 180,
        (0, 0xFFFF_0000) => 270,
        _ => 0,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn frame_rate(media: Found<'_>, timescale: u32, duration: u64) -> f64 {
    let Some(stts) = find(media.content, &[b"minf", b"stbl", b"stts"]) else { return 0.0 };
    let samples: u64 = stts
        .content
        .get(8..)
        .unwrap_or_default()
        .chunks_exact(8)
        .map(|entry| u64::from(number32(entry, 0).unwrap_or_default()))
        .sum();
    if duration == 0 {
        0.0
    } else {
        (samples as f64 * f64::from(timescale) / duration as f64 * 1000.0).round() / 1000.0
    }
}

fn audio(media: Found<'_>) -> Option<AudioTrack> {
    let entry = entry(media)?;
    Some(AudioTrack {
        codec: code(entry),
        channels: number16(entry.content, 16)?,
        sample_rate: number32(entry.content, 24)? >> 16,
    })
}

/// Embedded cover art (`moov/udta/meta/ilst/covr/data`): a JPEG or PNG.
pub(super) fn cover(moov: &[u8]) -> Option<&[u8]> {
    let meta = find(moov, &[b"udta", b"meta"])?;
    // `meta` has version and flags before its boxes; QuickTime's has not.
    let data = [meta.content.get(4..)?, meta.content]
        .into_iter()
        .find_map(|content| find(content, &[b"ilst", b"covr", b"data"]))?;
    picture(data.content.get(8..)?)
}

/// Bytes that are a JPEG or PNG.
pub(super) fn picture(bytes: &[u8]) -> Option<&[u8]> {
    use crate::sniff::{Format, sniff};
    matches!(sniff(bytes), Some(Format::Jpeg | Format::Png)).then_some(bytes)
}

/// Where the first sample of an MJPEG track lies: its offset in the file and its length.
pub(super) fn first_still(moov: &[u8]) -> Option<(u64, u64)> {
    let track = boxes(moov).filter(|found| &found.name == b"trak").find(|track| {
        let media = find(track.content, &[b"mdia"]);
        media.and_then(entry).is_some_and(|entry| matches!(&entry.name, b"jpeg" | b"mjpa" | b"MJPG" | b"mjpg"))
    })?;
    let table = |name: &[u8; 4]| find(track.content, &[b"mdia", b"minf", b"stbl", name]);
    let offset = match table(b"stco") {
        Some(stco) => u64::from(number32(stco.content, 8)?),
        None => number64(table(b"co64")?.content, 8)?,
    };
    let sizes = table(b"stsz")?.content;
    let length = match number32(sizes, 4)? {
        0 => number32(sizes, 12)?,
        length => length,
    };
    Some((offset, u64::from(length)))
}
