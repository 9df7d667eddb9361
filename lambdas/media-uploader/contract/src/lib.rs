//! The Media Uploader: five functions, one API, one job passed between them.

use serde::{Deserialize, Serialize};

use contract::{Function, FunctionName, Method, Route, Routes};

/// The system's name.
pub const SYSTEM: &str = "media-uploader";

/// Where the layer puts the media profile (sizes, quality, limits) in a function's file system.
pub const MEDIA_PROFILE_PATH: &str = "/opt/media-profile.json";

/// Hands out upload links and takes small files: routes [`UploadRoute`].
#[derive(Debug, Clone, Copy)]
pub struct Upload;
/// Hands out links to processed media: routes [`RetrieveRoute`].
#[derive(Debug, Clone, Copy)]
pub struct Retrieve;
/// Takes the raw bucket's events and starts the right processor.
#[derive(Debug, Clone, Copy)]
pub struct Dispatcher;
/// Makes an image's variants.
#[derive(Debug, Clone, Copy)]
pub struct Image;
/// Probes a video and rewrites its container.
#[derive(Debug, Clone, Copy)]
pub struct Video;

impl Function for Upload {
    const NAME: FunctionName = FunctionName {
        system: SYSTEM,
        function: "upload",
        binary: "media-uploader-upload",
        logical_id: "UploadMediaFunction",
    };
    type Environment<V> = UploadEnvironment<V>;
}

impl Function for Retrieve {
    const NAME: FunctionName = FunctionName {
        system: SYSTEM,
        function: "retrieve",
        binary: "media-uploader-retrieve",
        logical_id: "RetrieveMediaFunction",
    };
    type Environment<V> = RetrieveEnvironment<V>;
}

impl Function for Dispatcher {
    const NAME: FunctionName = FunctionName {
        system: SYSTEM,
        function: "dispatcher",
        binary: "media-uploader-dispatcher",
        logical_id: "MediaProcessingDispatcher",
    };
    type Environment<V> = DispatcherEnvironment<V>;
}

impl Function for Image {
    const NAME: FunctionName = FunctionName {
        system: SYSTEM,
        function: "image",
        binary: "media-uploader-image",
        logical_id: "ImageProcessingFunction",
    };
    type Environment<V> = ImageEnvironment<V>;
}

impl Function for Video {
    const NAME: FunctionName = FunctionName {
        system: SYSTEM,
        function: "video",
        binary: "media-uploader-video",
        logical_id: "VideoProcessingFunction",
    };
    type Environment<V> = VideoEnvironment<V>;
}

/// The environment of [`Upload`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct UploadEnvironment<V = String> {
    /// The bucket uploads land in.
    pub raw_media_bucket: V,
    /// Comma-separated origins that get CORS headers.
    pub allowed_origins: V,
    /// Path of the media profile, see [`MEDIA_PROFILE_PATH`].
    pub media_profile_path: V,
    /// The S3 endpoint a client can reach, where that is not AWS: presigned URLs are made for it, path-style.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub public_s3_endpoint: Option<V>,
}

/// The environment of [`Retrieve`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct RetrieveEnvironment<V = String> {
    /// The bucket processed media is served from.
    pub processed_media_bucket: V,
    /// Comma-separated origins that get CORS headers.
    pub allowed_origins: V,
    /// The S3 endpoint a client can reach, where that is not AWS: presigned URLs are made for it, path-style.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub public_s3_endpoint: Option<V>,
}

/// The environment of [`Dispatcher`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct DispatcherEnvironment<V = String> {
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

/// The environment of [`Image`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct ImageEnvironment<V = String> {
    /// The bucket uploads land in.
    pub raw_media_bucket: V,
    /// The bucket processed media is served from.
    pub processed_media_bucket: V,
    /// Path of the media profile, see [`MEDIA_PROFILE_PATH`].
    pub media_profile_path: V,
}

/// The environment of [`Video`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct VideoEnvironment<V = String> {
    /// The bucket uploads land in.
    pub raw_media_bucket: V,
    /// The bucket processed media is served from.
    pub processed_media_bucket: V,
    /// Path of the media profile, see [`MEDIA_PROFILE_PATH`].
    pub media_profile_path: V,
    /// The ARN of the image function's alias, for embedded posters.
    pub image_processing_function_arn: V,
}

/// A default that does not ask `V: Default`, which `#[serde(default)]` alone would.
fn none<V>() -> Option<V> {
    None
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
