//! The parts of S3's requests: the bucket and the key, and the content of a body that is sent in chunks.

use std::borrow::Cow;

use crate::wire::{Call, form::decoded};

/// The bucket and the key of a call; an empty key is the bucket itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) bucket: String,
    pub(super) key: String,
}

impl Target {
    /// Reads the host for virtual-hosted requests, and the path for others (S3 user guide, "Virtual hosting of general purpose buckets").
    pub(super) fn of(call: &Call) -> Self {
        let path = call.path.strip_prefix('/').unwrap_or(&call.path);
        let bucket = call.host.split_once(".s3.").filter(|(_, domain)| domain.ends_with("amazonaws.com"));
        if let Some((bucket, _)) = bucket {
            return Self { bucket: bucket.to_owned(), key: decoded(path) };
        }
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        Self { bucket: decoded(bucket), key: decoded(key) }
    }
}

/// Returns the content of a request. The SDK sends streams in chunks, each `<size in hex>;…\r\n<bytes>\r\n`, and their checksum in a trailer (S3
/// API reference, "Signature calculations for the Authorization header: transferring payload in multiple chunks").
pub(super) fn content(call: &Call) -> Cow<'_, [u8]> {
    let is_chunked = call.header("content-encoding").is_some_and(|encoding| encoding.contains("aws-chunked"))
        || call.header("x-amz-content-sha256").is_some_and(|hash| hash.starts_with("STREAMING-"));
    if !is_chunked {
        return Cow::Borrowed(&call.body);
    }
    let mut content = Vec::with_capacity(call.body.len());
    let mut rest = call.body.as_slice();
    while let Some((line, after)) = line(rest) {
        let size = line.split(|byte| *byte == b';').next().and_then(|size| std::str::from_utf8(size).ok());
        let size = size.and_then(|size| usize::from_str_radix(size, 16).ok()).unwrap_or(0);
        let Some((chunk, after)) = after.split_at_checked(size).filter(|_| size > 0) else { break };
        content.extend_from_slice(chunk);
        rest = after.strip_prefix(b"\r\n").unwrap_or(after);
    }
    Cow::Owned(content)
}

fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    Some((&bytes[..end], &bytes[end + 2..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(host: &str, path: &str) -> Call {
        Call { host: host.to_owned(), path: path.to_owned(), ..Call::default() }
    }

    #[test]
    fn the_bucket_is_in_the_host_or_in_the_path() {
        let target = |host, path| {
            let Target { bucket, key } = Target::of(&call(host, path));
            (bucket, key)
        };
        let expected = ("b.c".to_owned(), "a b/c+d".to_owned());
        assert_eq!(target("b.c.s3.eu-west-1.amazonaws.com", "/a%20b/c%2Bd"), expected);
        assert_eq!(target("s3.eu-west-1.amazonaws.com", "/b.c/a%20b/c+d"), expected);
        assert_eq!(target("127.0.0.1:4566", "/b.c/"), ("b.c".to_owned(), String::new()));
    }

    #[test]
    fn chunks_are_joined_and_their_trailer_is_left_out() {
        let mut call = call("", "");
        call.headers.insert("content-encoding".to_owned(), "aws-chunked".to_owned());
        call.body =
            b"5\r\nhe\r\nl\r\n2;chunk-signature=ab\r\nlo\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n".to_vec();
        assert_eq!(&*content(&call), b"he\r\nllo");
        call.headers.clear();
        assert_eq!(&*content(&call), call.body);
    }
}
