//! Manifests of generated videos, and the failures of damaged ones.

use proptest::prelude::*;

use super::*;
use crate::{
    fixtures::{
        images,
        isobmff::{self, Mp4},
        matroska,
    },
    manifest::{AudioTrack, MOST_TRACKS, VideoTrack},
    profile::Profile,
    video::boxes::{boxes, find},
};

async fn try_analyze(bytes: &[u8]) -> Result<Analysis, Failure> {
    let limits = Profile::default().limits;
    analyze(&mut Source::bytes(bytes), &limits).await.map_err(|error| match error {
        ReadError::Media(failure) => failure,
        ReadError::Storage(error) => panic!("{error}"),
    })
}

async fn facts(bytes: &[u8]) -> VideoFacts {
    try_analyze(bytes).await.expect("a valid video").facts
}

async fn code(bytes: &[u8]) -> FailureCode {
    try_analyze(bytes).await.expect_err("an invalid video").code
}

#[tokio::test(flavor = "current_thread")]
async fn an_mp4_is_described() {
    let bytes = Mp4::default().build();
    let video = VideoTrack {
        codec: "avc1".to_owned(),
        width: u32::from(isobmff::WIDTH),
        height: u32::from(isobmff::HEIGHT),
        rotation: 0,
        frame_rate: 25.0,
    };
    let expected = VideoFacts {
        container: "mp4".to_owned(),
        brands: vec!["isom".to_owned(), "mp42".to_owned()],
        duration_ms: u64::from(isobmff::DURATION_MS),
        bitrate: bytes.len() as u64 * 8,
        fragmented: false,
        fast_start_before: false,
        had_location: true,
        transcoded: false,
        metadata_stripped: true,
        poster: PosterSource::None,
        video_tracks: vec![video],
        audio_tracks: vec![AudioTrack { codec: "mp4a".to_owned(), channels: 2, sample_rate: 48_000 }],
    };
    assert_eq!(facts(&bytes).await, expected);
}

#[tokio::test(flavor = "current_thread")]
async fn variations_are_detected() {
    let clean = facts(&Mp4 { user_data: false, mdat_first: false, ..Mp4::default() }.build()).await;
    assert_eq!((clean.had_location, clean.fast_start_before), (false, true));
    let turned = facts(&Mp4 { rotated: true, ..Mp4::default() }.build()).await;
    assert_eq!(turned.video_tracks[0].rotation, 90);
    let silent = facts(&Mp4 { audio: false, ..Mp4::default() }.build()).await;
    assert!(silent.audio_tracks.is_empty());
    let movie = Mp4 { brand: *b"qt  ", ..Mp4::default() }.build();
    assert_eq!(facts(&movie).await.container, "mov");
}

#[tokio::test(flavor = "current_thread")]
async fn old_quicktime_files_have_no_brands() {
    // A `wide` box replaces `ftyp` (24 bytes), `free` and `uuid`. The offsets in the index are too large now, but still
    // within the file, because the index is last.
    let whole = Mp4 { brand: *b"qt  ", ..Mp4::default() }.build();
    let without_brands = [&isobmff::boxed(b"wide", &[]), &whole[24 + 48 + 68..]].concat();
    let facts = facts(&without_brands).await;
    assert_eq!((facts.container.as_str(), facts.brands.len()), ("mov", 0));
}

#[tokio::test(flavor = "current_thread")]
async fn fragmented_files_are_kept_as_they_are() {
    let analysis = try_analyze(&isobmff::fragmented()).await.expect("a video");
    assert!(analysis.layout.is_none());
    let facts = analysis.facts;
    assert_eq!((facts.fragmented, facts.metadata_stripped, facts.fast_start_before), (true, false, true));
    assert_eq!((facts.duration_ms, facts.brands), (1000, vec!["iso5".to_owned(), "dash".to_owned()]));
}

