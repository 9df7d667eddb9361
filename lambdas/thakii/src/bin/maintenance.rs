//! Starts the maintenance function.

use std::process::ExitCode;

use serde_json::Value;
use thakii::maintenance::MaintenanceFunction;
use thakii_contract::Maintenance;

fn main() -> ExitCode {
    common::start::<Maintenance>(async |started| {
        let maintenance = MaintenanceFunction::new(started.environment, &started.aws);
        // The event of the schedule carries no information.
        common::events::serve::<Maintenance, Value, _>(async |_| Ok(Box::pin(maintenance.run()).await?)).await
    })
}
