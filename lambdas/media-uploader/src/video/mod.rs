//! Videos: what their container says, fast start, no metadata. Samples are never decoded.

mod boxes;
pub mod job;
mod matroska;
mod probe;
mod remux;

use boxes::header;
use remux::{Piece, Remuxed, remux};

use crate::{
    image::failure,
    manifest::{Failure, FailureCode, VideoFacts},
    profile::Limits,
    sniff::{Format, SNIFFED, sniff},
    storage::StorageError,
};

/// How much of a Matroska file is looked at: its tracks come before its samples.
const MATROSKA_HEAD: u64 = 1024 * 1024;
/// The most boxes a file may have outside `moov`; a fragmented file's are not counted.
const MOST_BOXES: usize = 10_000;

/// A file that can be read piece by piece.
pub trait Source {
    /// The file's length in bytes.
    fn length(&self) -> u64;
    /// The bytes from `start`, `length` of them, or fewer at the end.
    fn read(&self, start: u64, length: u64) -> impl Future<Output = Result<Vec<u8>, StorageError>>;
}

/// What was found out about a video, and what is to be done with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Looked {
    /// Its format.
    pub format: Format,
    /// What it is.
    pub facts: VideoFacts,
    /// How it is stored.
    pub(crate) output: Output,
    /// A picture to make a poster of.
    pub(crate) still: Still,
}

/// How a video is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Output {
    /// As it is.
    Copy,
    /// Put together anew.
    Remuxed(Remuxed),
}

/// A picture in a video's container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Still {
    /// The embedded cover art.
    Cover(Vec<u8>),
    /// The first sample of an MJPEG track: where it lies.
    Sample(u64, u64),
    /// None.
    None,
}

/// Why a video could not be looked at.
#[derive(Debug)]
pub enum LookError {
    /// Something is wrong with the file.
    File(Failure),
    /// The bucket failed.
    Storage(StorageError),
}

impl From<StorageError> for LookError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

fn corrupt(message: &str) -> LookError {
    LookError::File(failure(FailureCode::Corrupt, message.to_owned()))
}

/// Looks at a video without reading its samples.
///
/// # Errors
///
/// When it is no video, is broken or passes a limit, or the bucket fails.
pub async fn look(source: &impl Source, limits: &Limits) -> Result<Looked, LookError> {
    if source.length() > limits.video_bytes {
        let message = format!("a video may have {} bytes", limits.video_bytes);
        return Err(LookError::File(failure(FailureCode::TooLarge, message)));
    }
    let head = source.read(0, SNIFFED as u64).await?;
    let refused = |code, message: &str| LookError::File(failure(code, message.to_owned()));
    let looked = match sniff(&head) {
        Some(format @ (Format::Mp4 | Format::QuickTime)) => iso(source, format, limits).await?,
        Some(format @ (Format::WebM | Format::Matroska)) => {
            let head = source.read(0, MATROSKA_HEAD).await?;
            let facts = matroska::facts(&head, source.length()).ok_or_else(|| corrupt("its header cannot be read"))?;
            Looked { format, facts, output: Output::Copy, still: Still::None }
        }
        Some(_) => return Err(refused(FailureCode::TypeMismatch, "it is an image, not a video")),
        None => return Err(refused(FailureCode::TypeMismatch, "it is none of the video formats that are taken")),
    };
    if looked.facts.video_tracks.is_empty() {
        return Err(refused(FailureCode::NoVideoTrack, "it has no video track"));
    }
    Ok(looked)
}

async fn iso(source: &impl Source, format: Format, limits: &Limits) -> Result<Looked, LookError> {
    let layout = layout(source).await?;
    let moov = layout.iter().find(|piece| &piece.name == b"moov").ok_or_else(|| corrupt("it has no moov box"))?;
    if moov.length > limits.moov_bytes {
        return Err(corrupt("its moov box is too large"));
    }
    let ftyp = match layout.iter().find(|piece| &piece.name == b"ftyp") {
        Some(ftyp) if ftyp.length <= 4096 => source.read(ftyp.start, ftyp.length).await?,
        _ => Vec::new(),
    };
    let before = |piece: &Piece| &piece.name == b"mdat" && piece.start < moov.start;
    let around = probe::Around {
        container: if format == Format::QuickTime { "mov" } else { "mp4" },
        ftyp: ftyp.get(8..).unwrap_or_default(),
        fast_start: !layout.iter().any(before),
        bytes: source.length(),
    };
    let moov = source.read(moov.start, moov.length).await?;
    let content = boxes::boxes(&moov).next().ok_or_else(|| corrupt("its moov box is cut short"))?.content;
    let mut facts = probe::facts(content, around).ok_or_else(|| corrupt("its moov box cannot be read"))?;
    facts.fragmented |= layout.iter().any(|piece| &piece.name == b"moof");
    let still = match (probe::cover(content), probe::first_still(content)) {
        (Some(cover), _) => Still::Cover(cover.to_vec()),
        (None, Some((offset, length))) => Still::Sample(offset, length),
        (None, None) => Still::None,
    };
    let output = if facts.fragmented {
        Output::Copy
    } else {
        facts.metadata_stripped = true;
        Output::Remuxed(remux(&ftyp, &moov, &layout).ok_or_else(|| corrupt("its chunk offsets point outside of it"))?)
    };
    Ok(Looked { format, facts, output, still })
}

/// Where the file's boxes lie, read header by header.
async fn layout(source: &impl Source) -> Result<Vec<Piece>, LookError> {
    let mut pieces = Vec::new();
    let mut start = 0;
    while start < source.length() && pieces.len() < MOST_BOXES {
        let bytes = source.read(start, 16).await?;
        let Some((name, header_length, length)) = header(&bytes) else {
            return Err(corrupt("a box's header is cut short"));
        };
        let length = if length == 0 { source.length() - start } else { length };
        let end = start.checked_add(length).filter(|end| length >= header_length && *end <= source.length());
        let Some(end) = end else { return Err(corrupt("a box goes beyond its end")) };
        pieces.push(Piece { name, start, length });
        if &name == b"moof" {
            // Fragmented: what follows is more of the same, and is copied as it is.
            break;
        }
        start = end;
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests;
