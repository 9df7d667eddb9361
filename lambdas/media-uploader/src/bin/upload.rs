//! Starts the upload function.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::start(media_uploader::upload::serve)
}
