//! Starts all functions but the fake Telegram server.

use std::process::ExitCode;

use analyticbot::{auth, cleanup, meta, user_admin};
use analyticbot_contract::{Auth, Cleanup, Meta, UserAdmin};

fn main() -> ExitCode {
    common::functions()
        .function::<Auth>(auth::serve)
        .function::<Meta>(meta::serve)
        .function::<Cleanup>(cleanup::serve)
        .function::<UserAdmin>(user_admin::serve)
        .run()
}
