//! Objects: writing, reading and deleting them.

use std::time::Duration;

use super::{
    request::{Target, content},
    state::{Bucket, Content, Version},
};
use crate::{
    account::Account,
    wire::{Call, Element, Handled, Node, Refusal, Reply},
};

/// How long a write is in flight for others: one that comes sooner after it may be refused with 409 instead of 412.
const IN_FLIGHT: Duration = Duration::from_millis(50);
/// How often such a write is refused with 409.
const CONFLICT: f64 = 0.5;

/// S3 API reference, `PutObject`.
pub(super) fn put(account: &mut Account, call: &Call, target: &Target) -> Handled {
    let now = account.now();
    let Account { buckets, chance, .. } = account;
    let bucket = buckets.get_mut(&target.bucket).ok_or_else(super::no_such_bucket)?;
    if let Some(refusal) = refusal(bucket, call, &target.key) {
        // "If a conflicting operation occurs during the upload S3 returns a 409 ConditionalRequestConflict response" (S3 API reference,
        // `PutObject`, `If-Match` and `If-None-Match`).
        let last = bucket.versions(&target.key).last();
        let is_racing = last.is_some_and(|last| now.since(last.written) < IN_FLIGHT);
        return Err(if is_racing && chance.happens(CONFLICT) { conflict() } else { refusal });
    }
    let is_deleted = |last: &Version| last.content.is_none() && now.since(last.written) < IN_FLIGHT;
    // "You can also receive a 409 Conflict response in the case of concurrent requests if a delete request to an object succeeds before a
    // conditional write operation on that object completes" (S3 user guide, "How to prevent object overwrites with conditional writes").
    if call.header("if-none-match").is_some()
        && bucket.versions(&target.key).last().is_some_and(is_deleted)
        && chance.happens(CONFLICT)
    {
        return Err(conflict());
    }
    let is_kept = |name: &str| {
        matches!(name, "content-type" | "cache-control" | "content-disposition") || name.starts_with("x-amz-meta-")
    };
    let headers = call.headers.iter().filter(|(name, _)| is_kept(name));
    let headers = headers.map(|(name, value)| (name.clone(), value.clone())).collect();
    let content = Content::new(&content(call), headers);
    let reply = Reply::empty(200).header("etag", content.tag.clone());
    let version = bucket.put(&target.key, content, now, chance);
    Ok(with_version(reply, &version))
}

fn conflict() -> Refusal {
    let message = "The conditional request cannot succeed due to a conflicting operation against this resource.";
    Refusal::new(409, "ConditionalRequestConflict", message)
}

/// The refusal of a conditional write whose condition is not met (S3 user guide, "How to prevent object overwrites with conditional writes"). A
/// delete marker counts as no object.
fn refusal(bucket: &Bucket, call: &Call, key: &str) -> Option<Refusal> {
    let current = bucket.current(key);
    let failed = || {
        let message = "At least one of the pre-conditions you specified did not hold";
        Refusal::new(412, "PreconditionFailed", message)
    };
    if call.header("if-none-match").is_some() && current.is_some() {
        return Some(failed());
    }
    match (call.header("if-match"), current) {
        (Some(_), None) => Some(no_such_key()),
        (Some(tag), Some((_, content))) => (!is_tag(tag, &content.tag)).then(failed),
        (None, _) => None,
    }
}

fn is_tag(wanted: &str, tag: &str) -> bool {
    wanted.trim_matches('"') == tag.trim_matches('"')
}

fn no_such_key() -> Refusal {
    Refusal::new(404, "NoSuchKey", "The specified key does not exist.")
}

/// Buckets that have never kept versions have no version IDs in their responses.
fn with_version(reply: Reply, version: &str) -> Reply {
    if version == "null" { reply } else { reply.header("x-amz-version-id", version) }
}

fn find<'a>(account: &'a Account, call: &Call, target: &Target) -> Result<(&'a Version, &'a Content), Refusal> {
    let bucket = account.buckets.get(&target.bucket).ok_or_else(super::no_such_bucket)?;
    let Some(id) = call.query("versionId") else { return bucket.current(&target.key).ok_or_else(no_such_key) };
    let version = bucket.versions(&target.key).iter().find(|version| version.id == id);
    let version = version.ok_or_else(|| Refusal::new(404, "NoSuchVersion", "The specified version does not exist."))?;
    let content = version.content.as_ref();
    let content = content.ok_or_else(|| {
        let message = "The specified method is not allowed against this resource.";
        Refusal::new(405, "MethodNotAllowed", message)
    })?;
    Ok((version, content))
}

