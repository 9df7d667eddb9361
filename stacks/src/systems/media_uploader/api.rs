//! Stack `api`: two buckets, five functions and the API between them, with their alarms.

use media_uploader_contract::{
    Dispatcher, Image, MEDIA_PROFILE_PATH, Retrieve, RetrieveRoute, SYSTEM, Upload, UploadRoute, Video,
};
use model::{
    parts::{
        api::{ApiHandle, RestApi},
        bucket::Bucket,
        function::{Function, FunctionHandle},
        layer::Layer,
        queue::{FailureQueue, QueueHandle},
        user_pool::UserPoolHandle,
    },
    stage::Stage,
    template::{Reference, Stack, Text},
};

use serde::Serialize;

use super::{Buckets, Settings, alarms};

/// The age in seconds at which Lambda drops an event that the function failed to process.
const MAXIMUM_EVENT_AGE: u32 = 3600;
/// The age in days at which processed media is deleted.
const PROCESSED_RETENTION: u32 = 30;
/// The largest object in bytes of the processed bucket that is never deleted. The records of owners are empty, and all media
/// is larger.
const LARGEST_RECORD: u64 = 1;
/// The age in days at which an incomplete multipart upload is deleted. Its links are valid for an hour.
const ABORT_UPLOADS: u32 = 1;
/// The days for which overwritten and deleted uploads are kept.
const PREVIOUS_RETENTION: u32 = 7;

/// Builds the stack; also returns its API.
pub(super) fn stack(
    stage: &Stage,
    settings: &Settings,
    buckets: &Buckets,
    users: &UserPoolHandle,
) -> (Stack, ApiHandle) {
    let mut stack = Stack::new("api", "Media Uploader: buckets, functions and the API.");
    let layer = stack.add(Layer {
        logical_id: "AwsUtilsLayer".to_owned(),
        system: SYSTEM,
        layer: "aws-utils".to_owned(),
        layer_name: format!("{}-aws-utils", stage.name),
        source: "lambdas/media-uploader/layer".to_owned(),
    });
    let name = format!("{SYSTEM}-failed-events-{}", stage.name);
    let failures = stack.add(FailureQueue::new("FailedEvents", &name, stage));
    let processing = Processing { stage, settings, buckets, layer: &layer, failures: &failures };
    let [image, video, dispatcher] = processing.add_to(&mut stack);
    let (upload, retrieve) = add_serving(&mut stack, stage, settings, buckets, &layer);
    add_buckets(&mut stack, stage, settings, buckets, &dispatcher);
    let api = RestApi::new("MediaApi", format!("{}-media-api", stage.name), stage)
        .authorizer("MainCognitoAuthorizer", users.pool.attribute("Arn"))
        .routes::<UploadRoute>(&upload)
        .routes::<RetrieveRoute>(&retrieve)
        .origins(&settings.allowed_origins)
        .throttle(50, 100);
    let api = stack.add(api);
    let functions =
        [("upload", upload), ("retrieve", retrieve), ("dispatcher", dispatcher), ("image", image), ("video", video)];
    alarms::add(&mut stack, stage, settings, &alarms::Watched { functions, failures, api: &api });
    add_outputs(&mut stack, buckets, &api);
    (stack, api)
}

/// The parts that the dispatcher and the two processors depend on.
struct Processing<'a> {
    stage: &'a Stage,
    settings: &'a Settings,
    buckets: &'a Buckets,
    layer: &'a Reference,
    failures: &'a QueueHandle,
}

