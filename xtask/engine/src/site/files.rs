//! The objects of a site: keys, contents and headers. Pure.

use std::collections::{BTreeMap, BTreeSet};

use miette::Diagnostic;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::aws::s3::ObjectHeaders;

/// The key of the page.
pub(crate) const PAGE: &str = "index.html";
/// The key of the configuration, which only a deploy knows.
pub(super) const CONFIG: &str = "config.json";
/// The content type of each file extension.
const CONTENT_TYPES: &[(&str, &str)] = &[
    ("avif", "image/avif"),
    ("css", "text/css; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("ico", "image/x-icon"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("webp", "image/webp"),
    ("woff2", "font/woff2"),
];
/// How many characters of a file's hash its key contains: enough that no two versions of a file share a key.
const KEY_HASH_LENGTH: usize = 16;

/// A site's files, by their path below its folder.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// An object of the site's bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SiteObject {
    pub(crate) key: String,
    pub(crate) body: Vec<u8>,
    pub(crate) headers: ObjectHeaders,
    /// Whether its key contains the hash of its content. Otherwise the content may change under the same key.
    pub(crate) hashed: bool,
}

/// The content of a site's folder is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub(crate) enum FilesError {
    #[error("{PAGE} is missing")]
    #[diagnostic(help("add {PAGE}: a site consists of this page and the files that it refers to"))]
    NoPage,
    #[error("{0} is a second page: a site has only {PAGE}")]
    #[diagnostic(help("move its content into {PAGE}, which serves every path"))]
    OtherPage(String),
    #[error("{CONFIG} exists in the folder")]
    #[diagnostic(help("remove it: a deploy writes this file"))]
    ConfigExists,
    #[error("{0} has an unknown file type")]
    #[diagnostic(help("use one of these extensions: {}", CONTENT_TYPES.iter().map(|(extension, _)| *extension).collect::<Vec<_>>().join(", ")))]
    UnknownType(String),
    #[error("{PAGE} is not UTF-8")]
    NotText,
    #[error("{PAGE} refers to {0}, which does not exist")]
    #[diagnostic(help("use paths below the site's folder, or URLs with their scheme"))]
    MissingFile(String),
    /// The file could not be requested, because its key changes with its content.
    #[error("{PAGE} does not refer to {0}")]
    #[diagnostic(help("refer to it by `href` or `src` in {PAGE}, or remove it; other references are not followed"))]
    Unused(String),
}

/// Returns the objects of a site in the order of their upload: a page follows the files that it refers to. `base` is the URL path
/// of the bucket's keys, so that pages at other paths refer to the same files.
pub(crate) fn objects(
    files: &Files,
    config: &BTreeMap<String, String>,
    base: &str,
) -> Result<Vec<SiteObject>, FilesError> {
    if files.contains_key(CONFIG) {
        return Err(FilesError::ConfigExists);
    }
    let page = files.get(PAGE).ok_or(FilesError::NoPage)?;
    let page = std::str::from_utf8(page).map_err(|_| FilesError::NotText)?;
    let mut objects = Vec::new();
    let mut names = BTreeMap::new();
    for (path, body) in files.iter().filter(|(path, _)| *path != PAGE) {
        let object = hashed_object(path, body)?;
        names.insert(path.as_str(), format!("{base}{}", object.key));
        objects.push(object);
    }
    let page = rewrite_references(page, &names)?;
    objects.push(config_object(config));
    objects.push(mutable_object(PAGE, page.into_bytes(), content_type(PAGE)?));
    Ok(objects)
}

/// Returns the objects that differ from the `existing` ones.
pub(crate) fn changed<'a>(
    objects: &'a [SiteObject],
    existing: &BTreeMap<String, ObjectHeaders>,
) -> Vec<&'a SiteObject> {
    objects.iter().filter(|object| existing.get(&object.key) != Some(&object.headers)).collect()
}

