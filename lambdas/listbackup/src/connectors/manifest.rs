//! Manifests: `{"files":[{"path","url","size"?,"sha256"?,"modifiedAt"?}]}`. An invalid entry is a file that fails; the rest is
//! stored.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{Listed, Origin};
use crate::shared::time;

/// The largest manifest, in bytes.
pub(super) const MAX_BYTES: u64 = 32 * 1024 * 1024;
/// The most files of a manifest.
const MAX_FILES: usize = 100_000;
/// The longest path that is kept to be reported as invalid.
const MAX_PATH_BYTES: usize = 4096;
/// The longest URL.
const MAX_URL_BYTES: usize = 2048;

#[derive(Deserialize)]
struct Manifest<'a> {
    #[serde(borrow)]
    files: Entries<'a>,
}

/// The entries as they are in the document. A tree of a foreign document could need a hundred times its bytes.
struct Entries<'a>(Vec<&'a RawValue>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    url: String,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    sha256: Option<String>,
    #[serde(default)]
    modified_at: Option<String>,
}

/// The part of an entry that names its file, also if other fields are invalid.
#[derive(Deserialize)]
struct Named {
    path: String,
}

/// Not a manifest.
#[derive(Debug, thiserror::Error)]
pub(super) enum ManifestError {
    #[error("the manifest is not the expected JSON")]
    Syntax(#[source] serde_json::Error),
    #[error("the manifest has more than {MAX_FILES} files")]
    TooLong,
}

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Limited;

        impl<'de> Visitor<'de> for Limited {
            type Value = Entries<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of files")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Entries<'de>, A::Error> {
                let mut kept = Vec::new();
                // One more than the limit shows that there are more.
                while kept.len() <= MAX_FILES
                    && let Some(entry) = entries.next_element()?
                {
                    kept.push(entry);
                }
                while entries.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Entries(kept))
            }
        }

        deserializer.deserialize_seq(Limited)
    }
}

/// Parses a manifest.
pub(super) fn parse(document: &[u8]) -> Result<Vec<Listed>, ManifestError> {
    let Manifest { files: Entries(entries) } = serde_json::from_slice(document).map_err(ManifestError::Syntax)?;
    if entries.len() > MAX_FILES {
        return Err(ManifestError::TooLong);
    }
    Ok(entries.into_iter().enumerate().map(|(index, entry)| listed(index, entry.get())).collect())
}

fn listed(index: usize, text: &str) -> Listed {
    // Lists would be accepted as the fields in their order.
    let text = Some(text).filter(|text| text.starts_with('{')).unwrap_or_default();
    let path = serde_json::from_str(text).ok().map(|Named { path }| path);
    let path = path.filter(|path| !path.is_empty() && path.len() <= MAX_PATH_BYTES);
    // An entry without a usable path is still counted, as a failed file.
    let name = path.clone().unwrap_or_else(|| format!("manifest entry {index}"));
    let invalid = |message: &str| Listed {
        path: name.clone(),
        origin: Origin::Refused { reason: message.to_owned() },
        size: None,
        modified_at: None,
        origin_tag: None,
    };
    let Ok(entry) = serde_json::from_str::<Entry>(text) else {
        return invalid("the manifest's entry has fields of other types");
    };
    let sha256 = match entry.sha256.map(|digest| digest.to_ascii_lowercase()) {
        Some(digest) if !is_sha256(&digest) => return invalid("the manifest's sha256 is not a SHA-256"),
        digest => digest,
    };
    let modified_at = match entry.modified_at.map(|text| text.parse::<jiff::Timestamp>()) {
        Some(Err(_)) => return invalid("the manifest's modifiedAt is not a time"),
        Some(Ok(time)) => Some(time::text(time)),
        None => None,
    };
    // Both change with the content, or with a new file of the same size.
    let origin_tag = sha256.as_ref().map(|digest| format!("sha256:{digest}")).or_else(|| {
        let (size, modified_at) = (entry.size?, modified_at.as_ref()?);
        Some(format!("{size}@{modified_at}"))
    });
    if entry.url.len() > MAX_URL_BYTES {
        return invalid("the manifest's URL is too long");
    }
    if path.is_none() {
        return invalid("the manifest's path is empty or too long");
    }
    Listed { path: name, origin: Origin::Http { url: entry.url, sha256 }, size: entry.size, modified_at, origin_tag }
}

fn is_sha256(digest: &str) -> bool {
    digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_invalid_entry_is_a_file_that_fails() {
        let digest = "AB".repeat(32);
        let manifest = json!({"files": [
            {"path": "a", "url": "https://x.example/a", "sha256": digest},
            {"path": "b", "url": "https://x.example/b", "size": 5, "modifiedAt": "2026-01-31T12:00:00Z"},
            {"path": "c", "url": "https://x.example/c", "size": 5},
            {"path": "d", "url": "https://x.example/d", "sha256": "abc"},
            {"path": "e", "url": "https://x.example/e", "size": -1},
            {"path": "f", "url": "https://x.example/f", "modifiedAt": "yesterday"},
            {"path": "g"},
            {"url": "https://x.example/h"},
            7,
            ["i", "https://x.example/i"],
        ]});
        let files = parse(manifest.to_string().as_bytes()).expect("a manifest");
        let digest = digest.to_lowercase();
        assert_eq!(
            files[0].origin,
            Origin::Http { url: "https://x.example/a".to_owned(), sha256: Some(digest.clone()) }
        );
        let tags: Vec<_> = files[..3].iter().map(|file| file.origin_tag.as_deref()).collect();
        let sha256 = format!("sha256:{digest}");
        assert_eq!(tags, [Some(sha256.as_str()), Some("5@2026-01-31T12:00:00.000Z"), None]);
        assert!(files[3..].iter().all(|file| matches!(file.origin, Origin::Refused { .. })), "{files:?}");
        assert_eq!((files[3].path.as_str(), files[8].path.as_str()), ("d", "manifest entry 8"));
    }

    #[test]
    fn other_documents_are_no_manifests() {
        for document in ["", "[]", "{}", r#"{"files": {}}"#, "<html>"] {
            assert!(parse(document.as_bytes()).is_err(), "{document}");
        }
        let long = json!({ "files": vec![json!(0); MAX_FILES + 1] });
        assert!(matches!(parse(long.to_string().as_bytes()), Err(ManifestError::TooLong)));
    }

    #[test]
    fn a_document_of_many_small_parts_needs_no_tree() {
        // As trees, both would need about half a gigabyte.
        let parts = r#"{"a":0},"#.repeat(800_000);
        let parts = parts.trim_end_matches(',');
        let many = format!(r#"{{"files":[{parts}]}}"#);
        assert!(matches!(parse(many.as_bytes()), Err(ManifestError::TooLong)));
        let one = format!(r#"{{"files":[{{"path":"a","url":"https://x.example/a","b":[{parts}]}}]}}"#);
        let files = parse(one.as_bytes()).expect("a manifest");
        assert_eq!((files.len(), files[0].path.as_str()), (1, "a"));
        assert!(matches!(files[0].origin, Origin::Http { .. }));
        if let Some(peak) = peak_kilobytes() {
            assert!(peak < 400 * 1024, "{peak} KB");
        }
    }

    /// The most memory that this process had (Linux, `proc_pid_status`).
    fn peak_kilobytes() -> Option<u64> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().trim_end_matches("kB").trim().parse().ok()
    }
}
