//! Starts the retrieve function.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::start(media_uploader::retrieve::serve)
}
