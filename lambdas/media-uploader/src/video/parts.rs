//! Divides a new layout into the parts of a multipart upload: sent bytes, or ranges that S3 copies. No I/O.

use std::ops::Range;

use super::remux::Layout;

const MIB: u64 = 1024 * 1024;
/// The smallest size of all parts but the last: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
const LEAST: u64 = 5 * MIB;
/// The largest copied part, so that no call takes long.
pub(crate) const LARGEST_COPY: u64 = 512 * MIB;
/// The largest sent part, if S3 does not copy parts.
pub(crate) const LARGEST_SENT: u64 = 16 * MIB;

/// One part of a multipart upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// A range of the source.
    Copied(Range<u64>),
    /// The head, if this is the first part, and ranges of the source.
    Sent(Vec<Range<u64>>),
}

/// Returns the parts of `layout`, of at most `largest` bytes unless the head is longer. The first part is sent.
pub(crate) fn parts(layout: &Layout, largest: u64) -> Vec<Part> {
    let mut parts = Vec::new();
    // To be sent, because S3 neither copies from memory nor accepts small parts.
    let mut pending = Some((layout.head.len() as u64, Vec::new()));
    for span in &layout.spans {
        let mut at = span.start;
        while at < span.end {
            let left = span.end - at;
            match &mut pending {
                Some((length, ranges)) if *length < LEAST => {
                    let taken = left.min(LEAST - *length);
                    ranges.push(at..at + taken);
                    *length += taken;
                    at += taken;
                }
                Some((_, ranges)) => {
                    parts.push(Part::Sent(std::mem::take(ranges)));
                    pending = None;
                }
                None if left < LEAST => pending = Some((0, Vec::new())),
                None => {
                    let taken = left.min(largest);
                    parts.push(Part::Copied(at..at + taken));
                    at += taken;
                }
            }
        }
    }
    if let Some((_, ranges)) = pending {
        parts.push(Part::Sent(ranges));
    }
    parts
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "ranges of a file")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn layout(head: usize, spans: Vec<Range<u64>>) -> Layout {
        Layout { head: vec![0; head], spans }
    }

    #[test]
    fn the_first_part_is_sent_and_the_rest_copied() {
        let parts = parts(&layout(1000, vec![2000..100 * MIB]), LARGEST_COPY);
        let first = 2000 + LEAST - 1000;
        assert_eq!(parts, [Part::Sent(vec![2000..first]), Part::Copied(first..100 * MIB)]);
    }

    #[test]
    fn a_small_end_is_sent() {
        let parts = parts(&layout(1000, vec![2000..2000 + LEAST]), LARGEST_COPY);
        assert_eq!(parts, [Part::Sent(vec![2000..LEAST + 1000]), Part::Sent(vec![LEAST + 1000..LEAST + 2000])]);
    }

    proptest! {
        #[test]
        fn parts_give_the_layout_and_none_is_too_small(
            head in 1..=20 * 1024 * 1024usize,
            lengths in proptest::collection::vec((1..200 * MIB, 1..100u64), 1..6),
            copies in any::<bool>(),
        ) {
            let mut at = 0;
            let spans: Vec<_> = lengths.iter().map(|(length, gap)| {
                let span = at + gap..at + gap + length;
                at = span.end;
                span
            }).collect();
            let layout = layout(head, spans);
            let parts = parts(&layout, if copies { LARGEST_COPY } else { LARGEST_SENT });
            let mut joined: Vec<Range<u64>> = Vec::new();
            for (number, part) in parts.iter().enumerate() {
                let ranges = match part { Part::Copied(range) => vec![range.clone()], Part::Sent(ranges) => ranges.clone() };
                let length: u64 = ranges.iter().map(|range| range.end - range.start).sum();
                let length = length + if number == 0 { head as u64 } else { 0 };
                prop_assert!(length >= LEAST || number + 1 == parts.len(), "part {number} has {length}");
                prop_assert!(number > 0 || matches!(part, Part::Sent(_)));
                for range in ranges {
                    match joined.last_mut() {
                        Some(last) if last.end == range.start => last.end = range.end,
                        _ => joined.push(range),
                    }
                }
            }
            prop_assert_eq!(joined, layout.spans);
        }
    }
}
