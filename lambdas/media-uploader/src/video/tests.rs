//! The video function against S3 in memory and a scripted Lambda: its writes, copies, invocations and deletions.

use super::*;
use crate::{
    fixtures::{
        self, images,
        isobmff::{self, Mp4, boxed},
        matroska,
    },
    manifest::{FailureCode, Status},
    testing::{
        self, FILENAME,
        s3::FakeS3,
        scripted::{Reply, Request, Rule, ScriptedAws},
    },
};

const MIB: usize = 1024 * 1024;

/// The buckets, and the image function.
#[derive(Debug)]
struct World {
    s3: FakeS3,
    image: Rule,
    in_memory: Option<u64>,
}

impl Default for World {
    fn default() -> Self {
        let image = Rule::invoke_async("image-alias", Reply::accepted()).once();
        Self { s3: FakeS3::default(), image, in_memory: None }
    }
}

impl World {
    /// The jobs sent to the image function.
    fn invoked(&self) -> Vec<ProcessingJob> {
        self.image.requests().iter().map(Request::json).collect()
    }

    /// Uploads `bytes` as a video of `ana` and processes it.
    async fn process(&self, bytes: &[u8]) -> Outcome {
        self.s3.insert(&raw(), "video/mp4", bytes);
        self.handle().await.expect("S3 works")
    }

    async fn handle(&self) -> Result<Outcome, VideoError> {
        let processor = VideoProcessor {
            buckets: Buckets { raw: self.s3.store("raw"), processed: self.s3.store("processed") },
            lambda: ScriptedAws::new([self.image.clone()]).lambda(),
            image: "image-alias".to_owned(),
            profile: Profile::default(),
            in_memory: self.in_memory.unwrap_or(IN_MEMORY),
        };
        let job = ProcessingJob {
            bucket: "raw".to_owned(),
            key: format!("ana/videos/{FILENAME}"),
            filename: FILENAME.to_owned(),
            extension: "jpg".to_owned(),
            sizes: Vec::new(),
            role: Role::Main,
            etag: self.s3.object(&raw()).map(|object| object.etag).unwrap_or_default(),
        };
        processor.handle(job).await.map(|answer| answer.outcome)
    }

    fn manifest(&self) -> Manifest {
        self.s3.manifest(&format!("processed/{}", keys::manifest(FILENAME)))
    }

    /// Returns the new file and checks its manifest entry.
    fn output(&self) -> Vec<u8> {
        let manifest = self.manifest();
        assert_eq!((manifest.status, manifest.variants.len()), (Status::Ready, 1), "{:?}", manifest.error);
        let variant = &manifest.variants[0];
        assert_eq!(variant.key, keys::variant(FILENAME, "original", &variant.extension));
        let object = self.s3.object(&format!("processed/{}", variant.key)).expect("what the manifest lists is there");
        assert_eq!(object.bytes.len() as u64, variant.bytes);
        assert_eq!(object.content_type, manifest.content_type);
        object.bytes
    }
}

fn raw() -> String {
    format!("raw/ana/videos/{FILENAME}")
}

#[tokio::test(flavor = "current_thread")]
async fn an_mp4_becomes_fast_to_start() {
    let world = World::default();
    let source = Mp4 { rotated: true, ..Mp4::default() };
    assert_eq!(world.process(&source.build()).await, Outcome::Ready);
    let output = world.output();
    assert!(output.ends_with(&boxed(b"mdat", &source.sample_bytes())));
    assert_eq!(&output[28..32], b"moov");
    let manifest = world.manifest();
    let variant = &manifest.variants[0];
    assert_eq!((variant.width, variant.height), (u32::from(isobmff::HEIGHT), u32::from(isobmff::WIDTH)), "as seen");
    let facts = manifest.video.expect("facts");
    assert!(facts.metadata_stripped && facts.had_location && !facts.transcoded);
    assert_eq!((facts.poster, manifest.content_type.as_str()), (PosterSource::None, "video/mp4"));
    assert!(world.invoked().is_empty());
    let writes = world.s3.state().writes.clone();
    assert_eq!(
        writes.last().map(|(_, path, _)| path.as_str()),
        Some(format!("processed/{FILENAME}/manifest.json").as_str())
    );
}

