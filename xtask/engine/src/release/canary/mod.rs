//! A canary: a new version receives a small share of the traffic first, and a larger one while it is not worse than the old
//! version.

pub(super) mod comparison;
pub(super) mod live;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, time::Duration};

use comparison::{Comparison, VersionPair, compare};

/// The steps of a canary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CanaryPlan {
    /// Shares of the traffic in percent, ascending, below 100.
    pub(crate) steps: Vec<u8>,
    /// How long each step is observed.
    pub(crate) bake: Duration,
    /// How many requests a comparison needs.
    pub(crate) minimum_requests: u32,
}

/// The functions of a canary: deployed ones, or scripted ones in tests.
pub(super) trait CanaryTarget {
    type Error;

    /// Records the step, and shifts this share of every function's traffic to its new version.
    fn shift(&mut self, percent: u8) -> impl Future<Output = Result<(), Self::Error>>;

    /// Returns the metrics of both versions of every function since the last shift.
    fn metrics(&mut self) -> impl Future<Output = Result<Vec<VersionPair>, Self::Error>>;

    /// Returns the relevant alarms that are firing.
    fn firing_alarms(&mut self) -> impl Future<Output = Result<BTreeSet<String>, Self::Error>>;

    /// Probes the new versions and runs the smoke tests; `Some` describes a failure.
    fn probe(&mut self) -> impl Future<Output = Result<Option<String>, Self::Error>>;

    /// Waits.
    fn pause(&mut self, time: Duration) -> impl Future<Output = ()>;
}

/// How a canary ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CanaryOutcome {
    /// It passed every step, and is still at the last one.
    Passed,
    /// It must be reverted.
    Failed {
        /// The share of the traffic at which it failed, in percent.
        percent: u8,
        why: String,
    },
}

/// How often a step is checked while it bakes.
const CHECKS_PER_STEP: u32 = 5;

/// Runs a canary. The caller handles an error, which leaves the last share of the traffic in place.
///
/// An alarm that was firing before the canary is ignored, because the new version may fix its cause. Where traffic is too low
/// for a comparison, probes decide.
pub(super) async fn run<T: CanaryTarget>(plan: &CanaryPlan, target: &mut T) -> Result<CanaryOutcome, T::Error> {
    let ignored = target.firing_alarms().await?;
    for &percent in &plan.steps {
        target.shift(percent).await?;
        for check in 1..=CHECKS_PER_STEP {
            target.pause(plan.bake / CHECKS_PER_STEP).await;
            let is_last = check == CHECKS_PER_STEP;
            if let Some(why) = failure(plan, &ignored, is_last, target).await? {
                return Ok(CanaryOutcome::Failed { percent, why });
            }
        }
    }
    Ok(CanaryOutcome::Passed)
}

/// Describes the present failure of a canary, if there is one.
async fn failure<T: CanaryTarget>(
    plan: &CanaryPlan,
    ignored: &BTreeSet<String>,
    is_last_check: bool,
    target: &mut T,
) -> Result<Option<String>, T::Error> {
    let alarms: Vec<_> = target.firing_alarms().await?.into_iter().filter(|alarm| !ignored.contains(alarm)).collect();
    if !alarms.is_empty() {
        return Ok(Some(format!("alarm {} began to fire", alarms.join(", "))));
    }
    let mut too_few_requests = false;
    for pair in target.metrics().await? {
        match compare(&pair, plan.minimum_requests) {
            Comparison::NotWorse => {}
            Comparison::TooFewRequests(_) => too_few_requests = true,
            Comparison::Worse(why) => return Ok(Some(why)),
        }
    }
    // Smoke tests run at the end of every step, and whenever the metrics are not conclusive.
    if is_last_check || too_few_requests { target.probe().await } else { Ok(None) }
}
