//! Analyzes a source: its properties, the layout of the new file, and its embedded picture. Only reads.

use super::{
    boxes::{TopLevel, top_level},
    matroska, probe,
    remux::{Layout, remux},
    source::{ReadError, Source, corrupt, index},
};
use crate::{
    manifest::{Failure, FailureCode, MOST_BRANDS, MediaKind, PosterSource, VideoFacts},
    profile::Limits,
    sniff::{self, Format},
};

/// Room for more brands than any file has.
const LARGEST_FTYP: u64 = 4096;

/// The result of an analysis.
#[derive(Debug)]
pub(crate) struct Analysis {
    /// For the manifest. The poster is set later.
    pub(crate) facts: VideoFacts,
    /// Detected from the bytes.
    pub(crate) content_type: &'static str,
    /// The layout of the new file; `None` if the file is copied unchanged.
    pub(crate) layout: Option<Layout>,
    /// A picture for the poster, and its source.
    pub(crate) picture: Option<(PosterSource, Vec<u8>)>,
}

/// Analyzes a source, reading only the required ranges.
pub(crate) async fn analyze(source: &mut Source, limits: &Limits) -> Result<Analysis, ReadError> {
    if source.size() > limits.video_bytes {
        return Err(Failure::too_large(source.size(), limits.video_bytes).into());
    }
    let format = Format::sniff(source.peek(0, sniff::BYTES).await?);
    let analysis = match format {
        Some(format @ (Format::Mp4 | Format::QuickTime)) => iso(source, format, limits).await?,
        Some(Format::Matroska) => webm(source).await?,
        Some(_) => return Err(Failure::mismatch(MediaKind::Video).into()),
        None => {
            let message = "the file is no MP4, QuickTime, WebM or Matroska video";
            return Err(Failure::new(FailureCode::UnsupportedType, message).into());
        }
    };
    if analysis.facts.video_tracks.is_empty() {
        return Err(Failure::new(FailureCode::NoVideoTrack, "the file has no video track").into());
    }
    Ok(analysis)
}

async fn webm(source: &mut Source) -> Result<Analysis, ReadError> {
    let movie = matroska::movie(source).await?;
    let webm = movie.document_type == "webm";
    let facts = VideoFacts {
        container: if webm { "webm" } else { "mkv" }.to_owned(),
        brands: vec![movie.document_type],
        duration_ms: movie.duration_ms,
        bitrate: bitrate(source.size(), movie.duration_ms),
        fragmented: false,
        fast_start_before: movie.fast_start,
        had_location: false,
        transcoded: false,
        metadata_stripped: false,
        poster: PosterSource::None,
        video_tracks: movie.video_tracks,
        audio_tracks: movie.audio_tracks,
    };
    let content_type = if webm { "video/webm" } else { Format::Matroska.content_type() };
    Ok(Analysis { facts, content_type, layout: None, picture: None })
}

async fn iso(source: &mut Source, format: Format, limits: &Limits) -> Result<Analysis, ReadError> {
    let boxes = top_level(source).await?;
    let moov = only(&boxes, b"moov")?.ok_or_else(|| corrupt("the file has no index"))?;
    if moov.range.end - moov.range.start > limits.moov_bytes {
        return Err(corrupt("the index is too large").into());
    }
    let ftyp = match only(&boxes, b"ftyp")? {
        Some(ftyp) if ftyp.range.end - ftyp.range.start > LARGEST_FTYP => {
            return Err(corrupt("the list of brands is too long").into());
        }
        Some(ftyp) => source.read(ftyp.range.clone()).await?,
        None => Vec::new(),
    };
    let content = source.read(moov.content..moov.range.end).await?;
    let movie = probe::movie(&content)?;
    let fragmented = movie.fragmented || boxes.iter().any(|found| &found.kind == b"moof");
    let samples = boxes.iter().find(|found| &found.kind == b"mdat");
    let layout = match samples {
        _ if fragmented => None,
        None => return Err(corrupt("the file has no samples").into()),
        Some(_) => remux(&boxes, &ftyp, &content, source.size())?,
    };
    let picture = picture(source, movie.cover, movie.first_jpeg, limits).await?;
    let facts = VideoFacts {
        container: if format == Format::QuickTime { "mov" } else { "mp4" }.to_owned(),
        brands: brands(&ftyp),
        duration_ms: movie.duration_ms,
        bitrate: bitrate(source.size(), movie.duration_ms),
        fragmented,
        fast_start_before: samples.is_none_or(|samples| moov.range.start < samples.range.start),
        had_location: movie.had_location,
        transcoded: false,
        metadata_stripped: layout.is_some(),
        poster: PosterSource::None,
        video_tracks: movie.video_tracks,
        audio_tracks: movie.audio_tracks,
    };
    Ok(Analysis { facts, content_type: format.content_type(), layout, picture })
}

/// Returns the only box of a type.
fn only<'a>(boxes: &'a [TopLevel], kind: &[u8; 4]) -> Result<Option<&'a TopLevel>, Failure> {
    let mut found = boxes.iter().filter(|candidate| &candidate.kind == kind);
    let first = found.next();
    if found.next().is_some() { Err(corrupt("a box is duplicated")) } else { Ok(first) }
}

/// Returns the major brand and the first compatible ones, without duplicates.
fn brands(ftyp: &[u8]) -> Vec<String> {
    let brands = ftyp.get(8..).unwrap_or_default().as_chunks::<4>().0;
    let mut names: Vec<String> = Vec::new();
    // The second field is the major brand's version.
    for brand in brands.iter().take(1).chain(brands.iter().skip(2)) {
        let name: String =
            brand.iter().map(|byte| char::from(*byte)).filter(|letter| (' '..='~').contains(letter)).collect();
        let name = name.trim_end().to_owned();
        if !name.is_empty() && !names.contains(&name) && names.len() < MOST_BRANDS {
            names.push(name);
        }
    }
    names
}

fn bitrate(bytes: u64, duration_ms: u64) -> u64 {
    bytes.saturating_mul(8000).checked_div(duration_ms).unwrap_or(0)
}

/// Returns the cover art, or else a Motion JPEG's first sample, if the image function supports it.
async fn picture(
    source: &Source,
    cover: Option<Vec<u8>>,
    first_jpeg: Option<(u64, u64)>,
    limits: &Limits,
) -> Result<Option<(PosterSource, Vec<u8>)>, ReadError> {
    let taken = |bytes: u64| bytes > 0 && bytes <= limits.image_bytes;
    if let Some(cover) = cover.filter(|cover| taken(cover.len() as u64)) {
        return Ok(Some((PosterSource::Cover, cover)));
    }
    let Some((start, size)) = first_jpeg else { return Ok(None) };
    let end = start.saturating_add(size);
    if !taken(size) || end > source.size() || index(size) == usize::MAX {
        return Ok(None);
    }
    let sample = source.read(start..end).await?;
    let jpeg = Format::sniff(&sample) == Some(Format::Jpeg);
    Ok(jpeg.then_some((PosterSource::Sample, sample)))
}

#[cfg(test)]
mod tests;
