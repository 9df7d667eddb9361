//! The checks that stand in for CloudFormation's wait in a stage that is deployed in express mode.

use super::{ReleaseContext, ReleaseError, Settling, smoke::SmokeTest};

/// Runs the smoke tests of a system without a new version.
///
/// # Errors
///
/// When a test still fails after its last attempt.
pub(super) async fn check(context: &ReleaseContext<'_>) -> Result<(), ReleaseError> {
    for test in &context.smoke_tests {
        test.run_with_retries(context.attempts()).await.map_err(|why| not_serving(context, why))?;
    }
    Ok(())
}

/// Requests each site of the system until its page is served.
///
/// # Errors
///
/// When a page is still not served after the last attempt.
pub(crate) async fn await_sites(
    context: &ReleaseContext<'_>,
    urls: impl IntoIterator<Item = String>,
) -> Result<(), ReleaseError> {
    if context.settling == Settling::Settled {
        return Ok(());
    }
    for url in urls {
        let step = context.ui.step(format!("Request {url}"));
        let test = SmokeTest { url: Ok(url), status: 200, json: None, direct: None };
        test.run_with_retries(context.attempts_of_sites()).await.map_err(|why| not_serving(context, why))?;
        step.done("served");
    }
    Ok(())
}

fn not_serving(context: &ReleaseContext<'_>, why: String) -> ReleaseError {
    let (stage, system) = (context.metadata.stage.clone(), context.metadata.system.clone());
    ReleaseError::NotServing { stage, system, why }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use model::{
        example::{Example, FEEDS},
        rendered::RenderedSystem,
    };

    use super::*;
    use crate::{
        aws::scripted::{Endpoint, Received},
        release::{calls::while_settling, candidate::probe},
    };

    /// More failures than a smoke test has attempts in standard mode.
    const FAILURES: usize = 7;

    fn system() -> RenderedSystem {
        let systems = Example::systems(&Example::stage_named("local"));
        systems.into_iter().find(|system| system.name == FEEDS).expect("the system")
    }

    /// An API and a function that fail so often, and then work.
    async fn failing_at_first() -> Endpoint {
        let requests = AtomicUsize::new(0);
        Endpoint::serve(move |request: &Received| {
            let is_ready = requests.fetch_add(1, Ordering::SeqCst) >= FAILURES;
            let is_invocation = request.target.contains("/invocations");
            match (is_invocation, is_ready) {
                (true, true) => (200, r#"{"ready":true,"function":"feeds-fetch"}"#.to_owned()),
                (true, false) => (200, r#"{"errorMessage":"the role cannot read the table yet"}"#.to_owned()),
                (false, true) => (200, "{}".to_owned()),
                (false, false) => (503, String::new()),
            }
        })
        .await
    }

    /// Runs a check against such a system; returns its result, and the number of requests.
    async fn checked(
        settling: Settling,
        check: impl AsyncFnOnce(&ReleaseContext<'_>, String) -> Result<(), ReleaseError>,
    ) -> (Result<(), ReleaseError>, usize) {
        let endpoint = failing_at_first().await;
        let clients = endpoint.clients().await;
        let url = format!("{}/ping", clients.endpoint().expect("a URL"));
        let test = SmokeTest { url: Ok(url.clone()), status: 200, json: None, direct: None };
        let system = system();
        let run = async |context: &ReleaseContext<'_>| check(context, url).await;
        let checked = while_settling(settling, vec![test], &system, &clients, run).await;
        (checked, endpoint.received().len())
    }

    #[tokio::test]
    async fn smoke_tests_are_repeated_longer_after_a_stack_was_changed_in_express_mode() {
        let smoke = async |context: &ReleaseContext<'_>, _| check(context).await;
        let (passed, requests) = checked(Settling::Expected, smoke).await;
        passed.expect("served");
        assert_eq!(requests, FAILURES + 1);
        let (failed, requests) = checked(Settling::Possible, smoke).await;
        let error = failed.expect_err("not served yet");
        assert_eq!(requests, 5);
        let words = format!("{error}");
        assert!(
            words.contains("does not serve its clients") && words.contains("503 instead of 200, 5 times"),
            "{words}"
        );
        assert_eq!(error.traffic(), crate::release::Traffic::Unknown);
    }

    #[tokio::test]
    async fn a_probe_is_repeated_only_after_a_stack_was_changed_in_express_mode() {
        let function = system().stacks[0].functions[0].clone();
        let probe = async |context: &ReleaseContext<'_>, _| probe(context, &function, "2").await;
        let (passed, requests) = checked(Settling::Expected, probe).await;
        passed.expect("ready");
        assert_eq!(requests, FAILURES + 1);
        for settling in [Settling::Settled, Settling::Possible] {
            let (failed, requests) = checked(settling, probe).await;
            let error = failed.expect_err("not ready").to_string();
            assert!(error.contains("the role cannot read the table yet") && !error.contains("times"), "{error}");
            assert_eq!(requests, 1, "{settling:?}");
        }
    }

    #[tokio::test]
    async fn the_wait_for_probes_smoke_tests_and_sites_is_bounded() {
        let endpoint = failing_at_first().await;
        let clients = endpoint.clients().await;
        let counts = async |settling| {
            let count = async |context: &ReleaseContext<'_>| {
                [context.attempts_of_probes(), context.attempts(), context.attempts_of_sites()]
                    .map(|attempts| attempts.count)
            };
            while_settling(settling, Vec::new(), &system(), &clients, count).await
        };
        assert_eq!(counts(Settling::Settled).await, [1, 5, 5]);
        assert_eq!(counts(Settling::Possible).await, [1, 5, 5]);
        assert_eq!(counts(Settling::Expected).await, [24, 24, 180]);
    }

    #[tokio::test]
    async fn sites_are_requested_until_they_are_served_but_only_in_express_mode() {
        let request = async |context: &ReleaseContext<'_>, url| await_sites(context, [url]).await;
        let (served, requests) = checked(Settling::Expected, request).await;
        served.expect("served");
        assert_eq!(requests, FAILURES + 1);
        let (failed, _) = checked(Settling::Possible, request).await;
        assert!(matches!(failed, Err(ReleaseError::NotServing { .. })), "{failed:?}");
        let (untouched, requests) = checked(Settling::Settled, request).await;
        untouched.expect("not requested");
        assert_eq!(requests, 0);
    }
}
