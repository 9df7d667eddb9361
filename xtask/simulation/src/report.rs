//! The table of many histories, and the report of a violation.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{history::History, observer::Violation, run::Outcome};

/// The sums of many histories.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// How many histories were played.
    pub histories: u64,
    /// How many of them violated an invariant.
    pub violating: u64,
    /// The calls of all.
    pub calls: u64,
    /// The virtual time of all, in seconds.
    pub seconds: u64,
    /// How often each kind of operation ran.
    pub workloads: BTreeMap<&'static str, u64>,
    /// How often each kind of fault happened.
    pub faults: BTreeMap<&'static str, u64>,
}

impl Totals {
    /// Adds the outcome of a history.
    pub fn add(&mut self, outcome: &Outcome) {
        self.histories += 1;
        self.violating += u64::from(!outcome.violations.is_empty());
        self.calls += outcome.calls;
        self.seconds += outcome.seconds;
        for (name, count) in &outcome.workloads {
            *self.workloads.entry(name).or_default() += count;
        }
        for (name, count) in &outcome.faults {
            *self.faults.entry(name).or_default() += count;
        }
    }

    /// Returns the table, for a run that took so long on so many threads.
    #[must_use]
    pub fn table(&self, took: Duration, threads: usize) -> String {
        let mut text = String::new();
        for (title, counts) in [("operation", &self.workloads), ("fault", &self.faults)] {
            let _ = writeln!(text, "{title:<28} {:>8}", "count");
            for (name, count) in counts {
                let _ = writeln!(text, "{name:<28} {count:>8}");
            }
            text.push('\n');
        }
        let core_seconds = took.as_secs_f64() * threads as f64;
        let rate = |count: u64| count as f64 / core_seconds.max(f64::EPSILON);
        let operations: u64 = self.workloads.values().sum();
        let _ = writeln!(
            text,
            "{} histories, {operations} operations, {} calls, {} h of virtual time; {:.1} s on {threads} threads: {:.1} histories \
             and {:.0} calls a second and core",
            self.histories,
            self.calls,
            self.seconds / 3600,
            took.as_secs_f64(),
            rate(self.histories),
            rate(self.calls),
        );
        let _ = writeln!(text, "{} histories violate an invariant", self.violating);
        text
    }
}

/// The result of many histories, as `simulate --result` writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Played {
    /// How many histories were played; up to the first violation if there is one.
    pub histories: u64,
    /// The violation with the lowest seed.
    pub found: Option<Found>,
}

/// A history that violates an invariant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Its seed.
    pub seed: u64,
    /// The violations.
    pub violations: Vec<Violation>,
}

impl Found {
    /// Describes the first violation.
    #[must_use]
    pub fn first(&self) -> String {
        self.violations.first().map(ToString::to_string).unwrap_or_default()
    }
}

impl Played {
    /// Keeps a violation if its seed is the lowest so far. Seeds begin at `from`.
    pub fn add(&mut self, found: Found, from: u64) {
        if self.found.as_ref().is_none_or(|earlier| found.seed < earlier.seed) {
            self.histories = found.seed.saturating_sub(from) + 1;
            self.found = Some(found);
        }
    }

    /// Whether a search for the lowest seed may end before this one.
    #[must_use]
    pub fn is_before(&self, seed: u64) -> bool {
        self.found.as_ref().is_some_and(|found| found.seed < seed)
    }
}

/// Describes a violation: its seed, what is wrong, and the shortest history that still shows it.
#[must_use]
pub fn violation(seed: u64, violations: &[Violation], shortest: Option<&History>) -> String {
    let mut text = format!("seed {seed}\n");
    for violation in violations {
        let _ = writeln!(text, "  {violation}");
    }
    if let Some(history) = shortest {
        let _ = writeln!(text, "  shortest history: {}", serde_json::to_string(history).unwrap_or_default());
        for (number, step) in history.steps.iter().enumerate() {
            let _ = writeln!(text, "    {number}: {}", serde_json::to_string(step).unwrap_or_default());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_seed_is_kept_whichever_thread_is_first() {
        let found = |seed| Found { seed, violations: Vec::new() };
        let mut played = Played::default();
        assert!(!played.is_before(7));
        for seed in [7, 5, 6] {
            played.add(found(seed), 3);
        }
        assert_eq!((played.histories, played.found.clone()), (3, Some(found(5))));
        assert!(played.is_before(6) && !played.is_before(4));
    }
}
