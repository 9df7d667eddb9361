//! Starts the API function.

use std::process::ExitCode;

use thakii::{app::App, gateway, http};
use thakii_contract::Api;

fn main() -> ExitCode {
    common::start::<Api>(async |started| {
        let app = App::new(started.environment, &started.aws)?;
        gateway::serve(http::router(app)).await
    })
}
