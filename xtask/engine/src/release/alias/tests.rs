//! Aliases that another actor moves, stale reads and lost responses.

use std::sync::Arc;

use model::rendered::RenderedSystem;
use serde_json::{Value, json};

use super::*;
use crate::{
    aws::{
        Clients,
        lambda::TrafficSplit,
        scripted::{Endpoint, Received},
    },
    ledger::{OpenEntry, Outcome, ReleaseKind},
    release::{
        abort,
        calls::{function_of, in_context, of_one_binary},
        resume,
        shift::complete,
    },
};

const FIRST: &str = "feeds-f0-local";
const SECOND: &str = "feeds-f1-local";

/// `live` of one function.
#[derive(Debug)]
struct Live {
    /// The routings so far: version and weights.
    routings: Vec<(String, Value)>,
    /// How many reads show the first routing.
    stale_reads: usize,
    /// How many updates are carried out, and refused when the SDK repeats them because their response was lost.
    lost_responses: usize,
}

impl Live {
    fn json(&self, routing: usize) -> Value {
        let (version, weights) = &self.routings[routing];
        json!({
            "Name": "live",
            "FunctionVersion": version,
            "RoutingConfig": { "AdditionalVersionWeights": weights },
            "RevisionId": format!("r{routing}"),
        })
    }

    fn read(&mut self) -> Value {
        let is_stale = self.stale_reads > 0;
        self.stale_reads = self.stale_reads.saturating_sub(1);
        json!({ "Aliases": [self.json(if is_stale { 0 } else { self.routings.len() - 1 })] })
    }

    fn update(&mut self, input: &Value) -> (u16, String) {
        let outdated = || (412, json!({ "__type": "PreconditionFailedException", "Message": "outdated" }).to_string());
        let present = format!("r{}", self.routings.len() - 1);
        if input["RevisionId"].as_str().is_some_and(|revision| revision != present) {
            return outdated();
        }
        let version = input["FunctionVersion"].as_str().unwrap_or_default().to_owned();
        self.routings.push((version, input["RoutingConfig"]["AdditionalVersionWeights"].clone()));
        if self.lost_responses > 0 {
            self.lost_responses -= 1;
            return outdated();
        }
        (200, self.json(self.routings.len() - 1).to_string())
    }
}

/// Two functions whose versions 1 are live, and an empty bucket that accepts every write.
#[derive(Clone)]
struct Account(Arc<Mutex<BTreeMap<String, Live>>>);

impl Account {
    fn new() -> Self {
        let live = || Live { routings: vec![("1".to_owned(), json!({}))], stale_reads: 0, lost_responses: 0 };
        Self(Arc::new(Mutex::new([FIRST, SECOND].map(|function| (function.to_owned(), live())).into())))
    }

    fn change<T>(&self, function: &str, change: impl FnOnce(&mut Live) -> T) -> T {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(all.get_mut(function).expect("the function"))
    }

    /// Another actor sends all traffic to a version.
    fn moves(&self, function: &str, version: &str) {
        self.change(function, |live| live.routings.push((version.to_owned(), json!({}))));
    }

    fn live(&self, function: &str) -> (String, Value) {
        self.change(function, |live| live.routings.last().cloned().expect("a routing"))
    }

