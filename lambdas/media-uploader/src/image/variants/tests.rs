//! Variants of generated files: sizes, formats, colors, metadata.

use ::image::{ImageFormat, load_from_memory_with_format};
use proptest::prelude::*;

use super::*;
use crate::fixtures::images;

/// The longest message of a manifest, in characters.
const LONGEST_MESSAGE: usize = 200;
const NAMES: [&str; 5] = ["tiny", "small", "medium", "large", "huge"];

fn try_make(bytes: &[u8], formats: Formats) -> Result<Made, Failure> {
    make(bytes, &Profile::default(), &NAMES.map(str::to_owned), formats)
}

fn made(bytes: &[u8]) -> Made {
    try_make(bytes, Formats::All).expect("a valid image")
}

fn code(bytes: &[u8]) -> FailureCode {
    try_make(bytes, Formats::All).expect_err("an invalid image").code
}

/// The size name, extension and dimensions of each variant.
fn outline(made: &Made) -> Vec<(&str, &str, u32, u32)> {
    let variants = made.variants.iter();
    variants.map(|variant| (variant.size.as_str(), variant.extension, variant.width, variant.height)).collect()
}

/// Decodes a variant and checks its declared size.
fn decoded(made: &Made, size: &str, extension: &str) -> RgbaImage {
    let found = made.variants.iter().find(|variant| variant.size == size && variant.extension == extension);
    let variant = found.expect("the variant");
    let format = ImageFormat::from_mime_type(variant.content_type).expect("an image's type");
    let pixels = load_from_memory_with_format(&variant.bytes, format).expect("a whole file").into_rgba8();
    assert_eq!(pixels.dimensions(), (variant.width, variant.height));
    pixels
}

#[test]
fn a_jpeg_gets_five_sizes() {
    let made = made(&images::jpeg(2000, 1000));
    let sizes = [("tiny", 128), ("small", 320), ("medium", 640), ("large", 1280), ("huge", 1920)];
    assert_eq!(outline(&made), sizes.map(|(name, edge)| (name, "jpg", edge, edge / 2)));
    assert_eq!(made.facts, ImageFacts { width: 2000, height: 1000, has_alpha: false, animated: false });
    for name in NAMES {
        let pixels = decoded(&made, name, "jpg");
        let left = pixels.get_pixel(1, pixels.height() / 2).0;
        let right = pixels.get_pixel(pixels.width() - 2, pixels.height() / 2).0;
        assert!(left[0] > 220 && right[0] < 35, "{name}: {left:?} {right:?}");
    }
}

#[test]
fn orientation_is_applied_and_metadata_dropped() {
    let source = images::jpeg_of_camera(400, 200, 6);
    assert!(source.windows(4).any(|window| window == b"Exif"), "the fixture has what must go");
    let made = made(&source);
    assert_eq!((made.facts.width, made.facts.height), (200, 400));
    let small = decoded(&made, "small", "jpg");
    assert_eq!(small.dimensions(), (160, 320));
    // Turned clockwise by a quarter, the red left edge is on top.
    assert!(small.get_pixel(80, 2).0[0] > 220 && small.get_pixel(80, 317).0[0] < 35);
    for variant in &made.variants {
        for secret in [b"Exif".as_slice(), b"secret", b"ICC_PROFILE", b"http://ns.adobe.com"] {
            assert!(!variant.bytes.windows(secret.len()).any(|window| window == secret), "{}", variant.size);
        }
    }
}

#[test]
fn transparency_is_kept_in_png_and_white_in_jpeg() {
    let made = made(&images::png_with_alpha(50, 50));
    let expected: Vec<_> = NAMES.iter().flat_map(|name| [(*name, "jpg", 50, 50), (*name, "png", 50, 50)]).collect();
    assert_eq!(outline(&made), expected);
    assert!(made.facts.has_alpha);
    assert_eq!(decoded(&made, "huge", "png").get_pixel(40, 5).0, [0; 4]);
    assert_eq!(decoded(&made, "huge", "png").get_pixel(5, 40).0, [255, 0, 0, 255]);
    assert!(decoded(&made, "huge", "jpg").get_pixel(45, 3).0.iter().all(|channel| *channel > 245));
}

#[test]
fn invisible_pixels_do_not_tint_visible_ones() {
    let made = made(&images::png_with_alpha(500, 500));
    // The transparent half is black; it must not darken the red half along the diagonal.
    let reds = decoded(&made, "tiny", "png");
    let visible = reds.pixels().filter(|pixel| pixel.0[3] > 32);
    assert!(visible.clone().count() > 1000);
    for pixel in visible {
        assert!(pixel.0[0] > 240, "{pixel:?}");
    }
}

