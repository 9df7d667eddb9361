//! Versions in use stay, whichever versions and aliases exist.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use model::example::{Example, FEEDS};
use proptest::prelude::*;

use super::*;
use crate::{
    aws::{
        lambda::{Alias, Readiness, Settings, Version},
        scripted::{Endpoint, Received},
    },
    ledger::{Entry, Outcome, ReleaseKind, VersionChange, tests::entry},
};

pub(super) fn version(number: u64) -> Version {
    Version {
        version: number.to_string(),
        code_sha256: String::new(),
        settings: Settings {
            runtime: String::new(),
            role: String::new(),
            memory: 128,
            timeout: 3,
            architectures: Vec::new(),
            layers: Vec::new(),
            other: String::new(),
            tracing: String::new(),
            environment: std::collections::BTreeMap::new(),
        },
        readiness: Readiness::Ready,
    }
}

fn alias(version: u64, weighted: Option<u64>) -> Alias {
    let weights: BTreeMap<_, _> = weighted.into_iter().map(|version| (version.to_string(), 0.1)).collect();
    Alias { name: "live".to_owned(), version: version.to_string(), weights, revision: None }
}

proptest! {
    #[test]
    fn versions_behind_an_alias_and_the_newest_stay(
        numbers in proptest::collection::btree_set(1_u64..200, 1..40),
        live: prop::sample::Index,
        weighted: Option<prop::sample::Index>,
        kept_by_release: Option<prop::sample::Index>,
        keep in 0_usize..10,
    ) {
        let numbers: Vec<u64> = numbers.into_iter().collect();
        let versions: Vec<_> = numbers.iter().copied().map(version).collect();
        let live = numbers[live.index(numbers.len())];
        let weighted = weighted.map(|index| numbers[index.index(numbers.len())]);
        let kept = kept_by_release.map(|index| numbers[index.index(numbers.len())]);
        let versions_of = kept.into_iter().map(|number| (number.to_string(), 7)).collect();
        let released = ReleasedVersions::from([("f".to_owned(), versions_of)]);
        let marks = mark_versions("f", &versions, &[alias(live, weighted)], &released, keep);
        prop_assert_eq!(marks.len(), versions.len());
        for (number, mark) in numbers.iter().zip(&marks) {
            let newer = numbers.iter().filter(|other| *other > number).count();
            let expected = *number == live || Some(*number) == weighted || Some(*number) == kept || newer < keep;
            prop_assert_eq!(mark.keep, expected, "{:?}", mark);
        }
    }
}

#[test]
fn the_newest_completed_releases_and_an_open_one_keep_their_versions() {
    let change = VersionChange { before: Some("0".to_owned()), after: "5".to_owned(), code_sha256: None };
    let functions = BTreeMap::from([("notes-api-dev".to_owned(), change)]);
    let entries = [
        entry(1, "1", Outcome::Released),
        entry(2, "2", Outcome::Released),
        entry(3, "3", Outcome::reverted("a probe failed")),
        entry(4, "4", Outcome::Released),
        Entry { functions, ..entry(5, "5", Outcome::Open) },
    ];
    let kept = |keep| released_versions(&entries, keep)["notes-api-dev"].clone().into_keys().collect::<Vec<_>>();
    assert_eq!(kept(2), ["0", "2", "4", "5"]);
    assert_eq!(kept(0), ["0", "5"]);
}

#[test]
fn repeated_rollbacks_to_one_release_count_once() {
    let mut entries: Vec<_> = (1..=3).map(|number| entry(number, &number.to_string(), Outcome::Released)).collect();
    entries.extend(
        (4..=6).map(|number| Entry { kind: ReleaseKind::Rollback { to: 1 }, ..entry(number, "1", Outcome::Released) }),
    );
    let kept = |keep| released_versions(&entries, keep)["notes-api-dev"].clone().into_keys().collect::<Vec<_>>();
    assert_eq!(kept(3), ["1", "2", "3"]);
    assert_eq!(kept(2), ["1", "3"]);
}

/// A system whose functions all come from one binary.
fn of_one_binary(functions: usize) -> Vec<RenderedSystem> {
    let mut systems = Example::systems(&Example::stage_named("local"));
    systems.retain(|system| system.name == FEEDS);
    let stack = &mut systems[0].stacks[0];
    let first = stack.functions[0].clone();
    stack.functions = (0..functions)
        .map(|number| {
            let mut function = first.clone();
            (function.id.function, function.function_name) = (format!("f{number}"), format!("feeds-f{number}-local"));
            function
        })
        .collect();
    systems
}

#[tokio::test]
async fn a_mark_takes_three_calls_per_function_and_one_per_system() {
    let hash = "ab".repeat(32);
    let key = format!("artifacts/feeds-fetch-{hash}.zip");
    let code = BASE64_STANDARD.encode(hex::decode(&hash).expect("hex"));
    let objects = format!("<ListBucketResult><Contents><Key>{key}</Key></Contents></ListBucketResult>");
    let endpoint = Endpoint::serve(move |request: &Received| {
        let version = format!(r#"{{"FunctionName":"f","Version":"1","State":"Active","CodeSha256":"{code}"}}"#);
        let body = match request.target.split('?').next().unwrap_or_default() {
            path if path.ends_with("/versions") => format!(r#"{{"Versions":[{version}]}}"#),
            path if path.ends_with("/aliases") => r#"{"Aliases":[{"Name":"live","FunctionVersion":"1"}]}"#.to_owned(),
            path if path.ends_with("/configuration") => version,
            _ => objects.clone(),
        };
        (200, body)
    })
    .await;
    let (systems, clients) = (of_one_binary(31), endpoint.clients().await);
    let (parameters, released) = (Outputs::new(), ReleasedVersions::new());
    let scope = Scope {
        systems: &systems,
        parameters: &parameters,
        knows_latest: false,
        bucket: Some("bucket"),
        released: &released,
        references: &References::default(),
        keep: 1,
    };
    let marks = mark(&clients, scope).await.expect("marked");
    assert_eq!(endpoint.received().len(), 3 * 31 + 1);
    let marks = &marks[FEEDS];
    assert!(marks.len() == 32 && marks.iter().all(|mark| mark.keep), "{marks:?}");
    assert!(
        marks.iter().any(|mark| mark.what == key && mark.why == "a kept version or release contains it"),
        "{marks:?}"
    );
}
