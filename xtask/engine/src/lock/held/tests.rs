//! One owner at a time, takeovers, renewals, and locks that are lost.

use super::*;
use crate::store::memory::Memory;

const REQUESTER: Requester<'_> = Requester { stage: "dev", identity: "somebody", command: "deploy" };

async fn take(store: &Arc<Memory>) -> Result<HeldLocks<Memory>, LockError> {
    HeldLocks::acquire(store, &["notes"], REQUESTER, &Ui::new()).await
}

async fn break_notes(store: &Memory) -> LockRecord {
    break_lock(store, "notes").await.expect("broken").expect("it was held").record
}

#[tokio::test]
async fn a_lock_has_one_owner_until_it_is_released() {
    let store = Arc::new(Memory::default());
    let first = take(&store).await.expect("free");
    let second = take(&store).await.expect_err("taken");
    assert!(second.to_string().contains("locked by somebody (deploy on"), "{second}");
    first.release(&Ui::new()).await;
    let third = take(&store).await.expect("free again");
    third.release(&Ui::new()).await;
    assert_eq!(read_lock(&*store, "notes").await.expect("read"), None);
}

#[tokio::test]
async fn of_many_simultaneous_requests_one_acquires_the_lock() {
    let store = Arc::new(Memory::default());
    let all = futures_util::future::join_all((0..20).map(|_| take(&store))).await;
    assert_eq!(all.iter().filter(|taken| taken.is_ok()).count(), 1);
}

#[tokio::test]
async fn a_taken_lock_releases_those_acquired_before_it() {
    let store = Arc::new(Memory::default());
    let held = take(&store).await.expect("free");
    let both = HeldLocks::acquire(&store, &["notes", "feeds"], REQUESTER, &Ui::new()).await;
    assert!(matches!(both, Err(LockError::Taken { system, .. }) if system == "notes"));
    assert_eq!(read_lock(&*store, "feeds").await.expect("read"), None);
    held.release(&Ui::new()).await;
}

#[tokio::test]
async fn the_lock_of_a_process_that_has_ended_is_taken_over() {
    let store = Arc::new(Memory::default());
    // No process has this number: the kernel's highest is 2^22.
    let dead = LockRecord { process: u32::MAX, ..new_record(REQUESTER) };
    store.create(&key("notes"), &text(&dead)).await.expect("written").expect("new");
    let taken = take(&store).await.expect("taken over");
    taken.release(&Ui::new()).await;
}

#[tokio::test]
async fn a_renewal_whose_response_was_lost_is_recognized() {
    let store = Arc::new(Memory::default());
    let own = new_record(REQUESTER);
    let mut tag = store.create(&key("notes"), &text(&own)).await.expect("written").expect("new");
    let held = hold(&store, ("dev", "notes"), Lease { record: own.clone(), tag: tag.clone() }, RENEWAL);
    let renewed = LockRecord { renewed: own.renewed + 30, ..own.clone() };
    store.replace(&key("notes"), &text(&renewed), &tag).await.expect("written").expect("held");
    assert!(held.lock.adopt_own_write(&mut tag).await);
    let tag = &mut store.replace(&key("notes"), &text(&own), &tag).await.expect("written").expect("held");
    let foreign = LockRecord { token: writer_token(), ..own };
    store.replace(&key("notes"), &text(&foreign), tag).await.expect("written").expect("held");
    assert!(!held.lock.adopt_own_write(tag).await);
}

#[tokio::test]
async fn a_renewal_notices_that_the_lock_was_broken() {
    let store = Arc::new(Memory::default());
    let record = new_record(REQUESTER);
    let tag = store.create(&key("notes"), &text(&record)).await.expect("written").expect("new");
    let held = HeldLocks(vec![hold(&store, ("dev", "notes"), Lease { record, tag }, Duration::from_millis(1))]);
    assert_eq!(break_notes(&store).await.process, std::process::id());
    let lost = held.lost().await;
    assert!(matches!(lost, LockError::Lost { .. }), "{lost}");
}

#[tokio::test]
async fn a_lost_lock_fails_the_check_before_a_change_and_stops_the_run() {
    let store = Arc::new(Memory::default());
    let locks = take(&store).await.expect("free");
    locks.ensure_held("notes").await.expect("held");
    break_notes(&store).await;
    // The next renewal is half a minute away.
    let lost = locks.ensure_held("notes").await.expect_err("lost").to_string();
    assert!(lost.contains("this run lost the lock of notes: it was broken"), "{lost}");
    assert_eq!(locks.lost().await.to_string(), lost, "the rest of the run stops as well");
    let next = take(&store).await.expect("free");
    let lost = locks.ensure_held("notes").await.expect_err("lost").to_string();
    assert!(lost.contains("somebody (deploy on") && lost.contains("holds it now"), "{lost}");
    next.ensure_held("notes").await.expect("held by the next run");
    // A system that was never locked cannot lose its lock.
    locks.ensure_held("feeds").await.expect("not locked");
    HeldLocks::<Memory>::none().ensure_held("notes").await.expect("not locked");
    // Releasing a lost lock leaves the next owner's alone.
    locks.release(&Ui::new()).await;
    next.ensure_held("notes").await.expect("held by the next run");
    next.release(&Ui::new()).await;
}

/// A lock of another machine, whose clock is off by so much.
async fn foreign(store: &Memory, off: i64) {
    let clock = unix_seconds().saturating_add_signed(off);
    let record = LockRecord { host: "elsewhere".to_owned(), since: clock, renewed: clock, ..new_record(REQUESTER) };
    store.create(&key("notes"), &text(&record)).await.expect("written").expect("new");
}

#[tokio::test]
async fn the_clock_of_another_machine_does_not_make_its_lock_stale() {
    for off in [-100, -100_000, 100] {
        let store = Arc::new(Memory::default());
        foreign(&store, off).await;
        store.set_age(&key("notes"), Some(Duration::from_secs(5)));
        let error = take(&store).await.expect_err("taken").to_string();
        assert!(error.contains("for 5 s)"), "{error}");
    }
}

#[tokio::test]
async fn a_lock_that_the_stores_clock_says_is_old_is_taken_over() {
    for off in [-100, 0, 100_000] {
        let store = Arc::new(Memory::default());
        foreign(&store, off).await;
        store.set_age(&key("notes"), Some(EXPIRY + Duration::from_secs(1)));
        let found = read_lock(&*store, "notes").await.expect("read").expect("it is held");
        assert_eq!(found.state(), LockState::Stale("it was not renewed for 91 s".to_owned()));
        take(&store).await.expect("stale").release(&Ui::new()).await;
    }
}
