//! The Media Uploader: five functions, one API, one job passed between them.

use contract::{Function, FunctionName, Method, Route, Routes};
use serde::{Deserialize, Serialize};

/// The system's name.
pub const SYSTEM: &str = "media-uploader";

/// Where the layer puts the media profile (sizes, quality, limits) in a function's file system.
pub const MEDIA_PROFILE_PATH: &str = "/opt/media-profile.json";

/// Hands out upload links and takes small files: routes [`UploadRoute`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Upload<V = String> {
    /// The bucket uploads land in.
    pub raw_media_bucket: V,
    /// Comma-separated origins that get CORS headers.
    pub allowed_origins: V,
    /// Path of the media profile, see [`MEDIA_PROFILE_PATH`].
    pub media_profile_path: V,
    /// The S3 endpoint a client can reach, where that is not AWS: presigned URLs are made for it, path-style.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_s3_endpoint: Option<V>,
}

impl<V> Function for Upload<V> {
    const NAME: FunctionName = FunctionName::new(SYSTEM, "upload", "UploadMediaFunction");
}

/// Hands out links to processed media: routes [`RetrieveRoute`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Retrieve<V = String> {
    /// The bucket processed media is served from.
    pub processed_media_bucket: V,
    /// Comma-separated origins that get CORS headers.
    pub allowed_origins: V,
    /// The S3 endpoint a client can reach, where that is not AWS: presigned URLs are made for it, path-style.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_s3_endpoint: Option<V>,
}

impl<V> Function for Retrieve<V> {
    const NAME: FunctionName = FunctionName::new(SYSTEM, "retrieve", "RetrieveMediaFunction");
}

/// Takes the raw bucket's events and starts the right processor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Dispatcher<V = String> {
    /// The bucket uploads land in.
    pub raw_media_bucket: V,
    /// The bucket processed media is served from.
    pub processed_media_bucket: V,
    /// Path of the media profile, see [`MEDIA_PROFILE_PATH`].
    pub media_profile_path: V,
    /// The ARN of the image function's alias.
    pub image_processing_function_arn: V,
    /// The ARN of the video function's alias.
    pub video_processing_function_arn: V,
}

impl<V> Function for Dispatcher<V> {
    const NAME: FunctionName = FunctionName::new(SYSTEM, "dispatcher", "MediaProcessingDispatcher");
}

/// Makes an image's variants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Image<V = String> {
    /// The bucket uploads land in.
    pub raw_media_bucket: V,
    /// The bucket processed media is served from.
    pub processed_media_bucket: V,
    /// Path of the media profile, see [`MEDIA_PROFILE_PATH`].
    pub media_profile_path: V,
}

impl<V> Function for Image<V> {
    const NAME: FunctionName = FunctionName::new(SYSTEM, "image", "ImageProcessingFunction");
}

/// Probes a video and rewrites its container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Video<V = String> {
    /// The bucket uploads land in.
    pub raw_media_bucket: V,
    /// The bucket processed media is served from.
    pub processed_media_bucket: V,
    /// Path of the media profile, see [`MEDIA_PROFILE_PATH`].
    pub media_profile_path: V,
    /// The ARN of the image function's alias, for embedded posters.
    pub image_processing_function_arn: V,
}

impl<V> Function for Video<V> {
    const NAME: FunctionName = FunctionName::new(SYSTEM, "video", "VideoProcessingFunction");
}

/// The routes of [`Upload`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadRoute {
    /// Asks for an upload link, or stores a small file sent along.
    Create,
    /// Asks for the links of a multipart upload.
    CreateMultipart,
    /// Completes a multipart upload.
    CompleteMultipart,
    /// Aborts a multipart upload.
    AbortMultipart,
    /// Deletes an own raw file.
    Delete,
}

impl Routes for UploadRoute {
    const ALL: &'static [Self] =
        &[Self::Create, Self::CreateMultipart, Self::CompleteMultipart, Self::AbortMultipart, Self::Delete];

    fn route(self) -> Route {
        let (method, path) = match self {
            Self::Create => (Method::Post, "/media"),
            Self::CreateMultipart => (Method::Post, "/media/multipart"),
            Self::CompleteMultipart => (Method::Post, "/media/{filename}/multipart/complete"),
            Self::AbortMultipart => (Method::Delete, "/media/{filename}/multipart"),
            Self::Delete => (Method::Delete, "/media/{filename}"),
        };
        Route { method, path }
    }
}

/// The routes of [`Retrieve`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetrieveRoute {
    /// A link to one variant.
    Get,
    /// Does a variant exist?
    Head,
    /// The manifest.
    Manifest,
}

impl Routes for RetrieveRoute {
    const ALL: &'static [Self] = &[Self::Get, Self::Head, Self::Manifest];

    fn route(self) -> Route {
        let (method, path) = match self {
            Self::Get => (Method::Get, "/media/{filename}"),
            Self::Head => (Method::Head, "/media/{filename}"),
            Self::Manifest => (Method::Get, "/media/{filename}/manifest"),
        };
        Route { method, path }
    }
}

/// What the dispatcher asks of a processor, sent as the payload of an asynchronous invocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessingJob {
    /// The bucket that holds the source.
    pub bucket: String,
    /// The source's key, decoded.
    pub key: String,
    /// The media's filename, a UUID v4.
    pub filename: String,
    /// The variants' extension: always `jpg`.
    pub extension: String,
    /// The names of the sizes to make.
    pub sizes: Vec<String>,
    /// Is the source the media itself, or the poster of a video?
    pub role: Role,
    /// The source's ETag when the job was made.
    pub etag: String,
}

/// What a source is to its media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The media itself.
    Main,
    /// The poster of a video.
    Poster,
}
