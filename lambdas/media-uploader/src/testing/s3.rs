//! S3 in memory behind the SDK's HTTP client: objects, ranges, copies and multipart uploads. Keys must not need escapes.
//! Multipart uploads are validated as by S3.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;

use crate::{manifest::Manifest, storage::Store};

/// The smallest size of all parts but the last: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
const LEAST_PART: usize = 5 * 1024 * 1024;

/// A handle to the S3 of a test.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeS3(Arc<Mutex<State>>);

#[derive(Debug, Default)]
pub(crate) struct State {
    /// Objects by `bucket/key`.
    pub(crate) objects: BTreeMap<String, Object>,
    /// Open multipart uploads: their parts by number.
    pub(crate) uploads: BTreeMap<String, BTreeMap<u32, Vec<u8>>>,
    /// The content types of open uploads.
    types: BTreeMap<String, String>,
    /// All requests but GET and HEAD: method, `bucket/key`, and whether it copies.
    pub(crate) writes: Vec<(String, String, bool)>,
    /// Whether UploadPartCopy is unsupported.
    pub(crate) without_part_copy: bool,
    /// Whether writes fail.
    pub(crate) read_only: bool,
    /// The number of bytes read by clients.
    pub(crate) bytes_read: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) bytes: Vec<u8>,
    pub(crate) content_type: String,
    pub(crate) etag: String,
}

impl FakeS3 {
    pub(crate) fn store(&self, bucket: &str) -> Store {
        let aws = super::aws()
            .into_builder()
            .endpoint_url("http://s3.test")
            .http_client(self.clone())
            .retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled())
            .build();
        Store::new(crate::storage::client(&aws), bucket)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no panic")
    }

    /// Stores an object, as a client does.
    pub(crate) fn insert(&self, path: &str, content_type: &str, bytes: &[u8]) {
        self.state().objects.insert(path.to_owned(), Object::new(bytes.to_vec(), content_type));
    }

    pub(crate) fn object(&self, path: &str) -> Option<Object> {
        self.state().objects.get(path).cloned()
    }

    pub(crate) fn manifest(&self, path: &str) -> Manifest {
        let object = self.object(path).expect("a manifest");
        serde_json::from_slice(&object.bytes).expect("a manifest")
    }

    pub(crate) fn insert_manifest(&self, path: &str, manifest: &Manifest) {
        self.insert(path, "application/json", &serde_json::to_vec(manifest).expect("plain data"));
    }

    /// The keys in a bucket.
    pub(crate) fn keys(&self, bucket: &str) -> Vec<String> {
        let prefix = format!("{bucket}/");
        self.state().objects.keys().filter_map(|path| path.strip_prefix(&prefix)).map(str::to_owned).collect()
    }
}

impl Object {
    fn new(bytes: Vec<u8>, content_type: &str) -> Self {
        let etag = crate::keys::owner_hash(&String::from_utf8_lossy(&bytes));
        Self { bytes, content_type: content_type.to_owned(), etag }
    }
}

impl HttpClient for FakeS3 {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for FakeS3 {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(Ok(self.state().answer(&request)))
    }
}

