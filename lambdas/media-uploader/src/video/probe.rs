//! The properties of a movie, read from its `moov` box in memory: tracks, duration, embedded pictures. No I/O, and no
//! decoding of samples.

use super::{
    boxes::{View, boxes, descend, find, u16_at, u32_at, u64_at},
    source::corrupt,
};
use crate::manifest::{AudioTrack, Failure, MOST_TRACKS, VideoTrack};

/// The properties in a `moov` box.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Movie {
    /// Duration in milliseconds.
    pub(crate) duration_ms: u64,
    /// Whether the samples are in fragments.
    pub(crate) fragmented: bool,
    /// Whether the metadata contains a location.
    pub(crate) had_location: bool,
    pub(crate) video_tracks: Vec<VideoTrack>,
    pub(crate) audio_tracks: Vec<AudioTrack>,
    /// The embedded cover art.
    pub(crate) cover: Option<Vec<u8>>,
    /// The position and size of a Motion JPEG track's first sample.
    pub(crate) first_jpeg: Option<(u64, u64)>,
}

/// Parses the content of a `moov` box.
pub(crate) fn movie(moov: &[u8]) -> Result<Movie, Failure> {
    let header = find(moov, b"mvhd")?.ok_or_else(|| corrupt("the movie has no header"))?;
    let (timescale, mut duration) = timing(header.content).ok_or_else(|| corrupt("the movie's header is too short"))?;
    let extends = find(moov, b"mvex")?;
    if let Some(extends) = &extends
        && let Some(fragments) = find(extends.content, b"mehd")?
    {
        let version = fragments.content.first().copied();
        let long = version == Some(1);
        let value = if long { u64_at(fragments.content, 4) } else { u32_at(fragments.content, 4).map(u64::from) };
        duration = duration.max(value.unwrap_or(0));
    }
    let mut movie = Movie {
        duration_ms: scaled(duration, 1000, timescale),
        fragmented: extends.is_some(),
        had_location: has_location(moov)?,
        video_tracks: Vec::new(),
        audio_tracks: Vec::new(),
        cover: cover(moov)?.map(<[u8]>::to_vec),
        first_jpeg: None,
    };
    let tracks: Vec<View<'_>> = boxes(moov)?.into_iter().filter(|view| &view.kind == b"trak").collect();
    if tracks.len() > MOST_TRACKS {
        return Err(corrupt("the movie has too many tracks"));
    }
    for track in tracks {
        read_track(track.content, &mut movie)?;
    }
    Ok(movie)
}

/// Reads timescale and duration of `mvhd` or `mdhd`, whose first fields are the same.
fn timing(content: &[u8]) -> Option<(u32, u64)> {
    let (timescale, duration, unknown) = if content.first()? == &1 {
        (u32_at(content, 20)?, u64_at(content, 24)?, u64::MAX)
    } else {
        (u32_at(content, 12)?, u64::from(u32_at(content, 16)?), u64::from(u32::MAX))
    };
    Some((timescale, if duration == unknown { 0 } else { duration }))
}

/// Returns `value` × `factor` ÷ `divisor`; 0 on overflow or division by zero.
fn scaled(value: u64, factor: u64, divisor: u32) -> u64 {
    let product = u128::from(value) * u128::from(factor);
    product.checked_div(u128::from(divisor)).and_then(|quotient| u64::try_from(quotient).ok()).unwrap_or(0)
}

fn read_track(track: &[u8], movie: &mut Movie) -> Result<(), Failure> {
    movie.had_location |= has_location(track)?;
    let Some(media) = find(track, b"mdia")? else { return Ok(()) };
    let handler = find(media.content, b"hdlr")?.and_then(|handler| u32_at(handler.content, 8));
    let Some(table) = descend(media.content, &[b"minf", b"stbl"])? else { return Ok(()) };
    let Some(descriptions) = find(table, b"stsd")? else { return Ok(()) };
    let Some(entry) = boxes(descriptions.content.get(8..).unwrap_or_default())?.into_iter().next() else {
        return Ok(());
    };
    match handler.map(u32::to_be_bytes).as_ref() {
        Some(b"vide") => {
            let video = video(track, media.content, table, &entry)?;
            if movie.video_tracks.is_empty() && matches!(&entry.kind, b"jpeg" | b"mjpa") {
                movie.first_jpeg = first_sample(table)?;
            }
            movie.video_tracks.push(video);
        }
        Some(b"soun") => movie.audio_tracks.push(AudioTrack {
            codec: code(&entry),
            channels: u16_at(entry.content, 16).unwrap_or(0),
            // 16.16 fixed point.
            sample_rate: u32_at(entry.content, 24).unwrap_or(0) >> 16,
        }),
        _ => {}
    }
    Ok(())
}

