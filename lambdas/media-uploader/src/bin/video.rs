//! Starts the video function.

use std::process::ExitCode;

use media_uploader::{
    job::Buckets,
    profile::Profile,
    storage::{self, Store},
    video::{IN_MEMORY, VideoProcessor},
};

type Contract = media_uploader_contract::Video;

fn main() -> ExitCode {
    common::start::<Contract>(async |started| {
        let environment = started.environment;
        let s3 = storage::client(&started.aws);
        let processor = VideoProcessor {
            buckets: Buckets {
                raw: Store::new(s3.clone(), environment.raw_media_bucket),
                processed: Store::new(s3, environment.processed_media_bucket),
            },
            lambda: aws_sdk_lambda::Client::new(&started.aws),
            image: environment.image_processing_function_arn,
            profile: Profile::load(&environment.media_profile_path),
            in_memory: IN_MEMORY,
        };
        common::events::serve::<Contract, _, _>(async |job| Ok(Box::pin(processor.handle(job)).await?)).await
    })
}
