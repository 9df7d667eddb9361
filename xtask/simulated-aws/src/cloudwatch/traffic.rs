//! The traffic of functions, and the values of their metrics in one minute.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    account::Account,
    chance::hash,
    lambda::{Function, Probed, Routing},
    time::Moment,
};

/// The longest time until a data point appears (CloudWatch user guide, "Publish custom metrics": it can take up to two minutes before
/// statistics of a new metric can be retrieved).
const DELAY: Duration = Duration::from_secs(120);
/// Lambda's metrics come in whole minutes (Lambda developer guide, "Using CloudWatch metrics with Lambda").
pub(super) const MINUTE: u64 = 60;
/// Up to this mean, counts have the Poisson distribution; above it, its normal approximation.
const POISSON: f64 = 60.0;

/// The traffic of a function.
#[derive(Debug, Clone, PartialEq)]
pub struct Traffic {
    /// The alias that callers use.
    pub alias: String,
    /// Requests per minute.
    pub per_minute: f64,
    /// The share of the requests that Lambda rejects because too many run at once, 0 to 1.
    pub throttled: f64,
}

/// Sets the traffic of a function from now on.
pub fn set_traffic(account: &mut Account, region: &str, function: &str, traffic: Traffic) {
    let now = account.now();
    let functions = account.cloudwatch.traffic.entry(region.to_owned()).or_default();
    Arc::make_mut(functions).entry(function.to_owned()).or_default().push((now, traffic));
}

/// Returns how many requests each version of a function is expected to receive between two moments, by the traffic and the routing of the
/// alias then.
#[must_use]
pub fn expected(account: &Account, region: &str, function: &str, from: Moment, until: Moment) -> BTreeMap<String, f64> {
    let mut expected = BTreeMap::new();
    let Some(found) = account.lambda.function(region, function) else { return expected };
    for (traffic, from, until) in segments(traffic_of(account, region, function), from, until) {
        for (routing, minutes) in routings(found, &traffic.alias, from, until) {
            for version in std::iter::once(&routing.version).chain(routing.weights.keys()) {
                let requests = traffic.per_minute * (1.0 - traffic.throttled) * minutes * routing.share(version);
                *expected.entry(version.clone()).or_default() += requests;
            }
        }
    }
    expected
}

fn traffic_of<'a>(account: &'a Account, region: &str, function: &str) -> &'a [(Moment, Traffic)] {
    let functions = account.cloudwatch.traffic.get(region);
    functions.and_then(|functions| functions.get(function)).map_or(&[], Vec::as_slice)
}

/// The parts of a time that entries, each valid until the next one, cover.
fn segments<T>(entries: &[(Moment, T)], from: Moment, until: Moment) -> impl Iterator<Item = (&T, Moment, Moment)> {
    let first = entries.partition_point(|(since, _)| *since <= from).saturating_sub(1);
    let parts = entries.iter().enumerate().skip(first).map(move |(index, (since, entry))| {
        let end = entries.get(index + 1).map_or(until, |(next, _)| (*next).min(until));
        (entry, (*since).max(from), end)
    });
    parts.take_while(move |(_, start, _)| *start < until).filter(|(_, start, end)| start < end)
}

/// The routings of an alias between two moments, each with its minutes.
fn routings<'a>(
    function: &'a Function,
    alias: &str,
    from: Moment,
    until: Moment,
) -> impl Iterator<Item = (&'a Routing, f64)> {
    let history: &[Routing] = function.aliases.get(alias).map_or(&[], |alias| alias.history.as_slice());
    let first = history.partition_point(|routing| routing.since <= from).saturating_sub(1);
    let parts = history.iter().enumerate().skip(first).map(move |(index, routing)| {
        let end = history.get(index + 1).map_or(until, |next| next.since.min(until));
        (routing, end.since(routing.since.max(from)).as_secs_f64() / 60.0)
    });
    parts.take_while(move |(routing, _)| routing.since < until).filter(|(_, minutes)| *minutes > 0.0)
}

/// A function whose metrics are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured<'a> {
    pub(super) region: &'a str,
    pub(super) function: &'a str,
    /// `None` for all aliases.
    pub(super) alias: Option<&'a str>,
    /// `None` for all versions.
    pub(super) version: Option<&'a str>,
}

/// The metrics of a minute, as far as they have appeared.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Minute {
    pub(super) invocations: f64,
    pub(super) errors: f64,
    pub(super) throttles: f64,
    /// The durations of each version: invocations, the typical one, and the 99th percentile, in milliseconds.
    pub(super) durations: Vec<(f64, f64, f64)>,
}

impl Minute {
    /// Adds the values of another minute.
    pub(super) fn add(&mut self, other: Self) {
        self.invocations += other.invocations;
        self.errors += other.errors;
        self.throttles += other.throttles;
        self.durations.extend(other.durations);
    }
}

/// Returns the metrics of the minute that begins so many minutes after the start of the simulation.
pub(super) fn minute(account: &Account, measured: Measured<'_>, number: u64) -> Minute {
    let mut sum = Minute::default();
    let start = Moment::after_start(Duration::from_secs(number * MINUTE));
    let end = start.plus(Duration::from_secs(MINUTE));
    let delay = Noise::of(account, measured, number, "").fraction("delay");
    // The requests until then have appeared: the current minute and the one before it may be incomplete.
    let until = account.now().minus(DELAY.mul_f64(delay)).min(end);
    let Some(function) = account.lambda.function(measured.region, measured.function) else { return sum };
    if until <= start {
        return sum;
    }
    let mut requests = BTreeMap::<(&str, &str), (f64, f64)>::new();
    let traffic = traffic_of(account, measured.region, measured.function);
    for (traffic, from, until) in segments(traffic, start, until) {
        if measured.alias.is_some_and(|alias| alias != traffic.alias) {
            continue;
        }
        for (routing, minutes) in routings(function, &traffic.alias, from, until) {
            for version in std::iter::once(&routing.version).chain(routing.weights.keys()) {
                let (accepted, throttled) = requests.entry((&traffic.alias, version)).or_default();
                let mean = traffic.per_minute * minutes * routing.share(version);
                *accepted += mean * (1.0 - traffic.throttled);
                *throttled += mean * traffic.throttled;
            }
        }
    }
    for ((alias, version), (accepted, throttled)) in requests {
        if measured.version.is_none_or(|wanted| wanted == version) {
            let measured = Measured { alias: Some(alias), version: Some(version), ..measured };
            sum.add(of_version(account, function, measured, number, (accepted, throttled)));
        }
    }
    sum
}

