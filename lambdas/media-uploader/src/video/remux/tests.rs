//! Remuxed files, assembled and parsed again: samples must be at the positions in the new tables.

use super::*;
use crate::{
    fixtures::isobmff::{Mp4, boxed},
    manifest::FailureCode,
    video::{
        boxes::{View, descend, find, top_level, u64_at},
        source::Source,
    },
};

async fn layout(bytes: &[u8]) -> Result<Option<Layout>, Failure> {
    let boxes = top_level(&mut Source::bytes(bytes)).await.expect("whole boxes");
    let named = |kind: &BoxType| boxes.iter().find(|found| &found.kind == kind).expect("the box");
    let range = |range: Range<u64>| &bytes[index(range.start)..index(range.end)];
    let moov = named(b"moov");
    remux(&boxes, range(named(b"ftyp").range.clone()), range(moov.content..moov.range.end), bytes.len() as u64)
}

/// The new file.
async fn remuxed(bytes: &[u8]) -> Vec<u8> {
    let layout = layout(bytes).await.expect("a whole file").expect("nothing unknown");
    let mut file = layout.head.clone();
    for span in &layout.spans {
        file.extend(&bytes[index(span.start)..index(span.end)]);
    }
    assert_eq!(file.len() as u64, layout.size());
    file
}

fn kinds(content: &[u8]) -> Vec<String> {
    let views = boxes(content).expect("whole boxes");
    views.iter().map(|view| String::from_utf8_lossy(&view.kind).into_owned()).collect()
}

/// Reads the samples of every track through its tables: each sample is a chunk.
fn samples(file: &[u8]) -> Vec<Vec<u8>> {
    let moov = find(file, b"moov").expect("whole boxes").expect("moov");
    let tracks = boxes(moov.content).expect("whole boxes").into_iter().filter(|view| &view.kind == b"trak");
    let read = |track: View<'_>| {
        let table = descend(track.content, &[b"mdia", b"minf", b"stbl"]).expect("whole boxes").expect("a table");
        let sizes = find(table, b"stsz").expect("whole boxes").expect("sizes").content;
        let mut children = boxes(table).expect("whole boxes").into_iter();
        let offsets = children.find(|view| matches!(&view.kind, b"stco" | b"co64"));
        let offsets = Offsets::read(&offsets.expect("offsets")).expect("a whole table");
        let at = offsets.iter().zip(sizes[12..].as_chunks::<4>().0);
        at.flat_map(|(at, size)| file[index(at)..][..u32::from_be_bytes(*size) as usize].to_vec()).collect()
    };
    tracks.map(read).collect()
}

