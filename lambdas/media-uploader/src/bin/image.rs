//! Starts the image function.

use std::process::ExitCode;

use contract::media_uploader::ProcessingJob;
use media_uploader::{
    image::job::Images,
    profile::Profile,
    storage::{self, Store},
};

type Contract = contract::media_uploader::Image;

fn main() -> ExitCode {
    common::start::<Contract>(async |started| {
        let environment = started.environment;
        let s3 = storage::client(&started.aws);
        let images = Images {
            raw: Store::new(s3.clone(), environment.raw_media_bucket),
            processed: Store::new(s3, environment.processed_media_bucket),
            profile: Profile::load(&environment.media_profile_path),
        };
        common::events::serve::<Contract, ProcessingJob, _>(async |job| Ok(Box::pin(images.handle(job)).await?)).await
    })
}
