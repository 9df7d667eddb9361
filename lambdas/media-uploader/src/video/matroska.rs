//! The headers of Matroska and WebM files, <https://www.rfc-editor.org/rfc/rfc9559>, in EBML,
//! <https://www.rfc-editor.org/rfc/rfc8794>. They are read in ranges, up to the first cluster of samples.

use std::ops::Range;

use super::source::{ReadError, Source, corrupt, index};
use crate::manifest::{AudioTrack, Failure, FailureCode, MOST_TRACKS, VideoTrack};

/// The largest header (`Info`, `Tracks`). Real ones have a few kilobytes.
const LARGEST_HEADER: u64 = 4 * 1024 * 1024;
/// The most elements before the tracks. Real files have a handful.
const MOST_ELEMENTS: usize = 1024;

const EBML: u32 = 0x1a45_dfa3;
const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_a966;
const TRACKS: u32 = 0x1654_ae6b;
const CLUSTER: u32 = 0x1f43_b675;
const CUES: u32 = 0x1c53_bb6b;

/// The properties in the headers.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Movie {
    /// `webm` or `matroska`.
    pub(crate) document_type: String,
    /// Duration in milliseconds; 0 if it is unknown, as in a recorded stream.
    pub(crate) duration_ms: u64,
    /// Whether the index precedes the samples.
    pub(crate) fast_start: bool,
    pub(crate) video_tracks: Vec<VideoTrack>,
    pub(crate) audio_tracks: Vec<AudioTrack>,
}

/// Reads the headers.
pub(crate) async fn movie(source: &mut Source) -> Result<Movie, ReadError> {
    let header = element(source, 0, source.size()).await?;
    let document_type = match header.id {
        EBML => text(child(&header.read(source).await?, 0x4282).unwrap_or(b"matroska")),
        _ => return Err(corrupt("the file has no EBML header").into()),
    };
    if !matches!(document_type.as_str(), "webm" | "matroska") {
        let message = format!("{document_type:?} is neither WebM nor Matroska");
        return Err(Failure::new(FailureCode::UnsupportedType, message).into());
    }
    let mut segment = element(source, header.content.end, source.size()).await?;
    // Padding and checksums.
    for _ in 0..MOST_ELEMENTS {
        if segment.id == SEGMENT {
            break;
        }
        segment = element(source, segment.content.end, source.size()).await?;
    }
    let mut movie = Movie { document_type, ..Movie::default() };
    if segment.id != SEGMENT {
        return Err(corrupt("the file has no segment").into());
    }
    read_segment(source, segment.content, &mut movie).await?;
    Ok(movie)
}

async fn read_segment(source: &mut Source, segment: Range<u64>, movie: &mut Movie) -> Result<(), ReadError> {
    let (mut at, mut has_info, mut has_tracks, mut has_cues) = (segment.start, false, false, false);
    for _ in 0..MOST_ELEMENTS {
        if at >= segment.end {
            break;
        }
        let element = element(source, at, segment.end).await?;
        match element.id {
            // Both may be repeated for robustness, as copies of the first (RFC 9559, 6.1).
            INFO if !has_info => {
                movie.duration_ms = duration_ms(&element.read(source).await?);
                has_info = true;
            }
            TRACKS if !has_tracks => {
                read_tracks(&element.read(source).await?, movie)?;
                has_tracks = true;
            }
            CUES => has_cues = true,
            CLUSTER => {
                movie.fast_start |= has_cues;
                if has_tracks || element.endless {
                    break;
                }
            }
            _ => {}
        }
        at = element.content.end;
    }
    if has_tracks { Ok(()) } else { Err(corrupt("the file has no tracks").into()) }
}

/// An element of a file.
#[derive(Debug)]
struct Element {
    id: u32,
    content: Range<u64>,
    /// Whether its size was unknown when it was written.
    endless: bool,
}

impl Element {
    async fn read(&self, source: &Source) -> Result<Vec<u8>, ReadError> {
        if self.content.end - self.content.start > LARGEST_HEADER {
            return Err(corrupt("a header is too large").into());
        }
        source.read(self.content.clone()).await
    }
}

