//! Starts the functions of the binary `listbackup-data-analysis`.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::functions().run()
}
