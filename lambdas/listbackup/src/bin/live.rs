//! Starts the functions of the binary `listbackup-live`.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::functions().run()
}
