//! Starts the dispatcher.

use std::process::ExitCode;

use media_uploader::{
    dispatcher::{Dispatcher, Event},
    profile::Profile,
    storage::{self, Store},
};

type Contract = media_uploader_contract::Dispatcher;

fn main() -> ExitCode {
    common::start::<Contract>(async |started| {
        let environment = started.environment;
        let s3 = storage::client(&started.aws);
        let dispatcher = Dispatcher {
            raw: Store::new(s3.clone(), environment.raw_media_bucket),
            processed: Store::new(s3, environment.processed_media_bucket),
            lambda: aws_sdk_lambda::Client::new(&started.aws),
            image: environment.image_processing_function_arn,
            video: environment.video_processing_function_arn,
            profile: Profile::load(&environment.media_profile_path),
        };
        common::events::serve::<Contract, Event, _>(async |event| Ok(Box::pin(dispatcher.handle(event)).await?)).await
    })
}
