//! The fast-start remux: a `moov` box without metadata moves before the unchanged samples. A pure function from boxes to
//! a layout; samples are neither read nor moved here.
//!
//! `moov` contains absolute offsets of chunks of samples (`stco`, `co64`), so a change of its size changes its content.

use std::ops::Range;

use super::{
    boxes::{BoxType, TopLevel, View, boxes, u32_at},
    source::{corrupt, index},
};
use crate::manifest::Failure;

/// The path of the tables of chunk offsets below `moov`. No other box is opened.
const PATH: [&BoxType; 4] = [b"trak", b"mdia", b"minf", b"stbl"];
/// Dropped top-level boxes: padding and metadata.
const DROPPED: [&BoxType; 5] = [b"free", b"skip", b"uuid", b"udta", b"meta"];
/// Boxes dropped from `moov` and `trak`: location, device, tags.
const METADATA: [&BoxType; 2] = [b"udta", b"meta"];

/// The new file: a head, then ranges of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// `ftyp` and `moov`.
    pub(crate) head: Vec<u8>,
    /// The following ranges of the source, in order, neither overlapping nor adjacent.
    pub(crate) spans: Vec<Range<u64>>,
}

impl Layout {
    pub(crate) fn size(&self) -> u64 {
        self.head.len() as u64 + self.spans.iter().map(|span| span.end - span.start).sum::<u64>()
    }
}

/// Computes the new layout. `None` if the file contains unsupported offsets and must stay unchanged.
///
/// `ftyp` is the whole box, or empty if there is none; `moov` is the content of its box; `size` is that of the file.
pub(crate) fn remux(top_level: &[TopLevel], ftyp: &[u8], moov: &[u8], size: u64) -> Result<Option<Layout>, Failure> {
    let spans = spans(top_level);
    let Some(mut children) = children(moov, &PATH)? else { return Ok(None) };
    // A wider table makes `moov` longer and moves the samples, which may make another table too narrow.
    let moved = loop {
        let head = ftyp.len() as u64 + 8 + sizes(&children);
        let moved = Moved::new(&spans, head);
        match moved.widen(&mut children, size)? {
            Widened::Nothing => break moved,
            Widened::Some => {}
            Widened::Unmapped => return Ok(None),
        }
    };
    let mut head = ftyp.to_vec();
    write(&Node::Container(*b"moov", children), &moved, &mut head);
    Ok(Some(Layout { head, spans }))
}

/// Returns the kept ranges besides `ftyp` and `moov`, with adjacent ones joined.
fn spans(top_level: &[TopLevel]) -> Vec<Range<u64>> {
    let mut spans: Vec<Range<u64>> = Vec::new();
    for TopLevel { kind, range, .. } in top_level {
        if kind == b"ftyp" || kind == b"moov" || DROPPED.contains(&kind) {
            continue;
        }
        match spans.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => spans.push(range.clone()),
        }
    }
    spans
}

/// A box of the new `moov`.
#[derive(Debug)]
enum Node<'a> {
    /// Copied unchanged.
    Same(&'a [u8]),
    /// Rewritten, because its content changes.
    Container(BoxType, Vec<Node<'a>>),
    /// `stco` or `co64`.
    Offsets(Offsets<'a>),
}

/// A table of chunk offsets.
#[derive(Debug)]
struct Offsets<'a> {
    /// Version and flags.
    flags: [u8; 4],
    /// The entries of the source.
    entries: &'a [u8],
    /// Whether the source's entries have eight bytes.
    was_wide: bool,
    /// Whether the new entries have eight bytes.
    wide: bool,
}

impl<'a> Offsets<'a> {
    fn read(view: &View<'a>) -> Option<Self> {
        let wide = &view.kind == b"co64";
        let count = u64::from(u32_at(view.content, 4)?);
        let length = index(count.checked_mul(if wide { 8 } else { 4 })?);
        let entries = view.content.get(8..)?.get(..length)?;
        Some(Self { flags: *view.content.first_chunk()?, entries, was_wide: wide, wide })
    }

    fn count(&self) -> u64 {
        self.entries.len() as u64 / if self.was_wide { 8 } else { 4 }
    }

    fn size(&self) -> u64 {
        16 + self.count() * if self.wide { 8 } else { 4 }
    }

    fn iter(&self) -> impl Iterator<Item = u64> {
        let (narrow, wide) = if self.was_wide { (&[][..], self.entries) } else { (self.entries, &[][..]) };
        let narrow = narrow.as_chunks::<4>().0.iter().map(|entry| u64::from(u32::from_be_bytes(*entry)));
        narrow.chain(wide.as_chunks::<8>().0.iter().map(|entry| u64::from_be_bytes(*entry)))
    }
}

/// Parses the boxes of `content`, opening those on `path`. `None` if there are unsupported offsets.
fn children<'a>(content: &'a [u8], path: &[&BoxType]) -> Result<Option<Vec<Node<'a>>>, Failure> {
    let strips = path.len() >= PATH.len() - 1;
    let mut nodes = Vec::new();
    let mut descended = false;
    for view in boxes(content)? {
        if strips && METADATA.contains(&&view.kind) {
            continue;
        }
        let node = match path {
            [next, below @ ..] if **next == view.kind => {
                // Only tracks may occur several times.
                if descended && *next != b"trak" {
                    return Err(corrupt("a box is duplicated"));
                }
                descended = true;
                let Some(below) = children(view.content, below)? else { return Ok(None) };
                Node::Container(view.kind, below)
            }
            [] if matches!(&view.kind, b"stco" | b"co64") => {
                Node::Offsets(Offsets::read(&view).ok_or_else(|| corrupt("a table of chunks is too short"))?)
            }
            // Offsets of encryption data.
            [] if &view.kind == b"saio" => return Ok(None),
            _ => Node::Same(view.whole),
        };
        nodes.push(node);
    }
    Ok(Some(nodes))
}

