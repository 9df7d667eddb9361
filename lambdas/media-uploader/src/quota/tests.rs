//! Counting what a user stores, over several pages and with previous versions.

use std::slice::from_ref;

use super::*;
use crate::{
    profile::Profile,
    testing::scripted::{MODIFIED, Reply, Rule, ScriptedAws},
};

fn store(rules: &[Rule]) -> Store {
    Store::new(ScriptedAws::new(rules.iter().cloned()).s3(), "raw")
}

fn limits() -> Limits {
    Limits { user_files: 3, user_bytes: 100, user_uploads: 2, ..Profile::default().limits }
}

/// A listing of one page.
fn page(sizes: &[u64]) -> Rule {
    Rule::list_versions("raw", &[("prefix", "ana/")], Reply::versions(sizes, None))
}

#[tokio::test(flavor = "current_thread")]
async fn files_and_bytes_are_limited() {
    for (sizes, exceeded) in
        [(&[][..], false), (&[10, 10, 10], false), (&[10, 10, 10, 0], true), (&[50, 50], false), (&[50, 51], true)]
    {
        let store = store(&[page(sizes)]);
        assert_eq!(is_exceeded(&store, "ana", i64::MAX, &limits()).await.expect("counted"), exceeded, "{sizes:?}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn only_what_was_there_at_the_time_counts() {
    let store = store(&[page(&[60, 60])]);
    assert!(is_exceeded(&store, "ana", MODIFIED, &limits()).await.expect("counted"));
    assert!(!is_exceeded(&store, "ana", MODIFIED - 1, &limits()).await.expect("counted"));
}

#[tokio::test(flavor = "current_thread")]
async fn a_flood_of_newer_files_is_not_listed_to_its_end() {
    let many = usize::try_from(FLOOD * limits().user_files).expect("a few");
    let (rest, last) =
        (Reply::versions(&vec![0; many + 1], Some(("ana/x", "v"))), Reply::versions(&vec![0; many], None));
    for (reply, exceeded) in [(rest, true), (last, false)] {
        let list = Rule::list_versions("raw", &[("prefix", "ana/")], reply);
        let store = store(from_ref(&list));
        assert_eq!(is_exceeded(&store, "ana", MODIFIED - 1, &limits()).await.expect("counted"), exceeded);
        assert_eq!(list.calls(), 1);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn all_pages_count() {
    // The marker comes encoded, and is sent decoded.
    let first = Reply::versions(&[40, 40], Some(("ana/a+b", "v1")));
    let first = Rule::list_versions("raw", &[("prefix", "ana/")], first);
    let query = [("key-marker", "ana/a b"), ("prefix", "ana/"), ("version-id-marker", "v1")];
    let second = Rule::list_versions("raw", &query, Reply::versions(&[21], None));
    assert!(is_exceeded(&store(&[first, second.clone()]), "ana", i64::MAX, &limits()).await.expect("counted"));
    assert_eq!(second.calls(), 1);
}

#[tokio::test(flavor = "current_thread")]
async fn a_file_without_room_is_refused_before_it_is_sent() {
    check(&store(&[page(&[50])]), "ana", 50, &limits()).await.expect("room");
    for (sizes, bytes) in [(&[50][..], 51), (&[1, 1, 1], 1)] {
        let error = check(&store(&[page(sizes)]), "ana", bytes, &limits()).await.expect_err("no room");
        assert_eq!(error.status(), StatusCode::FORBIDDEN);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn open_uploads_are_limited() {
    for (open, accepted) in [(1, true), (2, true), (3, false)] {
        let list = Rule::list_uploads("raw", "ana/", Reply::uploads(open));
        assert_eq!(check_uploads(&store(&[list]), "ana", &limits()).await.is_ok(), accepted, "{open}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_version_is_deleted_for_good() {
    for (version, id) in [(Some("v7"), "v7"), (None, "null")] {
        let delete = Rule::delete_version("/raw/ana/images/x", id);
        remove(&store(from_ref(&delete)), "ana/images/x", version).await.expect("deleted");
        assert_eq!(delete.calls(), 1);
    }
}
