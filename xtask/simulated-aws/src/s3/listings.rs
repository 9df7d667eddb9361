//! Listings, in pages.

use super::{
    request::Target,
    state::{Bucket, Content, Version},
};
use crate::{
    account::Account,
    wire::{Call, Element, Handled, Refusal, Reply},
};

/// The most entries of a page (S3 API reference, `ListObjectsV2`, `max-keys`).
const PAGE: usize = 1000;

fn bucket<'a>(account: &'a Account, target: &Target) -> Result<&'a Bucket, Refusal> {
    account.buckets.get(&target.bucket).ok_or_else(super::no_such_bucket)
}

fn page_size(call: &Call) -> usize {
    call.query("max-keys").and_then(|most| most.parse().ok()).unwrap_or(PAGE).min(PAGE)
}

/// A listing that folds keys into common prefixes is not modelled: the engine asks for none.
fn reject_delimiter(call: &Call) -> Result<(), Refusal> {
    if call.query("delimiter").is_some() { Err(Refusal::unknown(call)) } else { Ok(()) }
}

/// S3 API reference, `ListObjectsV2`. The continuation token is the last key of the page, in hexadecimal.
pub(super) fn objects(account: &Account, call: &Call, target: &Target) -> Handled {
    reject_delimiter(call)?;
    let (prefix, most) = (call.query("prefix").unwrap_or_default(), page_size(call));
    let after = match call.query("continuation-token") {
        Some(token) => Some(last_key(token)?),
        None => call.query("start-after").map(str::to_owned),
    };
    let from = after.as_deref().filter(|after| *after > prefix).unwrap_or(prefix);
    let keys = bucket(account, target)?.keys(from).take_while(|(key, _)| key.starts_with(prefix));
    let current = keys.filter_map(|(key, versions)| {
        let version = versions.last()?;
        Some((key, version, version.content.as_ref()?))
    });
    let mut current = current.filter(|(key, ..)| after.as_deref().is_none_or(|after| *key > after)).peekable();
    let page: Vec<_> = current.by_ref().take(most).collect();
    let is_truncated = current.peek().is_some();
    let token = page.last().filter(|_| is_truncated).map(|(key, ..)| hex::encode(key));
    let result = Element::new("ListBucketResult")
        .with(Element::text("Name", &target.bucket))
        .with(Element::text("Prefix", prefix))
        .with(Element::text("KeyCount", page.len()))
        .with(Element::text("MaxKeys", most))
        .with(Element::text("IsTruncated", is_truncated))
        .with_text("NextContinuationToken", token);
    let contents = page.into_iter().map(|(key, version, content)| {
        entry("Contents", key, version, Some(content)).with(Element::text("StorageClass", "STANDARD"))
    });
    Ok(Reply::xml(200, &result.with_all(contents)))
}

fn last_key(token: &str) -> Result<String, Refusal> {
    let key = hex::decode(token).ok().and_then(|key| String::from_utf8(key).ok());
    key.ok_or_else(|| Refusal::bad_request("InvalidArgument", "The continuation token provided is incorrect"))
}

fn entry(name: &str, key: &str, version: &Version, content: Option<&Content>) -> Element {
    Element::new(name)
        .with(Element::text("Key", key))
        .with(Element::text("LastModified", version.written.iso8601()))
        .with_text("ETag", content.map(|content| &content.tag))
        .with_text("Size", content.map(|content| content.body.len()))
}

/// S3 API reference, `ListObjectVersions`: by key, and for each key from its newest version to its oldest one. The next page begins after the
/// key marker and the version ID marker.
pub(super) fn versions(account: &Account, call: &Call, target: &Target) -> Handled {
    reject_delimiter(call)?;
    let (prefix, most) = (call.query("prefix").unwrap_or_default(), page_size(call));
    let marker = call.query("key-marker").unwrap_or_default();
    let version_marker = call.query("version-id-marker");
    let from = if marker > prefix { marker } else { prefix };
    let keys = bucket(account, target)?.keys(from).take_while(|(key, _)| key.starts_with(prefix));
    let rows = keys.flat_map(|(key, versions)| {
        let is_marked = !marker.is_empty() && key == marker;
        // A key marker without a version is the last key of the page before.
        let listed = match version_marker {
            Some(id) if is_marked => versions.iter().position(|version| version.id == id).unwrap_or(versions.len()),
            _ if is_marked => 0,
            _ => versions.len(),
        };
        let newest = versions.len().checked_sub(1);
        versions[..listed].iter().enumerate().rev().map(move |(at, version)| (key, version, Some(at) == newest))
    });
    let mut rows = rows.peekable();
    let page: Vec<_> = rows.by_ref().take(most).collect();
    let is_truncated = rows.peek().is_some();
    let last = page.last().filter(|_| is_truncated);
    let result = Element::new("ListVersionsResult")
        .with(Element::text("Name", &target.bucket))
        .with(Element::text("MaxKeys", most))
        .with(Element::text("IsTruncated", is_truncated))
        .with_text("NextKeyMarker", last.map(|(key, ..)| key))
        .with_text("NextVersionIdMarker", last.map(|(_, version, _)| &version.id));
    let rows = page.into_iter().map(|(key, version, is_latest)| {
        let name = if version.content.is_some() { "Version" } else { "DeleteMarker" };
        let row = entry(name, key, version, version.content.as_ref());
        row.with(Element::text("VersionId", &version.id)).with(Element::text("IsLatest", is_latest))
    });
    Ok(Reply::xml(200, &result.with_all(rows)))
}