#[tokio::test(flavor = "current_thread")]
async fn webm_and_matroska_are_distinguished() {
    for (document_type, container, content_type) in
        [("webm", "webm", "video/webm"), ("matroska", "mkv", "video/x-matroska")]
    {
        let analysis = try_analyze(&matroska::file(document_type, true, false)).await.expect("a video");
        assert_eq!((analysis.facts.container.as_str(), analysis.content_type), (container, content_type));
        assert!(analysis.layout.is_none() && !analysis.facts.metadata_stripped);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn an_audio_file_is_not_a_video() {
    assert_eq!(code(&Mp4 { codec: None, ..Mp4::default() }.build()).await, FailureCode::NoVideoTrack);
    assert_eq!(code(&matroska::file("webm", false, false)).await, FailureCode::NoVideoTrack);
}

#[tokio::test(flavor = "current_thread")]
async fn other_files_are_rejected() {
    assert_eq!(code(b"just some text").await, FailureCode::UnsupportedType);
    assert_eq!(code(b"").await, FailureCode::UnsupportedType);
    assert_eq!(code(&images::jpeg(4, 4)).await, FailureCode::TypeMismatch);
}

#[tokio::test(flavor = "current_thread")]
async fn limits_are_checked_before_reading() {
    let claims = |kind: &[u8; 4], size: u64| [&[0, 0, 0, 1], kind.as_slice(), &size.to_be_bytes()].concat();
    let limits = Profile::default().limits;
    let file = [isobmff::boxed(b"ftyp", b"isom\0\0\0\0"), claims(b"moov", limits.moov_bytes + 1)].concat();
    // The file must be as long as it claims, or it is merely truncated.
    let mut large = file.clone();
    large.resize(file.len() + index(limits.moov_bytes), 0);
    let failure = try_analyze(&large).await.expect_err("too large an index");
    assert_eq!((failure.code, failure.message.as_str()), (FailureCode::Corrupt, "the index is too large"));
    let small = crate::profile::Limits { video_bytes: 10, ..limits };
    let error = analyze(&mut Source::bytes(&file), &small).await.expect_err("too many bytes");
    assert!(matches!(error, ReadError::Media(Failure { code: FailureCode::TooLarge, .. })), "{error:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn truncated_files_are_corrupt() {
    for mdat_first in [true, false] {
        let whole = Mp4 { mdat_first, ..Mp4::default() }.build();
        for length in 16..whole.len() {
            assert_eq!(code(&whole[..length]).await, FailureCode::Corrupt, "{length} of {}", whole.len());
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn pictures_are_extracted() {
    let picture = images::jpeg(40, 20);
    let covered = Mp4 { cover: Some(picture.clone()), ..Mp4::default() };
    let analysis = try_analyze(&covered.build()).await.expect("a video");
    assert_eq!(analysis.picture, Some((PosterSource::Cover, picture.clone())));
    // Cover art that is not a picture.
    let covered = Mp4 { cover: Some(b"no picture".to_vec()), ..Mp4::default() };
    assert_eq!(try_analyze(&covered.build()).await.expect("a video").picture, None);
    let frames = vec![picture.clone(), images::jpeg(20, 40)];
    let motion = Mp4 { codec: Some(*b"jpeg"), samples: frames.clone(), ..Mp4::default() };
    assert_eq!(try_analyze(&motion.build()).await.expect("a video").picture, Some((PosterSource::Sample, picture)));
    let other = Mp4 { samples: frames, ..Mp4::default() };
    assert_eq!(try_analyze(&other.build()).await.expect("a video").picture, None);
}

/// A fragmented file with this many copies of its track, and these compatible brands.
fn crowded(tracks: usize, brands: &[u8]) -> Vec<u8> {
    let whole = isobmff::fragmented();
    let moov = find(&whole, b"moov").expect("whole boxes").expect("an index");
    let mut content = Vec::new();
    for child in boxes(moov.content).expect("whole boxes") {
        content.extend(child.whole.repeat(if &child.kind == b"trak" { tracks } else { 1 }));
    }
    let ftyp = isobmff::boxed(b"ftyp", &[b"iso5\0\0\x02\0".as_slice(), brands].concat());
    [ftyp, isobmff::boxed(b"moov", &content), isobmff::boxed(b"moof", &[])].concat()
}

proptest! {
    /// Neither the number of tracks nor that of brands is limited by the file's size.
    #[test]
    fn what_is_collected_is_bounded(
        tracks in 1..2 * MOST_TRACKS,
        brands in proptest::collection::vec(any::<u8>(), 0..4000),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        match runtime.block_on(try_analyze(&crowded(tracks, &brands))) {
            Ok(analysis) => {
                prop_assert_eq!(analysis.facts.video_tracks.len(), tracks);
                prop_assert!(tracks <= MOST_TRACKS && analysis.facts.brands.len() <= MOST_BRANDS);
            }
            Err(failure) => {
                prop_assert!(tracks > MOST_TRACKS, "{failure:?}");
                prop_assert_eq!(failure.code, FailureCode::Corrupt);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Any four bytes replaced: sizes, counts, offsets and types among them.
    #[test]
    fn damaged_files_do_not_panic(
        mdat_first in any::<bool>(),
        co64 in any::<bool>(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), prop_oneof![any::<u32>(), 0..64u32, Just(u32::MAX)]), 1..4),
    ) {
        let source = Mp4 { mdat_first, co64, cover: Some(b"\xff\xd8\xff".to_vec()), codec: Some(*b"jpeg"), ..Mp4::default() };
        let mut bytes = source.build();
        for (at, value) in damage {
            let at = at.index(bytes.len() - 4);
            bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        if let Ok(analysis) = runtime.block_on(try_analyze(&bytes)) && let Some(layout) = analysis.layout {
            prop_assert!(layout.size() <= 2 * bytes.len() as u64);
        }
    }

    #[test]
    fn any_bytes_can_be_analyzed(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        for start in [b"\0\0\0\x10ftypisom\0\0\0\0".as_slice(), b"\0\0\0\x08wide"] {
            let _ = runtime.block_on(try_analyze(&[start, &bytes].concat()));
        }
        let _ = runtime.block_on(try_analyze(&isobmff::boxed(b"moov", &bytes)));
    }
}
