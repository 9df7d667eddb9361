//! Starts the retrieve function.

use std::process::ExitCode;

use common::cors::Origins;
use media_uploader::{
    retrieve::{Retrieve, router},
    storage::{self, Store},
};

type Contract = media_uploader_contract::Retrieve;

fn main() -> ExitCode {
    common::start::<Contract>(async |started| {
        let environment = started.environment;
        let retrieve = Retrieve {
            processed: Store::new(storage::client(&started.aws), environment.processed_media_bucket),
            presigner: storage::presigning_client(&started.aws, environment.public_s3_endpoint.as_deref()),
        };
        common::http::serve::<Contract>(router(retrieve, Origins::parse(&environment.allowed_origins))).await
    })
}
