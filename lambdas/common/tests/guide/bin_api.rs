//! Starts the function `api`.

use std::process::ExitCode;

use aws_sdk_dynamodb::Client;
use notes::api::{Notes, router};
use notes_contract::Api;

fn main() -> ExitCode {
    common::start::<Api>(async |started| {
        let notes = Notes { client: Client::new(&started.aws), table: started.environment.table_name };
        common::http::serve::<Api>(router(notes)).await
    })
}
