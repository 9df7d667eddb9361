//! The keys of both buckets: formatting and parsing. No I/O.

use std::fmt;

use sha2::{Digest, Sha256};

/// The name of one media: a hyphenated UUID v4. Its spelling is preserved, because it is part of keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Filename(String);

impl Filename {
    /// Creates an unguessable filename.
    pub(crate) fn random() -> Self {
        Self(uuid::Uuid::new_v4().hyphenated().to_string())
    }

    /// Parses a UUID v4.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let uuid = uuid::Uuid::try_parse(text).ok()?;
        let hyphenated = text.len() == uuid::fmt::Hyphenated::LENGTH;
        let version_4 = uuid.get_version_num() == 4 && uuid.get_variant() == uuid::Variant::RFC4122;
        (hyphenated && version_4).then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Filename {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The kind of a raw object: the second segment of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RawKind {
    /// An image that is not a poster.
    Images,
    Videos,
    /// The poster of the video of the same filename.
    Posters,
}

impl RawKind {
    pub(crate) const ALL: [Self; 3] = [Self::Images, Self::Videos, Self::Posters];

    /// Returns the spelling in keys.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Videos => "videos",
            Self::Posters => "posters",
        }
    }
}

/// A key of the raw bucket: `{owner}/{images|videos|posters}/{filename}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawKey {
    /// A Cognito username or an identity ID.
    pub(crate) owner: String,
    pub(crate) kind: RawKind,
    pub(crate) filename: Filename,
}

impl RawKey {
    /// Parses a key; `None` if it has another form.
    pub(crate) fn parse(key: &str) -> Option<Self> {
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

pub(crate) fn manifest(filename: &str) -> String {
    format!("{filename}/manifest.json")
}

pub(crate) fn poster_manifest(filename: &str) -> String {
    format!("{filename}/poster.json")
}

pub(crate) fn variant(filename: &str, size: &str, extension: &str) -> String {
    format!("{filename}/{size}.{extension}")
}

/// The key of a video's embedded poster, until the image function has processed it.
pub(crate) fn cover(filename: &str) -> String {
    format!("{filename}/cover")
}

/// Returns the SHA-256, in hex, of a raw key's first segment: it distinguishes owners without naming them.
pub(crate) fn owner_hash(owner: &str) -> String {
    hex::encode(Sha256::digest(owner.as_bytes()))
}

/// The key of the object that records the owner of a filename.
pub(crate) fn ownership(filename: &Filename) -> String {
    format!("owners/{filename}")
}

/// Decodes a key of an S3 event or of an encoded listing, in which `+` is a space and `%2B` a plus. Invalid escapes are
/// kept.
pub(crate) fn decode(key: &str) -> String {
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = tail.first_chunk::<2>().filter(|_| *first == b'%').and_then(|digits| hex::decode(digits).ok());
        match (first, escaped) {
            (_, Some(escaped)) => {
                bytes.extend(escaped);
                rest = tail.get(2..).unwrap_or_default();
                continue;
            }
            (b'+', None) => bytes.push(b' '),
            (other, None) => bytes.push(*other),
        }
        rest = tail;
    }
    String::from_utf8_lossy(&bytes).into_owned()
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
            // The same UUID in forms that would result in other keys.
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
    fn raw_keys_survive_a_round_trip() {
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
    fn keys_are_decoded() {
        for (encoded, decoded) in [
            ("a/images/b", "a/images/b"),
            ("us-east-1%3A1/images/b", "us-east-1:1/images/b"),
            ("a+b%2Bc%20d", "a b+c d"),
            ("%C3%BCber", "über"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
        ] {
            assert_eq!(decode(encoded), decoded);
        }
    }

    #[test]
    fn an_owner_hash_is_sha_256_in_hex() {
        // The test vector of FIPS 180-2, appendix B.1.
        assert_eq!(owner_hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
