//! The contract of the Media Uploader: five functions, one API, and the job that functions pass on.

use contract::{Function, FunctionName};
use serde::{Deserialize, Serialize};

/// The system's name.
pub const SYSTEM: &str = "media-uploader";

/// The path of the layer's media profile (sizes, quality, limits) in a function's file system.
pub const MEDIA_PROFILE_PATH: &str = "/opt/media-profile.json";

/// Returns upload links and stores small files: routes [`UploadRoute`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Upload<V = String> {
    /// The bucket of uploads.
    pub raw_media_bucket: V,
    /// Comma-separated origins that get CORS headers.
    pub allowed_origins: V,
    /// Path of the media profile, see [`MEDIA_PROFILE_PATH`].
    pub media_profile_path: V,
    /// The S3 endpoint of presigned URLs, path-style, if clients do not reach S3 at AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_s3_endpoint: Option<V>,
}

impl<V> Function for Upload<V> {
    const NAME: FunctionName = FunctionName::new(SYSTEM, "upload", "UploadMediaFunction");
}

/// Returns links to processed media: routes [`RetrieveRoute`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Retrieve<V = String> {
    /// The bucket of processed media.
    pub processed_media_bucket: V,
    /// Comma-separated origins that get CORS headers.
    pub allowed_origins: V,
    /// The S3 endpoint of presigned URLs, path-style, if clients do not reach S3 at AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_s3_endpoint: Option<V>,
}

impl<V> Function for Retrieve<V> {
    const NAME: FunctionName = FunctionName::new(SYSTEM, "retrieve", "RetrieveMediaFunction");
}

/// Receives the raw bucket's events and starts the processors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Dispatcher<V = String> {
    /// The bucket of uploads.
    pub raw_media_bucket: V,
    /// The bucket of processed media.
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

/// Produces an image's variants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct Image<V = String> {
    /// The bucket of uploads.
    pub raw_media_bucket: V,
    /// The bucket of processed media.
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
    /// The bucket of uploads.
    pub raw_media_bucket: V,
    /// The bucket of processed media.
    pub processed_media_bucket: V,
    /// Path of the media profile, see [`MEDIA_PROFILE_PATH`].
    pub media_profile_path: V,
    /// The ARN of the image function's alias, for embedded posters.
    pub image_processing_function_arn: V,
}

impl<V> Function for Video<V> {
    const NAME: FunctionName = FunctionName::new(SYSTEM, "video", "VideoProcessingFunction");
}

contract::routes! {
    /// The routes of [`Upload`].
    pub enum UploadRoute {
        /// Returns an upload link, or stores a small file from the body.
        Create => Post "/media",
        /// Returns the links of a multipart upload.
        CreateMultipart => Post "/media/multipart",
        /// Completes a multipart upload.
        CompleteMultipart => Post "/media/{filename}/multipart/complete",
        /// Aborts a multipart upload.
        AbortMultipart => Delete "/media/{filename}/multipart",
        /// Deletes a raw file of the caller.
        Delete => Delete "/media/{filename}",
    }
}

contract::routes! {
    /// The routes of [`Retrieve`].
    pub enum RetrieveRoute {
        /// Returns a link to a variant.
        Get => Get "/media/{filename}",
        /// Checks whether a variant exists.
        Head => Head "/media/{filename}",
        /// Returns the manifest.
        Manifest => Get "/media/{filename}/manifest",
    }
}

/// A job for a processor: the payload of the dispatcher's asynchronous invocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessingJob {
    /// The bucket that holds the source.
    pub bucket: String,
    /// The source's key, decoded.
    pub key: String,
    /// The media's filename, a UUID v4.
    pub filename: String,
    /// The extension of the variants: always `jpg`.
    pub extension: String,
    /// The names of the sizes to produce.
    pub sizes: Vec<String>,
    /// Whether the source is the media itself or the poster of a video.
    pub role: Role,
    /// The source's ETag when the job was created.
    pub etag: String,
}

/// The role of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The media itself.
    Main,
    /// The poster of a video.
    Poster,
}
