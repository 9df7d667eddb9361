//! The keys of both buckets, made and taken apart in this one place. Nothing here talks to S3.

use std::fmt;

use sha2::{Digest, Sha256};

/// The name of one media: a UUID v4 in its hyphenated form. The spelling is kept, because it is part of keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Filename(String);

impl Filename {
    /// A new, unguessable filename.
    #[must_use]
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().hyphenated().to_string())
    }

    /// `text` as a filename; `None` when it is not a UUID v4.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let uuid = uuid::Uuid::try_parse(text).ok()?;
        let hyphenated = text.len() == uuid::fmt::Hyphenated::LENGTH;
        let version_4 = uuid.get_version_num() == 4 && uuid.get_variant() == uuid::Variant::RFC4122;
        (hyphenated && version_4).then(|| Self(text.to_owned()))
    }

    /// The filename as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Filename {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a raw object is, the second segment of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawKind {
    /// An image of its own.
    Images,
    /// A video.
    Videos,
    /// The poster of the video of the same filename.
    Posters,
}

impl RawKind {
    /// Every kind, each once.
    pub const ALL: [Self; 3] = [Self::Images, Self::Videos, Self::Posters];

    /// The kind as keys spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Videos => "videos",
            Self::Posters => "posters",
        }
    }
}

/// A key of the raw bucket: `{owner}/{images|videos|posters}/{filename}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawKey {
    /// A Cognito username, or an identity id.
    pub owner: String,
    /// What the object is.
    pub kind: RawKind,
    /// The media's filename.
    pub filename: Filename,
}

impl RawKey {
    /// `key` taken apart; `None` when it has another shape.
    #[must_use]
    pub fn parse(key: &str) -> Option<Self> {
        let mut segments = key.split('/');
        let (owner, kind, filename) = (segments.next()?, segments.next()?, segments.next()?);
        if owner.is_empty() || segments.next().is_some() {
            return None;
        }
        let kind = RawKind::ALL.into_iter().find(|candidate| candidate.as_str() == kind)?;
        Some(Self { owner: owner.to_owned(), kind, filename: Filename::parse(filename)? })
    }
}

impl fmt::Display for RawKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}/{}", self.owner, self.kind.as_str(), self.filename)
    }
}

/// The key of a media's manifest.
#[must_use]
pub fn manifest(filename: &str) -> String {
    format!("{filename}/manifest.json")
}

/// The key of the manifest of a video's poster.
#[must_use]
pub fn poster_manifest(filename: &str) -> String {
    format!("{filename}/poster.json")
}

/// The key of one variant.
#[must_use]
pub fn variant(filename: &str, size: &str, extension: &str) -> String {
    format!("{filename}/{size}.{extension}")
}

/// The key under which a video's embedded poster waits for the image function.
#[must_use]
pub fn cover(filename: &str) -> String {
    format!("{filename}/cover")
}

/// SHA-256, in hex, of a raw key's first segment: it tells owners apart without naming them.
#[must_use]
pub fn owner_hash(owner: &str) -> String {
    hex::encode(Sha256::digest(owner.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILENAME: &str = "7f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b";

    #[test]
    fn a_filename_is_a_uuid_v4() {
        assert_eq!(Filename::parse(FILENAME).expect("a UUID v4").as_str(), FILENAME);
        assert!(Filename::parse(Filename::random().as_str()).is_some());
        for other in [
            "",
            "abc",
            "../../../../../../../../../../../etc",
            // Version 1, version 7, and another variant.
            "7f1a2b3c-4d5e-1f60-8a7b-9c0d1e2f3a4b",
            "7f1a2b3c-4d5e-7f60-8a7b-9c0d1e2f3a4b",
            "7f1a2b3c-4d5e-4f60-0a7b-9c0d1e2f3a4b",
            // The same UUID in forms that would make other keys.
            "7f1a2b3c4d5e4f608a7b9c0d1e2f3a4b",
            "{7f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b}",
            "urn:uuid:7f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b",
        ] {
            assert_eq!(Filename::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_filename_keeps_its_spelling() {
        let upper = FILENAME.to_uppercase();
        assert_eq!(Filename::parse(&upper).expect("a UUID v4").as_str(), upper);
    }

    #[test]
    fn raw_keys_come_back_as_they_were() {
        for kind in RawKind::ALL {
            let key = format!("us-east-1:0a1b/{}/{FILENAME}", kind.as_str());
            let parsed = RawKey::parse(&key).expect("a raw key");
            assert_eq!((parsed.owner.as_str(), parsed.kind), ("us-east-1:0a1b", kind));
            assert_eq!(parsed.to_string(), key);
        }
    }

    #[test]
    fn other_keys_are_not_raw_keys() {
        for other in [
            String::new(),
            FILENAME.to_owned(),
            format!("images/{FILENAME}"),
            format!("/images/{FILENAME}"),
            format!("owner/audio/{FILENAME}"),
            format!("owner/images/{FILENAME}/more"),
            format!("owner/images/{FILENAME}.jpg"),
            format!("raw/owner/images/{FILENAME}"),
        ] {
            assert_eq!(RawKey::parse(&other), None, "{other}");
        }
    }

    #[test]
    fn an_owner_hash_is_sha_256_in_hex() {
        // The test vector of FIPS 180-2, appendix B.1.
        assert_eq!(owner_hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
