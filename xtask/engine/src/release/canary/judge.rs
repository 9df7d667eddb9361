//! Is the new version worse than the old one? Pure: what was measured goes in, a judgement comes out.

use serde::{Deserialize, Serialize};

pub use crate::aws::cloudwatch::Sample;

/// A function's versions side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// The function.
    pub function: String,
    /// What the version before did.
    pub old: Sample,
    /// What the new one did.
    pub new: Sample,
}

/// What comes of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It is no worse.
    Good,
    /// It got too few requests to tell; says how many.
    TooFew(u32),
    /// It is worse; says how.
    Bad(String),
}

/// How much more of its requests may fail than of the old version's: one in fifty.
const MORE_FAILURES: f64 = 0.02;
/// How sure it must be that failures are more than chance: the one-sided 1 % quantile of the normal distribution.
const SURE: f64 = 2.326;
/// How much slower it may be, as a factor and in milliseconds: both, because a millisecond twice is nothing.
const SLOWER: (f64, f64) = (2.0, 100.0);

/// Compares two versions; `minimum` requests make a sample.
#[must_use]
pub fn judge(pair: &Pair, minimum: u32) -> Judgement {
    let (old, new) = (&pair.old, &pair.new);
    for (what, before, after) in [("errors", old.errors, new.errors), ("throttles", old.throttles, new.throttles)] {
        // Requests that were turned away were not counted as requests.
        let turned_away = |sample: &Sample| if what == "throttles" { sample.throttles } else { 0.0 };
        let rate = Rate { hits: after, of: new.requests + turned_away(new) };
        let usual = Rate { hits: before, of: old.requests + turned_away(old) };
        if rate.is_worse_than(usual) {
            let function = &pair.function;
            return Judgement::Bad(format!(
                "{function}: {:.1} % {what} of {:.0} requests, where the version before has {:.1} %",
                rate.share() * 100.0,
                rate.of,
                usual.share() * 100.0
            ));
        }
    }
    if new.requests < f64::from(minimum) {
        // Counts of requests are whole and small here.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below the minimum")]
        return Judgement::TooFew(new.requests.max(0.0) as u32);
    }
    if let (Some(before), Some(after)) = (old.p99, new.p99)
        && old.requests >= f64::from(minimum)
        && after > before * SLOWER.0
        && after > before + SLOWER.1
    {
        let function = &pair.function;
        return Judgement::Bad(format!(
            "{function}: 99 % of requests take up to {after:.0} ms, where the version before takes {before:.0} ms"
        ));
    }
    Judgement::Good
}

/// So many of so many.
#[derive(Debug, Clone, Copy)]
struct Rate {
    hits: f64,
    of: f64,
}

impl Rate {
    fn share(self) -> f64 {
        if self.of > 0.0 { self.hits / self.of } else { 0.0 }
    }

    /// Is it more, by more than is allowed, and more than chance explains? The latter by the score test for a proportion
    /// (Agresti, "Categorical Data Analysis", 1.3), with the spread that what is allowed would have.
    fn is_worse_than(self, usual: Self) -> bool {
        let allowed = usual.share() + MORE_FAILURES;
        // Fewer than three failures may always be chance.
        if self.hits < 3.0 || self.share() <= allowed {
            return false;
        }
        let spread = (allowed * (1.0 - allowed).max(0.0) / self.of).sqrt();
        self.share() - usual.share() > SURE * spread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(requests: f64, errors: f64, p99: f64) -> Sample {
        Sample { requests, errors, throttles: 0.0, p99: Some(p99) }
    }

    fn of(old: Sample, new: Sample) -> Judgement {
        judge(&Pair { function: "f".to_owned(), old, new }, 50)
    }

    #[test]
    fn worse_is_found_and_chance_is_not() {
        let old = sample(1900.0, 4.0, 200.0);
        assert_eq!(of(old, sample(100.0, 0.0, 210.0)), Judgement::Good);
        assert_eq!(of(old, sample(100.0, 1.0, 210.0)), Judgement::Good);
        assert!(matches!(of(old, sample(200.0, 10.0, 210.0)), Judgement::Bad(why) if why.contains("5.0 % errors")));
        assert!(matches!(of(old, sample(100.0, 0.0, 600.0)), Judgement::Bad(why) if why.contains("600 ms")));
        assert_eq!(of(sample(1900.0, 0.0, 2.0), sample(100.0, 0.0, 6.0)), Judgement::Good);
        assert_eq!(of(old, sample(10.0, 0.0, 900.0)), Judgement::TooFew(10));
        // What fails at once need not be asked often.
        assert!(matches!(of(old, sample(10.0, 10.0, 100.0)), Judgement::Bad(_)));
        let throttled = Sample { throttles: 30.0, ..sample(100.0, 0.0, 200.0) };
        assert!(matches!(of(old, throttled), Judgement::Bad(why) if why.contains("throttles")));
        // An old version that fails as often is no reason to keep it.
        assert_eq!(of(sample(1000.0, 60.0, 200.0), sample(100.0, 6.0, 200.0)), Judgement::Good);
    }
}