#[tokio::test(flavor = "current_thread")]
async fn the_index_comes_first_and_samples_are_found() {
    for mdat_first in [true, false] {
        for co64 in [true, false] {
            let source = Mp4 { mdat_first, co64, ..Mp4::default() };
            let before = source.build();
            assert_eq!(samples(&before), vec![source.sample_bytes(); 2], "the fixture is right");
            let after = remuxed(&before).await;
            assert_eq!(kinds(&after), ["ftyp", "moov", "mdat"]);
            assert_eq!(samples(&after), vec![source.sample_bytes(); 2], "mdat_first {mdat_first}, co64 {co64}");
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn metadata_is_gone() {
    let source = Mp4 { cover: Some(b"\xff\xd8\xff picture".to_vec()), ..Mp4::default() };
    let (before, after) = (source.build(), remuxed(&source.build()).await);
    for secret in [b"+52.5200".as_slice(), b"Phone", b"udta", b"meta", b"picture", b"uuid"] {
        let within = |bytes: &[u8]| bytes.windows(secret.len()).any(|window| window == secret);
        assert!(within(&before) && !within(&after), "{}", String::from_utf8_lossy(secret));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_second_remux_changes_nothing() {
    let once = remuxed(&Mp4::default().build()).await;
    assert_eq!(remuxed(&once).await, once);
}

/// A `moov` with a track for each table of chunk offsets.
fn moov(tables: &[&[u32]]) -> Vec<u8> {
    let mut content = boxed(b"udta", &[1; 8]);
    for table in tables {
        let count = u32::try_from(table.len()).expect("a short table");
        let entries: Vec<u8> = [0, count].iter().chain(*table).flat_map(|number| number.to_be_bytes()).collect();
        content.extend(nested(boxed(b"stco", &entries)));
    }
    content
}

fn nested(table: Vec<u8>) -> Vec<u8> {
    PATH.iter().rev().fold(table, |content, kind| boxed(kind, &content))
}

/// Samples from `start` to `end`, followed by the index.
fn samples_first(start: u64, end: u64) -> [TopLevel; 2] {
    [
        TopLevel { kind: *b"mdat", range: start..end, content: start + 16 },
        TopLevel { kind: *b"moov", range: end..end + 1000, content: end + 8 },
    ]
}

/// The tables of a head: the type, and the entries.
fn tables(head: &[u8]) -> Vec<(String, Vec<u64>)> {
    let moov = find(head, b"moov").expect("whole boxes").expect("moov");
    let table = |view: View<'_>| {
        let table = descend(view.content, &[b"mdia", b"minf", b"stbl"]).expect("whole boxes").expect("a table");
        let offsets = boxes(table).expect("whole boxes")[0];
        (kinds(table)[0].clone(), Offsets::read(&offsets).expect("a whole table").iter().collect())
    };
    boxes(moov.content).expect("whole boxes").into_iter().map(table).collect()
}

#[test]
fn a_table_that_is_widened_moves_the_others() {
    const TRACKS: u64 = 2 * (4 * 8 + 16);
    // Each table has two entries. The narrow head is exactly this long, and 8 bytes longer per widened table.
    const HEAD: u64 = 8 + TRACKS + 2 * 2 * 4;
    let last = u64::from(u32::MAX);
    let narrow = |number: u64| u32::try_from(number).expect("32 bits");
    let top_level = samples_first(0, last + 10_000);
    let size = last + 11_000;
    // The first does not fit from the start, the second only after the first was widened.
    let (first, second) = (narrow(last - HEAD + 1), narrow(last - HEAD));
    let moved = remux(&top_level, &[], &moov(&[&[16, first], &[16, second]]), size).expect("sound").expect("known");
    let head = HEAD + 2 * 2 * 4;
    assert_eq!(moved.head.len() as u64, head);
    let wide = |entry: u32| ("co64".to_owned(), vec![16 + head, u64::from(entry) + head]);
    assert_eq!(tables(&moved.head), [wide(first), wide(second)]);
    // With one byte less, all offsets fit.
    let moved = remux(&top_level, &[], &moov(&[&[16, second], &[16, second]]), size).expect("sound").expect("known");
    assert_eq!(moved.head.len() as u64, HEAD);
    assert_eq!(tables(&moved.head), vec![("stco".to_owned(), vec![16 + HEAD, last]); 2]);
}

#[test]
fn a_wide_table_stays_wide() {
    let content = [&[0, 0, 0, 0, 0, 0, 0, 1], 200u64.to_be_bytes().as_slice()].concat();
    let moov = nested(boxed(b"co64", &content));
    let moved = remux(&samples_first(100, 300), &[], &moov, 1300).expect("sound").expect("known");
    let head = find(&moved.head, b"moov").expect("whole boxes").expect("moov").whole.len() as u64;
    assert_eq!(tables(&moved.head), [("co64".to_owned(), vec![head + 100])]);
    assert_eq!(u64_at(&moved.head, moved.head.len() - 8), Some(head + 100));
}

#[test]
fn chunks_beyond_the_file_are_corrupt() {
    let error = remux(&samples_first(100, 300), &[], &moov(&[&[5000]]), 1300).expect_err("beyond the end");
    assert_eq!(error.code, FailureCode::Corrupt);
}

#[test]
fn a_table_shorter_than_its_count_is_corrupt() {
    let moov = nested(boxed(b"stco", &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1]));
    assert_eq!(remux(&samples_first(100, 300), &[], &moov, 1300).expect_err("short").code, FailureCode::Corrupt);
}

#[test]
fn unsupported_offsets_keep_the_file_unchanged() {
    // A chunk in a dropped box, and offsets of encryption data.
    let unmapped = remux(&samples_first(100, 300), &[], &moov(&[&[50]]), 1300);
    assert_eq!(unmapped.expect("sound"), None);
    let encrypted = remux(&samples_first(100, 300), &[], &nested(boxed(b"saio", &[0; 12])), 1300);
    assert_eq!(encrypted.expect("sound"), None);
}
