//! Uploads of generated content: parts, hashes, limits, and the memory that they take.

use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::*;
use crate::processors::testing::{Cloud, Random};

const PART: usize = 10 << 20;

fn store(cloud: &Cloud) -> Store {
    let settings = StoreSettings { bucket: "data".to_owned(), part_bytes: PART, level: 6, is_encrypted: true };
    Store::new(&cloud.aws(), settings)
}

fn upload() -> Upload {
    Upload {
        key: "data/a".to_owned(),
        run_id: "run:1".to_owned(),
        content_type: "text/plain".to_owned(),
        may_compress: true,
        previous: None,
        sha256: None,
        size: None,
        max_bytes: 5 << 30,
        deadline: Instant::now() + Duration::from_secs(600),
    }
}

fn chunks(chunks: Vec<Vec<u8>>) -> ByteStream {
    stream::iter(chunks.into_iter().map(|chunk| Ok(Bytes::from(chunk)))).boxed()
}

/// Content that does not shrink, in chunks of 64 KiB.
fn noise(bytes: usize) -> ByteStream {
    let chunk = 64 << 10;
    let mut random = Random::seeded(7);
    let block: Vec<u8> = (0..chunk).map(|_| u8::try_from(random.below(256)).expect("a byte")).collect();
    let block = Bytes::from(block);
    stream::iter((0..bytes / chunk).map(move |_| Ok(block.clone()))).boxed()
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut decoder = flate2::write::GzDecoder::new(Vec::new());
    decoder.write_all(bytes).expect("gzip");
    decoder.finish().expect("gzip")
}

#[tokio::test(flavor = "current_thread")]
async fn small_content_is_one_object_with_its_hashes() {
    let cloud = Cloud::default();
    let text = "all work and no play ".repeat(1000).into_bytes();
    let kept = store(&cloud).keep(chunks(vec![text.clone(), b"!".to_vec()]), upload()).await.expect("stored");
    let content = [text, b"!".to_vec()].concat();
    assert_eq!((kept.size, &kept.sha256), (21001, &hex::encode(Sha256::digest(&content))));
    assert_eq!(kept.md5, hex::encode(Md5::digest(&content)));
    let object = kept.object.expect("an object");
    let state = cloud.state();
    let stored = &state.objects.versions("data/data/a")[0];
    assert_eq!((object.is_compressed, object.stored_bytes), (true, stored.len() as u64));
    assert_eq!(gunzip(stored), content);
    for (name, value) in [
        ("content-encoding", "gzip"),
        ("content-type", "text/plain"),
        ("x-amz-server-side-encryption", "AES256"),
        ("x-amz-meta-sha256", kept.sha256.as_str()),
        ("x-amz-meta-original-size", "21001"),
        ("x-amz-meta-run-id", "run:1"),
    ] {
        assert_eq!(state.objects.headers.get(name).map(String::as_str), Some(value), "{name}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn large_content_is_uploaded_in_parts() {
    let cloud = Cloud::default();
    // 3 bytes more than two parts.
    let content: Vec<u8> = (0..u32::try_from(2 * PART + 3).expect("small")).map(|byte| byte.to_le_bytes()[0]).collect();
    let chunks = chunks(content.chunks(70_000).map(<[u8]>::to_vec).collect());
    let plain = Upload { may_compress: false, ..upload() };
    let kept = store(&cloud).keep(chunks, plain).await.expect("stored");
    let state = cloud.state();
    assert!(state.objects.versions("data/data/a")[0] == content);
    assert_eq!((state.objects.part_sizes.as_slice(), state.objects.open_uploads()), (&[PART, PART, 3][..], 0));
    assert_eq!(kept.object.expect("an object").version_id.as_deref(), Some("v1"));
}

#[tokio::test(flavor = "current_thread")]
async fn the_same_content_is_not_stored_again() {
    let cloud = Cloud::default();
    let same = Upload { previous: Some(hex::encode(Sha256::digest(b"hello"))), ..upload() };
    let kept = store(&cloud).keep(chunks(vec![b"hello".to_vec()]), same.clone()).await.expect("read");
    assert_eq!((kept.object, kept.size, cloud.state().calls), (None, 5, 0));
    // Also if parts of it were sent already.
    let mut hash = Sha256::new();
    let content: Vec<Vec<u8>> = vec![vec![b'x'; 1 << 20]; 11];
    content.iter().for_each(|chunk| hash.update(chunk));
    let same = Upload { previous: Some(hex::encode(hash.finalize())), may_compress: false, ..same };
    let kept = store(&cloud).keep(chunks(content), same).await.expect("read");
    assert_eq!(kept.object, None);
    let state = cloud.state();
    assert_eq!((state.objects.aborted, state.objects.open_uploads()), (1, 0));
    assert!(state.objects.versions("data/data/a").is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn content_that_is_not_as_promised_leaves_no_object() {
    let large = || noise(12 << 20);
    let ends_early = || {
        let end = stream::iter([Err(ConnectorError::transient("the object ended early"))]);
        noise(12 << 20).chain(end).boxed()
    };
    for (stream, upload, is_transient) in [
        (large(), Upload { max_bytes: 11 << 20, ..upload() }, false),
        (large(), Upload { size: Some(5), ..upload() }, false),
        (large(), Upload { sha256: Some("0".repeat(64)), ..upload() }, false),
        (ends_early(), upload(), true),
        (stream::pending().boxed(), Upload { deadline: Instant::now() + Duration::from_millis(20), ..upload() }, true),
    ] {
        let cloud = Cloud::default();
        let error = store(&cloud).keep(stream, upload).await.expect_err("refused");
        assert_eq!(error.is_transient(), is_transient, "{error}");
        assert!(cloud.state().objects.versions("data/data/a").is_empty(), "{error}");
        assert_eq!(cloud.state().objects.open_uploads(), 0, "{error}");
    }
}

/// The process's largest resident memory so far, in bytes (proc(5)).
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<u64>().ok()).expect("a number") * 1024
}

/// `LISTBACKUP_TEST_BYTES=1073741824` streams a gibibyte.
#[tokio::test(flavor = "current_thread")]
async fn a_large_file_takes_little_memory() {
    let bytes: usize =
        std::env::var("LISTBACKUP_TEST_BYTES").map_or(160 << 20, |bytes| bytes.parse().expect("a number"));
    let cloud = Cloud::default();
    cloud.state().objects.counts_only = true;
    let before = peak_memory();
    let kept = store(&cloud).keep(noise(bytes), Upload { may_compress: false, ..upload() }).await.expect("stored");
    assert_eq!(kept.size, bytes as u64);
    assert_eq!(cloud.state().objects.part_sizes.iter().sum::<usize>(), bytes);
    let (peak, part) = (peak_memory(), PART as u64);
    // Two parts, what the client copies of one, and what other tests take at the same time; less than the content.
    assert!(peak - before < 14 * part, "{} MiB", (peak - before) >> 20);
    assert!(peak < 300 << 20, "{} MiB", peak >> 20);
}
