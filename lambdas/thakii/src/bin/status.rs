//! Starts the status function.

use std::process::ExitCode;

use thakii::status::{SqsEvent, StatusFunction};
use thakii_contract::Status;

fn main() -> ExitCode {
    common::start::<Status>(async |started| {
        let status = StatusFunction::new(started.environment, &started.aws);
        common::events::serve::<Status, SqsEvent, _>(async |event| Ok(Box::pin(status.handle(event)).await)).await
    })
}
