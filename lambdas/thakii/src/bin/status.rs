//! Starts the status function.

use std::process::ExitCode;

use thakii::status::{Messages, StatusFunction};
use thakii_contract::Status;

fn main() -> ExitCode {
    common::start::<Status>(async |started| {
        let status = StatusFunction::new(started.environment, &started.aws);
        common::events::serve::<Status, Messages, _>(async |messages| Ok(Box::pin(status.handle(messages)).await)).await
    })
}
