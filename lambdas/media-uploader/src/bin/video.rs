//! Starts the video function.

use std::process::ExitCode;

use contract::media_uploader::ProcessingJob;
use media_uploader::{
    profile::Profile,
    storage::{self, Store},
    video::job::Videos,
};

type Contract = contract::media_uploader::Video;

fn main() -> ExitCode {
    common::start::<Contract>(async |started| {
        let environment = started.environment;
        let s3 = storage::client(&started.aws);
        let videos = Videos {
            raw: Store::new(s3.clone(), environment.raw_media_bucket),
            processed: Store::new(s3, environment.processed_media_bucket),
            lambda: aws_sdk_lambda::Client::new(&started.aws),
            image: environment.image_processing_function_arn,
            profile: Profile::load(&environment.media_profile_path),
        };
        common::events::serve::<Contract, ProcessingJob, _>(async |job| Ok(Box::pin(videos.handle(job)).await?)).await
    })
}
