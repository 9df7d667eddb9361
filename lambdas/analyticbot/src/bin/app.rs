//! Starts all functions but the fake Telegram server.

use std::process::ExitCode;

use analyticbot::{admin_bot, auth, cleanup, meta, user_admin, user_bot};
use analyticbot_contract::{AdminBot, Auth, Cleanup, Meta, UserAdmin, UserBot};

fn main() -> ExitCode {
    common::functions()
        .function::<Auth>(auth::serve)
        .function::<UserBot>(user_bot::serve)
        .function::<AdminBot>(admin_bot::serve)
        .function::<Meta>(meta::serve)
        .function::<Cleanup>(cleanup::serve)
        .function::<UserAdmin>(user_admin::serve)
        .run()
}
