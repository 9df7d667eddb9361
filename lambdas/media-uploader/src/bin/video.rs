//! Starts the video function.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::start(media_uploader::video::serve)
}