#[test]
fn an_opaque_alpha_channel_is_dropped() {
    let made = made(&images::png_opaque_with_alpha(50, 50));
    assert!(!made.facts.has_alpha);
    assert!(made.variants.iter().all(|variant| variant.extension == "jpg"));
}

#[test]
fn the_first_frame_of_an_animation_is_kept() {
    for (animation, still) in
        [(images::gif(40, 20, 3), images::gif(40, 20, 1)), (images::webp_animation(40, 20), images::webp(40, 20))]
    {
        assert!(!made(&still).facts.animated);
        let made = made(&animation);
        assert!(made.facts.animated);
        let [red, _, blue, _] = decoded(&made, "tiny", "jpg").get_pixel(20, 10).0;
        assert!(red > 240 && blue < 15, "{red} {blue}");
    }
}

#[test]
fn tiff_is_accepted() {
    let made = made(&images::tiff(300, 200));
    assert_eq!((made.format, made.variants.len()), (Format::Tiff, 5));
}

#[test]
fn the_profile_can_add_webp() {
    let profile = Profile { extra_formats: vec!["webp".to_owned()], ..Profile::default() };
    let source = images::jpeg(200, 100);
    let made = make(&source, &profile, &["tiny".to_owned()], Formats::All).expect("an image");
    assert_eq!(outline(&made), [("tiny", "jpg", 128, 64), ("tiny", "webp", 128, 64)]);
    decoded(&made, "tiny", "webp");
}

#[test]
fn a_poster_is_jpeg_only() {
    let made = try_make(&images::png_with_alpha(50, 50), Formats::Jpeg).expect("an image");
    assert_eq!(outline(&made), NAMES.map(|name| (name, "jpg", 50, 50)));
}

#[test]
fn limits_are_checked_before_decoding() {
    assert_eq!(code(&images::png_that_claims(60_000, 60_000)), FailureCode::TooManyPixels);
    assert_eq!(code(&images::png_that_claims(16_385, 1)), FailureCode::TooManyPixels);
    assert_eq!(code(&images::png_that_claims(10_000, 5_001)), FailureCode::TooManyPixels);
    // Within the limits, only the missing pixels are wrong.
    assert_eq!(code(&images::png_that_claims(16_384, 3_000)), FailureCode::Corrupt);
}

#[test]
fn other_files_are_rejected() {
    assert_eq!(code(b"just some text"), FailureCode::UnsupportedType);
    assert_eq!(code(b""), FailureCode::UnsupportedType);
    assert_eq!(code(b"\0\0\0\x18ftypheic"), FailureCode::UnsupportedType);
    assert_eq!(code(b"\0\0\0\x18ftypisom"), FailureCode::TypeMismatch);
}

#[test]
fn truncated_files_are_corrupt() {
    for whole in [
        images::jpeg(400, 300),
        images::jpeg_of_camera(400, 300, 1),
        images::png_with_alpha(400, 300),
        images::gif(400, 300, 1),
        images::webp(400, 300),
        images::tiff(400, 300),
    ] {
        made(&whole);
        for length in [whole.len() / 3, whole.len() * 2 / 3] {
            assert_eq!(code(&whole[..length]), FailureCode::Corrupt, "{:?} {length}", Format::sniff(&whole));
        }
    }
}

/// The decoder's error lists all formats.
#[test]
fn a_failure_quotes_a_bounded_part_of_the_source() {
    let failure = try_make(&images::tiff_of_formats(20_000), Formats::All).expect_err("no decoder supports it");
    assert_eq!(failure.message.chars().count(), LONGEST_MESSAGE, "{}", failure.message);
}

#[test]
fn bytes_after_a_jpegs_end_do_not_matter() {
    let mut bytes = images::jpeg(40, 30);
    bytes.extend(b"what a phone appends");
    made(&bytes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_shape_fits_and_is_kept(width in 1..=16_384u32, height in 1..=16_384u32, edge in 1..=2000u32) {
        let (w, h) = fit(width, height, edge);
        prop_assert!(w >= 1 && h >= 1 && w <= width && h <= height);
        prop_assert_eq!(w.max(h), edge.min(width.max(height)));
        let exact = f64::from(height) * f64::from(w) / f64::from(width);
        prop_assert!((f64::from(h) - exact).abs() <= 1.0 + exact / f64::from(w.max(1)), "{w}×{h}");
    }

    #[test]
    fn damaged_files_do_not_panic(kind in 0..6usize, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = match kind {
            0 => images::jpeg_of_camera(40, 30, 6),
            1 => images::png_with_alpha(40, 30),
            2 => images::gif(40, 30, 2),
            3 => images::webp(40, 30),
            4 => images::webp_animation(40, 30),
            _ => images::tiff(40, 30),
        };
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Err(failure) = try_make(&bytes, Formats::All) {
            prop_assert!(failure.message.chars().count() <= LONGEST_MESSAGE, "{}", failure.message);
        }
    }
}