    async fn serve(&self) -> Endpoint {
        let account = self.clone();
        Endpoint::serve(move |request: &Received| {
            let Some(function) = function_of(request).map(str::to_owned) else {
                return (200, "<ListBucketResult></ListBucketResult>".to_owned());
            };
            if request.target.contains("/invocations") {
                let function = function.trim_end_matches("-local");
                return (200, format!(r#"{{"ready":true,"function":"{function}"}}"#));
            }
            let input = serde_json::from_str(&request.body).unwrap_or_default();
            account.change(&function, |live| match request.target.starts_with("PUT") {
                true => live.update(&input),
                false => (200, live.read().to_string()),
            })
        })
        .await
    }
}

/// The revisions that the updates of an alias named.
fn revisions(endpoint: &Endpoint, function: &str) -> Vec<String> {
    let updates = endpoint.received().into_iter().filter(|request| request.target.starts_with("PUT"));
    let of_function = updates.filter(|request| function_of(request) == Some(function));
    let input = of_function.map(|request| serde_json::from_str(&request.body).unwrap_or(Value::Null));
    input.map(|input: Value| input["RevisionId"].as_str().unwrap_or("none").to_owned()).collect()
}

/// The ledger entry as it was last written.
fn written(endpoint: &Endpoint) -> Value {
    let received = endpoint.received();
    let last = received.iter().rev().find(|request| request.target.starts_with("PUT /bucket/releases/"));
    serde_json::from_str(&last.expect("an entry").body).expect("JSON")
}

/// Records a release of versions 2, in the state of an earlier run that recorded these steps.
async fn record(context: &ReleaseContext<'_>, steps: &[&str]) -> OpenEntry {
    let change = VersionChange { before: Some("1".to_owned()), after: "2".to_owned(), code_sha256: None };
    let functions = context.functions().map(|function| (function.function_name.clone(), change.clone()));
    let entry = context.metadata.entry(ReleaseKind::Deploy, functions.collect());
    let mut open = context.ledger.record(context.locks, entry).await.expect("recorded");
    for step in steps {
        context.ledger.record_step(&mut open, (*step).to_owned()).await.expect("recorded");
    }
    open
}

async fn served(account: &Account) -> (Endpoint, Clients, RenderedSystem) {
    let endpoint = account.serve().await;
    let clients = endpoint.clients().await;
    (endpoint, clients, of_one_binary(2))
}

fn split(percent: u8) -> Routing<'static> {
    Routing::Split(TrafficSplit { version: "1", other: "2", share: f64::from(percent) / 100.0 })
}

#[tokio::test]
async fn every_shift_names_the_revision_of_the_last_known_state() {
    let account = Account::new();
    let (endpoint, clients, system) = served(&account).await;
    in_context(&system, &clients, async |context: &ReleaseContext<'_>| {
        context.read_live(FIRST, Recorded::default()).await.expect("read").expect("an alias");
        let open = record(context, &["10 % of the traffic"]).await;
        for routing in [split(10), split(50), Routing::All("2")] {
            context.shift_live(&open.entry, FIRST, routing).await.expect("shifted");
        }
        context.shift_live_back(FIRST, &open.entry.functions[FIRST]).await.expect("shifted back");
    })
    .await;
    assert_eq!(revisions(&endpoint, FIRST), ["r0", "r1", "r2", "r3"]);
    assert_eq!(endpoint.count(&format!("GET /2015-03-31/functions/{FIRST}/aliases")), 1);
    assert_eq!(account.live(FIRST), ("1".to_owned(), json!({})));
}

#[tokio::test]
async fn an_emulator_without_revisions_accepts_every_shift() {
    let endpoint = Endpoint::serve(|request: &Received| match request.target.contains("/functions/") {
        true => (200, r#"{"Aliases":[{"Name":"live","FunctionVersion":"1"}]}"#.to_owned()),
        false => (200, "<ListBucketResult></ListBucketResult>".to_owned()),
    })
    .await;
    in_context(&of_one_binary(1), &endpoint.clients().await, async |context: &ReleaseContext<'_>| {
        let open = record(context, &["50 % of the traffic"]).await;
        for routing in [split(50), Routing::All("2")] {
            context.shift_live(&open.entry, FIRST, routing).await.expect("shifted");
        }
    })
    .await;
    assert_eq!(revisions(&endpoint, FIRST), ["none", "none"]);
}

#[tokio::test]
async fn an_update_whose_response_was_lost_counts_once_lambda_accepts_it_again() {
    for stale_reads in [0, 2] {
        let account = Account::new();
        account.change(FIRST, |live| live.lost_responses = 1);
        let (endpoint, clients, system) = served(&account).await;
        in_context(&system, &clients, async |context: &ReleaseContext<'_>| {
            context.read_live(FIRST, Recorded::default()).await.expect("read");
            account.change(FIRST, |live| live.stale_reads = stale_reads);
            let open = record(context, &["all of the traffic"]).await;
            context.shift_live(&open.entry, FIRST, Routing::All("2")).await.expect("shifted");
        })
        .await;
        assert_eq!(account.live(FIRST).0, "2");
        assert_eq!(revisions(&endpoint, FIRST).last().map(String::as_str), Some("r1"));
    }
}

#[tokio::test]
async fn a_release_leaves_an_alias_that_another_actor_moved_and_reverts_the_others() {
    let account = Account::new();
    let (endpoint, clients, system) = served(&account).await;
    let error = in_context(&system, &clients, async |context: &ReleaseContext<'_>| {
        for function in [FIRST, SECOND] {
            context.read_live(function, Recorded::default()).await.expect("read");
        }
        let open = record(context, &[]).await;
        account.moves(FIRST, "9");
        complete(context, open, context.functions().cloned().collect()).await.expect_err("moved")
    })
    .await;
    let text = error.to_string();
    assert!(
        text.contains("`live` of feeds-f0-local points to version 9 now, and the release recorded version 1"),
        "{text}"
    );
    assert!(!text.contains(SECOND) && text.contains("shifted other functions back"), "{text}");
    assert_eq!((account.live(FIRST).0, account.live(SECOND).0), ("9".to_owned(), "1".to_owned()));
    assert_eq!(account.change(SECOND, |live| live.routings.len()), 3, "it was shifted, and shifted back");
    let outcome: Outcome = serde_json::from_value(written(&endpoint)["outcome"].clone()).expect("an outcome");
    assert!(outcome.has_moved(FIRST) && !outcome.has_moved(SECOND), "{outcome:?}");
}

