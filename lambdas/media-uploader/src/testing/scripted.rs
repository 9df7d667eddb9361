//! A scripted AWS behind the SDK's HTTP client: a list of rules, each with a response. The first matching rule answers
//! a request and records it. A request without a rule fails the test.
//!
//! Requests and responses have the form of S3's and Lambda's API references:
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/>, <https://docs.aws.amazon.com/lambda/latest/api/>. So a test covers
//! the whole client, from its settings to its parser.

use std::{
    collections::BTreeMap,
    fmt::{self, Display, Formatter},
    sync::{Arc, Mutex},
};

use aws_config::{SdkConfig, retry::RetryConfig};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use serde::de::DeserializeOwned;
use serde_json::json;

const ENDPOINT: &str = "http://aws.test";
/// When every object was written, in seconds since 1970.
pub(crate) const MODIFIED: i64 = 1_445_412_480;

/// A handle to the AWS of a test.
#[derive(Debug, Clone)]
pub(crate) struct ScriptedAws(Arc<[Rule]>);

/// A request that AWS received. Path and query are decoded; names of headers are in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// With a leading slash. S3's begins with the bucket.
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// An expected request and its response. Clones share their recorded requests.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    method: &'static str,
    /// One `*` stands for any text.
    path: String,
    /// The whole query, which distinguishes S3's operations.
    query: BTreeMap<String, String>,
    /// Required headers. A request may have others.
    headers: BTreeMap<String, String>,
    /// Whether a second request does not match.
    once: bool,
    reply: Reply,
    requests: Arc<Mutex<Vec<Request>>>,
}

/// A response of AWS.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    status: u16,
    headers: BTreeMap<&'static str, String>,
    body: Vec<u8>,
}

impl ScriptedAws {
    pub(crate) fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self(rules.into_iter().collect())
    }

    /// Returns a client with the functions' settings.
    pub(crate) fn s3(&self) -> aws_sdk_s3::Client {
        crate::storage::client(&self.configuration())
    }

    /// Returns a client with the functions' settings.
    pub(crate) fn lambda(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(&self.configuration())
    }

    fn configuration(&self) -> SdkConfig {
        super::aws()
            .into_builder()
            .endpoint_url(ENDPOINT)
            .http_client(self.clone())
            .retry_config(RetryConfig::disabled())
            .build()
    }
}

impl HttpClient for ScriptedAws {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for ScriptedAws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let request = Request::read(&request);
        let Some(rule) = self.0.iter().find(|rule| rule.matches(&request)) else {
            let rules: Vec<String> = self.0.iter().map(ToString::to_string).collect();
            panic!("no rule expects {request}\nThe rules are:\n{}", rules.join("\n"));
        };
        let reply = rule.reply.response(&request.method);
        rule.requests.lock().expect("no panic").push(request);
        HttpConnectorFuture::ready(Ok(reply))
    }
}

impl Request {
    fn read(request: &HttpRequest) -> Self {
        let uri = request.uri().strip_prefix(ENDPOINT).expect("a request to the endpoint");
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Self {
            method: request.method().to_owned(),
            path: decode(path),
            query: pairs.map(|(name, value)| (decode(name), decode(value))).collect(),
            headers: request.headers().iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            body: request.body().bytes().expect("a body in memory").to_vec(),
        }
    }

    /// Returns the body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    /// Parses the body as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).expect("JSON of the expected form")
    }
}

/// Decodes the escapes of a URI: <https://www.rfc-editor.org/rfc/rfc3986#section-2.1>.
fn decode(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at(2);
        bytes.extend(hex::decode(digits).expect("an escape"));
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).expect("UTF-8")
}

impl Display for Request {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let mut headers = self.headers.clone();
        headers.remove("authorization");
        line(formatter, &self.method, &self.path, &self.query, &headers)
    }
}

impl Display for Rule {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        line(formatter, self.method, &self.path, &self.query, &self.headers)
    }
}

fn line(
    formatter: &mut Formatter<'_>,
    method: &str,
    path: &str,
    query: &BTreeMap<String, String>,
    headers: &BTreeMap<String, String>,
) -> fmt::Result {
    write!(formatter, "{method} {path} with query {query:?} and headers {headers:?}")
}

