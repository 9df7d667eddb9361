//! The image function against S3 in memory: its writes in order, and its deletions.

use super::*;
use crate::{
    fixtures::images,
    manifest::{FailureCode, PosterSource, Status},
    testing::{self, FILENAME, s3::FakeS3},
};

fn raw_key(kind: &str) -> String {
    format!("ana/{kind}/{FILENAME}")
}

/// A job for the object `key`.
fn job(s3: &FakeS3, bucket: &str, key: &str, role: Role) -> ProcessingJob {
    ProcessingJob {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        filename: FILENAME.to_owned(),
        extension: "jpg".to_owned(),
        sizes: ["tiny", "small", "medium", "large", "huge"].map(str::to_owned).to_vec(),
        role,
        etag: s3.object(&format!("{bucket}/{key}")).map(|object| object.etag).unwrap_or_default(),
    }
}

async fn handle(s3: &FakeS3, job: ProcessingJob) -> Result<Outcome, ImageError> {
    let buckets = Buckets { raw: s3.store("raw"), processed: s3.store("processed") };
    let processor = ImageProcessor { buckets, profile: Profile::default() };
    processor.handle(job).await.map(|answer| answer.outcome)
}

/// Uploads `bytes` as an image of `ana` and processes it.
async fn process(s3: &FakeS3, bytes: &[u8]) -> Outcome {
    s3.insert(&format!("raw/{}", raw_key("images")), "image/png", bytes);
    handle(s3, job(s3, "raw", &raw_key("images"), Role::Main)).await.expect("S3 works")
}

fn manifest_path() -> String {
    format!("processed/{}", keys::manifest(FILENAME))
}

#[tokio::test(flavor = "current_thread")]
async fn variants_come_first_and_the_manifest_last() {
    let s3 = FakeS3::default();
    assert_eq!(process(&s3, &images::jpeg(400, 200)).await, Outcome::Ready);
    let manifest = s3.manifest(&manifest_path());
    assert_eq!(
        (manifest.status, manifest.kind, manifest.content_type.as_str()),
        (Status::Ready, MediaKind::Image, "image/jpeg")
    );
    assert_eq!(manifest.owner_hash, keys::owner_hash("ana"));
    assert_eq!(manifest.variants.len(), 5);
    for variant in &manifest.variants {
        let object = s3.object(&format!("processed/{}", variant.key)).expect("what the manifest lists is there");
        assert_eq!((object.bytes.len() as u64, object.content_type.as_str()), (variant.bytes, "image/jpeg"));
    }
    let writes = s3.state().writes.clone();
    assert_eq!((writes.len(), &writes[5].1), (6, &manifest_path()));
    assert!(writes.iter().all(|(_, path, _)| path.starts_with("processed/")), "nothing is written to raw");
}

#[tokio::test(flavor = "current_thread")]
async fn the_same_source_gives_the_same_objects() {
    let s3 = FakeS3::default();
    process(&s3, &images::png_with_alpha(50, 50)).await;
    let first = s3.state().objects.clone();
    process(&s3, &images::png_with_alpha(50, 50)).await;
    let second = s3.state().objects.clone();
    assert_eq!(first.len(), 12);
    assert!(first.keys().eq(second.keys()));
    assert!(first.iter().all(|(path, object)| *path == manifest_path() || second[path] == *object));
}

