//! WebM and Matroska (RFC 8794, RFC 9559): just enough EBML to say what is in a file. Bounded in depth and count.

use crate::manifest::{AudioTrack, PosterSource, VideoFacts, VideoTrack};

const EBML: u64 = 0x1A45_DFA3;
const DOC_TYPE: u64 = 0x4282;
const SEGMENT: u64 = 0x1853_8067;
const INFO: u64 = 0x1549_A966;
const TIMESTAMP_SCALE: u64 = 0x2A_D7B1;
const DURATION: u64 = 0x4489;
const TRACKS: u64 = 0x1654_AE6B;
const TRACK: u64 = 0xAE;
const CODEC: u64 = 0x86;
const DEFAULT_DURATION: u64 = 0x23_E383;
const VIDEO: u64 = 0xE0;
const WIDTH: u64 = 0xB0;
const HEIGHT: u64 = 0xBA;
const AUDIO: u64 = 0xE1;
const FREQUENCY: u64 = 0xB5;
const CHANNELS: u64 = 0x9F;
const CLUSTER: u64 = 0x1F43_B675;

/// Reads the facts off a file's first bytes, which hold everything up to the first cluster; `None` when they make no
/// sense. `bytes` is the file's length.
pub(super) fn facts(head: &[u8], bytes: u64) -> Option<VideoFacts> {
    let header = elements(head).find(|(id, _)| *id == EBML)?.1;
    let doc_type = elements(header).find(|(id, _)| *id == DOC_TYPE).map(|(_, content)| text(content));
    let doc_type = doc_type.unwrap_or_else(|| "matroska".to_owned());
    let segment = elements(head).find(|(id, _)| *id == SEGMENT)?.1;
    let (mut duration_ms, mut video_tracks, mut audio_tracks) = (0, Vec::new(), Vec::new());
    for (id, content) in elements(segment).take_while(|(id, _)| *id != CLUSTER) {
        match id {
            INFO => duration_ms = duration(content),
            TRACKS => {
                for (_, track) in elements(content).filter(|(id, _)| *id == TRACK).take(64) {
                    video_tracks.extend(video(track));
                    audio_tracks.extend(audio(track));
                }
            }
            _ => {}
        }
    }
    Some(VideoFacts {
        container: if doc_type == "webm" { "webm" } else { "mkv" }.to_owned(),
        brands: vec![doc_type],
        duration_ms,
        bitrate: bytes.saturating_mul(8000).checked_div(duration_ms).unwrap_or_default(),
        fragmented: false,
        fast_start_before: true,
        had_location: false,
        transcoded: false,
        metadata_stripped: false,
        poster: PosterSource::None,
        video_tracks,
        audio_tracks,
    })
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "milliseconds"
)]
fn duration(info: &[u8]) -> u64 {
    let scale =
        elements(info).find(|(id, _)| *id == TIMESTAMP_SCALE).map_or(1_000_000, |(_, content)| unsigned(content));
    let duration = elements(info).find(|(id, _)| *id == DURATION).map_or(0.0, |(_, content)| float(content));
    (duration * scale as f64 / 1e6).max(0.0) as u64
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn video(track: &[u8]) -> Option<VideoTrack> {
    let settings = elements(track).find(|(id, _)| *id == VIDEO)?.1;
    let number =
        |wanted: u64| elements(settings).find(|(id, _)| *id == wanted).map_or(0, |(_, content)| unsigned(content));
    let frame = elements(track).find(|(id, _)| *id == DEFAULT_DURATION).map_or(0, |(_, content)| unsigned(content));
    let frame_rate = if frame == 0 { 0.0 } else { (1e12 / frame as f64).round() / 1000.0 };
    Some(VideoTrack {
        codec: codec(track),
        width: u32::try_from(number(WIDTH)).ok()?,
        height: u32::try_from(number(HEIGHT)).ok()?,
        rotation: 0,
        frame_rate,
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "samples a second")]
fn audio(track: &[u8]) -> Option<AudioTrack> {
    let settings = elements(track).find(|(id, _)| *id == AUDIO)?.1;
    let channels = elements(settings).find(|(id, _)| *id == CHANNELS).map_or(1, |(_, content)| unsigned(content));
    let frequency = elements(settings).find(|(id, _)| *id == FREQUENCY).map_or(8000.0, |(_, content)| float(content));
    Some(AudioTrack { codec: codec(track), channels: u16::try_from(channels).ok()?, sample_rate: frequency as u32 })
}

fn codec(track: &[u8]) -> String {
    elements(track).find(|(id, _)| *id == CODEC).map(|(_, content)| text(content)).unwrap_or_default()
}

/// The elements that stand one after the other; one of unknown or too great a length goes to the end.
fn elements(bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (id, id_length) = variable(rest, false)?;
        let (length, length_length) = variable(rest.get(id_length..)?, true)?;
        let content = rest.get(id_length + length_length..)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(content.len());
        rest = &content[length..];
        Some((id, &content[..length]))
    })
    .take(10_000)
}

/// A variable-size integer; of a length the marker bit is no part.
fn variable(bytes: &[u8], is_length: bool) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let length = usize::try_from(first.leading_zeros()).ok()? + 1;
    if length > 8 {
        return None;
    }
    let mut value = u64::from(first);
    if is_length {
        value &= (1 << (8 - length)) - 1;
    }
    for byte in bytes.get(1..length)? {
        value = value << 8 | u64::from(*byte);
    }
    let unknown = is_length && value == (1 << (7 * length)) - 1;
    Some((if unknown { u64::MAX } else { value }, length))
}

fn unsigned(content: &[u8]) -> u64 {
    content.iter().take(8).fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn float(content: &[u8]) -> f64 {
    match content.len() {
        4 => f64::from(f32::from_be_bytes(content.try_into().unwrap_or_default())),
        8 => f64::from_be_bytes(content.try_into().unwrap_or_default()),
        _ => 0.0,
    }
}

fn text(content: &[u8]) -> String {
    String::from_utf8_lossy(content.get(..content.len().min(64)).unwrap_or_default()).trim_end_matches('\0').to_owned()
}