#[tokio::test(flavor = "current_thread")]
async fn empty_chunks_are_allowed() {
    for source in [fixtures::mp4().bytes, fixtures::mp4_of_size(100_000)] {
        let world = World::default();
        assert_eq!(world.process(&source).await, Outcome::Ready);
        assert_eq!(fixtures::samples(&world.output()), fixtures::samples(&source));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn other_containers_are_copied_without_reading_them() {
    for (bytes, extension, content_type) in [
        (isobmff::fragmented(), "mp4", "video/mp4"),
        (matroska::file("webm", true, false), "webm", "video/webm"),
        (matroska::file("matroska", true, true), "mkv", "video/x-matroska"),
    ] {
        let world = World::default();
        assert_eq!(world.process(&bytes).await, Outcome::Ready);
        assert_eq!(world.output(), bytes);
        let manifest = world.manifest();
        assert_eq!(
            (manifest.variants[0].extension.as_str(), manifest.content_type.as_str()),
            (extension, content_type)
        );
        assert!(world.s3.state().writes.iter().any(|(_, path, copied)| *copied && path.ends_with(extension)));
    }
}

/// 17 MiB of samples.
fn large() -> Mp4 {
    Mp4 { samples: (0..17u8).map(|number| vec![number; MIB]).collect(), ..Mp4::default() }
}

#[tokio::test(flavor = "current_thread")]
async fn large_files_are_assembled_by_s3() {
    let world = World { in_memory: Some(MIB as u64), ..World::default() };
    let source = large();
    assert_eq!(world.process(&source.build()).await, Outcome::Ready);
    assert!(world.output().ends_with(&boxed(b"mdat", &source.sample_bytes())));
    let state = world.s3.state();
    assert!(state.uploads.is_empty());
    assert_eq!(state.writes.iter().filter(|(_, _, copied)| *copied).count(), 1, "one range is copied");
    assert!(state.bytes_read < 6 * MIB, "and not read: {}", state.bytes_read);
}

#[tokio::test(flavor = "current_thread")]
async fn parts_are_sent_if_s3_cannot_copy_them() {
    let world = World { in_memory: Some(MIB as u64), ..World::default() };
    world.s3.state().without_part_copy = true;
    let source = large();
    assert_eq!(world.process(&source.build()).await, Outcome::Ready);
    assert!(world.output().ends_with(&boxed(b"mdat", &source.sample_bytes())));
    let state = world.s3.state();
    assert!(state.uploads.is_empty(), "the first attempt is aborted");
    assert!(state.bytes_read > 17 * MIB);
}

#[tokio::test(flavor = "current_thread")]
async fn both_ways_of_writing_give_the_same_file() {
    let (small, parts) = (World::default(), World { in_memory: Some(0), ..World::default() });
    small.process(&large().build()).await;
    parts.process(&large().build()).await;
    assert_eq!(small.output(), parts.output());
}

#[tokio::test(flavor = "current_thread")]
async fn embedded_pictures_are_sent_to_the_image_function() {
    let picture = images::jpeg(40, 20);
    for (source, poster) in [
        (Mp4 { cover: Some(picture.clone()), ..Mp4::default() }, PosterSource::Cover),
        (Mp4 { codec: Some(*b"jpeg"), samples: vec![picture.clone()], ..Mp4::default() }, PosterSource::Sample),
    ] {
        let world = World::default();
        world.process(&source.build()).await;
        assert_eq!(world.manifest().video.expect("facts").poster, poster);
        let cover = world.s3.object(&format!("processed/{FILENAME}/cover")).expect("the cover");
        assert_eq!((&cover.bytes, cover.content_type.as_str()), (&picture, "image/jpeg"));
        let manifest = world.s3.manifest(&format!("processed/{FILENAME}/poster.json"));
        assert_eq!(
            (manifest.status, manifest.kind, manifest.poster_source),
            (Status::Processing, MediaKind::Image, Some(poster))
        );
        assert_eq!(manifest.owner_hash, keys::owner_hash("ana"));
        let invoked = world.invoked();
        let [job] = invoked.as_slice() else { panic!("one job: {invoked:?}") };
        assert_eq!((job.bucket.as_str(), job.key.as_str()), ("processed", keys::cover(FILENAME).as_str()));
        assert_eq!(job.role, Role::Poster);
        assert_eq!((&job.etag, job.sizes.len()), (&cover.etag, 5));
    }
}

#[tokio::test(flavor = "current_thread")]
async fn the_clients_poster_takes_precedence() {
    let source = Mp4 { cover: Some(images::jpeg(40, 20)), ..Mp4::default() };
    for (status, poster) in [
        (Status::Ready, PosterSource::Client),
        (Status::Processing, PosterSource::Client),
        (Status::Failed, PosterSource::Cover),
    ] {
        let world = World::default();
        let mut previous = testing::manifest(MediaKind::Image, status, &[]);
        previous.poster_source = Some(PosterSource::Client);
        world.s3.insert_manifest(&format!("processed/{FILENAME}/poster.json"), &previous);
        world.process(&source.build()).await;
        assert_eq!(world.manifest().video.expect("facts").poster, poster, "{status:?}");
        let handed_over = !world.invoked().is_empty();
        assert_eq!(handed_over, poster == PosterSource::Cover);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_bad_source_ends_with_a_failed_manifest_and_no_file() {
    let whole = Mp4::default().build();
    for (bytes, code) in [
        (whole[..whole.len() - 1].to_vec(), FailureCode::Corrupt),
        (Mp4 { codec: None, ..Mp4::default() }.build(), FailureCode::NoVideoTrack),
        (images::jpeg(4, 4), FailureCode::TypeMismatch),
        (b"just some text".to_vec(), FailureCode::UnsupportedType),
    ] {
        let world = World::default();
        world.process(&whole).await;
        assert_eq!(world.process(&bytes).await, Outcome::Failed);
        let manifest = world.manifest();
        assert_eq!((manifest.status, manifest.error.map(|error| error.code)), (Status::Failed, Some(code)));
        assert_eq!(world.s3.keys("processed"), [keys::manifest(FILENAME)]);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn the_same_source_gives_the_same_file() {
    let world = World::default();
    world.process(&Mp4::default().build()).await;
    let first = world.output();
    world.process(&Mp4::default().build()).await;
    assert_eq!(world.output(), first);
}

#[tokio::test(flavor = "current_thread")]
async fn a_failure_of_s3_is_an_error_and_leaves_no_upload_open() {
    let world = World::default();
    world.s3.insert(&raw(), "video/mp4", &Mp4::default().build());
    world.s3.state().read_only = true;
    assert!(matches!(world.handle().await, Err(VideoError::Storage(_))));
    assert!(world.s3.keys("processed").is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn a_deleted_source_is_skipped() {
    let world = World::default();
    assert_eq!(world.handle().await.expect("S3 works"), Outcome::Gone);
    assert!(world.s3.state().writes.is_empty());
}
