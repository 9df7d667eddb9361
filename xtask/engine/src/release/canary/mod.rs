//! Giving a new version a small share of the traffic first, and more while it does no worse than the old one.

pub mod comparison;
pub(super) mod live;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, time::Duration};

pub use comparison::{Judgement, Pair, Sample, judge};

/// How a canary goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Shares of the traffic in percent, each larger than the one before, below 100.
    pub steps: Vec<u8>,
    /// How long each is watched.
    pub bake: Duration,
    /// How many requests make a sample.
    pub minimum_requests: u32,
}

/// Where a canary happens.
pub trait World {
    /// What can go wrong with looking or weighing.
    type Error;

    /// Sends this share of every function's traffic to its new version, and remembers that.
    fn weigh(&mut self, percent: u8) -> impl Future<Output = Result<(), Self::Error>>;

    /// What both versions of every function have done since the share was last changed.
    fn look(&mut self) -> impl Future<Output = Result<Vec<Pair>, Self::Error>>;

    /// The alarms that are firing, of those that count.
    fn firing(&mut self) -> impl Future<Output = Result<BTreeSet<String>, Self::Error>>;

    /// Asks the new versions, and what the system serves; `Some` is what is wrong.
    fn probe(&mut self) -> impl Future<Output = Result<Option<String>, Self::Error>>;

    /// Lets time pass.
    fn pause(&mut self, time: Duration) -> impl Future<Output = ()>;
}

/// How a canary ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It did well at every step; it is still at the last one.
    Good,
    /// It is to be reverted; says at which step, and why.
    Bad {
        /// The share of the traffic it had, in percent.
        percent: u8,
        /// Why.
        why: String,
    },
}

/// How often a step is looked at while it bakes.
const LOOKS: u32 = 5;

/// Runs a canary.
///
/// An alarm that was already firing before does not count: it may be what the new version mends. Where traffic is too low to
/// judge, probes of our own decide.
///
/// # Errors
///
/// When the world cannot be looked at or weighed; what is to be done then is the caller's to say.
pub async fn run<W: World>(plan: &Plan, world: &mut W) -> Result<Verdict, W::Error> {
    let before = world.firing().await?;
    for &percent in &plan.steps {
        world.weigh(percent).await?;
        for look in 1..=LOOKS {
            world.pause(plan.bake / LOOKS).await;
            let last = look == LOOKS;
            if let Some(why) = wrong(plan, &before, last, world).await? {
                return Ok(Verdict::Bad { percent, why });
            }
        }
    }
    Ok(Verdict::Good)
}

/// What is wrong now, if anything.
async fn wrong<W: World>(
    plan: &Plan,
    before: &BTreeSet<String>,
    last: bool,
    world: &mut W,
) -> Result<Option<String>, W::Error> {
    let new: Vec<_> = world.firing().await?.into_iter().filter(|alarm| !before.contains(alarm)).collect();
    if !new.is_empty() {
        return Ok(Some(format!("alarm {} began to fire", new.join(", "))));
    }
    let mut too_few = false;
    for pair in world.look().await? {
        match judge(&pair, plan.minimum_requests) {
            Judgement::Good => {}
            Judgement::TooFew(_) => too_few = true,
            Judgement::Bad(why) => return Ok(Some(why)),
        }
    }
    // Smoke checks are made at the end of every step; probes also wherever traffic says too little.
    if last || too_few { world.probe().await } else { Ok(None) }
}
