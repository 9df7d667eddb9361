//! Manifests: `{"files":[{"path","url","size"?,"sha256"?,"modifiedAt"?}]}`. An invalid entry is a file that fails; the rest is
//! stored.

use serde::Deserialize;
use serde_json::Value;

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
struct Manifest {
    files: Vec<Value>,
}

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

/// Not a manifest.
#[derive(Debug, thiserror::Error)]
pub(super) enum ManifestError {
    #[error("the manifest is not the expected JSON")]
    Syntax(#[source] serde_json::Error),
    #[error("the manifest has more than {MAX_FILES} files")]
    TooLong,
}

/// Parses a manifest.
pub(super) fn parse(document: &[u8]) -> Result<Vec<Listed>, ManifestError> {
    let manifest: Manifest = serde_json::from_slice(document).map_err(ManifestError::Syntax)?;
    if manifest.files.len() > MAX_FILES {
        return Err(ManifestError::TooLong);
    }
    Ok(manifest.files.into_iter().enumerate().map(|(index, entry)| listed(index, entry)).collect())
}

fn listed(index: usize, value: Value) -> Listed {
    let path =
        value["path"].as_str().filter(|path| !path.is_empty() && path.len() <= MAX_PATH_BYTES).map(str::to_owned);
    // An entry without a usable path is still counted, as a failed file.
    let name = path.clone().unwrap_or_else(|| format!("manifest entry {index}"));
    let invalid = |message: &str| Listed {
        path: name.clone(),
        origin: Origin::Refused { reason: message.to_owned() },
        size: None,
        modified_at: None,
        origin_tag: None,
    };
    let Ok(entry) = serde_json::from_value::<Entry>(value) else {
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
}
