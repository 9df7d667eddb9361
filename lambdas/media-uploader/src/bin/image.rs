//! Starts the image function.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::start(media_uploader::image::serve)
}
