//! Starts the API function.

use std::process::ExitCode;

use thakii::{app::App, gateway, routes};
use thakii_contract::Api;

fn main() -> ExitCode {
    common::start::<Api>(async |started| {
        let app = App::new(started.environment, &started.aws)?;
        gateway::serve(routes::router(app)).await
    })
}
