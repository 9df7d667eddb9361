//! Starts the functions of the binary `listbackup-api`.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::functions().run()
}