impl Processing<'_> {
    /// Adds the functions; returns image, video and dispatcher.
    fn add_to(&self, stack: &mut Stack) -> [FunctionHandle; 3] {
        let (raw, processed) = (&self.buckets.raw, &self.buckets.processed);
        let image = Image {
            raw_media_bucket: raw.0.clone(),
            processed_media_bucket: processed.0.clone(),
            media_profile_path: MEDIA_PROFILE_PATH.into(),
        };
        let image = stack.add(self.function(image).memory(1024).timeout(60));
        let video = Video {
            raw_media_bucket: raw.0.clone(),
            processed_media_bucket: processed.0.clone(),
            media_profile_path: MEDIA_PROFILE_PATH.into(),
            image_processing_function_arn: image.alias.clone(),
        };
        let video = stack.add(self.function(video).memory(512).timeout(300).allow(image.invoke()));
        let dispatcher = Dispatcher {
            raw_media_bucket: raw.0.clone(),
            processed_media_bucket: processed.0.clone(),
            media_profile_path: MEDIA_PROFILE_PATH.into(),
            image_processing_function_arn: image.alias.clone(),
            video_processing_function_arn: video.alias.clone(),
        };
        let dispatcher = self.function(dispatcher).memory(256).timeout(30);
        let dispatcher = dispatcher.allow(raw.list_versions()).allow(raw.delete_versions());
        let dispatcher = stack.add(dispatcher.allow(image.invoke()).allow(video.invoke()));
        [image, video, dispatcher]
    }

    /// A function that reads uploads, writes results and is invoked asynchronously, by any number of uploads at once.
    fn function<C: contract::Function + Serialize>(&self, environment: C) -> Function {
        Function::new(self.stage, environment)
            .layer(self.layer)
            .allow(self.buckets.raw.read())
            .allow(self.buckets.processed.crud())
            .asynchronous(2, MAXIMUM_EVENT_AGE)
            .failures(self.failures)
            .concurrency(self.settings.processing_concurrency)
    }
}

/// Adds the two functions behind the API; returns upload and retrieve.
fn add_serving(
    stack: &mut Stack,
    stage: &Stage,
    settings: &Settings,
    buckets: &Buckets,
    layer: &Reference,
) -> (FunctionHandle, FunctionHandle) {
    let origins = || Text::from(settings.allowed_origins.join(","));
    let endpoint = || settings.public_s3_endpoint.clone().map(Text::from);
    let environment = Upload {
        raw_media_bucket: buckets.raw.0.clone(),
        allowed_origins: origins(),
        media_profile_path: MEDIA_PROFILE_PATH.into(),
        public_s3_endpoint: endpoint(),
    };
    let upload = Function::new(stage, environment).memory(256).timeout(15).layer(layer);
    let upload = stack.add(upload.allow(buckets.raw.crud_with_uploads()).allow(buckets.raw.list_versions()));
    let environment = Retrieve {
        processed_media_bucket: buckets.processed.0.clone(),
        allowed_origins: origins(),
        public_s3_endpoint: endpoint(),
    };
    let retrieve =
        Function::new(stage, environment).memory(128).timeout(10).layer(layer).allow(buckets.processed.read());
    let retrieve = stack.add(retrieve);
    (upload, retrieve)
}

fn add_buckets(stack: &mut Stack, stage: &Stage, settings: &Settings, buckets: &Buckets, dispatcher: &FunctionHandle) {
    // The ARN with the bucket's name instead of a reference, because the bucket waits for this permission.
    let source = buckets.raw.arn();
    let permission = dispatcher.permit(stack, "RawMediaBucketEventPermission", "s3.amazonaws.com", source, true);
    let mut raw = Bucket::new("RawMediaBucket", &buckets.raw, stage)
        .versioned()
        .expire_noncurrent(PREVIOUS_RETENTION)
        .abort_uploads(ABORT_UPLOADS)
        .cors(&settings.allowed_origins, &["PUT"])
        .notify("s3:ObjectCreated:*", &dispatcher.alias, &permission);
    if settings.raw_retention_days > 0 {
        raw = raw.expire(settings.raw_retention_days);
    }
    stack.add(raw);
    let processed = Bucket::new("ProcessedMediaBucket", &buckets.processed, stage)
        .expire_larger(LARGEST_RECORD, PROCESSED_RETENTION)
        .abort_uploads(ABORT_UPLOADS)
        .cors(&settings.allowed_origins, &["GET", "HEAD"]);
    stack.add(processed);
}

fn add_outputs(stack: &mut Stack, buckets: &Buckets, api: &ApiHandle) {
    stack.output("MediaApiStage", api.stage_name.clone());
    stack.output("RawMediaBucketName", buckets.raw.0.clone());
    stack.output("ProcessedMediaBucketName", buckets.processed.0.clone());
    let names: Vec<_> = stack
        .functions()
        .iter()
        .map(|function| (format!("{}Name", function.id.logical_id), function.function_name.clone()))
        .collect();
    for (output, name) in names {
        stack.output(&output, name);
    }
}
