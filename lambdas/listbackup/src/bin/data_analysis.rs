//! Starts the function of the binary `listbackup-data-analysis`.

use std::process::ExitCode;

fn main() -> ExitCode {
    listbackup::insights::functions().run()
}
