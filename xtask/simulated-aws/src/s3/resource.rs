//! `AWS::S3::Bucket`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::state::{Bucket, Versioning};
use crate::{
    account::Account,
    resources::{Provided, Provider, Wanted},
};

/// The type.
pub(crate) const TYPE: &str = "AWS::S3::Bucket";
/// S3's reason to keep a bucket (S3 API reference, "List of error codes": `BucketNotEmpty`).
pub(super) const NOT_EMPTY: &str = "The bucket you tried to delete is not empty";

/// Creates, updates and deletes buckets.
pub(crate) const BUCKET: Provider = Provider { create, update, delete };

fn create(account: &mut Account, wanted: Wanted<'_>) -> Result<Provided, String> {
    let name = match wanted.properties["BucketName"].as_str() {
        Some(name) => name.to_owned(),
        // Names of buckets are in lower case (S3 user guide, "General purpose bucket naming rules").
        None => account.physical_id(wanted.stack, wanted.logical_id).to_lowercase(),
    };
    // The event names the bucket, of either owner (AWS re:Post, "How do I resolve the S3 bucket already exists error in CloudFormation?").
    if account.buckets.get(&name).is_some() {
        return Err(format!("{name} already exists"));
    }
    let bucket = Bucket::new(wanted.region, &account.id);
    account.buckets.insert(&name, configured(bucket, wanted.properties));
    account.record_creation(wanted.region, TYPE, &name);
    Ok(provided(&name, wanted))
}

fn update(account: &mut Account, name: &str, wanted: Wanted<'_>) -> Result<Provided, String> {
    let bucket = account.buckets.get_mut(name).ok_or_else(|| format!("Bucket {name} does not exist"))?;
    *bucket = configured(std::mem::take(bucket), wanted.properties);
    Ok(provided(name, wanted))
}

fn delete(account: &mut Account, name: &str, wanted: Wanted<'_>) -> Result<(), String> {
    let Some(bucket) = account.buckets.get(name) else { return Ok(()) };
    if !bucket.is_empty() {
        return Err(format!("{NOT_EMPTY} (Service: Amazon S3; Status Code: 409; Error Code: BucketNotEmpty)"));
    }
    account.buckets.remove(name);
    account.record_deletion(wanted.region, TYPE, name);
    Ok(())
}

/// The bucket with the properties of a template. Versioning cannot be turned off, only suspended (S3 user guide, "Using versioning in S3
/// buckets").
fn configured(mut bucket: Bucket, properties: &Value) -> Bucket {
    bucket.versioning = match properties["VersioningConfiguration"]["Status"].as_str() {
        Some("Enabled") => Versioning::Enabled,
        _ if bucket.versioning == Versioning::Off => Versioning::Off,
        _ => Versioning::Suspended,
    };
    bucket.tags = tags(&properties["Tags"]);
    bucket
}

/// CloudFormation template reference, `AWS::S3::Bucket`: return values.
fn provided(name: &str, wanted: Wanted<'_>) -> Provided {
    let region = wanted.region;
    let attributes = [
        ("Arn", format!("arn:aws:s3:::{name}")),
        ("DomainName", format!("{name}.s3.amazonaws.com")),
        ("RegionalDomainName", format!("{name}.s3.{region}.amazonaws.com")),
        ("DualStackDomainName", format!("{name}.s3.dualstack.{region}.amazonaws.com")),
        ("WebsiteURL", format!("http://{name}.s3-website-{region}.amazonaws.com")),
    ];
    let attributes: BTreeMap<_, _> = attributes.map(|(name, value)| (name.to_owned(), json!(value))).into();
    Provided { physical_id: name.to_owned(), attributes }
}

/// The tags of a template: a list of keys and values.
fn tags(value: &Value) -> BTreeMap<String, String> {
    let text = |tag: &Value, name: &str| tag[name].as_str().map(str::to_owned);
    let tags = value.as_array().into_iter().flatten();
    tags.filter_map(|tag| Some((text(tag, "Key")?, text(tag, "Value")?))).collect()
}
