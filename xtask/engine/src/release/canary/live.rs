//! A canary of deployed functions: weighted aliases, CloudWatch metrics and alarms, probes.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use futures_util::future::{join_all, try_join_all};

use super::{CanaryTarget, VersionPair};
use crate::{
    aws::lambda::{Routing, TrafficSplit},
    deploy::observe::LIVE,
    interruption::Continuing,
    ledger::OpenEntry,
    release::{
        ReleaseContext, ReleaseError, alias::all_shifted, candidate::probe, context::failed, shift::FunctionChange,
        smoke::SmokeTest,
    },
    ui::Step,
};

/// A recorded release whose functions share traffic with their old versions.
pub(in crate::release) struct LiveCanary<'a> {
    pub(in crate::release) context: &'a ReleaseContext<'a>,
    pub(in crate::release) open: OpenEntry,
    pub(in crate::release) changes: Vec<FunctionChange>,
    pub(in crate::release) smoke_tests: Vec<SmokeTest>,
    /// When the traffic last shifted.
    pub(in crate::release) shifted: SystemTime,
    pub(in crate::release) step: Option<Step>,
    /// The share of the traffic that an interruption leaves in place.
    pub(in crate::release) continuing: Option<Continuing>,
}

impl LiveCanary<'_> {
    /// Returns each function with an old version: its name, the old version and the new one.
    fn versions(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.changes.iter().filter_map(|(function, change)| {
            Some((function.function_name.as_str(), change.before.as_deref()?, change.after.as_str()))
        })
    }

    /// Registers the share of the traffic that an interruption leaves in place.
    fn register_share(&mut self, percent: u8) {
        let entry = &self.open.entry;
        let (stage, system, number) = (&entry.stage, &entry.system, entry.number);
        let share = format!(
            "release {number} of {system} keeps {percent} % of the traffic, unobserved, until the next deploy, or `cargo \
             xtask release abort --stage {stage} --system {system}`"
        );
        // The earlier share is unregistered first: otherwise an interruption would report both.
        self.continuing = None;
        self.continuing = Some(self.context.interruption.continuing(share));
    }
}

impl CanaryTarget for LiveCanary<'_> {
    type Error = ReleaseError;

    async fn shift(&mut self, percent: u8) -> Result<(), ReleaseError> {
        // Recorded before the shift: a run whose entry was taken over cannot write it, and shifts nothing.
        self.context.ledger.record_step(&mut self.open, format!("{percent} % of the traffic")).await?;
        let shifts = self.versions().map(async |(function, before, after)| {
            let split = TrafficSplit { version: before, other: after, share: f64::from(percent) / 100.0 };
            self.context.shift_live(&self.open.entry, function, Routing::Split(split)).await
        });
        // All are awaited: a late one would take effect after the reversal of another.
        all_shifted(join_all(shifts).await)?;
        // Metrics have AWS's times.
        self.shifted = self.context.clients.now();
        self.step = Some(self.context.ui.step(format!("Canary at {percent} %")));
        self.register_share(percent);
        Ok(())
    }

    async fn metrics(&mut self) -> Result<Vec<VersionPair>, ReleaseError> {
        let cloudwatch = self.context.clients.cloudwatch();
        let shifted = self.shifted;
        try_join_all(self.versions().map(async |(function, before, after)| {
            let samples = cloudwatch.samples(function, LIVE, &[before, after], shifted).await;
            let samples = samples.map_err(failed(function))?;
            Ok(VersionPair { function: function.to_owned(), old: samples[0], new: samples[1] })
        }))
        .await
    }

    async fn firing_alarms(&mut self) -> Result<BTreeSet<String>, ReleaseError> {
        let metadata = &self.context.metadata;
        let names: Vec<_> = metadata.alarms.iter().chain(&metadata.system_alarms).cloned().collect();
        if names.is_empty() {
            return Ok(BTreeSet::new());
        }
        let alarms = self.context.clients.cloudwatch().alarms(&names).await.map_err(failed(&metadata.system))?;
        // A misspelled alarm would never fire.
        let unknown: Vec<_> = metadata.alarms.iter().filter(|alarm| !alarms.contains_key(*alarm)).cloned().collect();
        if !unknown.is_empty() {
            return Err(ReleaseError::UnknownAlarms { alarms: unknown, stage: metadata.stage.clone() });
        }
        Ok(alarms.into_iter().filter_map(|(alarm, is_firing)| is_firing.then_some(alarm)).collect())
    }

    async fn probe(&mut self) -> Result<Option<String>, ReleaseError> {
        for (function, change) in &self.changes {
            match probe(self.context, function, &change.after).await {
                Ok(()) => {}
                Err(error @ ReleaseError::Probe { .. }) => return Ok(Some(error.to_string())),
                Err(error) => return Err(error),
            }
        }
        for test in &self.smoke_tests {
            if let Err(why) = test.run_with_retries(self.context.attempts()).await {
                return Ok(Some(why));
            }
        }
        Ok(None)
    }

    async fn pause(&mut self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