#[tokio::test]
async fn an_alias_that_was_moved_during_a_canary_is_not_shifted_further() {
    let account = Account::new();
    let (_endpoint, clients, system) = served(&account).await;
    in_context(&system, &clients, async |context: &ReleaseContext<'_>| {
        let open = record(context, &["10 % of the traffic"]).await;
        context.shift_live(&open.entry, FIRST, split(10)).await.expect("shifted");
        // A person ends the canary.
        account.moves(FIRST, "1");
        let moved = context.shift_live(&open.entry, FIRST, split(50)).await.expect_err("moved");
        assert!(matches!(moved, ReleaseError::LiveMoved { .. }), "{moved}");
    })
    .await;
    assert_eq!(account.live(FIRST), ("1".to_owned(), json!({})));
}

#[tokio::test]
async fn a_release_that_shifted_nothing_is_not_resumed_from_another_version() {
    let account = Account::new();
    account.moves(FIRST, "9");
    let (_endpoint, clients, system) = served(&account).await;
    let error = in_context(&system, &clients, async |context: &ReleaseContext<'_>| {
        let open = record(context, &[]).await;
        resume(context, open).await.expect_err("moved")
    })
    .await;
    assert!(matches!(&error, ReleaseError::LiveMoved { moved } if moved.len() == 1), "{error}");
    assert_eq!((account.live(FIRST).0, account.live(SECOND).0), ("9".to_owned(), "1".to_owned()));
}

#[tokio::test]
async fn a_release_is_resumed_from_every_state_in_which_it_can_be_interrupted() {
    let account = Account::new();
    account.moves(FIRST, "2");
    account.change(SECOND, |live| live.routings.push(("1".to_owned(), json!({ "2": 0.5 }))));
    for function in [FIRST, SECOND] {
        account.change(function, |live| live.stale_reads = 1);
    }
    let (endpoint, clients, system) = served(&account).await;
    in_context(&system, &clients, async |context: &ReleaseContext<'_>| {
        let open = record(context, &["50 % of the traffic"]).await;
        resume(context, open).await.expect("resumed");
    })
    .await;
    assert_eq!((account.live(FIRST).0, account.live(SECOND).0), ("2".to_owned(), "2".to_owned()));
    assert_eq!(written(&endpoint)["outcome"]["state"], "released");
}

#[tokio::test]
async fn an_aborted_release_loses_its_traffic_although_a_read_is_stale() {
    let account = Account::new();
    account.moves(FIRST, "2");
    account.change(FIRST, |live| live.stale_reads = 2);
    account.moves(SECOND, "9");
    let (endpoint, clients, system) = served(&account).await;
    in_context(&system, &clients, async |context: &ReleaseContext<'_>| {
        let open = record(context, &["all of the traffic"]).await;
        abort(context, open, "it was aborted by hand").await.expect("aborted");
    })
    .await;
    assert_eq!((account.live(FIRST).0, account.live(SECOND).0), ("1".to_owned(), "9".to_owned()));
    assert_eq!(written(&endpoint)["outcome"]["moved"], json!([SECOND]));
}

#[tokio::test]
async fn a_read_that_contradicts_the_ledger_is_repeated() {
    let account = Account::new();
    account.moves(FIRST, "2");
    account.change(FIRST, |live| live.stale_reads = 2);
    account.moves(SECOND, "9");
    let (endpoint, clients, system) = served(&account).await;
    let settled = SettledVersion { version: "2".to_owned(), code_sha256: None };
    in_context(&system, &clients, async |context: &ReleaseContext<'_>| {
        for (function, version) in [(FIRST, "2"), (SECOND, "9")] {
            let recorded = Recorded { settled: Some(&settled), open: None };
            let live = context.read_live(function, recorded).await.expect("read").expect("an alias");
            assert_eq!(live.version, version);
        }
    })
    .await;
    assert_eq!(endpoint.count(&format!("GET /2015-03-31/functions/{FIRST}/aliases")), 3);
}
