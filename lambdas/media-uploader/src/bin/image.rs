//! Starts the image function.

use std::process::ExitCode;

use media_uploader::{
    image::ImageProcessor,
    job::Buckets,
    profile::Profile,
    storage::{self, Store},
};

type Contract = media_uploader_contract::Image;

fn main() -> ExitCode {
    common::start::<Contract>(async |started| {
        let environment = started.environment;
        let s3 = storage::client(&started.aws);
        let processor = ImageProcessor {
            buckets: Buckets {
                raw: Store::new(s3.clone(), environment.raw_media_bucket),
                processed: Store::new(s3, environment.processed_media_bucket),
            },
            profile: Profile::load(&environment.media_profile_path),
        };
        common::events::serve::<Contract, _, _>(async |job| Ok(Box::pin(processor.handle(job)).await?)).await
    })
}