impl State {
    fn answer(&mut self, request: &HttpRequest) -> HttpResponse {
        let (path, query) = request.uri().split_once('?').unwrap_or((request.uri(), ""));
        let path = path.strip_prefix("http://s3.test/").expect("path-style").trim_end_matches('/').to_owned();
        let query: BTreeMap<&str, &str> =
            query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect();
        let copied = request.headers().get("x-amz-copy-source").map(str::to_owned);
        let method = request.method().to_owned();
        if method == "GET" || method == "HEAD" {
            return self.read(&path, method == "HEAD", request.headers().get("range"));
        }
        self.writes.push((method.clone(), path.clone(), copied.is_some()));
        if self.read_only {
            return error(503, "SlowDown");
        }
        let upload = query.get("uploadId").map(|id| (*id).to_owned());
        let content_type = request.headers().get("content-type").unwrap_or_default().to_owned();
        let body = request.body().bytes().expect("in memory").to_vec();
        match (method.as_str(), upload, query.get("partNumber")) {
            ("PUT", Some(upload), Some(number)) => {
                if copied.is_some() && self.without_part_copy {
                    return error(501, "NotImplemented");
                }
                let part = copied.map_or(body, |source| {
                    let range = request.headers().get("x-amz-copy-source-range").expect("a range");
                    slice(&self.objects[&source].bytes, range).expect("a range of the source")
                });
                let number = number.parse().expect("a part number");
                self.uploads.get_mut(&upload).expect("an open upload").insert(number, part);
                tagged("<CopyPartResult><ETag>\"part\"</ETag></CopyPartResult>", "part")
            }
            ("PUT", None, None) => {
                let bytes = copied.map_or(body, |source| self.objects[&source].bytes.clone());
                self.store(path, bytes, &content_type)
            }
            ("POST", None, None) => {
                let id = format!("upload{}", self.writes.len());
                self.uploads.insert(id.clone(), BTreeMap::new());
                self.types.insert(id.clone(), content_type);
                let xml =
                    format!("<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>");
                respond(200, xml.into_bytes())
            }
            ("POST", Some(upload), None) => self.complete(path, &upload, &String::from_utf8_lossy(&body)),
            ("DELETE", Some(upload), None) => {
                self.uploads.remove(&upload);
                respond(204, Vec::new())
            }
            ("DELETE", None, None) => {
                self.objects.remove(&path);
                respond(204, Vec::new())
            }
            other => panic!("no such operation: {other:?}"),
        }
    }

    fn read(&mut self, path: &str, head: bool, range: Option<&str>) -> HttpResponse {
        let Some(object) = self.objects.get(path) else {
            // A response to HEAD has no body.
            return if head { respond(404, Vec::new()) } else { error(404, "NoSuchKey") };
        };
        let Some(bytes) = range.map_or(Some(object.bytes.clone()), |range| slice(&object.bytes, range)) else {
            return error(416, "InvalidRange");
        };
        let length = bytes.len().to_string();
        self.bytes_read += if head { 0 } else { bytes.len() };
        let mut response = respond(if range.is_some() { 206 } else { 200 }, if head { Vec::new() } else { bytes });
        response.headers_mut().insert("content-length", length);
        response.headers_mut().insert("content-type", object.content_type.clone());
        response.headers_mut().insert("etag", format!("\"{}\"", object.etag));
        response
    }

    fn complete(&mut self, path: String, upload: &str, body: &str) -> HttpResponse {
        let parts = self.uploads.remove(upload).expect("an open upload");
        let all_but_last = parts.len().saturating_sub(1);
        if parts.values().take(all_but_last).any(|part| part.len() < LEAST_PART) {
            return error(400, "EntityTooSmall");
        }
        assert_eq!(body.matches("<PartNumber>").count(), parts.len(), "{body}");
        assert!(parts.keys().copied().eq(1..=u32::try_from(parts.len()).expect("few parts")), "numbers without gaps");
        let content_type = self.types.remove(upload).unwrap_or_default();
        self.store(path, parts.into_values().flatten().collect(), &content_type);
        respond(200, b"<CompleteMultipartUploadResult></CompleteMultipartUploadResult>".to_vec())
    }

    fn store(&mut self, path: String, bytes: Vec<u8>, content_type: &str) -> HttpResponse {
        let object = Object::new(bytes, content_type);
        let etag = object.etag.clone();
        self.objects.insert(path, object);
        tagged("<CopyObjectResult></CopyObjectResult>", &etag)
    }
}

/// Returns the range `bytes=first-last`.
fn slice(bytes: &[u8], range: &str) -> Option<Vec<u8>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
    let end = bytes.len().min(last.checked_add(1)?);
    bytes.get(first..end).filter(|bytes| !bytes.is_empty()).map(<[u8]>::to_vec)
}

fn respond(status: u16, body: Vec<u8>) -> HttpResponse {
    HttpResponse::new(StatusCode::try_from(status).expect("a status"), SdkBody::from(body))
}

fn tagged(xml: &str, etag: &str) -> HttpResponse {
    let mut response = respond(200, xml.as_bytes().to_vec());
    response.headers_mut().insert("etag", format!("\"{etag}\""));
    response
}

fn error(status: u16, code: &str) -> HttpResponse {
    respond(status, format!("<Error><Code>{code}</Code><Message>no</Message></Error>").into_bytes())
}