/// The metrics of one version behind one alias in a minute with these means of accepted and throttled requests.
fn of_version(
    account: &Account,
    function: &Function,
    measured: Measured<'_>,
    number: u64,
    (accepted, throttled): (f64, f64),
) -> Minute {
    let version = measured.version.unwrap_or_default();
    let Some((behavior, timeout)) = function.past(version) else { return Minute::default() };
    let noise = Noise::of(account, measured, number, version);
    let invocations = count(accepted, noise.fraction("invocations"));
    let throttles = count(throttled, noise.fraction("throttles"));
    let share = behavior.failing();
    // The rarer of both outcomes is drawn, so that a version that always fails has as many errors as invocations.
    let rare = count(accepted * share.min(1.0 - share), noise.fraction("errors"));
    let rare = rare.min(invocations);
    let errors = if share <= 0.5 { rare } else { invocations - rare };
    let mut durations = Vec::new();
    if invocations > 0.0 {
        let limit = (timeout * 1000) as f64;
        let typical = if behavior.probe == Probed::Hangs { limit } else { f64::from(behavior.duration_ms) };
        let mut slow = typical * (1.3 + 0.4 * noise.fraction("duration"));
        // The first requests open their connections.
        if is_new(account, function, measured, number) {
            slow += f64::from(behavior.cold_ms);
        }
        durations.push((invocations, typical.min(limit), slow.min(limit)));
    }
    Minute { invocations, errors, throttles, durations }
}

/// Whether a version received no traffic through an alias in the minute before.
fn is_new(account: &Account, function: &Function, measured: Measured<'_>, number: u64) -> bool {
    let Some(before) = number.checked_sub(1) else { return true };
    let start = Moment::after_start(Duration::from_secs(before * MINUTE));
    let end = start.plus(Duration::from_secs(MINUTE));
    let (alias, version) = (measured.alias.unwrap_or_default(), measured.version.unwrap_or_default());
    let mut shares = routings(function, alias, start, end).map(|(routing, _)| routing.share(version));
    let has_share = shares.any(|share| share > 0.0);
    let mut traffic = segments(traffic_of(account, measured.region, measured.function), start, end);
    !has_share || !traffic.any(|(traffic, _, _)| traffic.per_minute > 0.0)
}

/// The noise of a version's metrics in a minute.
struct Noise {
    seed: u64,
}

impl Noise {
    fn of(account: &Account, measured: Measured<'_>, number: u64, version: &str) -> Self {
        let seed = hash(account.cloudwatch.seed, measured.region.as_bytes());
        let seed = hash(seed, measured.function.as_bytes());
        Self { seed: hash(hash(seed, version.as_bytes()), &number.to_le_bytes()) }
    }

    /// A fraction for a purpose, 0 to 1.
    fn fraction(&self, purpose: &str) -> f64 {
        (hash(self.seed, purpose.as_bytes()) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A count with this mean: the quantile of the Poisson distribution at a fraction, or of its approximation. With the same fraction, a larger
/// mean gives at least the same count: a minute that fills does not lose requests.
fn count(mean: f64, fraction: f64) -> f64 {
    if mean <= 0.0 {
        return 0.0;
    }
    if mean > POISSON {
        let normal = normal_quantile(fraction);
        // Cornish and Fisher's expansion.
        let approximation = mean + mean.sqrt() * normal + (normal * normal - 1.0) / 6.0;
        return approximation.round().max(count(POISSON, fraction));
    }
    let (mut count, mut probability) = (0.0, (-mean).exp());
    let mut sum = probability;
    while sum < fraction && count < 4.0 * POISSON {
        count += 1.0;
        probability *= mean / count;
        sum += probability;
    }
    count
}

/// The quantile of the normal distribution, between -4 and 4 (Abramowitz and Stegun, "Handbook of Mathematical Functions", 26.2.23).
fn normal_quantile(fraction: f64) -> f64 {
    let tail = fraction.min(1.0 - fraction).max(1e-9);
    let t = (-2.0 * tail.ln()).sqrt();
    let numerator = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let denominator = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let distance = (t - numerator / denominator).min(4.0);
    if fraction < 0.5 { -distance } else { distance }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_their_mean_and_grow_with_it() {
        for mean in [0.2, 3.0, 60.0, 900.0] {
            let fractions = (0..1000).map(|index| (f64::from(index) + 0.5) / 1000.0);
            let sum: f64 = fractions.map(|fraction| count(mean, fraction)).sum();
            assert!((sum / 1000.0 - mean).abs() < 0.02 * mean + 0.01, "{mean}: {}", sum / 1000.0);
        }
        for fraction in [0.002, 0.37, 0.5, 0.998] {
            let counts: Vec<_> = (0..900).map(|step| count(f64::from(step) * 0.3, fraction)).collect();
            assert!(counts.is_sorted(), "{fraction}: {counts:?}");
        }
    }
}
