//! Stack `api`: two buckets, five functions and the API between them.

use media_uploader_contract::{
    Dispatcher, Image, MEDIA_PROFILE_PATH, Retrieve, RetrieveRoute, SYSTEM, Upload, UploadRoute, Video,
};
use model::{
    parts::{
        api::{ApiHandle, RestApi},
        bucket::Bucket,
        function::{Function, FunctionHandle},
        layer::Layer,
        user_pool::UserPoolHandle,
    },
    stage::Stage,
    template::{Reference, Stack, Text},
};

use super::{Buckets, Settings};

/// The age in seconds at which Lambda drops an event that the function failed to process.
const MAXIMUM_EVENT_AGE: u32 = 3600;
/// The age in days at which processed media is deleted.
const PROCESSED_RETENTION: u32 = 30;
/// The age in days at which an incomplete multipart upload is deleted.
const ABORT_UPLOADS: u32 = 7;

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
    let dispatcher = add_processing(&mut stack, stage, buckets, &layer);
    let (upload, retrieve) = add_serving(&mut stack, stage, settings, buckets, &layer);
    add_buckets(&mut stack, stage, settings, buckets, &dispatcher);
    let api = RestApi::new("MediaApi", format!("{}-media-api", stage.name), stage)
        .authorizer("MainCognitoAuthorizer", users.pool.attribute("Arn"))
        .routes::<UploadRoute>(&upload)
        .routes::<RetrieveRoute>(&retrieve)
        .origins(&settings.allowed_origins)
        .throttle(50, 100);
    let api = stack.add(api);
    add_outputs(&mut stack, buckets, &api);
    (stack, api)
}

/// Adds the dispatcher and the two processors; returns the dispatcher.
fn add_processing(stack: &mut Stack, stage: &Stage, buckets: &Buckets, layer: &Reference) -> FunctionHandle {
    let raw = || buckets.raw.0.clone();
    let processed = || buckets.processed.0.clone();
    let profile = || Text::from(MEDIA_PROFILE_PATH);
    let environment =
        Image { raw_media_bucket: raw(), processed_media_bucket: processed(), media_profile_path: profile() };
    let image = Function::new(stage, environment)
        .memory(1024)
        .timeout(60)
        .layer(layer)
        .allow(buckets.raw.read())
        .allow(buckets.processed.crud())
        .asynchronous(2, MAXIMUM_EVENT_AGE);
    let image = stack.add(image);
    let environment = Video {
        raw_media_bucket: raw(),
        processed_media_bucket: processed(),
        media_profile_path: profile(),
        image_processing_function_arn: image.alias.clone(),
    };
    let video = Function::new(stage, environment)
        .memory(512)
        .timeout(300)
        .layer(layer)
        .allow(buckets.raw.read())
        .allow(buckets.processed.crud())
        .allow(image.invoke())
        .asynchronous(2, MAXIMUM_EVENT_AGE);
    let video = stack.add(video);
    let environment = Dispatcher {
        raw_media_bucket: raw(),
        processed_media_bucket: processed(),
        media_profile_path: profile(),
        image_processing_function_arn: image.alias.clone(),
        video_processing_function_arn: video.alias.clone(),
    };
    let dispatcher = Function::new(stage, environment)
        .memory(256)
        .timeout(30)
        .layer(layer)
        .allow(buckets.raw.read())
        .allow(buckets.processed.crud())
        .allow(image.invoke())
        .allow(video.invoke());
    stack.add(dispatcher)
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
    let upload =
        Function::new(stage, environment).memory(256).timeout(15).layer(layer).allow(buckets.raw.crud_with_uploads());
    let upload = stack.add(upload);
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
        .abort_uploads(ABORT_UPLOADS)
        .cors(&settings.allowed_origins, &["PUT"])
        .notify("s3:ObjectCreated:*", &dispatcher.alias, &permission);
    if settings.raw_retention_days > 0 {
        raw = raw.expire(settings.raw_retention_days);
    }
    stack.add(raw);
    let processed = Bucket::new("ProcessedMediaBucket", &buckets.processed, stage)
        .expire(PROCESSED_RETENTION)
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
