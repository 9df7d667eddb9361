//! Starts all functions but the fake Telegram server.

use std::process::ExitCode;

use analyticbot::{admin_bot, user_bot};

fn main() -> ExitCode {
    common::functions().function(user_bot::serve).function(admin_bot::serve).run()
}
