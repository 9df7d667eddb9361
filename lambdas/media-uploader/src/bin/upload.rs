//! Starts the upload function.

use std::process::ExitCode;

use common::cors::Origins;
use media_uploader::{
    profile::Profile,
    storage::{self, Store},
    upload::{Upload, router},
};

type Contract = media_uploader_contract::Upload;

fn main() -> ExitCode {
    common::start::<Contract>(async |started| {
        let environment = started.environment;
        let upload = Upload {
            raw: Store::new(storage::client(&started.aws), environment.raw_media_bucket),
            presigner: storage::presigning_client(&started.aws, environment.public_s3_endpoint.as_deref()),
            limits: Profile::load(&environment.media_profile_path).limits,
        };
        common::http::serve::<Contract>(router(upload, Origins::parse(&environment.allowed_origins))).await
    })
}
