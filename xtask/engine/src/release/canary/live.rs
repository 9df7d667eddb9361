//! The world as it is: weighted aliases, CloudWatch, and probes.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use futures_util::future::{join_all, try_join_all};
use model::rendered::RenderedFunction;

use super::{Pair, World};
use crate::{
    deploy::observe::LIVE,
    interruption::Continuing,
    ledger::{Move, Open},
    release::{Facts, ReleaseContext, ReleaseError, candidate::probe, shift::again, smoke::Check},
    store::Store,
    ui::Step,
};

/// An entered release on its way.
pub(in crate::release) struct Live<'a, S> {
    pub(in crate::release) open: Open,
    pub(in crate::release) moving: Vec<(RenderedFunction, Move)>,
    pub(in crate::release) checks: Vec<Check>,
    pub(in crate::release) context: &'a ReleaseContext<'a, S>,
    pub(in crate::release) since: SystemTime,
    pub(in crate::release) step: Option<Step>,
    /// The traffic share that stays after an interruption.
    pub(in crate::release) continuing: Option<Continuing>,
}

impl<S: Store> World for Live<'_, S> {
    type Error = ReleaseError;

    async fn weigh(&mut self, percent: u8) -> Result<(), ReleaseError> {
        // Entered before anything moves: whoever has lost the lock meanwhile cannot write, and moves nothing.
        self.context.book.step(&mut self.open, format!("{percent} % of the traffic")).await?;
        let lambda = self.context.clients.lambda();
        let weights =
            self.moving.iter().filter_map(|(function, moved)| Some((function, moved.before.as_ref()?, moved)));
        let weighed = weights.map(async |(function, before, moved)| {
            let name = &function.function_name;
            let share = f64::from(percent) / 100.0;
            let weighed = lambda.weigh(name, LIVE, before, (&moved.after, share)).await;
            weighed.map_err(|source| ReleaseError::Aws { function: name.clone(), source })
        });
        // All are waited for: one that is still on its way would arrive after what is done about another's failure.
        join_all(weighed).await.into_iter().collect::<Result<Vec<()>, _>>()?;
        self.since = SystemTime::now();
        self.step = Some(self.context.ui.step(format!("Canary at {percent} %")));
        let entry = &self.open.entry;
        let (stage, system, number) = (&entry.stage, &entry.system, entry.number);
        // The step before is unregistered first: otherwise an interruption would report both.
        self.continuing = None;
        self.continuing = Some(self.context.interruption.continuing(format!(
            "release {number} of {system} keeps {percent} % of the traffic, unwatched, until the next deploy, or `cargo xtask \
             release abort --stage {stage} --system {system}`"
        )));
        Ok(())
    }

    async fn look(&mut self) -> Result<Vec<Pair>, ReleaseError> {
        let cloudwatch = self.context.clients.cloudwatch();
        let known = self.moving.iter().filter_map(|(function, moved)| Some((function, moved.before.as_ref()?, moved)));
        try_join_all(known.map(async |(function, before, moved)| {
            let name = &function.function_name;
            let versions = [before.as_str(), moved.after.as_str()];
            let samples = cloudwatch.samples(name, LIVE, &versions, self.since).await;
            let samples = samples.map_err(|source| ReleaseError::Aws { function: name.clone(), source })?;
            Ok(Pair { function: name.clone(), old: samples[0], new: samples[1] })
        }))
        .await
    }

    async fn firing(&mut self) -> Result<BTreeSet<String>, ReleaseError> {
        let Facts { alarms, own_alarms, .. } = &self.context.facts;
        let watched: Vec<_> = alarms.iter().chain(own_alarms).cloned().collect();
        if watched.is_empty() {
            return Ok(BTreeSet::new());
        }
        let found = self.context.clients.cloudwatch().alarms(&watched).await;
        let found =
            found.map_err(|source| ReleaseError::Aws { function: self.context.facts.system.clone(), source })?;
        // A name that nothing has would watch nothing, and nobody would know.
        let missing: Vec<_> = alarms.iter().filter(|alarm| !found.contains_key(*alarm)).cloned().collect();
        if !missing.is_empty() {
            return Err(ReleaseError::NoAlarm { alarms: missing, stage: self.context.facts.stage.clone() });
        }
        Ok(found.into_iter().filter_map(|(alarm, firing)| firing.then_some(alarm)).collect())
    }

    async fn probe(&mut self) -> Result<Option<String>, ReleaseError> {
        for (function, moved) in &self.moving {
            match probe(function, &moved.after, self.context).await {
                Ok(()) => {}
                Err(error @ ReleaseError::Probe { .. }) => return Ok(Some(error.to_string())),
                Err(error) => return Err(error),
            }
        }
        for check in &self.checks {
            if let Err(why) = check.settle(again(self.context)).await {
                return Ok(Some(why));
            }
        }
        Ok(None)
    }

    async fn pause(&mut self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