fn reply((version, content): (&Version, &Content)) -> Reply {
    let headers = content.headers.clone();
    let reply = Reply { headers, ..Reply::empty(200) };
    let reply = reply.header("etag", content.tag.clone()).header("last-modified", version.written.http_date());
    with_version(reply.header("content-length", content.body.len().to_string()), &version.id)
}

/// S3 API reference, `GetObject`.
pub(super) fn get(account: &Account, call: &Call, target: &Target) -> Handled {
    let found = find(account, call, target)?;
    Ok(Reply { body: found.1.body.to_vec(), ..reply(found) })
}

/// S3 API reference, `HeadObject`: an error has no body.
pub(super) fn head(account: &Account, call: &Call, target: &Target) -> Reply {
    match find(account, call, target) {
        Ok(found) => reply(found),
        Err(refusal) => Reply::empty(refusal.status),
    }
}

/// S3 API reference, `DeleteObject`: an object that does not exist is deleted.
pub(super) fn delete(account: &mut Account, call: &Call, target: &Target) -> Handled {
    let deleted = delete_one(account, &target.bucket, &target.key, call.query("versionId"))?;
    let reply =
        if deleted.is_marker { Reply::empty(204).header("x-amz-delete-marker", "true") } else { Reply::empty(204) };
    Ok(deleted.version.iter().fold(reply, |reply, version| with_version(reply, version)))
}

/// What a deletion did: the version that it deleted or, as a delete marker, created.
#[derive(Debug, Default)]
struct Deleted {
    version: Option<String>,
    is_marker: bool,
}

fn delete_one(account: &mut Account, bucket: &str, key: &str, version: Option<&str>) -> Result<Deleted, Refusal> {
    let now = account.now();
    let Account { buckets, chance, .. } = account;
    let bucket = buckets.get_mut(bucket).ok_or_else(super::no_such_bucket)?;
    if bucket.undeletable.contains(key) {
        return Err(Refusal::new(403, "AccessDenied", "Access Denied"));
    }
    Ok(match version {
        Some(version) => {
            let is_marker = bucket.delete_version(key, version).unwrap_or(false);
            Deleted { version: Some(version.to_owned()), is_marker }
        }
        None => {
            let version = bucket.delete(key, now, chance);
            Deleted { is_marker: version.is_some(), version }
        }
    })
}

/// S3 API reference, `DeleteObjects`: at most 1,000 keys, each with its own result; a quiet response only has the errors.
pub(super) fn delete_all(account: &mut Account, call: &Call, target: &Target) -> Handled {
    let body = content(call);
    let malformed = || {
        let message = "The XML you provided was not well-formed or did not validate against our published schema";
        Refusal::bad_request("MalformedXML", message)
    };
    let delete = Node::parse(&body).ok_or_else(malformed)?;
    let is_quiet = delete.text_of("Quiet") == Some("true");
    let objects: Vec<_> = delete.all("Object").collect();
    if objects.is_empty() || objects.len() > 1000 {
        return Err(malformed());
    }
    let mut result = Element::new("DeleteResult");
    for object in objects {
        let (key, version) = (object.text_of("Key").unwrap_or_default(), object.text_of("VersionId"));
        match delete_one(account, &target.bucket, key, version) {
            Ok(_) if is_quiet => {}
            Ok(deleted) => {
                let marker = deleted.version.as_ref().filter(|_| deleted.is_marker);
                let element = Element::new("Deleted").with(Element::text("Key", key)).with_text("VersionId", version);
                let element = element.with_text("DeleteMarker", marker.map(|_| "true"));
                result = result.with(element.with_text("DeleteMarkerVersionId", marker));
            }
            Err(Refusal { code, message, .. }) => {
                let element = Element::new("Error").with(Element::text("Key", key)).with_text("VersionId", version);
                result = result.with(element.with(Element::text("Code", code)).with(Element::text("Message", message)));
            }
        }
    }
    Ok(Reply::xml(200, &result))
}