impl Rule {
    fn new(method: &'static str, path: &str, query: &[(&str, &str)], reply: Reply) -> Self {
        let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (path, headers, requests) = (path.to_owned(), BTreeMap::new(), Arc::default());
        Self { method, path, query, headers, once: false, reply, requests }
    }

    /// Expects `GetObject` of `/bucket/key`.
    pub(crate) fn get_object(path: &str, reply: Reply) -> Self {
        Self::new("GET", path, &[("x-id", "GetObject")], reply)
    }

    /// Expects `HeadObject` of `/bucket/key`.
    pub(crate) fn head_object(path: &str, reply: Reply) -> Self {
        Self::new("HEAD", path, &[], reply)
    }

    /// Expects `PutObject` of `/bucket/key`, which succeeds.
    pub(crate) fn put_object(path: &str) -> Self {
        Self::put_object_answered(path, Reply::new(200).header("etag", "\"etag\""))
    }

    /// Expects `PutObject` of `/bucket/key`.
    pub(crate) fn put_object_answered(path: &str, reply: Reply) -> Self {
        Self::new("PUT", path, &[("x-id", "PutObject")], reply)
    }

    /// Expects `DeleteObject` of `/bucket/key`, which succeeds.
    pub(crate) fn delete_object(path: &str) -> Self {
        Self::new("DELETE", path, &[("x-id", "DeleteObject")], Reply::new(204))
    }

    /// Expects `DeleteObject` of a version of `/bucket/key`, which succeeds.
    pub(crate) fn delete_version(path: &str, version: &str) -> Self {
        Self::new("DELETE", path, &[("versionId", version), ("x-id", "DeleteObject")], Reply::new(204))
    }

    /// Expects `ListObjectVersions` of a bucket with this query.
    pub(crate) fn list_versions(bucket: &str, query: &[(&str, &str)], reply: Reply) -> Self {
        let query = [query, &[("encoding-type", "url"), ("versions", "")]].concat();
        Self::new("GET", &format!("/{bucket}*"), &query, reply)
    }

    /// Expects `ListMultipartUploads` of a bucket and a prefix.
    pub(crate) fn list_uploads(bucket: &str, prefix: &str, reply: Reply) -> Self {
        let query = [("encoding-type", "url"), ("prefix", prefix), ("uploads", "")];
        Self::new("GET", &format!("/{bucket}*"), &query, reply)
    }

    /// Expects `CreateMultipartUpload` of `/bucket/key`.
    pub(crate) fn create_multipart_upload(path: &str, reply: Reply) -> Self {
        Self::new("POST", path, &[("uploads", "")], reply)
    }

    /// Expects `CompleteMultipartUpload` of `/bucket/key`.
    pub(crate) fn complete_multipart_upload(path: &str, upload_id: &str, reply: Reply) -> Self {
        Self::new("POST", path, &[("uploadId", upload_id)], reply)
    }

    /// Expects `AbortMultipartUpload` of `/bucket/key`.
    pub(crate) fn abort_multipart_upload(path: &str, upload_id: &str, reply: Reply) -> Self {
        Self::new("DELETE", path, &[("uploadId", upload_id), ("x-id", "AbortMultipartUpload")], reply)
    }

    /// Expects Lambda's `Invoke` with invocation type `Event`:
    /// <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>.
    pub(crate) fn invoke_async(function: &str, reply: Reply) -> Self {
        let path = format!("/2015-03-31/functions/{function}/invocations");
        Self::new("POST", &path, &[], reply).header("x-amz-invocation-type", "Event")
    }

    /// Requires a header; `name` is in lower case.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Expects at most one request.
    pub(crate) fn once(self) -> Self {
        Self { once: true, ..self }
    }

    fn matches(&self, request: &Request) -> bool {
        let path = match self.path.split_once('*') {
            Some((start, end)) => request.path.strip_prefix(start).is_some_and(|rest| rest.ends_with(end)),
            None => request.path == self.path,
        };
        let open = !self.once || self.calls() == 0;
        path && open
            && request.method == self.method
            && request.query == self.query
            && self.headers.iter().all(|(name, value)| request.headers.get(name) == Some(value))
    }

    /// Returns the requests that this rule answered.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no panic").clone()
    }

    /// Returns the number of requests that this rule answered.
    pub(crate) fn calls(&self) -> usize {
        self.requests().len()
    }
}

