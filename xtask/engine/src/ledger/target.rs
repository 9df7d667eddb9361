//! Which release a rollback returns to.

use std::{collections::BTreeMap, iter::successors};

use super::{Entry, LedgerError, Outcome, ReleaseKind};

/// Returns the release that a rollback returns to: release `to`, or the last completed release that differs from the present
/// one and precedes it. After a rollback to release 2 that is a release before 2.
pub(crate) fn rollback_target<'a>(
    entries: &'a [Entry],
    to: Option<u32>,
    stage: &str,
) -> Result<&'a Entry, LedgerError> {
    match to {
        Some(number) => numbered(entries, number, stage),
        None => last_different(entries).ok_or_else(|| LedgerError::NothingBefore { stage: stage.to_owned() }),
    }
}

fn numbered<'a>(entries: &'a [Entry], number: u32, stage: &str) -> Result<&'a Entry, LedgerError> {
    let entry = entries.iter().find(|entry| entry.number == number);
    let stage = || stage.to_owned();
    let entry = entry.ok_or_else(|| LedgerError::NoSuchRelease { stage: stage(), number, known: entries.len() })?;
    match entry.outcome {
        Outcome::Released => Ok(entry),
        _ => Err(LedgerError::NeverReleased { stage: stage(), number, outcome: entry.outcome_text() }),
    }
}

fn last_different(entries: &[Entry]) -> Option<&Entry> {
    let mut newest_first = entries.iter().rev().filter(|entry| entry.outcome == Outcome::Released);
    let present = newest_first.next()?;
    // A rollback may have returned to a rollback.
    let returned_to = |number: u32| {
        let entry = entries.iter().find(|entry| entry.number == number)?;
        match entry.kind {
            ReleaseKind::Rollback { to } if to < number => Some(to),
            ReleaseKind::Rollback { .. } | ReleaseKind::Deploy => None,
        }
    };
    let number = successors(Some(present.number), |number| returned_to(*number)).last()?;
    newest_first.find(|entry| entry.number < number && !serves_the_same(entry, present))
}

/// Returns whether users receive the same from both releases. A site that one of them does not contain stays as it is, so it
/// is not a difference.
fn serves_the_same(one: &Entry, other: &Entry) -> bool {
    let versions = |entry: &Entry| -> BTreeMap<String, String> {
        entry.functions.iter().map(|(name, change)| (name.clone(), change.after.clone())).collect()
    };
    let same_site = |(name, manifest): (&String, &String)| other.sites.get(name).is_none_or(|other| other == manifest);
    versions(one) == versions(other) && one.sites.iter().all(same_site)
}
