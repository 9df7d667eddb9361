//! Buckets with objects, at `http://aws.test/<bucket>/<key>`.

use std::collections::BTreeMap;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

use super::Reply;

/// Objects by bucket and key. Large uploads are counted, not kept.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Objects {
    objects: BTreeMap<String, Vec<Vec<u8>>>,
    /// Objects that are listed and cannot be read.
    pub(in super::super) missing: Vec<String>,
    /// The parts of each upload.
    uploads: BTreeMap<String, Vec<Vec<u8>>>,
    next_upload: usize,
    pub(in super::super) aborted: usize,
    /// Keeps no bytes of parts.
    pub(in super::super) counts_only: bool,
    pub(in super::super) part_sizes: Vec<usize>,
    /// The headers of the last object that was created.
    pub(in super::super) headers: BTreeMap<String, String>,
}

impl Objects {
    /// Puts an object, as `<bucket>/<key>`.
    pub(in super::super) fn put(&mut self, path: &str, content: &[u8]) {
        self.objects.insert(path.to_owned(), vec![content.to_vec()]);
    }

    /// The versions of an object.
    pub(in super::super) fn versions(&self, path: &str) -> &[Vec<u8>] {
        self.objects.get(path).map_or(&[], Vec::as_slice)
    }

    pub(in super::super) fn open_uploads(&self) -> usize {
        self.uploads.len()
    }

    pub(super) fn answer(&mut self, request: &HttpRequest) -> Reply {
        let uri = request.uri().strip_prefix("http://aws.test/").unwrap_or_default();
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let path = path.replace("%20", " ");
        let parameter = |name: &str| {
            query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
        };
        let body = request.body().bytes().unwrap_or_default();
        match (request.method(), parameter("uploadId")) {
            ("GET", _) if query.contains("list-type=2") => self.list(path.trim_end_matches('/')),
            ("GET", _) => self.get(&path),
            ("PUT", Some(upload)) => {
                self.part_sizes.push(body.len());
                let kept = if self.counts_only { Vec::new() } else { body.to_vec() };
                self.uploads.get_mut(&upload).expect("an upload").push(kept);
                tagged("part")
            }
            ("PUT", None) => {
                self.keep_headers(request);
                self.add(path, body.to_vec())
            }
            ("POST", Some(upload)) => {
                let content = self.uploads.remove(&upload).expect("an upload").concat();
                let reply = self.add(path, content);
                Reply { body: b"<CompleteMultipartUploadResult/>".to_vec(), ..reply }
            }
            ("POST", None) => {
                self.keep_headers(request);
                self.next_upload += 1;
                let upload = format!("u{}", self.next_upload);
                self.uploads.insert(upload.clone(), Vec::new());
                xml(&format!(
                    "<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
                ))
            }
            ("DELETE", Some(upload)) => {
                self.uploads.remove(&upload);
                self.aborted += 1;
                Reply { status: 204, headers: Vec::new(), body: Vec::new() }
            }
            other => panic!("the request {other:?} {uri}"),
        }
    }

    fn add(&mut self, path: String, content: Vec<u8>) -> Reply {
        let versions = self.objects.entry(path).or_default();
        versions.push(content);
        let version = format!("v{}", versions.len());
        Reply { headers: vec![("x-amz-version-id", version)], ..tagged("object") }
    }

    fn get(&self, path: &str) -> Reply {
        let content = self.objects.get(path).and_then(|versions| versions.last());
        match content.filter(|_| !self.missing.iter().any(|missing| missing == path)) {
            Some(content) => Reply { body: content.clone(), ..tagged(&tag(content)) },
            None => Reply { status: 404, ..xml("<Error><Code>NoSuchKey</Code><Message>no</Message></Error>") },
        }
    }

    fn list(&self, bucket: &str) -> Reply {
        let mut contents = String::new();
        for (path, versions) in &self.objects {
            let Some(key) = path.strip_prefix(bucket).and_then(|rest| rest.strip_prefix('/')) else { continue };
            let content = versions.last().expect("a version");
            let (size, tag) = (content.len(), tag(content));
            contents += &format!("<Contents><Key>{key}</Key><Size>{size}</Size><ETag>\"{tag}\"</ETag></Contents>");
        }
        xml(&format!("<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"))
    }

    fn keep_headers(&mut self, request: &HttpRequest) {
        self.headers = request.headers().iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    }
}

/// An ETag that changes with the content.
fn tag(content: &[u8]) -> String {
    crate::shared::ids::file_key(&String::from_utf8_lossy(content))
}

fn tagged(tag: &str) -> Reply {
    Reply { status: 200, headers: vec![("etag", format!("\"{tag}\""))], body: Vec::new() }
}

fn xml(body: &str) -> Reply {
    Reply { status: 200, headers: Vec::new(), body: body.as_bytes().to_vec() }
}
