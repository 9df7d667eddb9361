//! S3: buckets and objects, with conditional writes and versions. Reads show every earlier write (S3 user guide, "Amazon S3 data
//! consistency model").
//!
//! `request` finds the bucket and the key of a call, `objects` and `listings` are the operations, `resource` is the bucket of a template.

mod listings;
mod objects;
mod request;
pub(crate) mod resource;
mod state;
#[cfg(test)]
mod tests;

use self::request::Target;
pub use self::state::{Bucket, Buckets, Content, Version, Versioning};
use crate::{
    account::Account,
    wire::{Call, Element, Handled, Refusal, Reply},
};

/// Returns the current content of an object.
#[must_use]
pub fn object(account: &Account, bucket: &str, key: &str) -> Option<Vec<u8>> {
    account.buckets.get(bucket)?.current(key).map(|(_, content)| content.body.to_vec())
}

/// Carries out a call.
pub(crate) fn handle(account: &mut Account, call: &Call) -> Handled {
    let target = Target::of(call);
    match check(account, call, &target) {
        // A response to HEAD has no body, so the SDK only sees the status (S3 API reference, `HeadObject`).
        Err(refusal) if call.method == "HEAD" => Ok(Reply::empty(refusal.status)),
        Err(refusal) => Err(refusal),
        Ok(()) => route(account, call, &target),
    }
}

fn route(account: &mut Account, call: &Call, target: &Target) -> Handled {
    let has = |name| call.query(name).is_some();
    match (call.method.as_str(), target.key.is_empty()) {
        ("GET", true) if has("tagging") => tagging(account, target),
        ("GET", true) if has("versions") => listings::versions(account, call, target),
        ("GET", true) if call.query("list-type") == Some("2") => listings::objects(account, call, target),
        ("HEAD", true) => Ok(Reply::empty(200)),
        ("POST", true) if has("delete") => objects::delete_all(account, call, target),
        ("DELETE", true) if call.query.iter().all(|(name, _)| name == "x-id") => delete_bucket(account, target),
        ("GET", false) if !has("tagging") => objects::get(account, call, target),
        ("HEAD", false) => Ok(objects::head(account, call, target)),
        ("PUT", false) if !has("uploadId") && call.header("x-amz-copy-source").is_none() => {
            objects::put(account, call, target)
        }
        ("DELETE", false) if !has("uploadId") => objects::delete(account, call, target),
        _ => Err(Refusal::unknown(call)),
    }
}

/// What every operation checks: that the bucket exists, in this region, and belongs to the caller and to the expected owner.
fn check(account: &Account, call: &Call, target: &Target) -> Result<(), Refusal> {
    let Some(bucket) = account.buckets.get(&target.bucket) else { return Err(no_such_bucket()) };
    // S3 user guide, "Verifying bucket ownership with bucket owner condition"; without a policy, no other account has access.
    let expected = call.header("x-amz-expected-bucket-owner");
    if bucket.owner != account.id || expected.is_some_and(|expected| expected != bucket.owner) {
        return Err(Refusal::new(403, "AccessDenied", "Access Denied"));
    }
    // S3 API reference, "List of error codes": `PermanentRedirect`.
    if bucket.region != call.region {
        let message = "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future \
                       requests to this endpoint.";
        return Err(Refusal::new(301, "PermanentRedirect", message));
    }
    Ok(())
}

fn no_such_bucket() -> Refusal {
    Refusal::new(404, "NoSuchBucket", "The specified bucket does not exist")
}

/// S3 API reference, `GetBucketTagging`.
fn tagging(account: &Account, target: &Target) -> Handled {
    let tags = account.buckets.get(&target.bucket).map(|bucket| &bucket.tags);
    let Some(tags) = tags.filter(|tags| !tags.is_empty()) else {
        return Err(Refusal::new(404, "NoSuchTagSet", "The TagSet does not exist"));
    };
    let tags = tags
        .iter()
        .map(|(key, value)| Element::new("Tag").with(Element::text("Key", key)).with(Element::text("Value", value)));
    Ok(Reply::xml(200, &Element::new("Tagging").with(Element::new("TagSet").with_all(tags))))
}

/// S3 API reference, `DeleteBucket`: all objects, versions and delete markers must be deleted first.
fn delete_bucket(account: &mut Account, target: &Target) -> Handled {
    let bucket = account.buckets.get(&target.bucket).ok_or_else(no_such_bucket)?;
    if !bucket.is_empty() {
        return Err(Refusal::new(409, "BucketNotEmpty", resource::NOT_EMPTY));
    }
    let region = bucket.region.clone();
    account.buckets.remove(&target.bucket);
    account.record_deletion(&region, resource::TYPE, &target.bucket);
    Ok(Reply::empty(204))
}

/// Stores an object for a test of another service. The bucket is created if it does not exist.
#[cfg(test)]
pub(crate) fn put(account: &mut Account, bucket: &str, key: &str, bytes: Vec<u8>) {
    if account.buckets.get(bucket).is_none() {
        let mut created = Bucket::default();
        (created.region, created.owner) = (account.region.clone(), account.id.clone());
        account.buckets.insert(bucket, created);
    }
    let now = account.now();
    let Account { buckets, chance, .. } = account;
    if let Some(bucket) = buckets.get_mut(bucket) {
        bucket.put(key, Content::new(&bytes, std::collections::BTreeMap::new()), now, chance);
    }
}
