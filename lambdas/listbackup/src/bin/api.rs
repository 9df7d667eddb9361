//! Starts the functions of the binary `listbackup-api`.

use std::process::ExitCode;

fn main() -> ExitCode {
    listbackup::api::functions().run()
}
