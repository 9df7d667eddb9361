//! Starts the functions of the binary `listbackup-analytics`.

use std::process::ExitCode;

fn main() -> ExitCode {
    listbackup::analytics::functions().run()
}