impl Reply {
    fn new(status: u16) -> Self {
        Self { status, headers: BTreeMap::new(), body: Vec::new() }
    }

    /// An object, by default with S3's default content type.
    pub(crate) fn object(bytes: impl Into<Vec<u8>>) -> Self {
        let reply = Self { body: bytes.into(), ..Self::new(200) };
        let reply = reply.header("content-type", "binary/octet-stream").header("etag", "\"etag\"");
        reply.header("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT")
    }

    /// A page of `ListObjectVersions`: the sizes of versions, and the encoded key and the version that the next page follows.
    pub(crate) fn versions(sizes: &[u64], next: Option<(&str, &str)>) -> Self {
        let version = |size| {
            format!(
                "<Version><Key>k</Key><VersionId>v</VersionId><Size>{size}</Size>\
                 <LastModified>2015-10-21T07:28:00.000Z</LastModified></Version>"
            )
        };
        let versions: String = sizes.iter().map(version).collect();
        let next = next.map_or("<IsTruncated>false</IsTruncated>".to_owned(), |(key, version)| {
            format!(
                "<IsTruncated>true</IsTruncated><NextKeyMarker>{key}</NextKeyMarker>\
                 <NextVersionIdMarker>{version}</NextVersionIdMarker>"
            )
        });
        Self::document("ListVersionsResult", &format!("{next}{versions}"))
    }

    /// A page of `ListMultipartUploads` with this many open uploads.
    pub(crate) fn uploads(open: usize) -> Self {
        let uploads = "<Upload><Key>k</Key><UploadId>id</UploadId></Upload>".repeat(open);
        Self::document("ListMultipartUploadsResult", &format!("<IsTruncated>false</IsTruncated>{uploads}"))
    }

    /// A successful response of S3 about a multipart upload: `element` with the one child that the functions read.
    pub(crate) fn xml(element: &str, child: &str, value: &str) -> Self {
        Self::document(element, &format!("<{child}>{value}</{child}>"))
    }

    fn document(element: &str, content: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{element} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             {content}</{element}>"
        );
        Self { body: body.into_bytes(), ..Self::new(200) }.header("content-type", "application/xml")
    }

    /// An error of S3: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.
    pub(crate) fn s3_error(status: u16, code: &str, message: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
             <RequestId>4442587FB7D0A2F9</RequestId></Error>"
        );
        Self { body: body.into_bytes(), ..Self::new(status) }.header("content-type", "application/xml")
    }

    /// S3's response about a missing object.
    pub(crate) fn no_such_key() -> Self {
        Self::s3_error(404, "NoSuchKey", "The specified key does not exist.")
    }

    /// S3's response about an object that exists although it must not.
    pub(crate) fn precondition_failed() -> Self {
        Self::s3_error(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
    }

    /// S3's response about a multipart upload that was completed, aborted or never started.
    pub(crate) fn no_such_upload() -> Self {
        Self::s3_error(404, "NoSuchUpload", "The specified multipart upload does not exist.")
    }

    /// A successful response without a body.
    pub(crate) fn no_content() -> Self {
        Self::new(204)
    }

    /// Lambda's response to an asynchronous invocation.
    pub(crate) fn accepted() -> Self {
        Self::new(202)
    }

    /// An error of Lambda: <https://docs.aws.amazon.com/lambda/latest/api/CommonErrors.html>, in the form of
    /// <https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html#operation-error-serialization>.
    pub(crate) fn lambda_error(status: u16, code: &str, message: &str) -> Self {
        let body = json!({"Message": message}).to_string().into_bytes();
        Self { body, ..Self::new(status) }.header("content-type", "application/json").header("x-amzn-errortype", code)
    }

    /// Sets a header; `name` is in lower case.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.to_owned());
        self
    }

    fn response(&self, method: &str) -> HttpResponse {
        // A response to HEAD has the headers of one to GET, but no body.
        let body = if method == "HEAD" { Vec::new() } else { self.body.clone() };
        let status = StatusCode::try_from(self.status).expect("a status");
        let mut response = HttpResponse::new(status, SdkBody::from(body));
        response.headers_mut().insert("content-length", self.body.len().to_string());
        for (name, value) in &self.headers {
            response.headers_mut().insert(*name, value.clone());
        }
        response
    }
}

#[cfg(test)]
mod tests;