async fn element(source: &mut Source, at: u64, end: u64) -> Result<Element, ReadError> {
    let header = source.peek(at, 12).await?;
    let (id, size, length) = parse_header(header).ok_or_else(|| corrupt("an element has no header"))?;
    let start = at + length as u64;
    let content = match size {
        None => start..end.max(start),
        Some(size) => start..start.saturating_add(size),
    };
    if content.end > end {
        return Err(corrupt("an element exceeds the file").into());
    }
    Ok(Element { id, content, endless: size.is_none() })
}

/// Parses an element's ID, its size if known, and the length of both.
fn parse_header(bytes: &[u8]) -> Option<(u32, Option<u64>, usize)> {
    let id_length = bytes.first()?.leading_zeros() as usize + 1;
    if id_length > 4 {
        return None;
    }
    let id = bytes.get(..id_length)?.iter().fold(0u32, |id, byte| id << 8 | u32::from(*byte));
    let first = *bytes.get(id_length)?;
    let size_length = first.leading_zeros() as usize + 1;
    let rest = bytes.get(id_length + 1..id_length + size_length.min(9))?;
    if size_length > 8 {
        return None;
    }
    let marker = 0x80u8 >> (size_length - 1);
    let size = rest.iter().fold(u64::from(first & !marker), |size, byte| size << 8 | u64::from(*byte));
    let unknown = (1u64 << (7 * size_length)) - 1;
    Some((id, (size != unknown).then_some(size), id_length + size_length))
}

/// Parses the elements of `content`, up to the first invalid one.
fn elements(content: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let mut rest = content;
    std::iter::from_fn(move || {
        let (id, size, length) = parse_header(rest)?;
        let end = length.checked_add(index(size?))?;
        let content = rest.get(length..end)?;
        rest = rest.get(end..)?;
        Some((id, content))
    })
}

fn child(content: &[u8], id: u32) -> Option<&[u8]> {
    elements(content).find(|(candidate, _)| *candidate == id).map(|(_, content)| content)
}

