//! Selects the requested variant of a media, or the response if there is none. No I/O.

use axum::http::StatusCode;
use common::{ApiError, body::Parameters};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::manifest::{Manifest, Status, Variant};

const SIZES: [&str; 6] = ["tiny", "small", "medium", "large", "huge", "original"];
/// Each stored extension and its content type; `jpeg` means `jpg`.
const EXTENSIONS: [(&str, &str); 7] = [
    ("jpg", "image/jpeg"),
    ("png", "image/png"),
    ("webp", "image/webp"),
    ("mp4", "video/mp4"),
    ("mov", "video/quicktime"),
    ("webm", "video/webm"),
    ("mkv", "video/x-matroska"),
];

/// The requested variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    size: &'static str,
    extension: (&'static str, &'static str),
}

impl Choice {
    /// Parses `size` and `extension` in any case. The default is a medium JPEG.
    pub(super) fn read(query: &Parameters) -> Result<Self, ApiError> {
        let size = query.get("size").unwrap_or("medium").to_ascii_lowercase();
        let size = SIZES.into_iter().find(|candidate| *candidate == size);
        let size = size.ok_or_else(|| unknown("size", "InvalidSize", SIZES.to_vec()))?;
        let extension = query.get("extension").unwrap_or("jpg").to_ascii_lowercase();
        let extension = if extension == "jpeg" { "jpg" } else { extension.as_str() };
        let extension = EXTENSIONS.into_iter().find(|(candidate, _)| *candidate == extension).ok_or_else(|| {
            let allowed = ["jpg", "jpeg"].into_iter().chain(EXTENSIONS.into_iter().skip(1).map(|(name, _)| name));
            unknown("extension", "InvalidExtension", allowed.collect())
        })?;
        Ok(Self { size, extension })
    }

    pub(super) const fn content_type(&self) -> &'static str {
        self.extension.1
    }

    fn is_image(&self) -> bool {
        self.content_type().starts_with("image/")
    }
}

fn unknown(field: &str, code: &'static str, allowed: Vec<&str>) -> ApiError {
    ApiError::bad_request(code, field, format!("{field} must be one of {}", allowed.join(", ")))
        .detail("allowed", allowed)
}

/// The manifests of a media.
#[derive(Debug, Clone)]
pub(super) struct Media {
    pub(super) main: Manifest,
    /// The manifest of a video's poster.
    pub(super) poster: Option<Manifest>,
}

impl Media {
    /// Returns the requested variant, if there is one.
    pub(super) fn variant(&self, choice: &Choice) -> Option<&Variant> {
        self.variants().find(|variant| variant.size == choice.size && variant.extension == choice.extension.0)
    }

    fn variants(&self) -> impl Iterator<Item = &Variant> {
        self.main.variants.iter().chain(self.poster.iter().flat_map(|poster| &poster.variants))
    }

    /// Returns why the variant is missing; `Ok` if it may still be produced.
    pub(super) fn why_missing(&self, choice: &Choice, now: Timestamp) -> Result<(), ApiError> {
        // A video's images are those of its poster.
        let manifest = self.poster.as_ref().filter(|_| choice.is_image()).unwrap_or(&self.main);
        match manifest.status {
            Status::Ready => Err(self.no_such_variant()),
            Status::Processing if manifest.is_stalled(now) => {
                Err(unprocessable("Stalled", "processing did not finish; upload the file again"))
            }
            Status::Processing => Ok(()),
            Status::Failed => Err(failed(manifest)),
        }
    }

    /// Returns a 404 response that lists the variants.
    pub(super) fn no_such_variant(&self) -> ApiError {
        let available = self.variants().map(|variant| json!({"size": variant.size, "extension": variant.extension}));
        ApiError::not_found("there is no such variant").detail("available", available.collect::<Vec<Value>>())
    }

    /// Returns the manifest for clients: with the poster's variants, and `stalled` for a job that will not finish.
    pub(super) fn merged(&self, now: Timestamp) -> Result<Value, serde_json::Error> {
        let mut merged = serde_json::to_value(&self.main)?;
        merged["variants"] = serde_json::to_value(self.variants().collect::<Vec<_>>())?;
        if self.main.is_stalled(now) {
            merged["status"] = json!("stalled");
        }
        let Some(poster) = &self.poster else { return Ok(merged) };
        let mut summary =
            json!({"status": poster.status, "source": poster.poster_source, "updatedAt": poster.updated_at});
        if poster.is_stalled(now) {
            summary["status"] = json!("stalled");
        }
        if let Some(error) = &poster.error {
            summary["error"] = serde_json::to_value(error)?;
        }
        if let (Status::Ready, Some(source), Some(video)) =
            (poster.status, poster.poster_source, merged.get_mut("video").filter(|video| video.is_object()))
        {
            video["poster"] = serde_json::to_value(source)?;
        }
        merged["poster"] = summary;
        Ok(merged)
    }
}

fn failed(manifest: &Manifest) -> ApiError {
    let Some(error) = &manifest.error else { return unprocessable("Failed", "the file could not be processed") };
    unprocessable("Failed", &error.message).detail("code", json!(error.code))
}

fn unprocessable(code: &'static str, message: &str) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
}
