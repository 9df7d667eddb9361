//! Updates a function's code, and waits until Lambda is done with it.

use std::time::Duration;

use plan::CodeUpdate;

use super::{DeployContext, DeployError, PATIENCE, error::aws};
use crate::{
    aws::{
        Clients,
        lambda::{Readiness, Version},
    },
    poll::{Progress, Schedule},
};

/// Updates the code of `$LATEST` and waits until the function is ready.
pub(super) async fn update_code(
    context: DeployContext<'_>,
    code: &CodeUpdate,
    bucket: &str,
) -> Result<(), DeployError> {
    let name = &code.function_name;
    let step = context.ui.step(format!("Update the code of {name}"));
    context.locks.ensure_held(&code.system).await?;
    context.clients.lambda().update_code(name, bucket, &code.key).await.map_err(aws(name))?;
    let version = ready(name, "$LATEST", context.clients).await?;
    if version.code_sha256 != code.code_sha256 {
        let reason =
            "the hash in Lambda differs from the zip's: the function was updated by another program".to_owned();
        return Err(DeployError::Code { function: name.clone(), reason });
    }
    step.done("done");
    Ok(())
}

/// Waits until a version can be invoked and published.
pub(crate) async fn ready(function: &str, version: &str, clients: &Clients) -> Result<Version, DeployError> {
    const SCHEDULE: Schedule = Schedule::doubling(Duration::from_millis(100), Duration::from_secs(2)).within(PATIENCE);
    let failed = |reason: String| DeployError::Code { function: function.to_owned(), reason };
    let ready = SCHEDULE.poll(async || {
        let found = clients.lambda().version(function, version).await.map_err(aws(function))?;
        let Some(found) = found else { return Err(failed(format!("there is no version {version}"))) };
        match found.readiness {
            Readiness::Ready => Ok(Progress::Done(found)),
            Readiness::Failed(reason) => Err(failed(reason)),
            Readiness::Pending => Ok(Progress::Pending(())),
        }
    });
    match ready.await? {
        Progress::Done(version) => Ok(version),
        Progress::Pending(()) => Err(DeployError::Busy { what: function.to_owned(), status: "Pending".to_owned() }),
    }
}
