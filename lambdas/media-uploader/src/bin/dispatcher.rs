//! Starts the dispatcher.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::start(media_uploader::dispatcher::serve)
}
