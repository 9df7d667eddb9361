//! Media types and categories of files, by extension.

use crate::shared::category::Category;

/// The media type of unknown files.
const UNKNOWN: &str = "application/octet-stream";

/// A kind of file: its extensions, its category, and its media type.
type Kind = (&'static str, Category, &'static str);

#[rustfmt::skip]
const KINDS: &[Kind] = &[
    ("txt log", Category::Document, "text/plain"),
    ("md", Category::Document, "text/markdown"),
    ("pdf", Category::Document, "application/pdf"),
    ("rtf", Category::Document, "application/rtf"),
    ("doc", Category::Document, "application/msword"),
    ("docx", Category::Document, "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xls", Category::Document, "application/vnd.ms-excel"),
    ("xlsx", Category::Document, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("ppt", Category::Document, "application/vnd.ms-powerpoint"),
    ("pptx", Category::Document, "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("odt", Category::Document, "application/vnd.oasis.opendocument.text"),
    ("ods", Category::Document, "application/vnd.oasis.opendocument.spreadsheet"),
    ("epub", Category::Document, "application/epub+zip"),
    ("jpg jpeg", Category::Image, "image/jpeg"),
    ("png", Category::Image, "image/png"),
    ("gif", Category::Image, "image/gif"),
    ("webp", Category::Image, "image/webp"),
    ("avif", Category::Image, "image/avif"),
    ("heic", Category::Image, "image/heic"),
    ("svg", Category::Image, "image/svg+xml"),
    ("bmp", Category::Image, "image/bmp"),
    ("tif tiff", Category::Image, "image/tiff"),
    ("ico", Category::Image, "image/x-icon"),
    ("mp4 m4v", Category::Video, "video/mp4"),
    ("mov", Category::Video, "video/quicktime"),
    ("avi", Category::Video, "video/x-msvideo"),
    ("mkv", Category::Video, "video/x-matroska"),
    ("webm", Category::Video, "video/webm"),
    ("mpg mpeg", Category::Video, "video/mpeg"),
    ("mp3", Category::Audio, "audio/mpeg"),
    ("m4a aac", Category::Audio, "audio/mp4"),
    ("ogg opus", Category::Audio, "audio/ogg"),
    ("flac", Category::Audio, "audio/flac"),
    ("wav", Category::Audio, "audio/wav"),
    ("zip", Category::Archive, "application/zip"),
    ("gz tgz", Category::Archive, "application/gzip"),
    ("tar", Category::Archive, "application/x-tar"),
    ("bz2", Category::Archive, "application/x-bzip2"),
    ("xz", Category::Archive, "application/x-xz"),
    ("zst", Category::Archive, "application/zstd"),
    ("7z", Category::Archive, "application/x-7z-compressed"),
    ("rar", Category::Archive, "application/vnd.rar"),
    ("json jsonl ndjson geojson", Category::Data, "application/json"),
    ("csv", Category::Data, "text/csv"),
    ("tsv", Category::Data, "text/tab-separated-values"),
    ("xml", Category::Data, "application/xml"),
    ("yaml yml", Category::Data, "application/yaml"),
    ("toml", Category::Data, "application/toml"),
    ("sql", Category::Data, "application/sql"),
    ("parquet", Category::Data, "application/vnd.apache.parquet"),
    ("sqlite db", Category::Data, "application/vnd.sqlite3"),
    ("html htm", Category::Code, "text/html"),
    ("css", Category::Code, "text/css"),
    ("js mjs", Category::Code, "text/javascript"),
    ("ts tsx jsx rs py rb go java kt c h cpp hpp cs php sh swift scala lua pl", Category::Code, "text/plain"),
    ("wasm", Category::Code, "application/wasm"),
];

/// Extensions whose content is compressed already.
const COMPRESSED: &[&str] = &[
    "docx", "xlsx", "pptx", "odt", "ods", "epub", "jpg", "jpeg", "png", "gif", "webp", "avif", "heic", "mp4", "m4v",
    "mov", "mkv", "webm", "mpg", "mpeg", "mp3", "m4a", "aac", "ogg", "opus", "flac", "zip", "gz", "tgz", "bz2", "xz",
    "zst", "7z", "rar", "parquet",
];

/// Returns a path's extension in lower case; empty without one.
pub(super) fn extension(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => extension.to_ascii_lowercase(),
        _ => String::new(),
    }
}

/// Returns the category and the media type of a path.
pub(super) fn describe(path: &str) -> (Category, &'static str) {
    let extension = extension(path);
    let is_kind = |(extensions, ..): &&Kind| extensions.split(' ').any(|known| known == extension);
    KINDS.iter().find(is_kind).map_or((Category::Other, UNKNOWN), |(_, category, media_type)| (*category, media_type))
}

/// Returns the media type to store: by extension, or as the source gave it.
pub(super) fn content_type(path: &str, given: Option<&str>) -> String {
    let known = describe(path).1;
    let is_valid = |given: &&str| {
        given.len() <= 100 && given.contains('/') && given.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
    };
    match given.filter(is_valid) {
        Some(given) if known == UNKNOWN => given.to_owned(),
        _ => known.to_owned(),
    }
}

/// Whether a path's content is compressed already, as far as its extension shows.
pub(super) fn is_compressed(path: &str) -> bool {
    COMPRESSED.contains(&extension(path).as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_decide() {
        for (path, category, media_type) in [
            ("a.txt", Category::Document, "text/plain"),
            ("b/c.JSON", Category::Data, "application/json"),
            ("d.jpeg", Category::Image, "image/jpeg"),
            ("x.tar.gz", Category::Archive, "application/gzip"),
            ("main.rs", Category::Code, "text/plain"),
            ("README", Category::Other, UNKNOWN),
            (".gitignore", Category::Other, UNKNOWN),
            ("a.b/c", Category::Other, UNKNOWN),
        ] {
            assert_eq!(describe(path), (category, media_type), "{path}");
        }
        assert!(is_compressed("a/b.ZIP") && !is_compressed("a.svg") && !is_compressed("zip"));
    }

    #[test]
    fn a_sources_media_type_counts_only_for_unknown_extensions() {
        assert_eq!(content_type("a", Some("text/html; charset=utf-8")), "text/html; charset=utf-8");
        assert_eq!(content_type("a.txt", Some("text/html")), "text/plain");
        for invalid in [None, Some("html"), Some("text/html\r\nx-a: b"), Some("")] {
            assert_eq!(content_type("a", invalid), UNKNOWN);
        }
    }
}