fn sizes(nodes: &[Node<'_>]) -> u64 {
    let size = |node: &Node<'_>| match node {
        Node::Same(bytes) => bytes.len() as u64,
        Node::Container(_, children) => 8 + sizes(children),
        Node::Offsets(offsets) => offsets.size(),
    };
    nodes.iter().map(size).sum()
}

/// The new positions of the source's kept ranges.
#[derive(Debug)]
struct Moved(Vec<(Range<u64>, u64)>);

/// The result of checking all tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Widened {
    Nothing,
    Some,
    /// A chunk is in a dropped box.
    Unmapped,
}

impl Moved {
    fn new(spans: &[Range<u64>], head: u64) -> Self {
        let mut at = head;
        let place = |span: &Range<u64>| {
            let start = at;
            at += span.end - span.start;
            (span.clone(), start)
        };
        Self(spans.iter().map(place).collect())
    }

    /// Returns the new position of an offset. An empty chunk may start at the end of a range.
    fn place(&self, old: u64) -> Option<u64> {
        if old == 0 {
            return Some(0);
        }
        // The ranges are in the file's order. A table may have millions of offsets, so they are not searched one by one.
        let before = self.0.partition_point(|(span, _)| span.start <= old);
        let (span, start) = self.0.get(before.checked_sub(1)?)?;
        (old <= span.end).then(|| start + (old - span.start))
    }

    /// Widens every table with an offset that does not fit.
    fn widen(&self, nodes: &mut [Node<'_>], size: u64) -> Result<Widened, Failure> {
        let mut widened = Widened::Nothing;
        for node in nodes {
            let seen = match node {
                Node::Same(_) => Widened::Nothing,
                Node::Container(_, children) => self.widen(children, size)?,
                Node::Offsets(offsets) => self.widen_one(offsets, size)?,
            };
            match seen {
                Widened::Nothing => {}
                Widened::Some => widened = Widened::Some,
                Widened::Unmapped => return Ok(Widened::Unmapped),
            }
        }
        Ok(widened)
    }

    fn widen_one(&self, offsets: &mut Offsets<'_>, size: u64) -> Result<Widened, Failure> {
        let mut largest = 0;
        for old in offsets.iter() {
            if old > size {
                return Err(corrupt("samples lie beyond the file's end"));
            }
            let Some(new) = self.place(old) else { return Ok(Widened::Unmapped) };
            largest = largest.max(new);
        }
        if offsets.wide || u32::try_from(largest).is_ok() {
            return Ok(Widened::Nothing);
        }
        offsets.wide = true;
        Ok(Widened::Some)
    }
}

fn write(node: &Node<'_>, moved: &Moved, out: &mut Vec<u8>) {
    match node {
        Node::Same(bytes) => out.extend_from_slice(bytes),
        Node::Container(kind, children) => {
            let size = u32::try_from(8 + sizes(children)).expect("moov is limited to far less, before and after");
            out.extend_from_slice(&size.to_be_bytes());
            out.extend_from_slice(kind);
            for child in children {
                write(child, moved, out);
            }
        }
        Node::Offsets(offsets) => {
            let size = u32::try_from(offsets.size()).expect("moov is limited to far less, before and after");
            let count = u32::try_from(offsets.count()).expect("the count was read from 32 bits");
            out.extend_from_slice(&size.to_be_bytes());
            out.extend_from_slice(if offsets.wide { b"co64" } else { b"stco" });
            out.extend_from_slice(&offsets.flags);
            out.extend_from_slice(&count.to_be_bytes());
            for old in offsets.iter() {
                let new = moved.place(old).unwrap_or(old);
                // A table that is not wide has only offsets that fit.
                let bytes = new.to_be_bytes();
                out.extend_from_slice(if offsets.wide { &bytes } else { &bytes[4..] });
            }
        }
    }
}

#[cfg(test)]
mod tests;