fn code(entry: &View<'_>) -> String {
    entry.kind.iter().map(|byte| char::from(*byte)).filter(char::is_ascii_graphic).collect()
}

fn video(track: &[u8], media: &[u8], table: &[u8], entry: &View<'_>) -> Result<VideoTrack, Failure> {
    let header = find(track, b"tkhd")?.map(|header| header.content).unwrap_or_default();
    // After version, flags, times, track ID and duration, which are longer in version 1.
    let matrix = if header.first() == Some(&1) { 52 } else { 40 };
    let shown = |at| u32_at(header, matrix + 36 + at).unwrap_or(0) >> 16;
    let coded = |at| u16_at(entry.content, at).map(u32::from).filter(|side| *side > 0);
    let (timescale, duration) = find(media, b"mdhd")?.and_then(|header| timing(header.content)).unwrap_or((0, 0));
    Ok(VideoTrack {
        codec: code(entry),
        width: coded(24).unwrap_or_else(|| shown(0)),
        height: coded(26).unwrap_or_else(|| shown(4)),
        rotation: rotation(header.get(matrix..).unwrap_or_default()),
        frame_rate: frame_rate(table, timescale, duration)?,
    })
}

/// Returns clockwise degrees from the signs of the matrix's first numbers (a, b, u, c, d, …).
fn rotation(matrix: &[u8]) -> u16 {
    let sign = |at| u32_at(matrix, at).map_or(0, |value| value.cast_signed().signum());
    match (sign(0), sign(4), sign(12), sign(16)) {
        (0, 1, -1, 0) => 90,
        (-1, 0, 0, -1) => 180,
        (0, -1, 1, 0) => 270,
        _ => 0,
    }
}

/// Returns samples per second, to three decimals: the count in `stts` divided by the media's duration.
fn frame_rate(table: &[u8], timescale: u32, duration: u64) -> Result<f64, Failure> {
    let Some(times) = find(table, b"stts")? else { return Ok(0.0) };
    let entries = times.content.get(8..).unwrap_or_default().as_chunks::<8>().0;
    let samples: u64 = entries.iter().filter_map(|entry| u32_at(entry, 0)).map(u64::from).sum();
    let thousandths =
        if duration == 0 { 0 } else { u128::from(samples) * u128::from(timescale) * 1000 / u128::from(duration) };
    Ok(f64::from(u32::try_from(thousandths).unwrap_or(0)) / 1000.0)
}

/// Returns the first chunk's offset and the first sample's size.
fn first_sample(table: &[u8]) -> Result<Option<(u64, u64)>, Failure> {
    let size = find(table, b"stsz")?.and_then(|sizes| {
        // A size for all, or a table of them.
        u32_at(sizes.content, 4).filter(|size| *size > 0).or_else(|| u32_at(sizes.content, 12))
    });
    let offset = match find(table, b"stco")? {
        Some(offsets) => u32_at(offsets.content, 8).map(u64::from),
        None => find(table, b"co64")?.and_then(|offsets| u64_at(offsets.content, 8)),
    };
    Ok(offset.zip(size.map(u64::from)))
}

/// Checks for a location in user data (`©xyz`, `loci`) or in Apple's keyed metadata.
fn has_location(parent: &[u8]) -> Result<bool, Failure> {
    const KEY: &[u8] = b"location.ISO6709";
    for view in boxes(parent)? {
        let found = match &view.kind {
            // User data is often padded incorrectly, so it is searched as bytes.
            b"udta" => [b"\xa9xyz".as_slice(), b"loci", KEY].iter().any(|name| contains(view.content, name)),
            b"meta" => contains(view.content, KEY),
            _ => false,
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// Returns the picture in `udta`/`meta`/`ilst`/`covr`/`data`. Damaged metadata does not make a movie invalid.
fn cover(moov: &[u8]) -> Result<Option<&[u8]>, Failure> {
    let Some(user_data) = find(moov, b"udta")? else { return Ok(None) };
    Ok(cover_in(user_data.content).ok().flatten())
}

fn cover_in(user_data: &[u8]) -> Result<Option<&[u8]>, Failure> {
    let Some(meta) = find(user_data, b"meta")? else { return Ok(None) };
    // ISO files have a version and flags here, QuickTime files do not.
    let content = if meta.content.starts_with(&[0; 4]) { &meta.content[4..] } else { meta.content };
    let Some(data) = descend(content, &[b"ilst", b"covr", b"data"])? else { return Ok(None) };
    // A type and a locale come first. The type is not trusted.
    let picture = data.get(8..).unwrap_or_default();
    let taken =
        matches!(crate::sniff::Format::sniff(picture), Some(crate::sniff::Format::Jpeg | crate::sniff::Format::Png));
    Ok(taken.then_some(picture))
}