/// Returns the paths that a distribution must invalidate after these objects were uploaded. A key with a hash is new, so no cache
/// has it.
pub(crate) fn invalidation_paths(changed: &[&SiteObject]) -> Vec<String> {
    if changed.iter().all(|object| object.hashed) {
        return Vec::new();
    }
    [&format!("/{PAGE}"), "/", &format!("/{CONFIG}")].map(str::to_owned).into()
}

fn hashed_object(path: &str, body: &[u8]) -> Result<SiteObject, FilesError> {
    let (stem, extension) = path.rsplit_once('.').ok_or_else(|| FilesError::UnknownType(path.to_owned()))?;
    if extension == "html" {
        return Err(FilesError::OtherPage(path.to_owned()));
    }
    let sha256 = hex::encode(Sha256::digest(body));
    let key = format!("{stem}-{}.{extension}", &sha256[..KEY_HASH_LENGTH]);
    let cache_control = "public, max-age=31536000, immutable".to_owned();
    let headers = ObjectHeaders { sha256, content_type: content_type(path)?, cache_control };
    Ok(SiteObject { key, body: body.to_vec(), headers, hashed: true })
}

/// Returns an object that keeps its key when its content changes.
fn mutable_object(key: &str, body: Vec<u8>, content_type: String) -> SiteObject {
    let sha256 = hex::encode(Sha256::digest(&body));
    let cache_control = "no-cache, no-store, must-revalidate".to_owned();
    SiteObject {
        key: key.to_owned(),
        body,
        headers: ObjectHeaders { sha256, content_type, cache_control },
        hashed: false,
    }
}

/// Returns `config.json` with these fields.
pub(crate) fn config_object(values: &BTreeMap<String, String>) -> SiteObject {
    mutable_object(CONFIG, serde_json::to_vec_pretty(values).unwrap_or_default(), "application/json".to_owned())
}

/// Returns whether a key contains the hash of its content, as [`objects`] names it.
pub(crate) fn is_hashed(key: &str) -> bool {
    let is_hash = |text: &str| {
        text.len() == KEY_HASH_LENGTH && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let stem = key.rsplit_once('.').map(|(stem, _)| stem);
    stem.and_then(|stem| stem.rsplit_once('-')).is_some_and(|(_, hash)| is_hash(hash))
}

fn content_type(path: &str) -> Result<String, FilesError> {
    let extension = path.rsplit_once('.').map(|(_, extension)| extension);
    let known = CONTENT_TYPES.iter().find(|(known, _)| extension == Some(*known));
    known.map(|(_, content_type)| (*content_type).to_owned()).ok_or_else(|| FilesError::UnknownType(path.to_owned()))
}

/// Replaces every reference to a file by its hashed key.
fn rewrite_references(page: &str, names: &BTreeMap<&str, String>) -> Result<String, FilesError> {
    let mut unused: BTreeSet<_> = names.keys().copied().collect();
    let mut text = String::with_capacity(page.len());
    let mut rest = page;
    while let Some((start, end)) = next_reference(rest) {
        let value = &rest[start..end];
        text.push_str(&rest[..start]);
        let path = value.strip_prefix("./").unwrap_or(value);
        match names.get(path) {
            Some(name) => text.push_str(name),
            // A URL of another site, or a fragment of this page.
            None if value.contains(':') || value.starts_with('#') => text.push_str(value),
            None => return Err(FilesError::MissingFile(value.to_owned())),
        }
        unused.remove(path);
        rest = &rest[end..];
    }
    text.push_str(rest);
    unused.first().map_or(Ok(text), |path| Err(FilesError::Unused((*path).to_owned())))
}

/// Returns the start and the end of the next value of `href` or `src`.
fn next_reference(text: &str) -> Option<(usize, usize)> {
    let start = ["href=\"", "src=\""].iter().filter_map(|name| text.find(name).map(|at| at + name.len())).min()?;
    let length = text[start..].find('"')?;
    Some((start, start + length))
}

#[cfg(test)]
mod tests;
