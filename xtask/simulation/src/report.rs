//! The table of many histories, and the report of a violation.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

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
