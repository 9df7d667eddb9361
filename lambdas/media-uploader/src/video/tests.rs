//! Looking at and putting together generated videos.

use proptest::prelude::*;

use super::*;
use crate::{fixtures, profile::Profile};

impl Source for &[u8] {
    fn length(&self) -> u64 {
        self.len() as u64
    }

    async fn read(&self, start: u64, length: u64) -> Result<Vec<u8>, StorageError> {
        let start = usize::try_from(start).expect("in memory").min(self.len());
        let end = start.saturating_add(usize::try_from(length).expect("in memory")).min(self.len());
        Ok(self[start..end].to_vec())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn looked(bytes: &[u8]) -> Result<Looked, FailureCode> {
    look(&bytes, &Profile::default().limits).await.map_err(|error| match error {
        LookError::File(failure) => failure.code,
        LookError::Storage(error) => panic!("{error}"),
    })
}

fn assembled(bytes: &[u8]) -> Vec<u8> {
    let Output::Remuxed(remuxed) = looked(bytes).expect("a video").output else { panic!("copied") };
    let range = |piece: &Piece| {
        usize::try_from(piece.start).expect("small")..usize::try_from(piece.start + piece.length).expect("small")
    };
    remuxed.pieces.iter().fold(remuxed.header.clone(), |all, piece| [all, bytes[range(piece)].to_vec()].concat())
}

#[test]
fn the_facts_are_read_off_the_container() {
    let video = fixtures::mp4();
    let facts = looked(&video.bytes).expect("a video").facts;
    assert_eq!(facts.container, "mp4");
    assert_eq!(facts.brands, ["isom", "mp42"]);
    assert_eq!(facts.duration_ms, video.duration_ms);
    assert!(facts.had_location && facts.metadata_stripped && !facts.fast_start_before && !facts.fragmented);
    let [track] = facts.video_tracks.as_slice() else { panic!("{facts:?}") };
    assert_eq!((track.codec.as_str(), track.width, track.height, track.rotation), ("avc1", 320, 180, 0));
    assert!((track.frame_rate - 1.2).abs() < 0.001, "{track:?}");
}

#[test]
fn moov_comes_first_without_metadata_and_the_samples_are_the_same() {
    let video = fixtures::mp4().bytes;
    let output = assembled(&video);
    let place = |name: &[u8]| output.windows(4).position(|window| window == name);
    assert!(place(b"moov") < place(b"mdat"));
    assert_eq!((place(b"udta"), place(b"free"), place(b"\xA9xyz")), (None, None, None));
    assert_eq!(fixtures::samples(&output), fixtures::samples(&video));
    // What is fast already stays the same, byte for byte.
    assert_eq!(assembled(&output), output);
    assert!(looked(&output).expect("a video").facts.fast_start_before);
}

#[test]
fn offsets_that_pass_four_gigabytes_are_widened() {
    let video = fixtures::mp4().bytes;
    let moov_start = video.windows(4).position(|window| window == b"moov").expect("moov") - 4;
    let mdat_start = 38;
    // The same file with a gap of nearly 4 GiB kept in front of the samples.
    let gap = Piece { name: *b"abcd", start: 1 << 40, length: u64::from(u32::MAX) - 100 };
    let mdat = Piece { name: *b"mdat", start: mdat_start, length: moov_start as u64 - mdat_start };
    let remuxed = remux(&video[..24], &video[moov_start..], &[gap, mdat]).expect("remuxed");
    let place = |name: &[u8]| remuxed.header.windows(4).position(|window| window == name);
    assert_eq!(place(b"stco"), None);
    let table = &remuxed.header[place(b"co64").expect("widened") + 4..];
    let first = u64::from_be_bytes(table[8..16].try_into().expect("eight bytes"));
    assert_eq!(first, remuxed.header.len() as u64 + gap.length + 8);
}

#[test]
fn what_is_no_video_is_named() {
    let video = fixtures::mp4().bytes;
    assert_eq!(looked(&fixtures::jpeg(8, 8)).expect_err("refused"), FailureCode::TypeMismatch);
    assert_eq!(looked(b"just text").expect_err("refused"), FailureCode::TypeMismatch);
    assert_eq!(looked(&video[..video.len() - 20]).expect_err("refused"), FailureCode::Corrupt);
    let silent = String::from_utf8_lossy(b"vide").into_owned();
    let place = video.windows(4).position(|window| window == silent.as_bytes()).expect("a handler");
    let mut sound = video.clone();
    sound[place..place + 4].copy_from_slice(b"text");
    assert_eq!(looked(&sound).expect_err("refused"), FailureCode::NoVideoTrack);
}

#[test]
fn a_webm_is_told_by_its_header() {
    let element = |id: &[u8], content: &[u8]| {
        let length = 0x4000_u16 | u16::try_from(content.len()).expect("short");
        [id, &length.to_be_bytes(), content].concat()
    };
    let picture = [element(&[0xB0], &[2, 128]), element(&[0xBA], &[1, 104])].concat();
    let track = [
        element(&[0x86], b"V_VP9"),
        element(&[0x23, 0xE3, 0x83], &40_000_000_u32.to_be_bytes()),
        element(&[0xE0], &picture),
    ]
    .concat();
    let info = element(&[0x44, 0x89], &1500.0_f64.to_be_bytes());
    let segment =
        [element(&[0x15, 0x49, 0xA9, 0x66], &info), element(&[0x16, 0x54, 0xAE, 0x6B], &element(&[0xAE], &track))]
            .concat();
    let file = [
        element(&[0x1A, 0x45, 0xDF, 0xA3], &element(&[0x42, 0x82], b"webm")),
        element(&[0x18, 0x53, 0x80, 0x67], &segment),
    ]
    .concat();
    let seen = looked(&file).expect("a video");
    assert_eq!((seen.format, seen.output, seen.facts.duration_ms), (Format::WebM, Output::Copy, 1500));
    let [track] = seen.facts.video_tracks.as_slice() else { panic!("{:?}", seen.facts) };
    assert_eq!((track.codec.as_str(), track.width, track.height), ("V_VP9", 640, 360));
    assert!((track.frame_rate - 25.0).abs() < 0.001);
}

proptest! {
    #[test]
    fn damaged_files_never_panic(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = fixtures::mp4().bytes;
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let _ = looked(&bytes);
    }

    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), start in 0_usize..4) {
        let starts: [&[u8]; 4] = [b"\0\0\0\x10ftypisom\0\0\0\0", b"\x1a\x45\xdf\xa3", b"\0\0\0\x08moov", b""];
        let _ = looked(&[starts[start], &bytes].concat());
    }
}
