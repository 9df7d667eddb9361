//! Shortens a history as long as it violates the same invariant.

use crate::{
    history::{Deed, History, Step},
    observer::Invariant,
    run::run,
    world::Tools,
};

/// A shortened history, and how many histories were tried.
#[derive(Debug, Clone)]
pub struct Shrunk {
    /// The history.
    pub history: History,
    /// How many were played.
    pub tried: usize,
}

/// Removes steps, actors, faults, skews and parts of the project while the invariant stays violated. Plays at most `limit` histories.
#[must_use]
pub fn shrink(history: &History, invariant: Invariant, limit: usize, tools: &Tools) -> Shrunk {
    let mut best = Shrunk { history: history.clone(), tried: 0 };
    loop {
        let mut is_shorter = false;
        let mut index = 0;
        // A candidate that was accepted makes place for the next one at the same index.
        while let Some(candidate) = candidates(&best.history).into_iter().nth(index) {
            if best.tried >= limit {
                return best;
            }
            best.tried += 1;
            let outcome = run(&candidate, tools);
            if outcome.violations.iter().any(|violation| violation.invariant == invariant) {
                best.history = candidate;
                is_shorter = true;
            } else {
                index += 1;
            }
        }
        if !is_shorter {
            return best;
        }
    }
}

/// All histories that are one removal shorter, the largest removals first.
fn candidates(history: &History) -> Vec<History> {
    let mut all = Vec::new();
    let count = history.steps.len();
    // Halves and quarters first: most steps of most histories have nothing to do with the violation.
    for part in [2, 4] {
        let length = count / part;
        if length > 1 {
            all.extend((0..part).map(|number| without_steps(history, number * length, length)));
        }
    }
    all.extend((0..count).rev().map(|at| without_steps(history, at, 1)));
    for at in 0..count {
        all.extend(shorter_steps(&history.steps[at]).into_iter().map(|step| {
            let mut shorter = history.clone();
            shorter.steps[at] = step;
            shorter
        }));
    }
    all.extend(smaller_projects(history));
    if history.skews != [0; 3] {
        all.push(History { skews: [0; 3], ..history.clone() });
    }
    all
}

fn without_steps(history: &History, at: usize, count: usize) -> History {
    let mut shorter = history.clone();
    shorter.steps.drain(at..at + count);
    shorter
}

fn shorter_steps(step: &Step) -> Vec<Step> {
    let Step::Act(actors) = step else { return Vec::new() };
    let mut all = Vec::new();
    if actors.len() > 1 {
        for at in 0..actors.len() {
            let mut rest = actors.clone();
            rest.remove(at);
            all.push(Step::Act(rest));
        }
    }
    for (at, actor) in actors.iter().enumerate() {
        let Deed::Run(run) = &actor.deed else { continue };
        let mut with = |change: &dyn Fn(&mut crate::history::Run)| {
            let mut actors = actors.clone();
            if let Deed::Run(run) = &mut actors[at].deed {
                change(run);
            }
            all.push(Step::Act(actors));
        };
        for fault in 0..run.faults.len() {
            with(&|run| {
                run.faults.remove(fault);
            });
            if run.faults[fault].calls > 1 {
                with(&|run| run.faults[fault].calls = 1);
            }
        }
        if run.interrupted.is_some() {
            with(&|run| run.interrupted = None);
        }
    }
    all
}

fn smaller_projects(history: &History) -> Vec<History> {
    let mut all = Vec::new();
    let with = |change: &dyn Fn(&mut crate::shape::Shape)| {
        let mut smaller = history.clone();
        change(&mut smaller.shape);
        smaller
    };
    let shape = &history.shape;
    if shape.systems.len() > 1 {
        all.extend((0..shape.systems.len()).map(|at| with(&|shape| drop(shape.systems.remove(at)))));
    }
    for (at, system) in shape.systems.iter().enumerate() {
        if system.site.is_some() {
            all.push(with(&|shape| shape.systems[at].site = None));
        }
        if system.api {
            all.push(with(&|shape| shape.systems[at].api = false));
        }
        for (stack, of) in system.stacks.iter().enumerate() {
            for (part, found) in of.parts.iter().enumerate() {
                let is_needed = of.parts.len() == 1 || (found.is_function() && system.functions().count() == 1);
                if !is_needed {
                    all.push(with(&|shape| {
                        shape.systems[at].stacks[stack].parts.remove(part);
                    }));
                }
            }
            let functions = of.parts.iter().filter(|part| part.is_function()).count();
            if system.stacks.len() > 1 && functions < system.functions().count() {
                all.push(with(&|shape| drop(shape.systems[at].stacks.remove(stack))));
            }
        }
    }
    if shape.canary {
        all.push(with(&|shape| shape.canary = false));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of values that say something: a value is none of them if it is absent, false or zero.
    fn weight(value: &serde_json::Value) -> usize {
        use serde_json::Value::{Array, Bool, Null, Number, Object, String};
        match value {
            Null | Bool(false) => 0,
            Number(number) => usize::from(number.as_f64() != Some(0.0)),
            Bool(true) | String(_) => 1,
            Array(items) => items.iter().map(|item| 1 + weight(item)).sum(),
            Object(fields) => fields.values().map(weight).sum(),
        }
    }

    #[test]
    fn every_candidate_is_shorter() {
        for seed in 0..50 {
            let history = History::random(seed);
            let size = |history: &History| weight(&serde_json::to_value(history).expect("plain data"));
            for candidate in candidates(&history) {
                assert_ne!(candidate, history);
                assert!(size(&candidate) <= size(&history), "{candidate:?}");
            }
        }
    }
}
