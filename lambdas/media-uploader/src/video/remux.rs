//! Fast start: `moov` before the samples, metadata out, every chunk's offset moved. Samples stay byte-identical.

use super::boxes::{Found, boxes, number32, number64, wrap};

/// How deep boxes that hold chunk offsets may lie: `moov/trak/mdia/minf/stbl`.
const DEPTH: usize = 6;

/// One box of the file outside `moov`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(super) name: [u8; 4],
    /// Where it starts in the source.
    pub(super) start: u64,
    /// Its length, header included.
    pub(super) length: u64,
}

/// A file put together anew: a header, then pieces of the source as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remuxed {
    /// `ftyp` and `moov`.
    pub(super) header: Vec<u8>,
    /// What follows, in order.
    pub(super) pieces: Vec<Piece>,
}

/// Puts a file together anew from its `ftyp` and `moov` (whole boxes) and where all its boxes lie.
///
/// `None` when an offset points nowhere, which a whole file's never does.
pub(super) fn remux(ftyp: &[u8], moov: &[u8], layout: &[Piece]) -> Option<Remuxed> {
    let pieces: Vec<Piece> = layout
        .iter()
        .copied()
        .filter(|piece| !matches!(&piece.name, b"ftyp" | b"moov" | b"free" | b"skip" | b"uuid" | b"wide"))
        .collect();
    let moov = boxes(moov).next()?;
    let mut wide = false;
    // Moving `moov` moves offsets, which may have to be widened, which makes `moov` longer: until it is stable.
    loop {
        let length = rewritten(moov, 0, wide, &Some)?.len();
        let start = u64::try_from(ftyp.len() + length).ok()?;
        let places = places(&pieces, start);
        let moved = |offset: u64| moved(offset, &places);
        match rewritten(moov, 0, wide, &moved) {
            Some(moov) => return Some(Remuxed { header: [ftyp, &moov].concat(), pieces }),
            // Some offset does not fit into 32 bits any more, or points nowhere.
            None if wide => return None,
            None => wide = true,
        }
    }
}

/// Every piece with where it starts now.
fn places(pieces: &[Piece], start: u64) -> Vec<(Piece, u64)> {
    let mut next = start;
    pieces
        .iter()
        .map(|piece| {
            let place = next;
            next = next.saturating_add(piece.length);
            (*piece, place)
        })
        .collect()
}

fn moved(offset: u64, places: &[(Piece, u64)]) -> Option<u64> {
    let end = |piece: &Piece| piece.start.saturating_add(piece.length);
    let holds = |(piece, _): &&(Piece, u64)| (piece.start..end(piece)).contains(&offset);
    // A chunk without samples may point right behind the last one.
    let (piece, place) = places.iter().find(holds).or_else(|| places.iter().find(|(piece, _)| end(piece) == offset))?;
    place.checked_add(offset - piece.start)
}

/// A box without metadata and with its chunk offsets moved, in 64 bits where `wide`.
fn rewritten(found: Found<'_>, depth: usize, wide: bool, moved: &dyn Fn(u64) -> Option<u64>) -> Option<Vec<u8>> {
    match &found.name {
        b"moov" | b"trak" | b"mdia" | b"minf" | b"stbl" if depth < DEPTH => {
            let mut content = Vec::with_capacity(found.content.len());
            for inner in boxes(found.content) {
                let metadata = matches!(&inner.name, b"udta" | b"meta" | b"uuid" | b"free" | b"skip");
                if !metadata || depth > 1 {
                    content.extend(rewritten(inner, depth + 1, wide, moved)?);
                }
            }
            Some(wrap(found.name, &content))
        }
        b"stco" | b"co64" => offsets(found, wide, moved),
        _ => Some(found.whole.to_vec()),
    }
}

fn offsets(found: Found<'_>, wide: bool, moved: &dyn Fn(u64) -> Option<u64>) -> Option<Vec<u8>> {
    let long = &found.name == b"co64";
    let step = if long { 8 } else { 4 };
    let count = usize::try_from(number32(found.content, 4)?).ok()?;
    let table = found.content.get(8..8_usize.checked_add(count.checked_mul(step)?)?)?;
    let mut content = found.content.get(..8)?.to_vec();
    for entry in table.chunks_exact(step) {
        let offset = if long { number64(entry, 0)? } else { u64::from(number32(entry, 0)?) };
        let offset = moved(offset)?;
        if long || wide {
            content.extend(offset.to_be_bytes());
        } else {
            content.extend(u32::try_from(offset).ok()?.to_be_bytes());
        }
    }
    Some(wrap(if long || wide { *b"co64" } else { *b"stco" }, &content))
}
