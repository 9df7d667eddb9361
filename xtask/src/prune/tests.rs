//! Marking, by property: whatever the aliases, nothing in use goes.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::aws::lambda::{Readiness, Settings};

fn version(number: u64) -> Version {
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
            tracing: String::new(),
            environment: std::collections::BTreeMap::new(),
        },
        readiness: Readiness::Ready,
    }
}

fn alias(version: u64, weighted: Option<u64>) -> Alias {
    let weights: BTreeMap<_, _> = weighted.into_iter().map(|version| (version.to_string(), 0.1)).collect();
    Alias { name: "live".to_owned(), version: version.to_string(), weights }
}

proptest! {
    #[test]
    fn what_an_alias_points_to_and_the_newest_stay(
        numbers in proptest::collection::btree_set(1_u64..200, 1..40),
        live: prop::sample::Index,
        weighted: Option<prop::sample::Index>,
        keep in 0_usize..10,
    ) {
        let numbers: Vec<u64> = numbers.into_iter().collect();
        let versions: Vec<_> = numbers.iter().copied().map(version).collect();
        let live = numbers[live.index(numbers.len())];
        let weighted = weighted.map(|index| numbers[index.index(numbers.len())]);
        let verdicts = mark_versions("f", &versions, &[alias(live, weighted)], keep);
        prop_assert_eq!(verdicts.len(), versions.len());
        for (number, verdict) in numbers.iter().zip(&verdicts) {
            let newer = numbers.iter().filter(|other| *other > number).count();
            let wanted = *number == live || Some(*number) == weighted || newer < keep;
            prop_assert_eq!(verdict.keep, wanted, "{:?}", verdict);
        }
    }
}

#[test]
fn artifacts_stay_while_a_stack_or_a_kept_version_refers_to_them() {
    let hash = "ab".repeat(32);
    let mut needed = Needed::default();
    let mut kept = version(3);
    kept.code_sha256 = BASE64_STANDARD.encode(hex::decode(&hash).expect("hex"));
    needed.extend([kept].iter());
    needed.keys.insert("artifacts/s-layer-1.zip".to_owned());
    assert!(needed.judge(format!("artifacts/s-f-{hash}.zip")).keep);
    assert!(needed.judge("artifacts/s-layer-1.zip".to_owned()).keep);
    assert!(!needed.judge(format!("artifacts/s-f-{}.zip", "cd".repeat(32))).keep);
}
