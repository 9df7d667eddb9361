//! What a run may do besides: to locks, pages and canaries.

use super::*;

fn lock(owner: &str, released: bool) -> Call {
    let (host, process) = owner.split_once('/').expect("a process");
    let process: u32 = process.parse().expect("a number");
    let lock = json!({ "token": "t", "who": "w", "host": host, "process": process, "command": "deploy",
                       "since": 1, "renewed": 1, "released": released });
    s3("PUT", artifact_bucket(), "locks/alpha.json", lock.to_string().as_bytes())
}

/// The lock as another process has written it.
fn locked_by(world: &World, owner: &str) {
    world.aws.change(|account| simulated_aws::handle(account, &lock(owner, false))).expect("written");
}

async fn pass(seconds: u64) {
    tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
}

#[test]
fn a_lock_is_taken_over_only_if_it_is_free_or_expired_or_of_an_ended_process_of_the_machine() {
    played(async || {
        let world = deployed().await;
        let take = || plant(&world, &lock(PROCESS, false));
        assert_eq!(take(), [], "it is free");
        pass(30).await;
        assert_eq!(take(), [], "its owner renews it");
        locked_by(&world, "machine1/3");
        pass(91).await;
        assert_eq!(take(), [], "it is expired");
        locked_by(&world, "machine2/3");
        world.observer.ends("machine2/3");
        assert_eq!(take(), [], "its owner on this machine has ended");
        locked_by(&world, "machine1/3");
        world.observer.ends("machine1/3");
        pass(89).await;
        assert_found(&take(), Invariant::Lock, "machine2/9 takes over the lock of alpha 89.0 s after its renewal");
    });
}

#[test]
fn only_lock_break_releases_the_lock_of_another_run() {
    played(async || {
        let world = deployed().await;
        locked_by(&world, "machine1/3");
        let breaks = Running { breaks_locks: true, ..Running::default() };
        assert_eq!(plant_in(&world, breaks, &lock("machine1/3", true)), []);
        locked_by(&world, "machine1/3");
        assert_found(&plant(&world, &lock("machine1/3", true)), Invariant::Lock, "in the name of machine1/3");
    });
}

#[test]
fn only_a_destruction_of_the_whole_stage_with_its_data_empties_the_artifact_bucket() {
    played(async || {
        let world = deployed().await;
        let delete = || s3("DELETE", artifact_bucket(), "releases/alpha/00000001.json", b"");
        let destroys = Running { destroys: Some(true), ..Running::default() };
        assert_eq!(plant_in(&world, destroys.clone(), &delete()), []);
        let of_system = Running { systems: Some(vec!["alpha".to_owned()]), ..destroys };
        let found = plant_in(&world, of_system, &delete());
        assert_found(&found, Invariant::InUse, "keeps every release");
        assert_found(&found, Invariant::Lock, "without its lock");
    });
}
