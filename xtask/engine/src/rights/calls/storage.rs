//! Calls of S3: methods and paths, with the bucket in the path, as an emulator requires.
//!
//! The permissions are those of the S3 user guide, "Required permissions for Amazon S3 API operations".

use model::statements::Request;
use url::Url;

use super::{Call, decoded, query};

/// Returns the requests of a call; `None` where it is not known.
pub(super) fn requests(call: &Call, uri: &Url) -> Option<Vec<Request>> {
    let path = decoded(uri.path().trim_start_matches('/'));
    let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
    match (bucket, key) {
        ("", _) => (call.method == "GET").then(|| vec![Request::new("s3:ListAllMyBuckets", "*")]),
        (bucket, "") => of_bucket(call, uri, &format!("arn:aws:s3:::{bucket}")),
        (bucket, key) => of_object(call, uri, &format!("arn:aws:s3:::{bucket}"), key),
    }
}

fn of_bucket(call: &Call, uri: &Url, bucket: &str) -> Option<Vec<Request>> {
    let has = |name: &str| query(uri, name).is_some();
    let one = |action: &str| Some(vec![Request::new(format!("s3:{action}"), bucket)]);
    match call.method.as_str() {
        "HEAD" => one("ListBucket"),
        "GET" if has("uploads") => one("ListBucketMultipartUploads"),
        "GET" if has("location") => one("GetBucketLocation"),
        "GET" if has("versions") => Some(vec![listed("s3:ListBucketVersions", uri, bucket)]),
        // A subresource is a parameter without a value, which a listing has none of.
        "GET" if uri.query_pairs().all(|(name, value)| !value.is_empty() || name == "prefix") => {
            Some(vec![listed("s3:ListBucket", uri, bucket)])
        }
        "POST" if has("delete") => Some(deleted(&call.body, bucket)),
        _ => None,
    }
}

fn listed(action: &str, uri: &Url, bucket: &str) -> Request {
    ["prefix", "delimiter", "max-keys"].into_iter().fold(Request::new(action, bucket), |request, name| {
        let key = format!("s3:{name}");
        match query(uri, name) {
            Some(value) => request.with(&key, value),
            None => request.knowing(&key),
        }
    })
}

fn of_object(call: &Call, uri: &Url, bucket: &str, key: &str) -> Option<Vec<Request>> {
    let has = |name: &str| query(uri, name).is_some();
    let object = |action: &str| Request::new(format!("s3:{action}"), format!("{bucket}/{key}"));
    let is_known =
        !["acl", "attributes", "legal-hold", "restore", "retention", "select", "torrent"].into_iter().any(has);
    if !is_known || call.headers.contains_key("x-amz-acl") {
        return None;
    }
    let method = call.method.as_str();
    let mut needed = match method {
        "GET" if has("uploadId") => vec![object("ListMultipartUploadParts")],
        "GET" if has("tagging") => vec![object("GetObjectTagging")],
        "GET" | "HEAD" if has("versionId") => vec![object("GetObjectVersion")],
        "GET" | "HEAD" => vec![object("GetObject")],
        "PUT" if has("tagging") => vec![object("PutObjectTagging")],
        "PUT" => vec![object("PutObject")],
        "POST" if has("uploads") || has("uploadId") => vec![object("PutObject")],
        "DELETE" if has("uploadId") => vec![object("AbortMultipartUpload")],
        "DELETE" if has("tagging") => vec![object("DeleteObjectTagging")],
        "DELETE" if has("versionId") => vec![object("DeleteObjectVersion")],
        "DELETE" => vec![object("DeleteObject")],
        _ => return None,
    };
    if call.headers.contains_key("x-amz-tagging") {
        needed.push(object("PutObjectTagging"));
    }
    if let Some(source) = call.headers.get("x-amz-copy-source") {
        let source = decoded(source.trim_start_matches('/'));
        needed.push(Request::new("s3:GetObject", format!("arn:aws:s3:::{source}")));
    }
    // Without permission to list, a missing object is 403 and not 404 (S3 API reference, `GetObject`). The key counts as the prefix that
    // is listed, as Ceph found when it followed AWS: https://github.com/ceph/ceph/pull/68577
    let is_reading = matches!(method, "GET" | "HEAD") && !has("uploadId") && !has("tagging");
    if is_reading && call.status == 404 {
        let list = Request::new("s3:ListBucket", bucket).with("s3:prefix", key);
        needed.push(list.knowing("s3:delimiter").knowing("s3:max-keys"));
    }
    Some(needed)
}

/// The objects that one call deletes (S3 API reference, `DeleteObjects`).
fn deleted(body: &[u8], bucket: &str) -> Vec<Request> {
    let text = String::from_utf8_lossy(body).into_owned();
    let keys = text.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
    let plain = |key: &str| {
        let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
        entities.iter().fold(key.to_owned(), |key, (entity, letter)| key.replace(entity, letter))
    };
    keys.map(|(key, _)| Request::new("s3:DeleteObject", format!("{bucket}/{}", plain(key)))).collect()
}
