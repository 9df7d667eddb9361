//! Starts the status function.

use std::process::ExitCode;

use common::queue::Batch;
use thakii::status::StatusFunction;
use thakii_contract::Status;

fn main() -> ExitCode {
    common::start::<Status>(async |started| {
        let status = StatusFunction::new(started.environment, &started.aws);
        common::events::serve::<Status, Batch, _>(async |event| Ok(Box::pin(status.handle(event)).await)).await
    })
}
