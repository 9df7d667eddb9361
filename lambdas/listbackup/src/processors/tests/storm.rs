//! Deliveries at random: again, late, at the same time, and in a cloud whose calls fail.

use std::collections::{BTreeMap, BTreeSet};

use listbackup_contract::tables::RUNS;
use serde_json::json;

use super::{
    super::testing::Random,
    stage::{DATA_QUEUE, JOB_QUEUE, Stage, check_sums},
};

#[tokio::test(flavor = "current_thread")]
async fn counters_hold_in_any_order_of_deliveries_and_failures() {
    for seed in 0..200 {
        let stage = Stage::of_bucket();
        let mut random = Random::seeded(seed);
        stage.cloud.state().random = Random::seeded(seed + 1000);
        stage.cloud.state().failing = if seed % 2 == 0 { 0 } else { 40 };
        for number in 0..=random.below(3) {
            stage
                .cloud
                .state()
                .objects
                .put(&format!("src/{number}.txt"), &vec![b'x'; 1 + usize::try_from(seed).expect("small")]);
        }
        if random.below(2) == 0 {
            stage.cloud.state().objects.missing.push("src/0.txt".to_owned());
        }
        let rounds = if seed % 8 == 0 { 2 } else { 1 };
        for round in 0_u64..rounds {
            let run_id = stage.start().await;
            storm(&stage, &mut random, &run_id).await;
            // The cloud recovers, and lost messages and dead letters are delivered again.
            let failing = std::mem::take(&mut stage.cloud.state().failing);
            stage.cloud.state().objects.missing.clear();
            expire_lease(&stage, &run_id);
            stage.deliver_all().await;
            stage.deliver_all().await;
            let run = stage.run_row(&run_id);
            assert!(run.completed_at.is_some(), "seed {seed}, round {round}: {run:?}");
            assert_eq!(stage.job().active_run_id, None, "seed {seed}");
            check_sums(&stage);
            let before = stage.dump();
            stage.deliver_all().await;
            assert_eq!(stage.dump(), before, "seed {seed}");
            stage.cloud.state().failing = failing;
            stage.cloud.state().objects.put("src/1.txt", format!("round {round} of {seed}").as_bytes());
        }
        assert_eq!(stage.job().run_count, i64::try_from(rounds).expect("small"), "seed {seed}");
    }
}

/// Delivers messages at random, some again and some at the same time, until each has succeeded or failed three times.
async fn storm(stage: &Stage, random: &mut Random, run_id: &str) {
    let mut receives: BTreeMap<(&str, usize), u32> = BTreeMap::new();
    let mut done: BTreeSet<(&str, usize)> = BTreeSet::new();
    for _ in 0..2000 {
        let mut open = Vec::new();
        for queue in [JOB_QUEUE, DATA_QUEUE] {
            open.extend((0..stage.messages(queue).len()).map(|index| (queue, index)));
        }
        let waiting: Vec<_> = open.iter().copied().filter(|message| !done.contains(message)).collect();
        if waiting.is_empty() {
            break;
        }
        // One in four is any message again, also of a run that has ended.
        let pool = if random.below(4) == 0 { &open } else { &waiting };
        let chosen = [(); 2].map(|()| pool[usize::try_from(random.below(pool.len() as u64)).expect("small")]);
        let counts = chosen.map(|message| {
            let count = receives.entry(message).or_default();
            *count = if done.contains(&message) { 1 } else { *count + 1 };
            (*count).min(3)
        });
        let bodies = chosen.map(|(queue, index)| stage.messages(queue)[index].clone());
        let first = stage.deliver(chosen[0].0, &bodies[0], counts[0]);
        let second = stage.deliver(chosen[1].0, &bodies[1], counts[1]);
        let outcomes = if random.below(3) == 0 {
            let both = tokio::join!(first, second);
            vec![both.0, both.1]
        } else {
            vec![first.await]
        };
        for (index, is_handled) in outcomes.into_iter().enumerate() {
            if is_handled || counts[index] >= 3 {
                done.insert(chosen[index]);
            }
        }
        // A lease of an orchestrator that failed expires.
        if random.below(5) == 0 {
            expire_lease(stage, run_id);
        }
    }
}

/// Lets the lease of a run end.
fn expire_lease(stage: &Stage, run_id: &str) {
    let mut row = stage.row(RUNS.name, run_id);
    if row["leaseUntil"].is_i64() {
        row["leaseUntil"] = json!(1);
        stage.cloud.state().items.insert(RUNS.name, row);
    }
}