fn unsigned(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn float(bytes: &[u8]) -> f64 {
    match bytes.len() {
        4 => bytes.first_chunk().map_or(0.0, |bytes| f64::from(f32::from_be_bytes(*bytes))),
        8 => bytes.first_chunk().map_or(0.0, |bytes| f64::from_be_bytes(*bytes)),
        _ => 0.0,
    }
}

/// Reads a short string: codec IDs and document types contain only printable ASCII.
fn text(bytes: &[u8]) -> String {
    bytes.iter().take(64).map(|byte| char::from(*byte)).filter(char::is_ascii_graphic).collect()
}

/// Rounds a number; negative numbers and NaN become 0.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, and makes NaN 0")]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

/// `Duration` counts in `TimestampScale` nanoseconds.
fn duration_ms(info: &[u8]) -> u64 {
    let scale = child(info, 0x2a_d7b1).map_or(1_000_000, unsigned);
    let duration = child(info, 0x4489).map_or(0.0, float);
    let scale = f64::from(u32::try_from(scale).unwrap_or(u32::MAX));
    whole(duration * scale / 1e6)
}

fn read_tracks(tracks: &[u8], movie: &mut Movie) -> Result<(), Failure> {
    for (number, (_, track)) in elements(tracks).filter(|(id, _)| *id == 0xae).enumerate() {
        if number == MOST_TRACKS {
            return Err(corrupt("the movie has too many tracks"));
        }
        let codec = text(child(track, 0x86).unwrap_or_default());
        match child(track, 0x83).map(unsigned) {
            Some(1) => movie.video_tracks.push(video(track, codec)),
            Some(2) => {
                let audio = child(track, 0xe1).unwrap_or_default();
                let rate = child(audio, 0xb5).map_or(8000.0, float);
                movie.audio_tracks.push(AudioTrack {
                    codec,
                    channels: child(audio, 0x9f).map_or(1, unsigned).try_into().unwrap_or(0),
                    sample_rate: whole(rate).try_into().unwrap_or(0),
                });
            }
            _ => {}
        }
    }
    Ok(())
}

fn video(track: &[u8], codec: String) -> VideoTrack {
    let video = child(track, 0xe0).unwrap_or_default();
    let side = |id| child(video, id).map_or(0, unsigned).try_into().unwrap_or(0);
    let frame_nanoseconds = child(track, 0x23_e383).map_or(0, unsigned);
    let thousandths = 1_000_000_000_000u64.checked_div(frame_nanoseconds).unwrap_or(0);
    VideoTrack {
        codec,
        width: side(0xb0),
        height: side(0xba),
        rotation: child(video, 0x7670)
            .and_then(|projection| child(projection, 0x7675))
            .map_or(0, |roll| rotation(float(roll))),
        frame_rate: f64::from(u32::try_from(thousandths).unwrap_or(0)) / 1000.0,
    }
}

/// Matroska's roll is counter-clockwise.
fn rotation(roll: f64) -> u16 {
    let clockwise = whole((-roll).rem_euclid(360.0));
    match clockwise {
        90 => 90,
        180 => 180,
        270 => 270,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        fixtures::matroska::{HEIGHT, WIDTH, crowded, file},
        manifest::MOST_TRACKS,
    };

    async fn read(bytes: &[u8]) -> Result<Movie, Failure> {
        movie(&mut Source::bytes(bytes)).await.map_err(|error| match error {
            ReadError::Media(failure) => failure,
            ReadError::Storage(error) => panic!("{error}"),
        })
    }

    #[tokio::test(flavor = "current_thread")]
    async fn tracks_and_duration_are_read() {
        for document_type in ["webm", "matroska"] {
            let movie = read(&file(document_type, true, false)).await.expect("a whole file");
            assert_eq!((movie.document_type.as_str(), movie.duration_ms), (document_type, 2500));
            let video = VideoTrack {
                codec: "V_VP9".to_owned(),
                width: u32::from(WIDTH),
                height: u32::from(HEIGHT),
                rotation: 0,
                frame_rate: 25.0,
            };
            let audio = AudioTrack { codec: "A_OPUS".to_owned(), channels: 2, sample_rate: 48_000 };
            assert_eq!((movie.video_tracks, movie.audio_tracks), (vec![video], vec![audio]));
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_recorded_stream_has_unknown_sizes() {
        let movie = read(&file("webm", true, true)).await.expect("a stream");
        assert_eq!(movie.video_tracks.len(), 1);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_million_small_tracks_are_refused() {
        // 5 MB, of which each 5 bytes are a video track.
        let error = read(&crowded(&[200_000; 5], b"")).await.expect_err("too many tracks");
        assert_eq!((error.code, error.message.as_str()), (FailureCode::Corrupt, "the movie has too many tracks"));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn repeated_headers_are_copies_of_the_first() {
        let movie = read(&crowded(&[MOST_TRACKS; 100], b"V_VP9")).await.expect("as many tracks as are accepted");
        assert_eq!(movie.video_tracks.len(), MOST_TRACKS);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_truncated_file_is_corrupt() {
        let whole = file("webm", true, false);
        for length in [5, 30, 60, whole.len() / 2, whole.len() - 1] {
            assert_eq!(read(&whole[..length]).await.expect_err("truncated").code, FailureCode::Corrupt, "{length}");
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn other_documents_are_rejected() {
        let error = read(&file("hidden", true, false)).await.expect_err("no Matroska");
        assert_eq!(error.code, FailureCode::UnsupportedType);
    }

    #[test]
    fn roll_is_counter_clockwise() {
        assert_eq!([90.0, -90.0, 180.0, 0.0, 45.0, f64::NAN].map(rotation), [270, 90, 180, 0, 0, 0]);
    }

    proptest! {
        /// Neither the number of tracks nor their texts are limited by the file's size.
        #[test]
        fn what_is_collected_is_bounded(
            headers in proptest::collection::vec(0..2 * MOST_TRACKS, 1..4),
            codec in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let read = runtime.block_on(read(&crowded(&headers, &codec)));
            prop_assert_eq!(read.is_ok(), headers[0] <= MOST_TRACKS);
            if let Ok(movie) = read {
                prop_assert_eq!(movie.video_tracks.len(), headers[0]);
                prop_assert!(movie.video_tracks.iter().all(|track| track.codec.len() <= 64));
            }
        }

        #[test]
        fn any_bytes_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>()) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let mut damaged = file("webm", true, false);
            let at = at.index(damaged.len());
            damaged.splice(at.., bytes.iter().copied());
            let _ = runtime.block_on(read(&damaged));
            let _ = runtime.block_on(read(&[&[0x1a, 0x45, 0xdf, 0xa3], bytes.as_slice()].concat()));
        }
    }
}
