//! Starts the functions of the binary `listbackup-backup-processors`.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::functions().run()
}
