//! Updates a function's code, and waits until Lambda is done with it.

use std::time::Duration;

use plan::CodeUpdate;
use tokio::time::Instant;

use super::{DeployContext, DeployError, PATIENCE, VISIBLE_WITHIN, error::aws};
use crate::{
    aws::{
        Clients,
        lambda::{Readiness, Version},
    },
    poll::{Progress, Schedule},
};

/// A function as it was last changed.
pub(super) const LATEST: &str = "$LATEST";
/// The code of a call for a function that does not exist.
const NO_FUNCTION: &str = "ResourceNotFoundException";

/// Updates the code of `$LATEST`, waits until the function is ready, and returns it.
pub(super) async fn update_code(
    context: DeployContext<'_>,
    code: &CodeUpdate,
    bucket: &str,
) -> Result<Version, DeployError> {
    let name = &code.function_name;
    let step = context.ui.step(format!("Update the code of {name}"));
    context.locks.ensure_held(&code.system).await?;
    let updated = context.clients.lambda().update_code(name, bucket, &code.key).await;
    let updated = updated.map_err(|error| match error.code.as_deref() {
        Some(NO_FUNCTION) => DeployError::NoFunction { function: name.clone() },
        _ => aws(name)(error),
    })?;
    let version = match updated.readiness {
        Readiness::Ready => updated,
        Readiness::Pending | Readiness::Failed(_) => ready(name, LATEST, context.clients).await?,
    };
    if version.code_sha256 != code.code_sha256 {
        return Err(DeployError::OtherCode { function: name.clone() });
    }
    step.done("done");
    Ok(version)
}

/// Waits until a version can be invoked and published. A read may not show a new one yet.
pub(crate) async fn ready(function: &str, version: &str, clients: &Clients) -> Result<Version, DeployError> {
    const SCHEDULE: Schedule = Schedule::doubling(Duration::from_millis(100), Duration::from_secs(2)).within(PATIENCE);
    let started = Instant::now();
    let ready = SCHEDULE.poll(async || {
        let found = clients.lambda().version(function, version).await.map_err(aws(function))?;
        match found.as_ref().map(|found| &found.readiness) {
            Some(Readiness::Failed(reason)) => {
                Err(DeployError::NotReady { function: function.to_owned(), reason: reason.clone() })
            }
            None if started.elapsed() > VISIBLE_WITHIN => Err(missing(function, version)),
            Some(Readiness::Pending) | None => Ok(Progress::Pending(())),
            Some(Readiness::Ready) => Ok(found.map_or(Progress::Pending(()), Progress::Done)),
        }
    });
    match ready.await? {
        Progress::Done(version) => Ok(version),
        Progress::Pending(()) => Err(DeployError::Busy { what: function.to_owned(), status: "Pending".to_owned() }),
    }
}

fn missing(function: &str, version: &str) -> DeployError {
    let function = function.to_owned();
    match version {
        LATEST => DeployError::NoFunction { function },
        number => DeployError::NoVersion { function, version: number.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use miette::Diagnostic;

    use super::*;
    use crate::{
        aws::scripted::{Endpoint, Received},
        interruption::Interruption,
        lock::HeldLocks,
        ui::Ui,
    };

    const ABSENT: &str = r#"{"__type":"ResourceNotFoundException","Message":"Function not found: arn:aws:lambda:us-east-1:000000000000:function:notes-api-dev"}"#;

    /// Lambda, which does not show the function to the first calls.
    async fn lambda(absent: usize) -> Endpoint {
        let calls = AtomicUsize::new(0);
        Endpoint::serve(move |_: &Received| match calls.fetch_add(1, Ordering::SeqCst) {
            call if call < absent => (404, ABSENT.to_owned()),
            _ => (200, r#"{"Version":"$LATEST","State":"Active","CodeSha256":"x"}"#.to_owned()),
        })
        .await
    }

    #[tokio::test]
    async fn a_function_that_reads_do_not_show_yet_is_waited_for() {
        let endpoint = lambda(2).await;
        let found = ready("notes-api-dev", LATEST, &endpoint.clients().await).await.expect("ready");
        assert_eq!(found.code_sha256, "x");
        assert_eq!(endpoint.received().len(), 3);
    }

    #[tokio::test]
    async fn a_function_or_a_version_that_is_gone_has_a_next_step() {
        let endpoint = lambda(usize::MAX).await;
        let clients = endpoint.clients().await;
        for (version, expected) in [
            (LATEST, "function notes-api-dev does not exist, although its stack is deployed; no traffic was shifted"),
            ("7", "version 7 of function notes-api-dev does not exist: it has been deleted; no traffic was shifted"),
        ] {
            let error = ready("notes-api-dev", version, &clients).await.expect_err("gone");
            assert_eq!(error.to_string(), expected);
            let hint = error.help().map(|help| help.to_string());
            assert!(hint.is_some_and(|hint| hint.starts_with("run the same command again")), "{error}");
        }
    }

    #[tokio::test]
    async fn the_code_of_a_function_that_was_deleted_by_hand_is_not_updated() {
        let endpoint = lambda(usize::MAX).await;
        let (clients, locks, interruption, ui) =
            (endpoint.clients().await, HeldLocks::none(), Interruption::default(), Ui::new());
        let context = DeployContext {
            stage: "dev",
            clients: &clients,
            locks: &locks,
            protects: false,
            deployment: model::stage::Deployment::Standard,
            on_change: &|_| {},
            interruption: &interruption,
            ui: &ui,
        };
        let code = CodeUpdate {
            system: "notes".to_owned(),
            function_name: "notes-api-dev".to_owned(),
            key: "artifacts/x.zip".to_owned(),
            code_sha256: "x".to_owned(),
        };
        let error = update_code(context, &code, "artifacts").await.expect_err("gone");
        assert!(matches!(error, DeployError::NoFunction { .. }), "{error}");
    }
}
