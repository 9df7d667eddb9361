//! Compares the metrics of a new version with those of the old one. Pure.

use crate::aws::cloudwatch::Sample;

/// The metrics of a function's old and new version.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct VersionPair {
    pub(crate) function: String,
    pub(crate) old: Sample,
    pub(crate) new: Sample,
}

/// The result of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Comparison {
    NotWorse,
    /// The new version received too few requests for a comparison: this many.
    TooFewRequests(u32),
    /// The new version is worse, for this reason.
    Worse(String),
}

/// How much higher the failure rate may be than the old version's: one request in fifty.
const TOLERATED_FAILURE_RATE: f64 = 0.02;
/// The required significance of a higher failure rate: the one-sided 1 % quantile of the normal distribution.
const SIGNIFICANCE: f64 = 2.326;
/// How much slower the new version may be, as a factor.
const TOLERATED_SLOWDOWN: f64 = 2.0;
/// How much slower the new version may be, in milliseconds. Both limits must be exceeded: twice one millisecond is still fast.
const TOLERATED_DELAY: f64 = 100.0;

/// Compares two versions; a sample needs `minimum` requests.
pub(crate) fn compare(pair: &VersionPair, minimum: u32) -> Comparison {
    if let Some(reason) = fails_more(pair) {
        return Comparison::Worse(reason);
    }
    let (old, new) = (&pair.old, &pair.new);
    if new.requests < f64::from(minimum) {
        // Counts of requests are whole and small here.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below the minimum")]
        return Comparison::TooFewRequests(new.requests.max(0.0) as u32);
    }
    if let (Some(before), Some(after)) = (old.p99, new.p99)
        && old.requests >= f64::from(minimum)
        && after > before * TOLERATED_SLOWDOWN
        && after > before + TOLERATED_DELAY
    {
        return Comparison::Worse(format!(
            "{}: 99 % of requests take up to {after:.0} ms, compared with {before:.0} ms for the old version",
            pair.function
        ));
    }
    Comparison::NotWorse
}

/// Describes how the new version fails more often than the old one, if it does.
fn fails_more(pair: &VersionPair) -> Option<String> {
    let rates = |sample: &Sample| {
        // Throttled requests are not counted as requests.
        let attempted = sample.requests + sample.throttles;
        [Rate { hits: sample.errors, of: sample.requests }, Rate { hits: sample.throttles, of: attempted }]
    };
    let kinds = ["errors", "throttles"].into_iter().zip(rates(&pair.old)).zip(rates(&pair.new));
    kinds.into_iter().find(|((_, old), new)| new.is_worse_than(*old)).map(|((kind, old), new)| {
        format!(
            "{}: {:.1} % {kind} of {:.0} requests, compared with {:.1} % for the old version",
            pair.function,
            new.share() * 100.0,
            new.of,
            old.share() * 100.0
        )
    })
}

/// `hits` of `of` requests.
#[derive(Debug, Clone, Copy)]
struct Rate {
    hits: f64,
    of: f64,
}

impl Rate {
    fn share(self) -> f64 {
        if self.of > 0.0 { self.hits / self.of } else { 0.0 }
    }

    /// Returns whether the rate is higher than tolerated, and by more than chance explains. The latter by the score test for a
    /// proportion (Agresti, "Categorical Data Analysis", 1.3), with the spread of the tolerated rate.
    fn is_worse_than(self, usual: Self) -> bool {
        let tolerated = usual.share() + TOLERATED_FAILURE_RATE;
        // Fewer than three failures may always be chance.
        if self.hits < 3.0 || self.share() <= tolerated {
            return false;
        }
        let spread = (tolerated * (1.0 - tolerated).max(0.0) / self.of).sqrt();
        self.share() - usual.share() > SIGNIFICANCE * spread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(requests: f64, errors: f64, p99: f64) -> Sample {
        Sample { requests, errors, throttles: 0.0, p99: Some(p99) }
    }

    fn compared(old: Sample, new: Sample) -> Comparison {
        compare(&VersionPair { function: "f".to_owned(), old, new }, 50)
    }

    #[test]
    fn worse_versions_are_distinguished_from_chance() {
        let old = sample(1900.0, 4.0, 200.0);
        assert_eq!(compared(old, sample(100.0, 0.0, 210.0)), Comparison::NotWorse);
        assert_eq!(compared(old, sample(100.0, 1.0, 210.0)), Comparison::NotWorse);
        let failing = compared(old, sample(200.0, 10.0, 210.0));
        assert!(matches!(failing, Comparison::Worse(why) if why.contains("5.0 % errors")));
        let slow = compared(old, sample(100.0, 0.0, 600.0));
        assert!(matches!(slow, Comparison::Worse(why) if why.contains("600 ms")));
        assert_eq!(compared(sample(1900.0, 0.0, 2.0), sample(100.0, 0.0, 6.0)), Comparison::NotWorse);
        assert_eq!(compared(old, sample(10.0, 0.0, 900.0)), Comparison::TooFewRequests(10));
        // A version that always fails needs no large sample.
        assert!(matches!(compared(old, sample(10.0, 10.0, 100.0)), Comparison::Worse(_)));
        let throttled = Sample { throttles: 30.0, ..sample(100.0, 0.0, 200.0) };
        assert!(matches!(compared(old, throttled), Comparison::Worse(why) if why.contains("throttles")));
        // An old version that fails as often is no reason to keep it.
        assert_eq!(compared(sample(1000.0, 60.0, 200.0), sample(100.0, 6.0, 200.0)), Comparison::NotWorse);
    }
}
