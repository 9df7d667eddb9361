//! Starts the functions of the binary `listbackup-auth`.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::functions().run()
}
