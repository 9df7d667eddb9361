//! The number of calls of a release: it grows with the functions, and the functions do not wait for each other.

use std::{collections::BTreeSet, sync::Arc};

use model::{
    example::{Example, FEEDS},
    rendered::RenderedSystem,
};

use super::{smoke::SmokeTest, *};
use crate::{
    aws::{
        Clients,
        scripted::{Endpoint, Received},
    },
    deploy::Outputs,
    interruption::Interruption,
    ledger::Ledger,
    lock::HeldLocks,
    site::Pages,
    ui::Ui,
};

/// The calls for a function with new code: its aliases, its versions, the end of a killed recording, `$LATEST`, the publication, the probe.
/// The third one is only made on an emulator, and the fourth one if this run has not updated the code.
const PER_FUNCTION: usize = 6;

/// A system whose functions all come from one binary.
pub(super) fn of_one_binary(functions: usize) -> RenderedSystem {
    let mut systems = Example::systems(&Example::stage_named("local"));
    systems.retain(|system| system.name == FEEDS);
    let stack = &mut systems[0].stacks[0];
    let first = stack.functions[0].clone();
    let named = |number| {
        let mut function = first.clone();
        (function.id.function, function.function_name) = (format!("f{number}"), format!("feeds-f{number}-local"));
        function
    };
    stack.functions = (0..functions).map(named).collect();
    systems.remove(0)
}

/// The function's name in Lambda that a request is about.
pub(super) fn function_of(request: &Received) -> Option<&str> {
    request.target.split("/functions/").nth(1)?.split(['/', '?']).next()
}

/// Lambda with functions whose version 1 is live and has other code than `$LATEST`, and an empty bucket.
async fn account() -> Endpoint {
    Endpoint::serve(|request: &Received| {
        let version = |number: &str, code: &str| {
            format!(r#"{{"FunctionName":"f","Version":"{number}","State":"Active","CodeSha256":"{code}"}}"#)
        };
        let path = request.target.split('?').next().unwrap_or_default();
        let body = match path.rsplit('/').next().unwrap_or_default() {
            "aliases" => r#"{"Aliases":[{"Name":"live","FunctionVersion":"1"}]}"#.to_owned(),
            "versions" if request.target.starts_with("POST") => version("2", "new"),
            "versions" => r#"{"Versions":[]}"#.to_owned(),
            "configuration" if request.target.ends_with("Qualifier=1") => version("1", "old"),
            "configuration" => version("2", "new"),
            "invocations" => {
                let function = function_of(request).unwrap_or_default().trim_end_matches("-local");
                format!(r#"{{"ready":true,"function":"{function}"}}"#)
            }
            _ => "<ListBucketResult></ListBucketResult>".to_owned(),
        };
        (200, body)
    })
    .await
}

/// Runs a part of a release of all functions, all at once and without smoke tests.
pub(super) async fn in_context<T>(
    system: &RenderedSystem,
    clients: &Clients,
    work: impl AsyncFnOnce(&ReleaseContext<'_>) -> T,
) -> T {
    while_settling(Settling::Settled, Vec::new(), system, clients, work).await
}

/// Runs a part of a release with these smoke tests.
pub(super) async fn while_settling<T>(
    settling: Settling,
    smoke_tests: Vec<SmokeTest>,
    system: &RenderedSystem,
    clients: &Clients,
    work: impl AsyncFnOnce(&ReleaseContext<'_>) -> T,
) -> T {
    let (ui, locks, interruption) = (Ui::new(), HeldLocks::none(), Interruption::default());
    let ledger = Ledger::new(Arc::new(clients.documents("bucket".to_owned())), FEEDS);
    let pages = Pages::new(system, Outputs::new(), "bucket", clients, &ui);
    let context = ReleaseContext {
        system,
        ledger: &ledger,
        locks: &locks,
        canary: None,
        smoke_tests,
        code: BTreeMap::new(),
        known: BTreeMap::new(),
        metadata: ReleaseMetadata { system: FEEDS.to_owned(), ..ReleaseMetadata::default() },
        settling,
        pages: &pages,
        clients,
        live: LiveAliases::default(),
        on_close: &|_| {},
        interruption: &interruption,
        ui: &ui,
    };
    work(&context).await
}

/// Publishes and probes new versions of all functions; returns the candidates.
async fn prepared(context: &ReleaseContext<'_>) -> Vec<Candidate> {
    let candidates = prepare_candidates(context, &|_: &str| false, None).await.expect("published");
    probe_all(context, &candidates).await.expect("ready");
    candidates
}

#[tokio::test]
async fn thirty_one_functions_of_one_binary_take_six_calls_each_and_do_not_wait_for_each_other() {
    let (endpoint, system) = (account().await, of_one_binary(31));
    let candidates = in_context(&system, &endpoint.clients().await, prepared).await;
    assert_eq!(candidates.iter().filter(|candidate| candidate.version == "2").count(), 31);
    let received = endpoint.received();
    let of_functions: Vec<_> = received.iter().filter_map(function_of).collect();
    assert_eq!(of_functions.len(), PER_FUNCTION * 31);
    assert_eq!(received.len() - of_functions.len(), 1, "the ledger is listed once");
    let first: BTreeSet<_> = of_functions.iter().take(12).collect();
    assert!(first.len() > 2, "the first calls are of several functions: {first:?}");
}
