//! Which published keys are used, and when they are fetched.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

const NOW: Timestamp = Timestamp::constant(1_710_498_600, 0);
const DOCUMENT: &[u8] = br#"{"keys": [{"kty": "RSA", "kid": "good", "n": "AQI", "e": "AQAB"}]}"#;

/// An issuer that is reachable a number of times.
#[derive(Debug)]
struct Issuer {
    reachable: usize,
    fetches: AtomicUsize,
}

impl Fetch for &Issuer {
    async fn fetch(&self, _: &str) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        let earlier = self.fetches.fetch_add(1, Ordering::Relaxed);
        if earlier < self.reachable { Ok(DOCUMENT.to_vec()) } else { Err("unreachable".into()) }
    }
}

impl Issuer {
    fn reachable(times: usize) -> Self {
        Self { reachable: times, fetches: AtomicUsize::new(0) }
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::Relaxed)
    }

    fn keys(&self, counted_from: CountedFrom) -> KeySet<&Self> {
        let refresh = Refresh {
            fresh: SignedDuration::from_hours(1),
            usable: SignedDuration::from_hours(24),
            interval: SignedDuration::from_secs(60),
            counted_from,
        };
        KeySet::new("https://issuer.test/keys", self, refresh)
    }
}

fn after(seconds: i64) -> Timestamp {
    NOW + SignedDuration::from_secs(seconds)
}

#[test]
fn only_rsa_signature_keys_are_used() {
    let document = br#"{"keys": [
        {"kty": "RSA", "kid": "good", "use": "sig", "alg": "RS256", "n": "AAEC", "e": "AQAB"},
        {"kty": "RSA", "kid": "bare", "n": "AQI=", "e": "AQAB"},
        {"kty": "EC", "kid": "curve", "n": "AQI", "e": "AQAB"},
        {"kty": "RSA", "kid": "encrypts", "use": "enc", "n": "AQI", "e": "AQAB"},
        {"kty": "RSA", "kid": "other", "alg": "RS512", "n": "AQI", "e": "AQAB"},
        {"kty": "RSA", "n": "AQI", "e": "AQAB"},
        {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"}
    ]}"#;
    let keys = parse(document).expect("keys");
    assert_eq!(keys.keys().collect::<Vec<_>>(), ["bare", "good"]);
    assert_eq!(keys["good"], PublicKey { modulus: vec![1, 2], exponent: vec![1, 0, 1] });
    assert_eq!(keys["bare"].modulus, [1, 2]);
    assert!(parse(b"<html>").is_err());
}

#[tokio::test(flavor = "current_thread")]
async fn keys_are_fetched_once_and_again_when_stale() {
    let issuer = Issuer::reachable(9);
    let keys = issuer.keys(CountedFrom::Attempt);
    for (seconds, fetches) in [(0, 1), (3599, 1), (3600, 2), (3700, 2)] {
        assert!(keys.get("good", after(seconds)).await.expect("keys").is_some());
        assert_eq!(issuer.fetches(), fetches, "after {seconds} s");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn an_unknown_key_id_causes_one_fetch_per_interval() {
    for (counted_from, expected) in [
        (CountedFrom::Success, [(0, 1), (1, 1), (59, 1), (60, 2), (61, 2)]),
        (CountedFrom::Attempt, [(0, 1), (1, 2), (59, 2), (60, 2), (61, 3)]),
    ] {
        let issuer = Issuer::reachable(9);
        let keys = issuer.keys(counted_from);
        for (seconds, fetches) in expected {
            assert_eq!(keys.get("unknown", after(seconds)).await.expect("keys"), None);
            assert_eq!(issuer.fetches(), fetches, "{counted_from:?}: after {seconds} s");
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn without_any_keys_every_failure_is_an_error() {
    for counted_from in [CountedFrom::Success, CountedFrom::Attempt] {
        let issuer = Issuer::reachable(0);
        let keys = issuer.keys(counted_from);
        for fetches in 1..4 {
            let error = keys.get("good", NOW).await.expect_err("unreachable");
            let error = crate::telemetry::chain(&error);
            assert_eq!(error, "failed to fetch the keys at https://issuer.test/keys: unreachable");
            assert_eq!(issuer.fetches(), fetches);
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn old_keys_are_used_for_a_day_while_the_issuer_is_unreachable() {
    for hours in [2, 23] {
        let issuer = Issuer::reachable(1);
        let keys = issuer.keys(CountedFrom::Attempt);
        keys.get("good", NOW).await.expect("keys");
        let later = NOW + SignedDuration::from_hours(hours);
        assert!(keys.get("good", later).await.expect("cached keys").is_some(), "{hours}");
        assert_eq!(issuer.fetches(), 2, "{hours}: a fetch was attempted");
    }
    for hours in [24, 48] {
        let issuer = Issuer::reachable(1);
        let keys = issuer.keys(CountedFrom::Attempt);
        keys.get("good", NOW).await.expect("keys");
        assert!(keys.get("good", NOW + SignedDuration::from_hours(hours)).await.is_err(), "{hours}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_failed_fetch_for_an_unknown_key_id_is_an_error_where_successes_count() {
    let issuer = Issuer::reachable(1);
    let keys = issuer.keys(CountedFrom::Success);
    keys.get("good", NOW).await.expect("keys");
    for _ in 0..2 {
        assert!(keys.get("unknown", after(60)).await.is_err());
        assert!(keys.get("good", after(60)).await.expect("cached keys").is_some());
    }
    assert_eq!(issuer.fetches(), 3);
}
