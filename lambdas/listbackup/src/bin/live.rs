//! Starts the functions of the binary `listbackup-live`.

use std::process::ExitCode;

use listbackup::live;

fn main() -> ExitCode {
    common::functions().function(live::connect).function(live::disconnect).function(live::push).run()
}
