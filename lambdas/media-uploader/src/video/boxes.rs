//! ISO base media file format (ISO/IEC 14496-12): boxes in memory, walked with care. Any file may be hostile.

/// A box within some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found<'a> {
    /// Its four letters.
    pub(super) name: [u8; 4],
    /// The whole box, header included.
    pub(super) whole: &'a [u8],
    /// What is in it.
    pub(super) content: &'a [u8],
}

/// A box's header: its name, the header's length and the box's, which is 0 when it goes to the end.
pub(super) fn header(bytes: &[u8]) -> Option<([u8; 4], u64, u64)> {
    let name = bytes.get(4..8)?.try_into().ok()?;
    match u64::from(number32(bytes, 0)?) {
        1 => Some((name, 16, number64(bytes, 8)?)),
        length => Some((name, 8, length)),
    }
}

/// The boxes that stand one after the other in `bytes`; ends where they make no sense any more.
pub(super) fn boxes(bytes: &[u8]) -> impl Iterator<Item = Found<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (name, header_length, length) = header(rest)?;
        let header_length = usize::try_from(header_length).ok()?;
        let length = if length == 0 { rest.len() } else { usize::try_from(length).ok()? };
        if length < header_length || length > rest.len() {
            return None;
        }
        let (whole, after) = rest.split_at(length);
        rest = after;
        Some(Found { name, whole, content: &whole[header_length..] })
    })
}

/// The first box at the end of a path of names.
pub(super) fn find<'a>(bytes: &'a [u8], path: &[&[u8; 4]]) -> Option<Found<'a>> {
    let (first, rest) = path.split_first()?;
    let found = boxes(bytes).find(|found| found.name == **first)?;
    if rest.is_empty() { Some(found) } else { find(found.content, rest) }
}

pub(super) fn number16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

pub(super) fn number32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

pub(super) fn number64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

/// A box of this name and content.
pub(super) fn wrap(name: [u8; 4], content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len() + 8).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], &name, content].concat()
}
