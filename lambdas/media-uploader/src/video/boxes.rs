//! The boxes of ISO base media files, in memory and at the top level of a file:
//! ISO/IEC 14496-12, 4.2, <https://developer.apple.com/documentation/quicktime-file-format/atoms>.
//!
//! Sizes are untrusted: each is checked against the enclosing box.

use std::ops::Range;

use super::source::{ReadError, Source, corrupt, index};
use crate::manifest::Failure;

/// The most boxes at the top level of a file or in one box. Real files have a handful.
const MOST_BOXES: usize = 1024;

/// The four letters of a box.
pub(crate) type BoxType = [u8; 4];

/// A box in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) kind: BoxType,
    /// With its header.
    pub(crate) whole: &'a [u8],
    /// Without its header.
    pub(crate) content: &'a [u8],
}

/// A box at the top level of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TopLevel {
    pub(crate) kind: BoxType,
    /// Its position, with its header.
    pub(crate) range: Range<u64>,
    /// The position of its content.
    pub(crate) content: u64,
}

/// Parses a header: type, length of the header, length of the box. A size of 0 means the rest of `available`.
fn header(bytes: &[u8], available: u64) -> Option<(BoxType, u64, u64)> {
    let size = u64::from(u32::from_be_bytes(*bytes.first_chunk()?));
    let kind = *bytes.get(4..)?.first_chunk()?;
    let (header, size) = match size {
        0 => (8, available),
        1 => (16, u64::from_be_bytes(*bytes.get(8..)?.first_chunk()?)),
        size => (8, size),
    };
    (size >= header && size <= available).then_some((kind, header, size))
}

/// Parses the boxes in `content`, in order.
///
/// QuickTime may end a list with up to four zero bytes.
pub(crate) fn boxes(content: &[u8]) -> Result<Vec<View<'_>>, Failure> {
    let mut found = Vec::new();
    let mut rest = content;
    while !rest.is_empty() && rest != [0; 4] {
        // "To the end of the file" is invalid inside a box.
        let sized = header(rest, rest.len() as u64).filter(|_| !rest.starts_with(&[0; 4]));
        let (kind, header, size) = sized.ok_or_else(|| corrupt("a box exceeds its parent"))?;
        if found.len() == MOST_BOXES {
            return Err(corrupt("a box has too many children"));
        }
        let (whole, after) = rest.split_at(index(size));
        found.push(View { kind, whole, content: &whole[index(header)..] });
        rest = after;
    }
    Ok(found)
}

/// Returns the first box of a type in `content`.
pub(crate) fn find<'a>(content: &'a [u8], kind: &BoxType) -> Result<Option<View<'a>>, Failure> {
    Ok(boxes(content)?.into_iter().find(|view| view.kind == *kind))
}

/// Returns the box at the end of a path of types.
pub(crate) fn descend<'a>(content: &'a [u8], path: &[&BoxType]) -> Result<Option<&'a [u8]>, Failure> {
    let mut content = content;
    for kind in path {
        match find(content, kind)? {
            Some(view) => content = view.content,
            None => return Ok(None),
        }
    }
    Ok(Some(content))
}

/// Reads the boxes at the top level of a file, up to the first fragment, after which many more may follow.
pub(crate) async fn top_level(source: &mut Source) -> Result<Vec<TopLevel>, ReadError> {
    let mut found: Vec<TopLevel> = Vec::new();
    let mut at = 0;
    while at < source.size() {
        let available = source.size() - at;
        let bytes = source.peek(at, 16).await?;
        // Some recorders pad a file's end with zeros.
        if !found.is_empty() && available < 8 && bytes.iter().all(|byte| *byte == 0) {
            break;
        }
        let (kind, header, size) = header(bytes, available).ok_or_else(|| corrupt("a box exceeds the file"))?;
        found.push(TopLevel { kind, range: at..at + size, content: at + header });
        if &kind == b"moof" {
            break;
        }
        if found.len() == MOST_BOXES {
            return Err(corrupt("the file has too many boxes").into());
        }
        at += size;
    }
    Ok(found)
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}