#[tokio::test(flavor = "current_thread")]
async fn a_bad_source_ends_with_a_failed_manifest_and_no_variants() {
    for (bytes, code) in [
        (b"just some text".to_vec(), FailureCode::UnsupportedType),
        (images::png_that_claims(60_000, 60_000), FailureCode::TooManyPixels),
        (images::jpeg(40, 40)[..500].to_vec(), FailureCode::Corrupt),
        (b"\0\0\0\x18ftypisom\0\0\0\0".to_vec(), FailureCode::TypeMismatch),
    ] {
        let s3 = FakeS3::default();
        process(&s3, &images::png_with_alpha(50, 50)).await;
        assert_eq!(process(&s3, &bytes).await, Outcome::Failed);
        let manifest = s3.manifest(&manifest_path());
        assert_eq!((manifest.status, manifest.error.map(|error| error.code)), (Status::Failed, Some(code)));
        assert_eq!(s3.keys("processed"), [keys::manifest(FILENAME)]);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_source_with_too_many_bytes_is_not_read() {
    let s3 = FakeS3::default();
    let limit = usize::try_from(Profile::default().limits.image_bytes).expect("a small number");
    assert_eq!(process(&s3, &vec![0; limit + 1]).await, Outcome::Failed);
    let error = s3.manifest(&manifest_path()).error.expect("a failure");
    assert_eq!(error.code, FailureCode::TooLarge);
    assert!(s3.state().bytes_read < 1000);
}

#[tokio::test(flavor = "current_thread")]
async fn a_deleted_or_replaced_source_is_skipped() {
    let s3 = FakeS3::default();
    let gone = job(&s3, "raw", &raw_key("images"), Role::Main);
    assert_eq!(handle(&s3, gone.clone()).await.expect("S3 works"), Outcome::Gone);
    s3.insert(&format!("raw/{}", raw_key("images")), "image/jpeg", &images::jpeg(4, 4));
    assert_eq!(handle(&s3, gone).await.expect("S3 works"), Outcome::Superseded);
    assert!(s3.state().writes.is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn a_clients_poster_has_a_manifest_of_its_own() {
    let s3 = FakeS3::default();
    s3.insert(&format!("raw/{}", raw_key("posters")), "image/png", &images::png_with_alpha(50, 50));
    let outcome = handle(&s3, job(&s3, "raw", &raw_key("posters"), Role::Poster)).await.expect("S3 works");
    assert_eq!(outcome, Outcome::Ready);
    let manifest = s3.manifest(&format!("processed/{}", keys::poster_manifest(FILENAME)));
    assert_eq!(manifest.poster_source, Some(PosterSource::Client));
    assert!(manifest.variants.iter().all(|variant| variant.extension == "jpg"));
    assert_eq!(s3.keys("processed").len(), 6, "five variants and the poster's manifest");
    assert!(s3.object(&format!("raw/{}", raw_key("posters"))).is_some(), "raw objects stay");
}

/// A cover in the processed bucket, and a poster's manifest with this source.
fn with_cover(source: PosterSource, status: Status) -> FakeS3 {
    let s3 = FakeS3::default();
    let mut poster = testing::manifest(MediaKind::Image, status, &[]);
    poster.poster_source = Some(source);
    s3.insert_manifest(&format!("processed/{}", keys::poster_manifest(FILENAME)), &poster);
    s3.insert(&format!("processed/{}", keys::cover(FILENAME)), "image/jpeg", &images::jpeg(400, 200));
    s3
}

#[tokio::test(flavor = "current_thread")]
async fn a_cover_becomes_the_poster_and_is_deleted() {
    let s3 = with_cover(PosterSource::Cover, Status::Processing);
    let outcome = handle(&s3, job(&s3, "processed", &keys::cover(FILENAME), Role::Poster)).await.expect("S3 works");
    assert_eq!(outcome, Outcome::Ready);
    let manifest = s3.manifest(&format!("processed/{}", keys::poster_manifest(FILENAME)));
    assert_eq!((manifest.status, manifest.poster_source), (Status::Ready, Some(PosterSource::Cover)));
    assert_eq!(manifest.owner_hash, keys::owner_hash("ana"));
    assert!(!s3.keys("processed").contains(&keys::cover(FILENAME)));
}

#[tokio::test(flavor = "current_thread")]
async fn a_cover_does_not_replace_the_clients_poster() {
    for status in [Status::Processing, Status::Ready] {
        let s3 = with_cover(PosterSource::Client, status);
        let outcome = handle(&s3, job(&s3, "processed", &keys::cover(FILENAME), Role::Poster)).await.expect("S3 works");
        assert_eq!(outcome, Outcome::ClientsPoster);
        assert_eq!(s3.keys("processed"), [keys::poster_manifest(FILENAME)]);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_failure_of_s3_is_an_error_and_leaves_no_manifest() {
    let s3 = FakeS3::default();
    s3.insert(&format!("raw/{}", raw_key("images")), "image/jpeg", &images::jpeg(4, 4));
    s3.state().read_only = true;
    let error = handle(&s3, job(&s3, "raw", &raw_key("images"), Role::Main)).await.expect_err("writes fail");
    assert!(matches!(error, ImageError::Storage(_)), "{error}");
    assert!(s3.keys("processed").is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn a_foreign_bucket_is_rejected() {
    let s3 = FakeS3::default();
    let error = handle(&s3, job(&s3, "elsewhere", "key", Role::Main)).await.expect_err("neither bucket");
    assert_eq!(error.to_string(), "failed to accept a job for elsewhere: only raw and processed are processed");
}
