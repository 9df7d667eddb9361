//! Starts the fake Telegram server.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::start(analyticbot::stub::serve)
}
