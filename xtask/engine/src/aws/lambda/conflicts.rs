//! Calls that Lambda refuses while it updates the function: they are repeated once it is done.

use std::time::Duration;

use super::{Lambda, Readiness};
use crate::{
    aws::{AwsError, error::BUSY_FUNCTION},
    poll::{Progress, Schedule},
};

/// How long an update of a function is waited for. One with a VPC takes minutes.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// The pauses between two looks at a function.
const LOOKS: Schedule = Schedule::doubling(Duration::from_millis(100), Duration::from_secs(5)).within(PATIENCE);
/// The pauses before a refused call is repeated. The reported state may be an earlier one, so one look is not enough.
const REPEATS: Schedule = Schedule::doubling(Duration::from_millis(100), Duration::from_secs(5));
/// How often a call is repeated although the function is not being updated: for half a minute. Tests are not to wait that long.
const REPEATS_WHEN_SETTLED: usize = if cfg!(test) { 3 } else { 10 };

impl Lambda {
    /// Makes a call, and repeats it when Lambda refuses it because the function is being updated.
    ///
    /// While `LastUpdateStatus` is `InProgress`, and while `State` is `Pending`, Lambda answers changes of the function with
    /// `ResourceConflictException` and status 409 (Lambda developer guide, "Lambda function states").
    pub(super) async fn when_settled<T>(
        &self,
        function: &str,
        call: impl AsyncFn() -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        let mut pauses = REPEATS.pauses().take(REPEATS_WHEN_SETTLED);
        loop {
            let refused = match call().await {
                Err(error) if error.code.as_deref() == Some(BUSY_FUNCTION) => error,
                answered => return answered,
            };
            tracing::debug!(function, %refused, "waiting until the function is updated");
            let is_settled = self.settle(function).await?;
            let Some(pause) = pauses.next().filter(|_| is_settled) else { return Err(refused) };
            tokio::time::sleep(pause).await;
        }
    }

    /// Waits until `$LATEST` is not being updated; returns whether that was in time.
    async fn settle(&self, function: &str) -> Result<bool, AwsError> {
        let settled = LOOKS.poll(async || {
            let latest = self.version(function, "$LATEST").await?;
            let is_pending = latest.is_some_and(|latest| latest.readiness == Readiness::Pending);
            Ok(if is_pending { Progress::Pending(()) } else { Progress::Done(()) })
        });
        Ok(matches!(settled.await?, Progress::Done(())))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::aws::scripted::{Endpoint, Received};

    const CONFLICT: &str = r#"{"__type":"ResourceConflictException","Message":"The operation cannot be performed at this time. An update is in progress for resource: f"}"#;

    /// Lambda, which refuses the first calls and then reports an update in progress for as many looks.
    async fn busy(refused: usize, looks: usize) -> Endpoint {
        let (refusals, updates) = (AtomicUsize::new(refused), AtomicUsize::new(looks));
        let next =
            |left: &AtomicUsize| left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
        Endpoint::serve(move |request: &Received| {
            if request.target.starts_with("GET ") {
                let status = if next(&updates) { "InProgress" } else { "Successful" };
                let text = format!(
                    r#"{{"FunctionName":"f","Version":"$LATEST","State":"Active","LastUpdateStatus":"{status}","CodeSha256":"x"}}"#
                );
                (200, text)
            } else if next(&refusals) {
                (409, CONFLICT.to_owned())
            } else {
                (200, r#"{"FunctionName":"f","Version":"7","Name":"live","FunctionVersion":"7"}"#.to_owned())
            }
        })
        .await
    }

    #[tokio::test]
    async fn every_change_of_a_function_waits_for_its_update() {
        for change in ["code", "versions", "aliases/live"] {
            let endpoint = busy(2, 2).await;
            let lambda = endpoint.clients().await.lambda();
            match change {
                "code" => drop(lambda.update_code("f", "b", "k").await.expect("updated")),
                "versions" => drop(lambda.publish("f", "x", "d").await.expect("published")),
                _ => lambda.point("f", "live", "7").await.expect("pointed"),
            }
            let requests = endpoint.received();
            let changes: Vec<_> = requests.iter().filter(|request| !request.target.starts_with("GET ")).collect();
            assert_eq!(changes.len(), 3, "{change}: {requests:?}");
            // After the first refusal: twice in progress, then done. After the second: done.
            assert_eq!(requests.len() - changes.len(), 4, "{change}: {requests:?}");
        }
    }

    #[tokio::test]
    async fn a_refusal_that_remains_is_reported() {
        let endpoint = Endpoint::serve(|request: &Received| {
            let settled =
                r#"{"FunctionName":"f","Version":"$LATEST","State":"Active","LastUpdateStatus":"Successful"}"#;
            if request.target.starts_with("GET ") { (200, settled.to_owned()) } else { (409, CONFLICT.to_owned()) }
        })
        .await;
        let lambda = endpoint.clients().await.lambda();
        let error = lambda.update_code("f", "b", "k").await.expect_err("refused");
        assert!(error.message.contains("An update is in progress"), "{error}");
        assert_eq!(endpoint.count("PUT "), REPEATS_WHEN_SETTLED + 1);
    }
}
