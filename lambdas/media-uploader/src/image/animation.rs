//! Detects animations by a second frame in the container. No frame is decoded.

use crate::sniff::Format;

/// Checks whether there is a second frame.
pub(super) fn is_animated(bytes: &[u8], format: Format) -> bool {
    match format {
        Format::Gif => gif_has_second_frame(bytes).unwrap_or(false),
        Format::WebP => webp_is_animated(bytes),
        _ => false,
    }
}

/// Reads the animation flag of the extended header:
/// <https://developers.google.com/speed/webp/docs/riff_container>.
fn webp_is_animated(bytes: &[u8]) -> bool {
    bytes.get(12..16) == Some(b"VP8X") && bytes.get(20).is_some_and(|flags| flags & 0b10 != 0)
}

/// Counts image descriptors up to two; `None` if the file ends earlier:
/// <https://www.w3.org/Graphics/GIF/spec-gif89a.txt>.
fn gif_has_second_frame(bytes: &[u8]) -> Option<bool> {
    let mut frames = 0;
    let mut at = 13 + color_table(*bytes.get(10)?);
    loop {
        match *bytes.get(at)? {
            // An extension: its label, then sub-blocks.
            0x21 => at = skip_sub_blocks(bytes, at + 2)?,
            // An image descriptor, a color table, the code size, then sub-blocks.
            0x2c => {
                frames += 1;
                if frames == 2 {
                    return Some(true);
                }
                at = skip_sub_blocks(bytes, at + 10 + color_table(*bytes.get(at + 9)?) + 1)?;
            }
            _ => return Some(false),
        }
    }
}

/// The bytes of the color table that a packed field announces.
fn color_table(packed: u8) -> usize {
    if packed & 0x80 == 0 { 0 } else { 3 << ((packed & 0b111) + 1) }
}

fn skip_sub_blocks(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1 + length;
        if length == 0 {
            return Some(at);
        }
    }
}
