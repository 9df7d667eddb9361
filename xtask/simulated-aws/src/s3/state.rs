//! Buckets and their objects.
//!
//! Everything is shared until it changes: a copy of the account costs a pointer per bucket, and no body is ever copied.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use sha2::{Digest, Sha256};

use crate::{chance::Chance, shared::Shared, time::Moment};

/// All buckets by name, also those of other accounts: names are unique in a partition (S3 user guide, "General purpose bucket naming
/// rules").
#[derive(Debug, Clone, Default)]
pub struct Buckets(Shared<BTreeMap<String, Shared<Bucket>>>);

/// Whether a bucket keeps the versions of its objects (S3 user guide, "How S3 Versioning works").
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Versioning {
    /// It never has.
    #[default]
    Off,
    /// It does.
    Enabled,
    /// It has, and no longer does.
    Suspended,
}

/// A bucket.
#[derive(Debug, Clone, Default)]
pub struct Bucket {
    /// The region.
    pub region: String,
    /// The ID of the account that owns it.
    pub owner: String,
    /// Whether it keeps versions.
    pub versioning: Versioning,
    /// The tags.
    pub tags: BTreeMap<String, String>,
    /// Keys that a policy forbids to delete.
    pub undeletable: BTreeSet<String>,
    objects: BTreeMap<Arc<str>, Shared<Vec<Version>>>,
}

/// A version of an object, or the marker of its deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The ID; `null` if the bucket kept no versions when it was written.
    pub id: String,
    /// When it was written.
    pub written: Moment,
    /// The content; `None` for a delete marker.
    pub content: Option<Content>,
}

/// The content of an object, and what it is served with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The bytes.
    pub body: Arc<[u8]>,
    /// The entity tag, in quotes.
    pub tag: String,
    /// The headers that the writer set: `content-type`, `cache-control`, and `x-amz-meta-…`.
    pub headers: BTreeMap<String, String>,
}

impl Content {
    /// The content with its entity tag: half of the SHA-256. An entity tag "may or may not be an MD5 digest of the object data" (S3 API
    /// reference, `Object`).
    #[must_use]
    pub fn new(body: &[u8], headers: BTreeMap<String, String>) -> Self {
        let tag = format!("\"{}\"", hex::encode(&Sha256::digest(body)[..16]));
        Self { body: body.into(), tag, headers }
    }
}

impl Buckets {
    /// Returns a bucket.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Bucket> {
        self.0.get(name).map(|bucket| &**bucket)
    }

    /// Returns a bucket to change it.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Bucket> {
        if !self.0.contains_key(name) {
            return None;
        }
        self.0.get_mut(name).map(|bucket| &mut **bucket)
    }

    /// Adds a bucket, or replaces the one of this name.
    pub fn insert(&mut self, name: &str, bucket: Bucket) {
        self.0.insert(name.to_owned(), Shared::new(bucket));
    }

    /// Removes a bucket with all that is in it.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// All buckets, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Bucket)> {
        self.0.iter().map(|(name, bucket)| (name.as_str(), &**bucket))
    }
}

impl Bucket {
    /// An empty bucket.
    #[must_use]
    pub fn new(region: &str, owner: &str) -> Self {
        Self { region: region.to_owned(), owner: owner.to_owned(), ..Self::default() }
    }

    /// Whether the bucket has neither objects nor versions of them.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The current content of an object.
    #[must_use]
    pub fn current(&self, key: &str) -> Option<(&Version, &Content)> {
        let version = self.objects.get(key)?.last()?;
        Some((version, version.content.as_ref()?))
    }

    /// The versions of a key, oldest first.
    #[must_use]
    pub fn versions(&self, key: &str) -> &[Version] {
        self.objects.get(key).map(|versions| versions.as_slice()).unwrap_or_default()
    }

    /// All keys with their versions, oldest first, from the first key that is not less than `from`. Keys are in the order of their UTF-8 bytes
    /// (S3 API reference, `ListObjectsV2`).
    pub fn keys(&self, from: &str) -> impl Iterator<Item = (&str, &[Version])> {
        let range = (std::ops::Bound::Included(from), std::ops::Bound::Unbounded);
        self.objects.range::<str, _>(range).map(|(key, versions)| (&**key, versions.as_slice()))
    }

    /// Writes an object; returns the version's ID.
    pub fn put(&mut self, key: &str, content: Content, now: Moment, chance: &mut Chance) -> String {
        self.push(key, Some(content), now, chance)
    }

    /// Deletes the current object. A bucket with versions adds a delete marker, whose version ID is returned (S3 user guide, "Deleting object
    /// versions from a versioning-enabled bucket").
    pub fn delete(&mut self, key: &str, now: Moment, chance: &mut Chance) -> Option<String> {
        if self.versioning == Versioning::Off {
            self.objects.remove(key);
            return None;
        }
        Some(self.push(key, None, now, chance))
    }

    /// Deletes a version for good; returns whether it was a delete marker, if it existed.
    pub fn delete_version(&mut self, key: &str, id: &str) -> Option<bool> {
        let versions = self.objects.get_mut(key)?;
        let at = versions.iter().position(|version| version.id == id)?;
        let removed = versions.remove(at);
        if versions.is_empty() {
            self.objects.remove(key);
        }
        Some(removed.content.is_none())
    }

    fn push(&mut self, key: &str, content: Option<Content>, written: Moment, chance: &mut Chance) -> String {
        let id = if self.versioning == Versioning::Enabled { chance.hex(32) } else { "null".to_owned() };
        let versions = self.objects.entry(Arc::from(key)).or_default();
        // A bucket without versioning has one version of a key; a suspended one has one whose ID is null.
        versions.retain(|version| version.id != id);
        versions.push(Version { id: id.clone(), written, content });
        id
    }
}
