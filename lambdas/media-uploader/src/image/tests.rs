//! Variants of generated images.

use ::image::GenericImageView as _;
use proptest::prelude::*;

use super::*;
use crate::fixtures;

fn processed(bytes: &[u8]) -> Processed {
    process(bytes, &Profile::default(), false).expect("processed")
}

fn sizes(processed: &Processed, extension: &str) -> Vec<(String, u32, u32)> {
    let variants = processed.variants.iter().filter(|variant| variant.extension == extension);
    variants.map(|variant| (variant.size.clone(), variant.width, variant.height)).collect()
}

#[test]
fn a_photo_is_fitted_into_every_size() {
    let photo = processed(&fixtures::jpeg(2000, 1000));
    let expected =
        [("tiny", 128, 64), ("small", 320, 160), ("medium", 640, 320), ("large", 1280, 640), ("huge", 1920, 960)];
    assert_eq!(sizes(&photo, "jpg"), expected.map(|(name, width, height)| (name.to_owned(), width, height)));
    for variant in &photo.variants {
        let decoded = ::image::load_from_memory(&variant.bytes).expect("a JPEG");
        assert_eq!(decoded.dimensions(), (variant.width, variant.height));
    }
}

#[test]
fn orientation_is_applied_and_metadata_dropped() {
    let photo = processed(&fixtures::jpeg_with_exif(400, 200, 6));
    assert_eq!((photo.facts.width, photo.facts.height), (200, 400));
    assert_eq!(sizes(&photo, "jpg")[1], ("small".to_owned(), 160, 320));
    for variant in &photo.variants {
        assert!(!variant.bytes.windows(4).any(|window| window == b"Exif"));
    }
}

#[test]
fn transparency_gives_png_too_and_white_in_the_jpeg() {
    let picture = processed(&fixtures::png_with_alpha(50, 50));
    assert!(picture.facts.has_alpha);
    assert_eq!(sizes(&picture, "jpg").len(), 5);
    assert_eq!(sizes(&picture, "png").len(), 5);
    assert!(picture.variants.iter().all(|variant| (variant.width, variant.height) == (50, 50)));
    let jpeg = picture.variants.iter().find(|variant| variant.extension == "jpg").expect("a JPEG");
    let corner = ::image::load_from_memory(&jpeg.bytes).expect("a JPEG").get_pixel(0, 0);
    assert!(corner.0[..3].iter().all(|channel| *channel > 245), "{corner:?}");
    let poster = process(&fixtures::png_with_alpha(50, 50), &Profile::default(), true).expect("processed");
    assert!(poster.variants.iter().all(|variant| variant.extension == "jpg"));
}

#[test]
fn webp_is_made_when_the_profile_asks() {
    let profile = Profile { extra_formats: vec!["webp".to_owned()], ..Profile::default() };
    let photo = process(&fixtures::jpeg(100, 60), &profile, false).expect("processed");
    assert_eq!(sizes(&photo, "webp").len(), 5);
}

#[test]
fn what_cannot_be_processed_is_named() {
    let code = |bytes: &[u8]| process(bytes, &Profile::default(), false).expect_err("refused").code;
    assert_eq!(code(&fixtures::png_claiming(60_000, 60_000)), FailureCode::TooManyPixels);
    assert_eq!(code(&fixtures::png_claiming(20_000, 1)), FailureCode::TooManyPixels);
    assert_eq!(code(b"this is no picture"), FailureCode::UnsupportedType);
    assert_eq!(code(b"\0\0\0\x18ftypisom\0\0\0\0"), FailureCode::TypeMismatch);
    let photo = fixtures::jpeg(200, 100);
    assert_eq!(code(&photo[..20]), FailureCode::Corrupt);
    let small = Profile {
        limits: crate::profile::Limits { image_bytes: 10, ..Profile::default().limits },
        ..Profile::default()
    };
    assert_eq!(process(&photo, &small, false).expect_err("refused").code, FailureCode::TooLarge);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn a_damaged_file_never_panics(place: prop::sample::Index, byte: u8, png: bool) {
        let mut bytes = if png { fixtures::png_with_alpha(20, 20) } else { fixtures::jpeg(24, 16) };
        let place = place.index(bytes.len());
        bytes[place] = byte;
        let _ = process(&bytes, &Profile::default(), false);
    }
}
