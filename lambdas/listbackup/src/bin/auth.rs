//! Starts the functions of the binary `listbackup-auth`.

use std::process::ExitCode;

use listbackup::auth;

fn main() -> ExitCode {
    common::functions()
        .function(auth::register)
        .function(auth::login)
        .function(auth::refresh)
        .function(auth::logout)
        .function(auth::mfa_setup)
        .function(auth::mfa_verify)
        .run()
}
