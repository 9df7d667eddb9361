//! What of a site is put where, and with which headers. Pure: files in, objects out.

use std::collections::{BTreeMap, BTreeSet};

use miette::Diagnostic;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::aws::s3::ObjectHeaders;

/// The page.
pub const PAGE: &str = "index.html";
/// Where the page finds out what only a deploy knows.
pub(super) const CONFIG: &str = "config.json";
/// What files are served as, by their extension.
const TYPES: &[(&str, &str)] = &[
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
/// How many characters of a file's hash are in its name: enough that no two versions of a file ever share one.
const IN_NAMES: usize = 16;

/// A site's files, by their path below its folder.
pub type Files = BTreeMap<String, Vec<u8>>;

/// An object of the site's bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// Its content.
    pub body: Vec<u8>,
    /// What it is served with.
    pub served: ObjectHeaders,
    /// Does its name tell its content? Otherwise the content may change under the same name.
    pub hashed: bool,
}

/// A site's folder cannot be published.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum FilesError {
    /// There is nothing to show.
    #[error("there is no {PAGE}")]
    #[diagnostic(help("a site is one page, {PAGE}, and what it refers to"))]
    NoPage,
    /// More than one page.
    #[error("{0} is a page besides {PAGE}")]
    #[diagnostic(help("a site is one page, which every path answers with: put its content into {PAGE}"))]
    OtherPage(String),
    /// A name that is taken.
    #[error("{CONFIG} is there already")]
    #[diagnostic(help("remove it: a deploy writes it"))]
    Config,
    /// A file that nobody knows how to serve.
    #[error("{0} is a file of an unknown type")]
    #[diagnostic(help("files end in {}", TYPES.iter().map(|(ending, _)| *ending).collect::<Vec<_>>().join(", ")))]
    Type(String),
    /// A page that is no text.
    #[error("{PAGE} is not UTF-8")]
    Text,
    /// A reference to nothing.
    #[error("{PAGE} refers to {0}, which is not there")]
    #[diagnostic(help("references are paths below the site's folder, or URLs with their scheme"))]
    Missing(String),
    /// A file that cannot be found, because its name changes with its content.
    #[error("{0} is not referred to by {PAGE}")]
    #[diagnostic(help("only `href` and `src` in {PAGE} are followed: refer to it there, or remove it"))]
    Unused(String),
}

/// What is put into the bucket, in this order: what a page refers to is there before the page is. `base` is the path that the
/// bucket's keys are below: pages at other paths refer to the same files.
///
/// # Errors
///
/// When a reference leads nowhere, or a file cannot be served.
pub fn objects(files: &Files, config: &BTreeMap<String, String>, base: &str) -> Result<Vec<Object>, FilesError> {
    if files.contains_key(CONFIG) {
        return Err(FilesError::Config);
    }
    let page = files.get(PAGE).ok_or(FilesError::NoPage)?;
    let page = std::str::from_utf8(page).map_err(|_| FilesError::Text)?;
    let mut objects = Vec::new();
    let mut names = BTreeMap::new();
    for (path, body) in files.iter().filter(|(path, _)| *path != PAGE) {
        let object = asset(path, body)?;
        names.insert(path.as_str(), format!("{base}{}", object.key));
        objects.push(object);
    }
    let page = rewritten(page, &names)?;
    objects.push(self::config(config));
    objects.push(unhashed(PAGE, page.into_bytes())?);
    Ok(objects)
}

/// Those of the objects that are not in the bucket as they are to be; `found` is what is there.
#[must_use]
pub fn changed<'a>(objects: &'a [Object], found: &BTreeMap<String, ObjectHeaders>) -> Vec<&'a Object> {
    objects.iter().filter(|object| found.get(&object.key) != Some(&object.served)).collect()
}

/// The paths that a CDN must ask for again, once these objects are there. Names that tell their content are new.
#[must_use]
pub fn invalidated(changed: &[&Object]) -> Vec<String> {
    if changed.iter().all(|object| object.hashed) {
        return Vec::new();
    }
    [&format!("/{PAGE}"), "/", &format!("/{CONFIG}")].map(str::to_owned).into()
}

fn asset(path: &str, body: &[u8]) -> Result<Object, FilesError> {
    let (stem, ending) = path.rsplit_once('.').ok_or_else(|| FilesError::Type(path.to_owned()))?;
    if ending == "html" {
        return Err(FilesError::OtherPage(path.to_owned()));
    }
    let sha256 = hex::encode(Sha256::digest(body));
    let key = format!("{stem}-{}.{ending}", &sha256[..IN_NAMES]);
    let cache_control = "public, max-age=31536000, immutable".to_owned();
    let served = ObjectHeaders { sha256, content_type: content_type(path)?, cache_control };
    Ok(Object { key, body: body.to_vec(), served, hashed: true })
}

fn unhashed(path: &str, body: Vec<u8>) -> Result<Object, FilesError> {
    Ok(changing(path, body, content_type(path)?))
}

fn changing(key: &str, body: Vec<u8>, content_type: String) -> Object {
    let sha256 = hex::encode(Sha256::digest(&body));
    let cache_control = "no-cache, no-store, must-revalidate".to_owned();
    Object { key: key.to_owned(), body, served: ObjectHeaders { sha256, content_type, cache_control }, hashed: false }
}

/// `config.json`, saying this.
#[must_use]
pub fn config(values: &BTreeMap<String, String>) -> Object {
    changing(CONFIG, serde_json::to_vec_pretty(values).unwrap_or_default(), "application/json".to_owned())
}

/// Does an object's name tell its content, as [`objects`] names it?
#[must_use]
pub fn is_hashed(key: &str) -> bool {
    let is_hash =
        |text: &str| text.len() == IN_NAMES && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let stem = key.rsplit_once('.').map(|(stem, _)| stem);
    stem.and_then(|stem| stem.rsplit_once('-')).is_some_and(|(_, hash)| is_hash(hash))
}

fn content_type(path: &str) -> Result<String, FilesError> {
    let known = TYPES.iter().find(|(ending, _)| path.rsplit_once('.').is_some_and(|(_, found)| found == *ending));
    known.map(|(_, kind)| (*kind).to_owned()).ok_or_else(|| FilesError::Type(path.to_owned()))
}

/// The page with every reference to a file leading to its hashed name.
fn rewritten(page: &str, names: &BTreeMap<&str, String>) -> Result<String, FilesError> {
    let mut unused: BTreeSet<_> = names.keys().copied().collect();
    let mut text = String::with_capacity(page.len());
    let mut rest = page;
    while let Some((start, end)) = reference(rest) {
        let value = &rest[start..end];
        text.push_str(&rest[..start]);
        let path = value.strip_prefix("./").unwrap_or(value);
        match names.get(path) {
            Some(name) => text.push_str(name),
            // Elsewhere, or within the page.
            None if value.contains(':') || value.starts_with('#') => text.push_str(value),
            None => return Err(FilesError::Missing(value.to_owned())),
        }
        unused.remove(path);
        rest = &rest[end..];
    }
    text.push_str(rest);
    unused.first().map_or(Ok(text), |path| Err(FilesError::Unused((*path).to_owned())))
}

/// Where the value of the next `href` or `src` begins and ends.
fn reference(text: &str) -> Option<(usize, usize)> {
    let start = ["href=\"", "src=\""].iter().filter_map(|name| text.find(name).map(|at| at + name.len())).min()?;
    let length = text[start..].find('"')?;
    Some((start, start + length))
}

#[cfg(test)]
mod tests;
